"""What the parsers of the commands share: errors of one line, and Hydra's options for configs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn

from mixup_repro.errors import InputError
from mixup_repro.jobs import Source


class Parser(argparse.ArgumentParser):
    """A parser of one command, with the options of `parents`; `about` is the text of --help."""

    def __init__(self, command: str, about: str | None, *parents: argparse.ArgumentParser) -> None:
        super().__init__(
            prog=f"mixup-repro {command}",
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=parents,
            add_help=not parents,
        )

    def error(self, message: str) -> NoReturn:
        """Raise InputError, which `cli.run` prints as one line."""
        raise InputError(message)

    def add_source(self) -> None:
        """The options of Hydra that say where configs are."""
        for short, option, what in (
            ("-cp", "--config-path", "folder to use instead of configs/"),
            ("-cn", "--config-name", "file in it to begin with (default: config)"),
            ("-cd", "--config-dir", "folder with more configs"),
        ):
            self.add_argument(short, option, help=what)


def whole_path(text: str) -> Path:
    """A path that an option gives, with ~ expanded as a shell does it.

    Raises:
        argparse.ArgumentTypeError: there is no such home folder.
    """
    whole = os.path.expanduser(text)
    if text.startswith("~") and whole == text:
        raise argparse.ArgumentTypeError(f"{text}: there is no such home folder")
    return Path(whole)


def source_of(args: argparse.Namespace) -> Source:
    """Where the options of `add_source` say that configs are, with absolute paths.

    Raises:
        InputError: a folder is not there.
    """
    given = {}
    for key, name in (("path", "config_path"), ("extra", "config_dir")):
        if (value := getattr(args, name)) is not None:
            folder = Path(os.path.expanduser(value))
            given[key] = str(folder.absolute())
            if not folder.is_dir():
                option = name.replace("_", "-")
                raise InputError(f"--{option} {value}: there is no such folder")
    if args.config_name is not None:
        given["name"] = args.config_name
    return Source(**given)
