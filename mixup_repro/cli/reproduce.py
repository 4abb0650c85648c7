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
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import torch
from joblib import cpu_count

from mixup_repro import cli, interrupt, report
from mixup_repro.cli.words import Parser
from mixup_repro.errors import InputError
from mixup_repro.launch.node import DOOR, here

Command = list[str]
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
    """Runs chains of commands, several at a time.

    side_by_side: how many. With more than one, each has its share of the CPU's threads, and its
        output goes through a pipe, so that none draws on the terminal over another.
    """

    def __init__(self, side_by_side: int) -> None:
        self.side_by_side = side_by_side
        self.codes: list[int] = []  # of the commands that have ended
        self.running: list[subprocess.Popen[bytes]] = []

    def run(self, todo: list[list[Command]]) -> None:
        """Returns when every command has ended, or has been asked to stop and has."""
        told: list[subprocess.Popen[bytes]] = []
        with interrupt.watching(), ThreadPoolExecutor(self.side_by_side) as pool:
            waiting = {pool.submit(self._follow, chain) for chain in todo}
            while waiting:
                done, waiting = wait(waiting, timeout=0.1)
                for chain in done:
                    chain.result()  # raises what it raised
                for process in list(self.running) if interrupt.requested() else ():
                    if process not in told:
                        process.send_signal(signal.SIGTERM)
                        told.append(process)
            if interrupt.requested():
                interrupt.leave(print)

    def _follow(self, chain: list[Command]) -> None:
        for command in chain:
            if interrupt.requested() or set(STOPPED) & set(self.codes):
                return
            print(f"mixup-repro {shlex.join(command)}", flush=True)
            self.codes.append(self._call(command))

    def _call(self, command: Command) -> int:
        together = self.side_by_side > 1
        share = {"OMP_NUM_THREADS": str(cpu_count() // self.side_by_side)} if together else {}
        process = subprocess.Popen(
            [*DOOR, *command],
            env=share | os.environ | here(),
            stdout=subprocess.PIPE if together else None,
            stderr=subprocess.STDOUT if together else None,
        )
        self.running.append(process)
        if process.stdout is not None:
            while said := os.read(process.stdout.fileno(), 65536):  # a table comes whole
                sys.stdout.write(said.decode(errors="replace"))
                sys.stdout.flush()
        code = process.wait()
        self.running.remove(process)
        return code


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
