"""How much work the processes of a machine still have, and how long it takes at the pace so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mixup_repro.live import about
from mixup_repro.store.folder import RunFolder, State


def size(folders: Iterable[RunFolder]) -> int:
    """The work on runs: the epochs that they lack, and one more each for its evaluations."""
    unfinished = (f for f in folders if f.state() != State.DONE)
    return sum(1 + folder.epochs_left() for folder in unfinished)


@dataclass(frozen=True)
class Work:
    """What one process has to do: its size, how much of it is on disk, and the seconds it took."""

    size: int
    done: int = 0
    seconds: float = 0.0

    def seconds_left(self, each: float) -> float:
        """The seconds it still takes, at `each` seconds a unit of its size.

        By what is done; before the disk shows any of that, less the time it has been running.
        """
        if self.done:
            return (self.size - self.done) * each
        return max(0.0, self.size * each - self.seconds)


@dataclass
class Pace:
    """The processes of a sweep that have ended."""

    processes: int  # of the whole sweep
    ended: int = 0
    size: int = 0
    seconds: float = 0.0

    def add(self, work: Work | None) -> None:
        """A process has ended; work: what it did, None where it died or was refused."""
        self.ended += 1
        if work:
            self.size, self.seconds = self.size + work.size, self.seconds + work.seconds

    def seconds_left(self, running: Sequence[Work], waiting: int, slots: int) -> float | None:
        """Seconds until all is done; None where nothing says so yet.

        running: of the processes at work; waiting: the sizes of those to come, added up.
        A slot works at the mean pace of the processes that have ended; before any has, at that
        which the disk shows of those that run.
        """
        size, seconds = self.size, self.seconds
        if not size:
            size, seconds = sum(w.done for w in running), sum(w.seconds for w in running)
        if not size:
            return None
        each = seconds / size
        rest = [work.seconds_left(each) for work in running]
        return max(0.0, *rest, (waiting * each + sum(rest)) / slots)

    def words(self, running: Sequence[Work], waiting: int, slots: int) -> str:
        """Such as: 7 of 24 processes ended, ~25 min left."""
        left = self.seconds_left(running, waiting, slots)
        said = f"{self.ended} of {self.processes} processes ended"
        return f"{said}, {about(left)} left" if left else said
