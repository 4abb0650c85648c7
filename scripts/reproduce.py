"""Make what items of the papers are drawn from: train the runs that are missing, and ask them.

    python scripts/reproduce.py carratino2020/fig6_digits
    python scripts/reproduce.py chidambaram2022/fig1 carratino2020/fig5_digits scale=smoke
    python scripts/reproduce.py carratino2020/temperature_digits --plan

Items are named as in REPORT.md. Other words, such as hardware=node, go to train.py and evaluate.py;
a command that several items need is run once. --plan shows what is done and missing, and trains
nothing. Then `make report` draws. Exit codes: that of the last command that failed; 2 bad input.
"""

import argparse
import shlex
import subprocess
import sys

from mixup_repro import report
from mixup_repro.errors import InputError
from mixup_repro.jobs import CHECKOUT


def commands(names: list[str], words: list[str]) -> list[list[str]]:
    """Every command that makes the rows of these items, once.

    Raises:
        InputError: there is no such item.
    """
    scale = next((w.removeprefix("scale=") for w in words if w.startswith("scale=")), "")
    more = [word for word in words if not word.startswith("scale=")]
    found = [c for name in names for c in report.setting(name).source.commands(scale)]
    return [[*c, *more] for c in map(list, dict.fromkeys(map(tuple, found)))]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="+", metavar="item|field=value")
    parser.add_argument("--plan", action="store_true", help="show what is missing, train nothing")
    args = parser.parse_intermixed_args()
    names = [word for word in args.words if "=" not in word]
    if not names:
        raise InputError("name an item of the papers, such as carratino2020/fig4_digits")
    todo = commands(names, [word for word in args.words if "=" in word])
    if args.plan:
        todo = [["plan", *words] for command, *words in todo if command == "train"]
    code = 0
    for name, *words in todo:
        print(f"python scripts/{name}.py {shlex.join(words)}", flush=True)
        done = subprocess.run([sys.executable, CHECKOUT / "scripts" / f"{name}.py", *words])
        code = done.returncode or code
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
