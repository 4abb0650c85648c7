"""Requests to stop: SIGTERM, SIGUSR1 and SIGUSR2 are noted, and answered at the next safe point.

Schedulers send one of these before they take a machine away: Slurm SIGTERM, or what `--signal`
names; submitit SIGUSR2. Training writes a checkpoint at the end of the step or epoch and calls
`leave`, which requeues the Slurm job, where there is one, and exits with EX_TEMPFAIL.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

EX_TEMPFAIL = 75  # sysexits.h: not done, to be tried again
NAMES = ("SIGTERM", "SIGUSR1", "SIGUSR2")
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]

_received: list[int] = []


@contextmanager
def watching() -> Iterator[None]:
    """Inside, the signals only leave a note. Handlers that were there before come back after."""
    _received.clear()
    before = {number: signal.signal(number, _note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _note(number: int, _frame: FrameType | None) -> None:
    _received.append(number)


def requested() -> bool:
    """Whether this process was asked to stop. With several ranks, any rank's answer counts."""
    return bool(_received)


def leave(say: Callable[[str], None]) -> NoReturn:
    """Exit with EX_TEMPFAIL, to be called when all that matters is on disk.

    A Slurm job is put back into the queue first, by one process: rank 0 of a distributed run.
    """
    name = signal.Signals(_received[0]).name if _received else "a signal to another process"
    job = os.environ.get("SLURM_JOB_ID")
    requeued = ""
    if job and shutil.which("scontrol") and os.environ.get("RANK", "0") == "0":
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
        requeued = f"; job {job} requeued"
        if done.returncode:
            requeued = f"; job {job} could not be requeued: {done.stderr.strip()}"
    say(f"stopped by {name}; the same command goes on from the checkpoints{requeued}")
    raise SystemExit(EX_TEMPFAIL)
