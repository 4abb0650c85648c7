"""The folder of a run, `<runs_dir>/<label>-<hash8>/seed<k>/`: its state is a fact of its files."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mixup_repro.errors import InputError
from mixup_repro.schema import Run
from mixup_repro.store.files import read_json, remove_leftovers, write_json
from mixup_repro.store.identity import run_id
from mixup_repro.store.records import is_done, read_record


class State(StrEnum):
    """The state of a run, in the word that a person reads."""

    DONE = "done"  # its record.json is there, which is written last
    RUNNING = "running"  # another process holds the lock
    INTERRUPTED = "interrupted"  # a checkpoint is there, and no failed.json
    FAILED = "failed"  # failed.json is there
    ABSENT = "missing"  # none of these

    @property
    def waits(self) -> bool:
        """Whether the run is still to be trained, and nobody trains it now."""
        return self in (State.INTERRUPTED, State.FAILED, State.ABSENT)


class Outcome(StrEnum):
    """What one visit made of a run: a state, or how it came to be done."""

    DONE = "done"  # trained now
    PRESENT = "done before"
    EVALUATED = "done before and evaluated now"
    RUNNING = "running"  # elsewhere
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    MISSING = "missing"  # not trained: it was not asked for, or its job ended without it

    @property
    def finished(self) -> bool:
        """Whether the run has a record."""
        return self in (Outcome.DONE, Outcome.PRESENT, Outcome.EVALUATED)


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

    def epochs_left(self) -> int:
        """Epochs that come after the newest checkpoint."""
        return self.run.config.recipe.epochs - self.epoch()

    def reason(self) -> str:
        """Why the run failed, in one line.

        Raises:
            FileNotFoundError: it did not.
        """
        try:
            return str(read_json(self.failed_path)["error"])
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
            probe.unlink(missing_ok=True)  # another process, which tried as well, may have done so
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> InputError:
        """What to say where this process may not write here."""
        return InputError(
            f"runs_dir={self.run.config.runs_dir}: {self} cannot be written ({error.strerror}); "
            f"choose another with runs_dir=<folder>"
        )

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

        The caller holds the lock.
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
    if _held(folder / "lock"):
        return State.RUNNING
    if (folder / "failed.json").exists():
        return State.FAILED
    return State.INTERRUPTED if any(folder.glob("epoch*.pt")) else State.ABSENT


def _held(lock: Path) -> bool:
    """Whether a process holds a lock file. Looking needs no permission to write."""
    try:
        import fcntl  # not on Windows
    except ImportError:
        return _taken(lock)
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:  # none there, or another user's that nobody else may read
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without such locks, where the file itself is one
        return _taken(lock)
    finally:
        os.close(descriptor)
    return False


def _taken(lock: Path) -> bool:
    """As `_held`, by taking the lock for a moment."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock).acquire(blocking=False):
            return False
    except Timeout:
        return True


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
