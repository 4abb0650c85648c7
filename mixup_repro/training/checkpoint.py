"""Checkpoints: `epoch<k>-step<s>.pt` in a run's folder, the newest two kept, written then renamed.

Each run has files of its own, also when it was trained in a stack. Two generations are kept for
two reasons: a damaged file leaves the one before it, and a stack killed between two of its members'
files still has an epoch that all members share.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mixup_repro import interrupt, tensors
from mixup_repro.distributed import anyone, largest, world_size
from mixup_repro.errors import InputError
from mixup_repro.schema import HardwareConfig

Point = tuple[int, int]  # epochs done, and steps of the next
START: Point = (0, 0)
GENERATIONS = 2
SHARE = 20  # training between two checkpoints takes at least this many times a write
ASK_S = 2.0  # about so often ranks ask each other, which costs a wait


class Saver:
    """When a checkpoint is due: by the time since the last, or because of a signal.

    stop: it was a signal, on any rank: the next checkpoint is the last.
    """

    def __init__(self, hardware: HardwareConfig, device: torch.device) -> None:
        self.hardware, self.device = hardware, device
        self.saved, self.write_s, self.stop = time.perf_counter(), 0.0, False
        # When ranks last asked each other, after how many steps they ask again, and how many they
        # have done since.
        self.asked, self.every, self.since = self.saved, 1, 0

    def due_after_epoch(self) -> bool:
        """Whether to write after an epoch."""
        self.stop = anyone(interrupt.requested(), self.device)
        wait = max(self.hardware.checkpoint_seconds, SHARE * self.write_s)
        return self.stop or time.perf_counter() - self.saved >= wait

    def due_after_step(self) -> bool:
        """Whether to write after a step. All ranks answer alike: to write they add up their shares.

        A rank that wrote while the others went on would wait for them, or take what they exchange
        of the next step for its own. So all ranks ask each other after the same step whether one of
        them was asked to stop, or is late with a checkpoint; the slowest rank's time says after how
        many steps they ask again.
        """
        now = time.perf_counter()
        late = now - self.saved > 60 * self.hardware.checkpoint_minutes
        if world_size() == 1:
            self.stop = interrupt.requested()
            return self.stop or late
        self.since += 1
        if self.since < self.every:
            return False
        mine = [float(interrupt.requested()), float(late), now - self.asked]
        stop, anyone_late, seconds = largest(mine, self.device)
        self.every = max(1, min(1000, int(self.since * ASK_S / max(seconds, 1e-9))))
        self.asked, self.since, self.stop = now, 0, stop > 0
        return self.stop or anyone_late > 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around the writing of a checkpoint."""
        began = time.perf_counter()
        yield
        self.saved = time.perf_counter()
        self.write_s = self.saved - began


def save(folder: Path, epoch: int, state: dict[str, Any], step: int = 0) -> None:
    """Write the state after `epoch` epochs and `step` steps of the next.

    Tensors, numbers, strings, lists and dicts only.
    """
    path = folder / f"epoch{epoch:06d}-step{step:06d}.pt"
    tensors.write(path, state)
    # Anything newer was damaged: training went on from before it.
    older = [p for p in sorted(folder.glob("epoch*.pt")) if p.name <= path.name]
    for other in set(folder.glob("epoch*.pt")) - set(older[-GENERATIONS:]):
        other.unlink()


def load_all(folder: Path, warn: Callable[[str], None]) -> dict[Point, dict[str, Any]]:
    """The readable checkpoints of a run by point; a damaged one is named, and passed over."""
    states: dict[Point, dict[str, Any]] = {}
    for path in sorted(folder.glob("epoch*-step*.pt")):
        epoch, step = map(int, re.findall(r"\d+", path.name))
        try:
            states[epoch, step] = tensors.read(path)
        except InputError as error:
            warn(f"{error}; going on without it")
    return states


def resume_points(available: Sequence[Collection[Point]]) -> list[tuple[Point, list[int]]]:
    """(point, members) for each group of runs that can go on together from one point.

    `available` lists the points of each run's checkpoints. Runs without any begin at START. The
    others go on from the newest point they all have; where there is none, each from its own newest.
    """
    fresh = [i for i, states in enumerate(available) if not states]
    started = [i for i, states in enumerate(available) if states]
    groups = [(START, fresh)] if fresh else []
    shared = set.intersection(*(set(available[i]) for i in started)) if started else set()
    if shared:
        return [*groups, (max(shared), started)]
    newest = {i: max(available[i]) for i in started}
    for point in sorted(set(newest.values())):
        groups.append((point, [i for i in started if newest[i] == point]))
    return groups
