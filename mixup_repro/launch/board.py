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
def board(progress: Progress, every: float) -> Iterator[Callable[..., None]]:
    """A live table of runs; yields `update`, to be called with their status and more words.

    every: where there is no terminal, a line is printed instead when it has changed, and at most
        once in so many seconds.
    """
    console = progress.console
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    said, last = -math.inf, ""
    with live or nullcontext():

        def update(status: Status, more: str = "") -> None:
            nonlocal said, last
            line, now = "; ".join(filter(None, (status.line(), more))), time.monotonic()
            if live:
                table = table_of("Runs", HEADER, status.rows())
                table.caption = line
                live.update(table, refresh=True)
            elif line != last and now - said >= every:
                said, last = now, line
                progress.say(line)

        yield update
