"""Many runs at once on one machine: a process for each stack of runs, in a slot of its own.

Each process is the same command for one part of one job, with nothing shared but the disk:
what kills one leaves the others alone, and its slot is freed by the operating system.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from mixup_repro import interrupt
from mixup_repro.checks import part_of
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import lacking
from mixup_repro.jobs import expand, portion
from mixup_repro.launch.board import board
from mixup_repro.launch.pace import Pace, Work, size
from mixup_repro.launch.slots import Slot, claim, slots
from mixup_repro.launch.status import Status
from mixup_repro.paths import INSTALLED, PACKAGE
from mixup_repro.schema import Config
from mixup_repro.store.folder import Outcome, RunFolder, State
from mixup_repro.training.job import device_of, open_data, stack_count
from mixup_repro.training.progress import Progress
from mixup_repro.training.run import Result

LOOK_SECONDS = 2.0  # between two looks at the disk
Queued = tuple[Config, list[str]]  # a job, and the overrides that it is
# What starts a process; -P: a package of our name in the current folder is another one.
DOOR = [sys.executable, "-P", "-m", "mixup_repro.cli"]


def here() -> dict[str, str]:
    """What the environment of such a process needs, to run the code that runs here."""
    if INSTALLED:
        return {}
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


@dataclass(frozen=True)
class Part:
    """What one process does."""

    words: list[str]
    folders: list[RunFolder]
    size: int  # of the work there is


@dataclass
class Worker:
    """One process at work."""

    part: Part
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    before: dict[RunFolder, float]  # finished runs, and when they last grew
    began: float  # by the clock that only runs on

    def work(self) -> Work:
        """What it has to do, and how far it is by the disk."""
        done = max(0, self.part.size - size(self.part.folders))
        return Work(self.part.size, done, time.monotonic() - self.began)


class Node:
    """Runs queued jobs in the slots of this machine.

    command: train or evaluate, and options that say where configs are.

    Raises:
        InputError: slots that are not there.
    """

    def __init__(self, queue: list[Queued], progress: Progress, command: list[str]) -> None:
        self.progress, self.command = progress, command
        self.results: list[Result] = []
        self.bad_input: list[str] = []
        first = queue[0][0]
        self.runs_dir = Path(first.runs_dir)
        self.slots = slots(first.hardware, device_of(first))
        self.status = Status(job for job, _ in queue)
        self.waiting: list[Part] = []
        for job, words in queue:
            try:
                self.waiting += self._parts(job, words)
            except InputError as error:
                self._refuse(str(error))

    def _refuse(self, line: str) -> None:
        if line not in self.bad_input:
            self.bad_input.append(line)
            self.progress.say(f"error: {line}")

    def _parts(self, job: Config, words: list[str]) -> list[Part]:
        """The job's stacks, less those that have nothing left to do.

        The data set is loaded here first: a download or a cache is made once, not by each process.
        """
        folders = [RunFolder(run) for run in expand(replace(job, part=None))]
        part, parts = part_of(job.part)
        here = portion(folders, part, parts)
        if not here:
            return []
        n = stack_count(job, len(here), open_data(job))
        chosen = []
        for k in range((part - 1) * n + 1, part * n + 1):
            stack = portion(folders, k, parts * n)  # as the process will cut it: from all runs
            if any(_to_do(folder, job.retry) for folder in stack):
                todo = max(1, size(stack))
                chosen.append(Part([*words, f"part={k}/{parts * n}"], stack, todo))
            elif job.retry == "all":
                self.results += [Result(f, Outcome.PRESENT, record=f.read_record()) for f in stack]
        return chosen

    def run(self) -> None:
        """Work until nothing is left, or until asked to stop."""
        workers: list[Worker] = []
        told, looked, pace = False, 0.0, Pace(len(self.waiting))
        here = ", ".join(slot.name for slot in self.slots)
        self.progress.say(f"{len(self.waiting)} processes to run in the slots {here}")
        with interrupt.watching(), board(self.progress, every=60) as update:
            try:
                while self.waiting or workers:
                    if interrupt.requested() and not told:
                        told, self.waiting = True, []
                        for worker in workers:
                            worker.process.send_signal(signal.SIGTERM)
                    for slot in self.slots if self.waiting else ():
                        descriptor = claim(slot, self.runs_dir)
                        if descriptor is not None and self.waiting:
                            workers.append(self._start(slot, descriptor))
                    for worker in [w for w in workers if w.process.poll() is not None]:
                        workers.remove(worker)
                        self._collect(worker)
                        pace.add(worker.work() if worker.process.returncode == 0 else None)
                    if time.monotonic() - looked > LOOK_SECONDS:
                        self.status.look()
                        looked = time.monotonic()
                        waiting = sum(part.size for part in self.waiting)
                        working = [worker.work() for worker in workers]
                        update(self.status, pace.words(working, waiting, len(self.slots)))
                    time.sleep(0.1)
            finally:  # after Ctrl-C, say: the others too stop at the next safe point
                for worker in workers:
                    worker.process.send_signal(signal.SIGTERM)
            if told:
                interrupt.leave(self.progress.say)

    def _start(self, slot: Slot, descriptor: int) -> Worker:
        """Start a process that has the slot: it inherits the lock, and this one lets go of it."""
        part = self.waiting.pop(0)
        words = [*part.words, "hardware.slots=null", f"hardware.threads={slot.threads}"]
        inherited = {k: v for k, v in os.environ.items() if k != "SLURM_JOB_ID"}  # we alone requeue
        inherited[interrupt.PARENT] = str(os.getpid())
        output = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process has ended)
        process = subprocess.Popen(
            [*DOOR, *self.command, *words],
            env=inherited | here() | slot.environment,
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        os.close(descriptor)
        before = {f: _grown(f) for f in part.folders if f.state() == State.DONE}
        return Worker(part, process, output, before, time.monotonic())

    def _collect(self, worker: Worker) -> None:
        """What came of a process that has ended."""
        worker.output.seek(0)
        said = worker.output.read().decode(errors="replace").split("\n")
        worker.output.close()
        code = worker.process.returncode
        for line in said if code == 2 else ():
            if line.startswith("error: "):
                self._refuse(line.removeprefix("error: "))
        for folder in worker.part.folders:
            state = folder.state()
            if state == State.DONE:
                was = worker.before.get(folder)
                grown = Outcome.PRESENT if was == _grown(folder) else Outcome.EVALUATED
                outcome, told = Outcome.DONE if was is None else grown, f"failed: {folder}: "
                reason = next(
                    (line.removeprefix(told) for line in said if line.startswith(told)), ""
                )
                if reason:  # finished, but its weights cannot be read, or its record not written
                    outcome = Outcome.FAILED
                self.results.append(Result(folder, outcome, reason, folder.read_record()))
                continue
            stopped = code == interrupt.EX_TEMPFAIL or interrupt.requested()
            if state in (State.ABSENT, State.INTERRUPTED) and code not in (0, 2) and not stopped:
                self._record_death(folder, code, said)
                state = State.FAILED
            if state == State.FAILED:
                self.results.append(Result(folder, Outcome.FAILED, folder.reason()))
                self.progress.say(f"{folder} failed: {self.results[-1].reason}")
            elif code != 2:
                outcome = Outcome.INTERRUPTED if stopped else Outcome(state)
                self.results.append(Result(folder, outcome))

    def _record_death(self, folder: RunFolder, code: int, said: list[str]) -> None:
        why = f"its process exited with code {code}"
        if code < 0:
            why = f"its process was killed by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            why += " (by the operating system, where memory ran out: give fewer hardware.slots)"
        last = [line for line in said if line.strip()][-1:]
        folder.create()
        folder.write_failure({"error": ": ".join([why, *last]), "traceback": "\n".join(said)})


def _grown(folder: RunFolder) -> float:
    """When something was last written into it: its record, or answers beside it."""
    return max(path.stat().st_mtime for path in folder.path.iterdir() if path.name != "lock")


def _to_do(folder: RunFolder, retry: str) -> bool:
    if retry == "failed":
        return folder.state() == State.FAILED
    config = folder.run.config
    if config.benchmark.name or config.probe is not None:  # its process finds out what is missing
        return True
    return folder.state() != State.DONE or any(lacking(folder, folder.read_record()))
