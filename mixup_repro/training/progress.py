"""What a person sees while jobs run: how far a run and the sweep are, then a table."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mixup_repro.live import about, console, shown
from mixup_repro.training.sweep import Sweep

FIRST_S = 10.0  # in a log, the first word of a run
LONG_S = 5.0  # a run that took longer says how much of the sweep is left
BAR = 30


class Task:
    """How far one run or stack is.

    Training sets `at` (epochs done, and steps of the next) and `note`; another thread reads them.

    what: as in `Doing`. runs: their names. steps: of an epoch. start: epochs that were done when it
    began; a step counts as a fraction of one.
    """

    def __init__(
        self, name: str, runs: Sequence[str], epochs: int, steps: int, start: float, sweep: Sweep
    ) -> None:
        self.what = "training"
        self.name, self.runs, self.epochs, self.steps = name, runs, epochs, steps
        self.start, self.sweep = start, sweep
        self.at, self.note = (math.floor(start), 0), ""
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.began

    @property
    def done(self) -> float:
        """Epochs done since it began, a step as a fraction."""
        epoch, step = self.at
        return max(0.0, epoch + step / self.steps - self.start)

    @cached_property
    def ahead(self) -> int:
        """Epochs of runs that come after it."""
        return self.sweep.ahead()

    def own_left(self) -> str:
        """Such as: ~4 min left."""
        done = self.done
        rest = self.epochs - self.start - done
        return f"{about(self.seconds / done * rest)} left" if done and rest > 0 else ""

    def all_left(self) -> str:
        """Such as: job 3 of 12, ~25 min left. Nothing where no other run is to come."""
        runs, done = len(self.runs), self.done
        rest = runs * (self.epochs - self.start - done) + self.ahead
        if not self.ahead and not self.sweep.number:
            return ""
        return self.sweep.words(runs * done, self.seconds, rest)

    def place(self) -> str:
        """Such as: epoch 3 of 40, step 120 of 391."""
        epoch, step = self.at
        inside = self.steps > 1 and epoch < self.epochs
        within = f", step {step} of {self.steps}" if inside else ""
        return f"epoch {min(epoch + 1, self.epochs)} of {self.epochs}{within}"

    def line(self) -> str:
        """As `Doing.line`."""
        parts = (f"{self.name}: {self.place()}", self.own_left(), self.note)
        return "; ".join(filter(None, (", ".join(filter(None, parts)), self.all_left())))

    def __rich__(self) -> RenderableType:
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(self.epochs - self.start, self.done, width=BAR)
        row.add_row(bar, Text(", ".join(filter(None, (self.place(), self.own_left())))))
        lines = [Text(text) for text in (self.note, self.all_left()) if text]
        return Group(Text(self.name), row, *lines)


class Progress:
    """Live lines on a terminal; plain lines, now and then, where there is none."""

    def __init__(self) -> None:
        self.stack = ""  # put before the name of every task, such as "stack 3 of 25: "
        self.console = console()
        self.sweep = Sweep()

    def within(self, place: str) -> Progress:
        """The same, for tasks at this place among others."""
        inner = object.__new__(type(self))
        vars(inner).update(vars(self), stack=place)
        return inner

    def say(self, message: str) -> None:
        """A line, above the live ones."""
        self.console.print(message, markup=False, soft_wrap=True)

    @contextmanager
    def task(
        self, name: str, runs: Sequence[str], epochs: int, steps: int, start: float
    ) -> Iterator[Task]:
        """Show one run or stack while it trains, with a line at its end; yields what to set."""
        task = Task(self.stack + name, runs, epochs, steps, start, self.sweep)
        self.sweep.visited.update(runs)
        with shown(task, FIRST_S):
            yield task
        seconds, done = task.seconds, task.done
        left = task.all_left() if seconds > LONG_S else ""
        self.sweep.trained(len(runs) * done, seconds)
        spent = f"{done:.4g} epoch{'s' * (done != 1)} in {seconds:.1f} s"
        said = ", ".join(filter(None, (f"{task.name}: {spent}", task.note)))  # none after a loss
        self.say("; ".join(filter(None, (said, left))))

    def table(
        self, title: str, header: list[str], rows: list[list[str]], caption: str = ""
    ) -> None:
        """Print a table."""
        table = table_of(title, header, rows)
        table.caption = caption or None
        self.console.print(table)

    def __reduce__(self) -> tuple[type[Progress], tuple[()]]:
        return Progress, ()  # a console cannot go to another process


def table_of(title: str, header: list[str], rows: list[list[str]]) -> Table:
    table = Table(*header, title=title, title_justify="left", caption_justify="left")
    table.columns[0].overflow = "fold"  # ids are to be copied, so none is cut short
    for row in rows:
        table.add_row(*row)
    return table
