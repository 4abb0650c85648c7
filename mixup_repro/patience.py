"""Ends a run on several processes where one of them hangs, and says which one.

Without this the others would wait for ever. Each rank tells the others how far it is, through the
key-value store by which they found each other. If no rank gets further for as long as
hardware.patience_minutes, those that can still act end. They name the ranks that no longer tell
anything (a process that was stopped, a machine that is gone); where all do, those that have begun
the fewest exchanges with the others (one that waits for its disk or its GPU).
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch.distributed.distributed_c10d import Store

from mixup_repro import interrupt
from mixup_repro.schema import HardwareConfig

LOOKS = 20  # in patience_minutes; and at least one a second
SILENCE = 10  # a rank that tells nothing for so many looks is named


@dataclass(frozen=True)
class Place:
    """How far a rank is. It gets on where this is not equal to its last."""

    host: str
    exchanges: int  # that it has begun with the others
    looks: int  # for requests to stop: between two parts of its own work
    spoken: int = field(compare=False)  # when, by its own clock

    @staticmethod
    def read(told: bytes) -> Place:
        host, *counts = told.decode().split()
        return Place(host, *map(int, counts))


class Watch:
    """Ends this process when no rank gets on.

    One thread exchanges places with the others and may wait for a store that does not answer; the
    other one looks at the clock.
    """

    def __init__(self, store: Store, rank: int, ranks: int) -> None:
        self.store, self.rank, self.ranks = store, rank, ranks
        self.minutes = HardwareConfig().patience_minutes
        self.exchanges, self.busy = 0, False
        self.places: list[Place] = []
        self.since = time.monotonic()  # when any of them last changed
        self.over = threading.Event()

    def _wait(self, looks: int = 1) -> bool:
        return self.over.wait(looks * min(1.0, 60 * self.minutes / LOOKS))

    def _tell(self) -> None:
        while not self._wait():
            now = time.monotonic_ns()
            looks = now if self.busy else interrupt.looks()
            try:
                place = f"{socket.gethostname()} {self.exchanges} {looks} {now}"
                self.store.set(f"{self.rank}", place)
                told = self.store.multi_get([f"{rank}" for rank in range(self.ranks)])
            except RuntimeError:  # whoever keeps the store is gone
                continue
            before, self.places = self.places, [Place.read(place) for place in told]
            if self.places != before:
                self.since = time.monotonic()

    def _judge(self) -> None:
        while not self._wait():
            before = self.places
            if time.monotonic() - self.since <= 60 * self.minutes or self._wait(SILENCE):
                continue
            if self.places == before:
                said = verdict(before, self.places, self.minutes)
                print(f"error: {said}", file=sys.stderr, flush=True)
                os._exit(interrupt.EX_TEMPFAIL)  # the main thread waits, and hears nothing

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Inside, this rank counts as getting on, though nothing shows it: such as a download."""
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch inside."""
        for work in (self._tell, self._judge):
            threading.Thread(target=work, daemon=True).start()
        try:
            yield
        finally:
            self.over.set()


def verdict(before: Sequence[Place], places: Sequence[Place], minutes: float) -> str:
    """One line that says which rank does not get on.

    places: how far each rank is; none has got on for so many minutes. before: SILENCE looks ago.
    Empty: none has told yet.
    """
    fewest = min((place.exchanges for place in places), default=0)
    silent = [k for k, place in enumerate(places) if place.spoken == before[k].spoken]
    behind = silent or [k for k, place in enumerate(places) if place.exchanges == fewest]
    who = ", ".join(f"{k} (on {places[k].host})" for k in behind)
    why = f"the others wait for rank {who}"
    if len(silent) == len(places):
        why = f"nothing is heard of the others by way of {os.environ.get('MASTER_ADDR')}"
    elif len(behind) == len(places):
        why = "all wait for each other, as where the network between them is down"
    return (
        f"no progress for {minutes:g} minutes (hardware.patience_minutes): {why}; "
        f"{interrupt.GOES_ON}"
    )
