"""Shows what is going on: a live line on a terminal, a line a minute in a log.

The working code only sets plain attributes that say how far it is. A thread looks at them now and
then, so a loop of milliseconds prints nothing, and a call that takes minutes is seen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Event, Lock, Thread
from typing import Protocol

from rich.console import Console, RenderableType
from rich.text import Text

from mixup_repro.distributed import rank

SOON_S = 1.0  # what takes longer is shown
MINUTE_S = 60.0  # without a terminal, a line this often
LOOKS = 4  # a second, on a terminal
LOG_WIDTH = 200  # what is copied from a log, such as an id, is in one piece

_free = Lock()  # one thing is shown at a time; another that begins inside it is not
_said: dict[str, float] = {}  # when a log had its last line of a kind


class Doing(Protocol):
    """What takes its time.

    what: its kind, of which a log has one line a minute, however many there are.
    """

    what: str

    def line(self) -> str:
        """How far it is, in a line of a log."""

    def __rich__(self) -> RenderableType:
        """The same, on a terminal."""


def console() -> Console:
    """Standard error, which nothing but rank 0 writes to; one, so that lines do not collide."""
    return _console(quiet=rank() > 0)


@cache
def _console(quiet: bool) -> Console:
    made = Console(stderr=True, highlight=False, quiet=quiet)
    if not made.is_terminal:
        made.width = LOG_WIDTH
    return made


@contextmanager
def shown(doing: Doing, soon: float) -> Iterator[None]:
    """Around the work: shows how far it is, from `soon` seconds on, until it ends."""
    if console().quiet or not _free.acquire(blocking=False):
        yield
        return
    ended = Event()
    watcher = Thread(target=_show, args=(doing, soon, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        _free.release()


def _show(doing: Doing, soon: float, ended: Event) -> None:
    screen = console()
    if screen.is_terminal and not screen.is_dumb_terminal:
        if not ended.wait(min(soon, SOON_S)):
            _show_live(doing, screen, ended)
        return
    begun = time.monotonic()
    wait = max(soon, MINUTE_S + _said.get(doing.what, -math.inf) - begun)
    while not ended.wait(wait):
        screen.print(doing.line(), markup=False, soft_wrap=True)
        _said[doing.what] = time.monotonic()
        wait = MINUTE_S


def _show_live(doing: Doing, screen: Console, ended: Event) -> None:
    from rich.live import Live

    with Live(
        get_renderable=lambda: doing,
        console=screen,
        refresh_per_second=LOOKS,
        transient=True,
        redirect_stdout=False,
    ):
        ended.wait()


@dataclass
class Phase:
    """A step of the work that is counted: `done` of `total` things."""

    what: str
    total: int
    things: str
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """Such as: drawing 12 of 40 figures, ~20 s left."""
        if not self.total:
            return " ".join(filter(None, (self.what, self.things)))
        if not self.done:
            things = self.things.removesuffix("s") if self.total == 1 else self.things
            return f"{self.what} {self.total:,} {things}"
        each = (time.monotonic() - self.began) / self.done
        rest = self.total - self.done
        left = f", {about(each * rest)} left" if rest > 0 else ""
        return f"{self.what} {self.done:,} of {self.total:,} {self.things}{left}"

    def __rich__(self) -> RenderableType:
        return Text(self.line())


@contextmanager
def phase(what: str, total: int = 0, things: str = "") -> Iterator[Phase]:
    """Around work that may take more than a second: it counts up `done` of what this yields."""
    doing = Phase(what, total, things)
    with shown(doing, SOON_S):
        yield doing


def about(seconds: float) -> str:
    """Seconds as a person says them.

    >>> from mixup_repro.live import about
    >>> about(0.2), about(44), about(100), about(25 * 60), about(7600), about(200_000)
    ('~1 s', '~44 s', '~2 min', '~25 min', '~2 h 7 min', '~56 h')
    """
    if seconds < 59.5:
        return f"~{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"~{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"~{hours} h {rest} min" if hours < 10 else f"~{round(minutes / 60)} h"
