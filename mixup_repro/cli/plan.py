"""What a command line of train would do, how far it is, and what is left to pay. Trains nothing.

    mixup-repro plan experiment=carratino2020/fig4_digits
    mixup-repro plan experiment=carratino2020/fig4_cifar10 hardware.device=cuda
    mixup-repro plan experiment=carratino2020/fig4_cifar10_lenet scale=short --probe
    mixup-repro plan --ladder experiment=carratino2020/fig4_cifar10
    mixup-repro plan experiment=carratino2020/fig4_cifar10 --watch 10

The words are those of train. Hours are taken from finished runs of the same kind: from runs on this
machine, or else from results/costs.csv, which has several devices. So this machine needs neither
the device nor the data. --probe times a few steps on this machine, for which the data must be here.
--ladder shows an experiment at the paper's scale and with smaller networks, where there are
experiments with these, each with its command.
--watch SECONDS shows the states of the runs every so many seconds, until all are done or failed.
Exit codes: 0 fine; 2 bad input.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from mixup_repro import networks
from mixup_repro.cli.errors import one_line
from mixup_repro.cli.ladder import ladder
from mixup_repro.cli.words import Parser, source_of
from mixup_repro.data import DataSource, Sizes, load, loader_of
from mixup_repro.errors import InputError
from mixup_repro.jobs import compose, expand
from mixup_repro.launch import probe
from mixup_repro.launch.board import board
from mixup_repro.launch.estimate import bytes_needed, left, priced
from mixup_repro.launch.status import HEADER, Status
from mixup_repro.methods.registry import METHODS
from mixup_repro.schema import Config
from mixup_repro.store.folder import RunFolder, State
from mixup_repro.training.job import check_fits, open_data
from mixup_repro.training.progress import Progress

DAY_S = 86_400


def plan(jobs: list[Config], progress: Progress, timed: bool = False) -> list[InputError]:
    """Print states, hours and disk of the jobs; returns the errors of those that cannot run.

    timed: hours come from steps that are timed now, with the data and on the device.

    Raises:
        InputError: no job can run; it is the first job's error.
    """
    fit, refused = [], []
    data: dict[str, DataSource | Sizes] = {}
    for job in jobs:
        try:
            check(job, data, timed)
            fit.append(job)
        except InputError as error:
            refused.append(error)
    if not fit:
        raise refused[0]
    status = Status(fit)
    progress.table("Runs by state", HEADER, status.rows())
    for line in status.reasons():
        progress.say(line)
    missing = left(status)
    hours = probe.line(missing, fit, data) if timed else "\n  ".join(priced(missing, status))
    runs = sum(len(some.folders) for some in missing)
    progress.say(f"{runs} runs to train{': ' if missing else ''}{hours}")
    disk = sum(bytes_needed(some, data[str(some.config.dataset)]) for some in missing) / 2**20
    progress.say(f"disk: {status.bytes() / 2**20:.0f} MiB used, about {disk:.0f} MiB more needed")
    return refused


def check(job: Config, data: dict[str, DataSource | Sizes], timed: bool) -> None:
    """Find out what is known of the job's data set, and whether the job can run on it.

    data: known data sets by their config as text; the job's is added. A downloaded or published set
    is opened only where steps are timed, since the machine that plans may not have it.

    Raises:
        InputError: the job cannot run as asked.
    """
    name, sizes = str(job.dataset), loader_of(job.dataset).sizes
    if name not in data:
        data[name] = open_data(job) if timed else sizes or load(job.dataset)
    found, method = data[name], METHODS[job.method.name]
    if not method.loss and all(RunFolder(run).state() == State.DONE for run in expand(job)):
        return  # made of a file of weights, so there is nothing to train and nothing to check
    method.check_trainable()
    if isinstance(found, Sizes):
        with torch.device("meta"):
            networks.build(job.architecture, found.input_shape, found.classes, [0])
    else:
        check_fits(job, found)


def watch(jobs: list[Config], seconds: float, progress: Progress) -> None:
    """Show the runs' states every so many seconds until all are done or have failed."""
    status = Status(jobs)
    with board(progress, every=seconds) as update:
        update(status)
        while not status.ended():
            time.sleep(seconds)
            status.look()
            update(status)
    for line in status.reasons():
        progress.say(line)


def main(words: Sequence[str]) -> int:
    parser = Parser("plan", __doc__)
    parser.add_argument("overrides", nargs="*", help="as for train")
    parser.add_argument("-m", "--multirun", action="store_true", help="as for train; always on")
    parser.add_argument("--probe", action="store_true", help="time a few steps on this machine")
    parser.add_argument("--ladder", action="store_true", help="show smaller networks and scales")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="show a live table")
    parser.add_source()
    args = parser.parse_intermixed_args(words)
    if args.watch is not None and not 0 < args.watch <= DAY_S:
        parser.error(f"--watch {args.watch:g}: seconds, more than 0 and at most a day")
    progress = Progress()
    if args.ladder:
        ladder(args.overrides, source_of(args), progress)
        return 0
    refused: list[Exception] = []  # all jobs are checked before any is timed
    jobs = list(compose(args.overrides, source_of(args), refused.append))
    if not jobs:
        raise refused[0]
    if args.watch:
        watch(jobs, args.watch, progress)
    else:
        refused += plan(jobs, progress, args.probe)
    for line in dict.fromkeys(one_line(error, args.overrides)[0] for error in refused):  # each once
        progress.say(f"error: {line}")
    return 2 if refused else 0
