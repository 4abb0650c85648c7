"""Make what items of the papers are drawn from: train the runs that are missing, and ask them.

    mixup-repro reproduce carratino2020/fig6_digits
    mixup-repro reproduce chidambaram2022/fig1 carratino2020/fig5_digits scale=smoke
    mixup-repro reproduce carratino2020/temperature_digits --plan

Items are named as in REPORT.md. Other words, such as hardware=node, go to train and evaluate; a
command that several items need is run once. --plan shows what is done and missing, and what that
costs (--probe: by steps timed here), and trains nothing. Then `mixup-repro report` draws.
Exit codes: 0 fine; else that of the last command that failed, or of the one that was stopped (75,
130); 2 bad input.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence

from mixup_repro import report
from mixup_repro.cli.words import Parser
from mixup_repro.errors import InputError
from mixup_repro.launch.node import DOOR, here


def commands(names: list[str], words: list[str]) -> list[list[str]]:
    """Every command that makes the rows of these items, once.

    Raises:
        InputError: there is no such item.
    """
    scale = next((w.removeprefix("scale=") for w in words if w.startswith("scale=")), "")
    more = [word for word in words if not word.startswith("scale=")]
    found = [c for name in names for c in report.setting(name).source.commands(scale)]
    return [[*c, *more] for c in map(list, dict.fromkeys(map(tuple, found)))]


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
    todo = commands(names, [word for word in args.words if "=" in word])
    if args.plan:
        probe = ["--probe"] * args.probe
        todo = [["plan", *probe, *rest] for command, *rest in todo if command == "train"]
    code = 0
    for command in todo:
        print(f"mixup-repro {shlex.join(command)}", flush=True)
        done = subprocess.run([*DOOR, *command], env=os.environ | here())
        if done.returncode in (75, 130):  # stopped, to go on later
            return done.returncode
        code = done.returncode or code
    return code
