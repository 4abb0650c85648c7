"""Requests to stop: noted when they come, and answered at the next safe point.

Schedulers send a signal before they take a machine away: Slurm SIGTERM, or what `--signal` names;
submitit SIGUSR2; a person Ctrl-C (SIGINT), whose second one ends the process at once. Training
writes a checkpoint after the step, and an evaluation is given up between two of its chunks; then
`leave` says that the same command goes on, and exits with EX_TEMPFAIL.

Of a Slurm job, SIGUSR1 and SIGUSR2 are requests to come back: it is put back into the queue.
SIGTERM is not, for it is also what `scancel` sends; where Slurm itself preempts a job that may be
requeued, it does so without us.
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
NAMES = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2")
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
COME_BACK = ("SIGUSR1", "SIGUSR2")
PARENT = "MIXUP_REPRO_PARENT"  # of a process that is to end with its parent: the parent's id

_received: list[int] = []
_watching = 0  # how many `watching` there are around
_looks = 0  # how often `requested` was called


class Stop(BaseException):
    """The process was asked to stop, and what it was about to do can be done again."""


@contextmanager
def watching() -> Iterator[None]:
    """Inside, the signals only leave a note. Handlers that were there before come back after."""
    global _watching
    if not _watching:
        _received.clear()
    before = {number: signal.signal(number, _note) for number in SIGNALS}
    _watching += 1
    try:
        yield
    finally:
        _watching -= 1
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _note(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGINT and number in _received:
        raise KeyboardInterrupt
    _received.append(number)


def requested() -> bool:
    """Whether this process was asked to stop, or has lost the parent that it is to end with.

    With several ranks, any rank's answer counts.
    """
    global _looks
    _looks += 1
    return bool(_watching and (_received or _orphaned()))


def _orphaned() -> bool:
    return os.environ.get(PARENT) not in (None, str(os.getppid()))


def looks() -> int:
    """How often this process has asked so far whether it is to stop: it gets on."""
    return _looks


def check() -> None:
    """For work that loses nothing when it is given up here, such as an evaluation.

    Raises:
        Stop: this process was asked to stop.
    """
    if requested():
        raise Stop


GOES_ON = "the same command goes on from the checkpoints"


def leave(say: Callable[[str], None], then: str = GOES_ON) -> NoReturn:
    """Exit with EX_TEMPFAIL, to be called when all that matters is on disk.

    A Slurm job that is to come back is put into the queue first, by one process: rank 0 of a
    distributed run.
    """
    name = "a signal to another process"
    if _received:
        name = signal.Signals(_received[0]).name
    elif _orphaned():
        name = "the end of the process that started it"
    job = os.environ.get("SLURM_JOB_ID")
    back = name in COME_BACK and shutil.which("scontrol")
    requeued = ""
    if job and back and os.environ.get("RANK", "0") == "0":
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
        requeued = f"; job {job} requeued"
        if done.returncode:
            requeued = f"; job {job} could not be requeued: {done.stderr.strip()}"
    say(f"stopped by {name}; {then}{requeued}")
    raise SystemExit(EX_TEMPFAIL)


@contextmanager
def held() -> Iterator[None]:
    """Inside, signals are held back; so they are in processes started here, which inherit this.

    Such a process takes signals again after `leave_to_parent`.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_parent() -> None:
    """For a process that reads data for another: ignore signals, which the other one answers.

    SIGTERM, by which the other one may also end this process, does so after ten seconds.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(10))
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
