"""The states of many runs, live."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.live import Live

from mixup_repro.launch.status import HEADER, Status
from mixup_repro.training.progress import Progress, table_of


@contextmanager
def board(progress: Progress, every: float) -> Iterator[Callable[[Status], None]]:
    """A table that stays live; yields update(status).

    every: without a terminal, a line after so many seconds at the earliest, when it changed.
    """
    console = progress.console
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    said, last = -math.inf, ""
    with live or nullcontext():

        def update(status: Status) -> None:
            nonlocal said, last
            line, now = status.line(), time.monotonic()
            if live:
                table = table_of("Runs", HEADER, status.rows())
                table.caption = line
                live.update(table, refresh=True)
            elif line != last and now - said >= every:
                said, last = now, line
                progress.say(line)

        yield update
