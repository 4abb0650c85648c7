"""Runs on disk: ids, folders, states, records.

A run lives in `<runs_dir>/<label>-<hash8>/seed<k>/`, where the hash covers every non-null field
that says what is computed, and nothing else. Its state is a fact of the file system.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mixup_repro.config import NOT_SCIENCE, SCIENCE, Config, Run
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.files import remove_leftovers, write_json


class State(StrEnum):
    """The state of a run."""

    DONE = "done"  # its record.json is there, which is written last
    RUNNING = "running"  # another process holds the lock
    INTERRUPTED = "interrupted"  # a checkpoint is there, and no failed.json
    FAILED = "failed"  # failed.json is there
    ABSENT = "absent"  # none of these


class Outcome(StrEnum):
    """What one visit made of a run."""

    DONE = "done"  # trained now
    PRESENT = "present"  # finished before
    EVALUATED = "evaluated"  # finished before, with new evaluations
    RUNNING = "running"  # elsewhere
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    NOT_TRAINED = "not trained"  # nor asked to be
    MISSING = "missing"  # asked for, and nothing came of it

    @property
    def finished(self) -> bool:
        """Whether the run has a record."""
        return self in (Outcome.DONE, Outcome.PRESENT, Outcome.EVALUATED)


def science(config: Config | Mapping[str, Any]) -> dict[str, Any]:
    """The non-null fields that a run's identity is made of.

    config: of one run; or as a record holds it, a mapping of groups to their fields.
    """
    groups = asdict(config) if isinstance(config, Config) else config
    fields: dict[str, Any] = {}
    for group in SCIENCE:
        skip = NOT_SCIENCE.get(group, ())
        values = groups[group].items()
        fields[group] = {k: v for k, v in values if v is not None and k not in skip}
    if groups["scale"]:
        fields["scale"] = groups["scale"]
    return fields


def run_id(config: Config | Mapping[str, Any]) -> str:
    """`<dataset>-<architecture>-<method>[-a<alpha>]-<hash8>`; the seed is not part of it.

    config: as for `science`.
    """
    fields = science(config)
    # repr of a float is exact and short; 1 and 1.0 must not differ, so numbers become floats.
    text = json.dumps(_floats(fields), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    parts = [_label(fields["dataset"]), fields["architecture"]["name"], fields["method"]["name"]]
    if "alpha" in fields["method"]:
        parts.append(f"a{fields['method']['alpha']:g}")
    return "-".join([*parts, digest])


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _floats(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_floats(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def dataset_label(config: Config) -> str:
    """The data set's name in results, safe as a folder's name."""
    return _label(science(config)["dataset"])


def _label(data: Mapping[str, Any]) -> str:
    label = data.get("label") or data["name"]
    if data["name"] == "alternating_line":
        label = f"x_{data['points']}^{data['classes']}"
    if data["name"] == "separated_moons":
        label = f"moons-{data['separation']:g}"
    if data["name"] == "gaussians":
        label = f"gaussians-{data['layout']}"
    return safe_label(label)


def safe_label(label: str) -> str:
    """A data set's name as it stands in ids and tables: safe as a folder's name and in a cell.

    A cell that starts with a minus is a formula to a spreadsheet.
    """
    return re.sub(r"^-|[^A-Za-z0-9_.^-]", "_", label)


class RunFolder:
    """The folder of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.id = run_id(run.config)
        self.path = Path(run.config.runs_dir) / self.id / f"seed{run.seed}"

    def __str__(self) -> str:
        return f"{self.id}/seed{self.run.seed}"

    @property
    def record_path(self) -> Path:
        """Where the record is, once the run is done."""
        return self.path / "record.json"

    @property
    def logits_path(self) -> Path:
        """The test logits (n, classes), as `logits` of a NumPy archive."""
        return self.path / "logits.npz"

    @property
    def weights_path(self) -> Path:
        """The weights after the last epoch."""
        return self.path / "weights.pt"

    def snapshot_path(self, epoch: int) -> Path:
        """The weights after an epoch before the last, where they are kept."""
        return self.path / f"weights-epoch{epoch:06d}.pt"

    def kept_weights(self) -> dict[int, Path]:
        """The weights that a finished run has kept, by epoch."""
        paths = self.path.glob("weights-epoch*.pt")
        kept = {int(re.findall(r"\d+", path.name)[0]): path for path in sorted(paths)}
        return kept | {self.run.config.recipe.epochs: self.weights_path}

    @property
    def failed_path(self) -> Path:
        """Why the run failed, where it did."""
        return self.path / "failed.json"

    def state(self) -> State:
        """What has become of it."""
        return state_of(self.path)

    def lock(self) -> FileLock:
        """The lock a process holds while it works on this run; freed when the process dies."""
        return lock_of(self.path)

    def epoch(self) -> int:
        """The epoch of the newest checkpoint; 0 where there is none."""
        return max((int(p.stem[5:11]) for p in self.path.glob("epoch*.pt")), default=0)

    def reason(self) -> str:
        """Why the run failed, in one line.

        Raises:
            FileNotFoundError: it did not.
        """
        try:
            return str(json.loads(self.failed_path.read_text())["error"])
        except (ValueError, LookupError, TypeError):
            return f"{self.failed_path} is damaged"

    def create(self) -> None:
        """Make the folder.

        Raises:
            InputError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            root = self.run.config.runs_dir
            raise InputError(
                f"runs_dir={root}: cannot be written ({error.strerror}); choose another with "
                f"runs_dir=<folder>"
            ) from error

    def read_record(self) -> dict[str, Any]:
        """What the run has found: see `training.record`.

        Raises:
            InputError: it is not done, or its record is damaged or another run's.
        """
        return read_record(self.path)

    def write_record(self, record: dict[str, Any]) -> None:
        """Make the run done: its checkpoints, and the failure of an earlier attempt, go."""
        write_json(self.record_path, record)
        self.failed_path.unlink(missing_ok=True)
        self.tidy()

    def tidy(self) -> None:
        """Remove what a killed process left: half-written files, checkpoints of a finished run.

        For who holds the lock.
        """
        remove_leftovers(self.path)
        if self.record_path.exists():
            for path in self.path.glob("epoch*.pt"):
                path.unlink()

    def write_failure(self, failure: dict[str, Any]) -> None:
        """Make the run failed; `failure` has its `error` in one line."""
        write_json(self.failed_path, failure)


LOOK_S = 0.2  # a look at a run's state holds its lock for less than a millisecond


def state_of(folder: Path) -> State:
    """The state of the run in a folder."""
    if is_done(folder):
        return State.DONE
    if (folder / "lock").exists():
        try:
            with lock_of(folder).acquire(blocking=False):
                pass
        except Timeout:
            return State.RUNNING
    if (folder / "failed.json").exists():
        return State.FAILED
    return State.INTERRUPTED if any(folder.glob("epoch*.pt")) else State.ABSENT


def lock_of(folder: Path) -> FileLock:
    """As `RunFolder.lock`, of the run in a folder."""
    return FileLock(folder / "lock")


def bytes_in(folder: Path) -> int:
    """Size of all files below a folder; those that vanish meanwhile are not counted."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


