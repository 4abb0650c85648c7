"""What a person sees while jobs run: one live line a run or stack, then a table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from mixup_repro.distributed import rank
from mixup_repro.status import HEADER, Status

QUIET_SECONDS = 60  # without a terminal, a line this often
LOG_WIDTH = 120


class Progress:
    """Live lines on a terminal; plain lines, now and then, where there is none."""

    def __init__(self) -> None:
        self.place = ""  # put before the name of every task, such as "[3/25] "
        self.console = Console(stderr=True, highlight=False, quiet=rank() > 0)
        if not self.console.is_terminal:
            self.console.width = LOG_WIDTH

    def within(self, place: str) -> Progress:
        """The same, for tasks at this place among others."""
        inner = object.__new__(type(self))
        vars(inner).update(vars(self), place=place)
        return inner

    def say(self, message: str) -> None:
        """A line, above the live ones."""
        self.console.print(message, markup=False, soft_wrap=True)

    @contextmanager
    def task(
        self, name: str, epochs: int, start: int
    ) -> Iterator[Callable[[int, list[dict]], None]]:
        """A line for one run or stack; yields update(epochs_done, rows)."""
        name = self.place + name
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        live = self.console.is_terminal
        began = said = time.monotonic()
        note = ""
        with Bars(*columns, console=self.console, disable=not live, transient=True) as bars:
            line = bars.add_task(name, total=epochs, completed=start, note="")

            def update(done: int, rows: list[dict]) -> None:
                nonlocal note, said
                if rows:
                    accuracy = sum(row["test_accuracy"] for row in rows) / len(rows)
                    loss = sum(row["mixed_loss"] for row in rows) / len(rows)
                    note = f"loss {loss:.4f}, test accuracy {accuracy:.2%}"
                bars.update(line, completed=done, note=note)
                if not live and time.monotonic() - said > QUIET_SECONDS:
                    said = time.monotonic()
                    self.say(f"{name}: epoch {done}/{epochs}, {note}")

            yield update
        self.say(f"{name}: {epochs - start} epochs in {time.monotonic() - began:.1f} s, {note}")

    def table(self, title: str, header: list[str], rows: list[list[str]]) -> None:
        self.console.print(_table(title, header, rows))

    @contextmanager
    def board(self, every: float) -> Iterator[Callable[[Status], None]]:
        """A table that stays live; yields update(status).

        every: without a terminal, a line after so many seconds at the earliest, when it changed.
        """
        live = self.console.is_terminal
        said, last = -math.inf, ""
        with Live(console=self.console, auto_refresh=False) if live else nullcontext() as shown:

            def update(status: Status) -> None:
                nonlocal said, last
                line, now = status.line(), time.monotonic()
                if live:
                    table = _table("Runs", HEADER, status.rows())
                    table.caption = line
                    shown.update(table, refresh=True)
                elif line != last and now - said >= every:
                    said, last = now, line
                    self.say(line)

            yield update

    def __reduce__(self) -> tuple:
        return Progress, ()  # a console cannot go to another process


def _table(title: str, header: list[str], rows: list[list[str]]) -> Table:
    table = Table(*header, title=title, title_justify="left", caption_justify="left")
    table.columns[0].overflow = "fold"  # ids are to be copied, so none is cut short
    for row in rows:
        table.add_row(*row)
    return table
