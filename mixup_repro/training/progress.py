"""What a person sees while jobs run: one live line a run or stack, then a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from mixup_repro.distributed import rank

QUIET_SECONDS = 60  # without a terminal, a line this often
LOG_WIDTH = 120
Update = Callable[[int, list[dict[str, Any]]], None]  # epochs done, and a row of each replica


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
    def task(self, name: str, epochs: int, start: int) -> Iterator[Update]:
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

            def update(done: int, rows: list[dict[str, Any]]) -> None:
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
        self.console.print(table_of(title, header, rows))

    def __reduce__(self) -> tuple[type[Progress], tuple[()]]:
        return Progress, ()  # a console cannot go to another process


def table_of(title: str, header: list[str], rows: list[list[str]]) -> Table:
    table = Table(*header, title=title, title_justify="left", caption_justify="left")
    table.columns[0].overflow = "fold"  # ids are to be copied, so none is cut short
    for row in rows:
        table.add_row(*row)
    return table