def is_done(folder: Path) -> bool:
    """Whether a folder holds the record of the run that it is named after."""
    path = folder / "record.json"
    try:
        stat = path.stat()
        return _believed(path, stat.st_mtime_ns, stat.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return False


@cache  # a record is read again when it changes only: `plan --watch` looks often
def _believed(path: Path, mtime_ns: int, size: int) -> bool:
    try:
        read_record(path.parent)
    except InputError:
        return False
    return True


def read_record(folder: Path) -> dict[str, Any]:
    """The record of the run in a folder.

    It is believed only under the folder's own id and seed: the id is that of the config it holds.

    Raises:
        DamagedError: it is no whole record.
        InputError: there is none, or it is another run's.
    """
    path = folder / "record.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        stated = f"{record['run_id']}/seed{record['seed']}"
        computed = run_id(record["config"])
        record["evaluations"][0]["evaluation"]  # a record without any is none
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there: the run is not finished") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from error
    if stated != f"{folder.parent.name}/{folder.name}" or computed != folder.parent.name:
        raise InputError(
            f"{path} is of another run than its folder: {stated}, with the config of {computed}; "
            f"move the folder away"
        )
    return record


def read_ood(path: Path) -> dict[str, Any]:
    """A benchmark's rows beside a run's record: `benchmark`, `source`, and `rows`.

    Raises:
        InputError: the file is not there, or it is damaged or another run's.
    """
    folder = path.parent
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        of = f"{found['run_id']}/seed{found['seed']}"
        whole = path.name == f"ood-{found['benchmark']}.json" and all(
            isinstance(row, dict) for row in found["rows"]
        )
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is not there") from error
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from error
    if of != f"{folder.parent.name}/{folder.name}" or not whole:
        raise InputError(f"{path} is not of this run and benchmark, but of {of}")
    return found


def finished_records(runs_dir: Path, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The records of all finished runs below `runs_dir`, in a fixed order.

    Each with `ood`, the rows of every benchmark the run was evaluated on. What is no record of the
    run whose folder it lies in is named by `say`, and passed over.
    """
    for path in sorted(runs_dir.glob("*/seed*/record.json")):
        try:
            record = read_record(path.parent)
        except InputError as error:
            say(f"passed over: {error}")
            continue
        rows = []
        for other in sorted(path.parent.glob("ood-*.json")):
            try:
                found = read_ood(other)
            except InputError as error:
                say(f"passed over: {error}")
                continue
            rows += [{"benchmark": found["benchmark"]} | row for row in found["rows"]]
        yield record | {"ood": rows}
