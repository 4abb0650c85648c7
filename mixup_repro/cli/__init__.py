"""The command line, `mixup-repro <command> ...`, and the one place where errors become exit codes.

Each command is a module of this package: its docstring is what --help prints, and its `main` takes
the words after the command. Exit codes: 0 fine; 1 something failed, or a file cannot be written;
2 bad input, which is printed as one line; 75 stopped by a signal, and the same command goes on;
130 stopped by Ctrl-C. With HYDRA_FULL_ERROR=1 errors are printed with their traceback.
"""

from __future__ import annotations

import ast
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import mixup_repro
from mixup_repro import interrupt
from mixup_repro.cli.errors import one_line
from mixup_repro.cli.streams import outliving_readers

COMMANDS = tuple(
    "reproduce train evaluate plan clean report site check distances import-weights".split()
)


def main() -> int:
    """Run the command on the command line; returns the exit code."""
    words = sys.argv[1:]
    if words[:1] == ["-sc"]:  # a shell completes a line; Hydra must not see the command's name
        line = os.environ.get("COMP_LINE", "").split(" ")
        os.environ["COMP_LINE"] = " ".join([*line[:1], *line[2:]])
        words = [*line[1:2], *words]
        if words[0] not in ("train", "evaluate"):
            print(*(COMMANDS if len(line) == 2 else ()))
            return 0
    if words == ["--version"]:
        print(f"mixup-repro {mixup_repro.__version__}")
        return 0
    if not words or words[0] in ("-h", "--help"):
        print(_about(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    return run(words[0], words[1:])


def run(command: str, words: Sequence[str]) -> int:
    """Run a command; returns its exit code. Errors that a user can mend are printed as one line."""
    with outliving_readers():
        return _run(command, words)


def _run(command: str, words: Sequence[str]) -> int:
    try:
        if command not in COMMANDS:
            _say(f"error: {command}: choose one of {', '.join(COMMANDS)}")
            return 2
        with interrupt.watching():  # a signal while PyTorch is loaded would be a traceback
            module = import_module(f"mixup_repro.cli.{command.replace('-', '_')}")
            if interrupt.requested():
                interrupt.leave(_say, "nothing was begun")
        code: int = module.main(words)
        return code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        line, code = one_line(error, words)
        if not line or os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exc()
        if line:
            _say(f"error: {line}")
        return code


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _about() -> str:
    def summary(command: str) -> str:
        source = Path(__file__).with_name(f"{command.replace('-', '_')}.py").read_text()
        return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]  # imports no PyTorch

    lines = "\n".join(f"  {command:15} {summary(command)}" for command in COMMANDS)
    return f"""usage: mixup-repro <command> ...

{lines}

mixup-repro <command> --help explains a command; mixup-repro --version prints the version."""
