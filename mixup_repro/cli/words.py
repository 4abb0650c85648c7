"""What the commands' parsers share: bad words are one line, and configs come from where Hydra's
options say."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from mixup_repro.errors import InputError
from mixup_repro.jobs import Source


class Parser(argparse.ArgumentParser):
    """A parser of one command, with the options of `parents`; `about` is what --help says first."""

    def __init__(self, command: str, about: str | None, *parents: argparse.ArgumentParser) -> None:
        super().__init__(
            prog=f"mixup-repro {command}",
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=parents,
            add_help=not parents,
        )

    def error(self, message: str) -> NoReturn:
        raise InputError(message)

    def add_source(self) -> None:
        """The options of Hydra that say where configs are."""
        for short, option, what in (
            ("-cp", "--config-path", "folder to use instead of configs/"),
            ("-cn", "--config-name", "file in it to begin with (default: config)"),
            ("-cd", "--config-dir", "folder with more configs"),
        ):
            self.add_argument(short, option, help=what)


def source_of(args: argparse.Namespace) -> Source:
    """Where configs are, with absolute paths.

    Raises:
        InputError: a folder is not there.
    """
    given = {}
    for key, name in (("path", "config_path"), ("extra", "config_dir")):
        if (value := getattr(args, name)) is not None:
            given[key] = str(Path(value).absolute())
            if not Path(value).is_dir():
                option = name.replace("_", "-")
                raise InputError(f"--{option} {value}: there is no such folder")
    if args.config_name is not None:
        given["name"] = args.config_name
    return Source(**given)
