"""Make what items of the papers are drawn from: train the runs that are missing, and ask them.

    mixup-repro reproduce carratino2020/fig6_digits
    mixup-repro reproduce chidambaram2022/fig1 carratino2020/fig5_digits scale=smoke
    mixup-repro reproduce carratino2020/temperature_digits --plan

Items are named as in REPORT.md. Other words, such as hardware=node, go to every command that is
run; a command that several items need is run once. On a CPU, experiments run side by side, each on
its share of the cores; on a GPU, or with a word of hardware, one after the other. When all is done,
`mixup-repro report` draws the items.
--plan runs nothing: it shows which training runs are done and which are missing, what those cost
(with --probe by timing a few steps here), and the other commands, whose cost is not known.
Exit codes: 0 fine; else the highest of the commands': 1 failed, 2 bad input, 75 or 130 stopped.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import chain
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for

import torch
from joblib import cpu_count

from mixup_repro import cli, interrupt, report
from mixup_repro.cli.words import Parser
from mixup_repro.errors import InputError

Command = list[str]
START = get_context("spawn")  # a process of its own, and no copy of this one
STOPPED = (interrupt.EX_TEMPFAIL, 130)


def commands(names: list[str], words: list[str]) -> list[Command]:
    """Every command that makes the rows of these items, once.

    Raises:
        InputError: there is no such item.
    """
    scale = next((w.removeprefix("scale=") for w in words if w.startswith("scale=")), "")
    more = [word for word in words if not word.startswith("scale=")]
    found = [c for name in names for c in report.setting(name).source.commands(scale)]
    return [[*c, *more] for c in map(list, dict.fromkeys(map(tuple, found)))]


def chains(todo: list[Command]) -> list[list[Command]]:
    """The commands of each experiment, in their order: the later ones ask what the first trained.

    A command without an experiment is a chain of its own.
    """
    found: dict[str, list[Command]] = {}
    for command in todo:
        name = next((w for w in command if w.startswith("experiment=")), shlex.join(command))
        found.setdefault(name, []).append(command)
    return list(found.values())


class Chains:
    """Runs chains of commands in so many processes, each of which loads PyTorch once.

    side_by_side: how many processes. Of several, each has its share of the CPU's threads, and its
        output goes through a pipe, so that none draws on the terminal over another.
    """

    def __init__(self, side_by_side: int) -> None:
        self.side_by_side = side_by_side
        self.codes: list[int] = []  # of the commands that have ended
        self.lanes: list[Lane] = []

    def run(self, todo: list[list[Command]]) -> None:
        """Returns when every command has ended, or has been asked to stop and has."""
        chains, told = iter(todo), set[Lane]()
        with (
            _share_of_threads(self.side_by_side),
            interrupt.watching(),
            ThreadPoolExecutor(self.side_by_side) as pool,
        ):
            working = {pool.submit(self._work, chains) for _ in range(self.side_by_side)}
            while working:
                done, working = wait(working, timeout=0.1)
                for worker in done:
                    worker.result()  # raises what it raised
                for lane in list(self.lanes) if interrupt.requested() else ():
                    if lane not in told:
                        lane.process.terminate()
                        told.add(lane)
            if interrupt.requested():
                interrupt.leave(print)

    def _work(self, chains: Iterator[list[Command]]) -> None:
        """Run chains that no other thread has taken, until none is left or one was stopped."""
        lane = None
        for command in chain.from_iterable(chains):
            if interrupt.requested() or set(STOPPED) & set(self.codes):
                break
            if lane is None or not lane.process.is_alive():
                lane = Lane(alone=self.side_by_side == 1)
                self.lanes.append(lane)
            _write(f"mixup-repro {shlex.join(command)}\n")
            self.codes.append(lane.call(command))
        if lane:
            lane.end()


class Lane:
    """A process that runs one command after the other.

    alone: it says what it has to say itself.
    """

    def __init__(self, alone: bool) -> None:
        self.asked, work = Pipe()
        self.said: Connection | None = None
        output: Connection | None = None
        if not alone:
            self.said, output = Pipe(duplex=False)
        self.unended = b""  # the last line, as far as it has come
        self.process = START.Process(target=_serve, args=(work, output))
        self.process.start()
        for end in filter(None, (work, output)):  # the process has its own
            end.close()

    def call(self, command: Command) -> int:
        """Run a command there, and print what it says; returns its exit code."""
        try:
            self.asked.send(command)
            ends = [end for end in (self.asked, self.said) if end]
            while self.asked not in (ready := wait_for(ends)) or self.said in ready:
                if not self._pass_on():
                    break
            code = int(self.asked.recv())
        except (EOFError, ConnectionError):  # it has ended with its command
            self.process.join()
            code = self.process.exitcode or 0
        if self.unended:
            _write(self.unended.decode(errors="replace") + "\n")
            self.unended = b""
        return code

    def _pass_on(self) -> bool:
        """Print the lines that have been said so far, each whole; False at the end."""
        assert self.said, "a process alone prints itself"
        said = os.read(self.said.fileno(), 65536)  # a table comes in one piece
        whole, newline, rest = (self.unended + said).rpartition(b"\n")
        _write((whole + newline).decode(errors="replace"))
        self.unended = rest
        return bool(said)

    def end(self) -> None:
        """Let it go, and wait until it has."""
        with suppress(ConnectionError):
            self.asked.send(None)
        self.process.join()


def _serve(work: Connection, output: Connection | None) -> None:
    """What the process of a lane does: run the commands that come, and send back their codes."""
    if output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it waits
    with suppress(EOFError):
        while command := work.recv():
            work.send(cli.run(command[0], command[1:]))


def _write(lines: str) -> None:
    """Print in one call, into which no other thread writes."""
    sys.stdout.write(lines)
    sys.stdout.flush()


@contextmanager
def _share_of_threads(processes: int) -> Iterator[None]:
    """Inside, processes start with so great a share of the threads, unless the user has said it."""
    given = processes == 1 or "OMP_NUM_THREADS" in os.environ
    if not given:
        os.environ["OMP_NUM_THREADS"] = str(cpu_count() // processes)
    try:
        yield
    finally:
        if not given:
            del os.environ["OMP_NUM_THREADS"]


def main(words: Sequence[str]) -> int:
    parser = Parser("reproduce", __doc__)
    parser.add_argument("words", nargs="+", metavar="item|field=value")
    parser.add_argument("--plan", action="store_true", help="show what is missing, train nothing")
    parser.add_argument("--probe", action="store_true", help="as for plan; needs --plan")
    args = parser.parse_intermixed_args(words)
    if args.probe and not args.plan:
        parser.error("--probe is for --plan")
    names = [word for word in args.words if "=" not in word]
    if not names:
        raise InputError("name an item of the papers, such as carratino2020/fig4_digits")
    fields = [word for word in args.words if "=" in word]
    todo = commands(names, fields)
    if args.plan:
        return plan(todo, ["--probe"] * args.probe)
    asked = any(word.startswith("hardware") for word in fields) or torch.cuda.is_available()
    each = chains(todo)
    runner = Chains(1 if asked else min(cpu_count(), len(each)))
    runner.run(each)
    return max((1 if code < 0 else code for code in runner.codes), default=0)


def plan(todo: list[Command], options: list[str]) -> int:
    """Run `mixup-repro plan` for every command that trains, and name the others."""
    codes = [0]
    for command, *rest in todo:
        if command != "train":
            print(f"without a price: mixup-repro {shlex.join([command, *rest])}", flush=True)
            continue
        print(f"mixup-repro {shlex.join(['plan', *rest])}", flush=True)
        codes.append(cli.run("plan", [*options, *rest]))
    return max(codes)
