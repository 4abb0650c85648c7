"""Commands that are Hydra applications: train and evaluate."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from mixup_repro.cli.errors import one_line
from mixup_repro.cli.words import Parser, source_of
from mixup_repro.distributed import process_group
from mixup_repro.jobs import register
from mixup_repro.launch.session import Session, Work


def sweep(command: str, words: Sequence[str], work: Work, about: str | None) -> int:
    """Do `work` on each job that the words name; returns the exit code.

    Hydra's own flags that print something and run no job, such as --cfg, work as in any Hydra
    application.
    """
    args = _parsed(command, words)
    source = source_of(args)
    if args.help:
        print(about)
    session = Session(command, args.overrides, source, work)
    if any((args.help, args.hydra_help, args.cfg, args.info, args.shell_completion)):
        return _show(words, session)
    with process_group():
        try:
            _hydra(words, session)
        except Exception:
            if session.added:  # what came of the jobs before
                session.close()
            raise
    return session.close()


def _parsed(command: str, words: Sequence[str]) -> argparse.Namespace:
    """The words as Hydra itself reads them."""
    return Parser(command, None, get_args_parser()).parse_intermixed_args(words)


def _show(words: Sequence[str], session: Session) -> int:
    try:
        _hydra(words, session)
    except SystemExit as stop:
        return 2 if stop.code else 0  # it has said what is wrong
    return 0


def _hydra(words: Sequence[str], session: Session) -> None:
    """Run Hydra's application, which reads sys.argv.

    Overrides must stand in a row there, and of an option that is given twice the last one counts.
    """
    options = [word for word in words if word not in session.words]
    register()
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [argv[0], *session.words, *options, *session.source.options()]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises its errors, for `cli.run` to print
    try:
        with _each_alone(session), warnings.catch_warnings():
            # A folder of configs that is not there is bad input, and Hydra only warns of it.
            warnings.filterwarnings("error", r"provider=.* is not\s+available", UserWarning)
            hydra.main(version_base="1.3", config_path=session.source.path)(session.add)()
    finally:
        sys.argv = argv
        os.environ.pop("HYDRA_FULL_ERROR")
        if full is not None:
            os.environ["HYDRA_FULL_ERROR"] = full


@contextmanager
def _each_alone(session: Session) -> Iterator[None]:
    """Inside, a job of a sweep that Hydra cannot compose is refused, and the others run.

    Hydra composes all jobs of a sweep before the first one runs, and raises an error at the first
    job that it cannot compose. Its check of a sweep is replaced by one that takes such jobs out.
    Where the jobs then run one after the other in this process, the session is told all of them.
    """
    sweepers: Any = Sweeper
    validate = sweepers.validate_batch_is_legal

    def check(sweeper: Any, batch: list[Sequence[str]]) -> None:
        jobs, errors = [], []
        for job in list(batch):
            try:
                jobs.append(_composed(sweeper, job))
            except (HydraException, OmegaConfBaseException) as error:
                errors.append(error)
                batch.remove(job)
        if not batch:
            raise errors[0]
        for line in dict.fromkeys(one_line(error)[0] for error in errors):
            session.refuse(line)
        if _in_a_row(sweeper):
            for cfg in jobs:
                session.progress.sweep.expect(cfg)

    sweepers.validate_batch_is_legal = check
    try:
        yield
    finally:
        sweepers.validate_batch_is_legal = validate


def _in_a_row(sweeper: Any) -> bool:
    """Whether all jobs of the sweeper are known at once, and run one by one in this process."""
    hydra = sweeper.config.hydra
    kinds = [node["_target_"].rpartition(".")[2] for node in (hydra.sweeper, hydra.launcher)]
    return kinds == ["BasicSweeper", "BasicLauncher"] and hydra.sweeper.max_batch_size is None


def _composed(sweeper: Any, words: Sequence[str]) -> DictConfig:
    """One job of a sweep, as the launcher will compose it."""
    cfg: DictConfig = sweeper.hydra_context.config_loader.load_sweep_config(
        sweeper.config, list(words)
    )
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg
