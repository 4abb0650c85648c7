"""What is left of a command line's runs, and how long it takes at the pace so far."""

from __future__ import annotations

from hydra.errors import HydraException
from omegaconf import DictConfig

from mixup_repro.errors import InputError
from mixup_repro.jobs import expand, resolve
from mixup_repro.live import about
from mixup_repro.schema import Config
from mixup_repro.store.folder import RunFolder, State


class Sweep:
    """The jobs of a command line that come one after another in this process.

    The time left is estimated from epochs, at the mean pace of the runs that were trained here. For
    a sweep over unequal networks or data this is rough.
    """

    def __init__(self) -> None:
        self.coming: list[DictConfig | Config] = []  # composed only when a run takes seconds
        self.number = 0  # of the job at work, from 1; 0: there is but one
        self.folders: dict[str, RunFolder] = {}
        self.visited: set[str] = set()  # runs whose training began here
        self.jobs, self.epochs, self.seconds = 0, 0.0, 0.0

    def __reduce__(self) -> tuple[type[Sweep], tuple[()]]:
        return Sweep, ()  # another process has other jobs

    def expect(self, job: DictConfig | Config) -> None:
        """One more job is to come."""
        self.coming.append(job)
        self.jobs += 1

    def begin(self, job: Config, number: int) -> None:
        """A job begins; number: its place in a sweep, from 1, and 0 where there is none."""
        self.number = number if self.jobs != 1 else 0
        if not self.jobs:
            self.coming.append(job)

    def trained(self, epochs: float, seconds: float) -> None:
        """So many epochs of runs took so many seconds."""
        self.epochs, self.seconds = self.epochs + epochs, self.seconds + seconds

    def ahead(self) -> int:
        """Epochs still to be trained, of runs that were not visited here and that wait."""
        for coming in self.coming:
            self.folders |= {str(folder): folder for folder in _runs(coming)}
        self.coming = []
        others = (f for name, f in self.folders.items() if name not in self.visited)
        return sum(folder.epochs_left() for folder in others if folder.state().waits)

    def words(self, epochs: float, seconds: float, rest: float) -> str:
        """Such as: job 3 of 12, ~25 min left.

        epochs, seconds: of the runs that are trained now, so far; rest: epochs of runs to come.
        """
        place = f"job {self.number}" if self.number else ""
        place += f" of {self.jobs}" if place and self.jobs else ""
        done, spent = self.epochs + epochs, self.seconds + seconds
        unknown = place and not self.jobs  # a sweeper does not say how many jobs it will make
        if unknown or not done or rest <= 0:
            return place
        left = f"{about(spent / done * rest)} left"
        return f"{place}, {left}" if place else f"{left} of all runs"


def _runs(coming: DictConfig | Config) -> list[RunFolder]:
    try:
        job = resolve(coming) if isinstance(coming, DictConfig) else coming
        folders = [RunFolder(run) for run in expand(job)]
        return [f for f in folders if job.retry == "all" or f.state() == State.FAILED]
    except (InputError, HydraException):  # is said when its turn comes
        return []
