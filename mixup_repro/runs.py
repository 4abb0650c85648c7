"""Runs on disk: ids, folders, states, records.

A run lives in `<runs_dir>/<label>-<hash8>/seed<k>/`, where the hash covers every non-null field
that says what is computed, and nothing else. Its state is a fact of the file system:

    done         record.json is there (written last, atomically)
    running      another process holds the lock
    failed       failed.json is there
    interrupted  a checkpoint is there
    absent       none of these
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mixup_repro.config import NOT_SCIENCE, SCIENCE, Config, Run
from mixup_repro.errors import InputError
from mixup_repro.files import write_json


def science(config: Config) -> dict[str, Any]:
    """The non-null fields that a run's identity is made of."""
    fields: dict[str, Any] = {}
    for group in SCIENCE:
        values = asdict(getattr(config, group))
        skip = NOT_SCIENCE.get(group, ())
        fields[group] = {k: v for k, v in values.items() if v is not None and k not in skip}
    if config.scale:
        fields["scale"] = config.scale
    return fields


def run_id(config: Config) -> str:
    """`<dataset>-<architecture>-<method>[-a<alpha>]-<hash8>`; the seed is not part of it."""
    # repr of a float is exact and short; 1 and 1.0 must not differ, so numbers become floats.
    text = json.dumps(_floats(science(config)), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    parts = [dataset_label(config), config.architecture.name, config.method.name]
    if config.method.alpha is not None:
        parts.append(f"a{config.method.alpha:g}")
    return "-".join([*parts, digest])


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _floats(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_floats(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def dataset_label(config: Config) -> str:
    """The data set's name in results, safe as a folder's name."""
    data = config.dataset
    label = data.label or data.name
    if data.name == "alternating_line":
        label = f"x_{data.points}^{data.classes}"
    if data.name == "separated_moons":
        label = f"moons-{data.separation:g}"
    if data.name == "gaussians":
        label = f"gaussians-{data.layout}"
    return re.sub(r"[^A-Za-z0-9_.^-]", "_", label)


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

    def state(self) -> str:
        """One of STATES."""
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
        return json.loads(self.failed_path.read_text())["error"]

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
            FileNotFoundError: it is not done.
        """
        return json.loads(self.record_path.read_text())

    def write_record(self, record: dict[str, Any]) -> None:
        """Make the run done: its checkpoints, and the failure of an earlier attempt, go."""
        self.failed_path.unlink(missing_ok=True)
        write_json(self.record_path, record)
        for path in self.path.glob("epoch*.pt"):
            path.unlink()

    def write_failure(self, failure: dict[str, Any]) -> None:
        """Make the run failed; `failure` has its `error` in one line."""
        write_json(self.failed_path, failure)


STATES = ("done", "running", "interrupted", "failed", "absent")
LOOK_S = 0.2  # a look at a run's state holds its lock for less than a millisecond


def state_of(folder: Path) -> str:
    """The state of the run in a folder, one of STATES."""
    if (folder / "record.json").exists():
        return "done"
    if (folder / "lock").exists():
        try:
            with lock_of(folder).acquire(blocking=False):
                pass
        except Timeout:
            return "running"
    if (folder / "failed.json").exists():
        return "failed"
    return "interrupted" if any(folder.glob("epoch*.pt")) else "absent"


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


def finished_records(runs_dir: Path) -> Iterator[dict[str, Any]]:
    """The records of all finished runs below `runs_dir`, in a fixed order.

    Each with `ood`, the rows of every benchmark of corrupted pictures the run was evaluated on.
    """
    for path in sorted(runs_dir.glob("*/seed*/record.json")):
        files = [json.loads(p.read_text()) for p in sorted(path.parent.glob("ood-*.json"))]
        rows = [{"benchmark": file["benchmark"]} | row for file in files for row in file["rows"]]
        yield json.loads(path.read_text()) | {"ood": rows}
