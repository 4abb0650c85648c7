"""What a command line of train would do, and how far it is. Trains nothing.

    mixup-repro plan experiment=carratino2020/fig4_digits
    mixup-repro plan experiment=carratino2020/fig4_cifar10_lenet scale=short
    mixup-repro plan experiment=carratino2020/fig4_cifar10 --watch 10

--watch SECONDS shows the runs' states again and again, until all are done or failed.
Exit codes: 0 fine; 2 bad input.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from mixup_repro.cli.errors import one_line
from mixup_repro.cli.words import Parser, source_of
from mixup_repro.errors import InputError
from mixup_repro.jobs import compose
from mixup_repro.launch.board import board
from mixup_repro.launch.estimate import bytes_needed, missing, seconds_left
from mixup_repro.launch.slots import slots
from mixup_repro.launch.status import HEADER, Status
from mixup_repro.schema import Config
from mixup_repro.store.folder import State
from mixup_repro.training.job import check_fits, open_data
from mixup_repro.training.progress import Progress

DAY_S = 86_400


def plan(jobs: list[Config], progress: Progress) -> list[InputError]:
    """Say it; returns what is wrong with jobs that cannot run.

    Raises:
        InputError: none can.
    """
    fit, refused = [], []
    recorded = probed = disk = 0.0
    for job in jobs:
        try:
            dataset = open_data(job)
            if missing(job):
                check_fits(job, dataset)
        except InputError as error:
            refused.append(error)
            continue
        fit.append(job)
        device = dataset.device
        by_records, by_probe = seconds_left(job, dataset)
        recorded, probed = recorded + by_records / 3600, probed + by_probe / 3600
        disk += bytes_needed(job, dataset) / 2**20
    if not fit:
        raise refused[0]
    status = Status(fit)
    progress.table("Runs by state", HEADER, status.rows())
    for line in status.reasons():
        progress.say(line)
    unit = "GPU-hours" if device.type == "cuda" else "hours of one process"
    total = recorded + probed
    side_by_side = ""
    if jobs[0].hardware.slots:
        n = len(slots(jobs[0].hardware, device))
        side_by_side = f", {total / n:.2g} hours in {n} slots"
    count = status.count()
    left = sum(count[state] for state in (State.INTERRUPTED, State.FAILED, State.ABSENT))
    progress.say(
        f"{left} runs to train: about {total:.2g} {unit}{side_by_side} ({recorded:.2g} by finished "
        f"runs of the same kind, {probed:.2g} by a timed probe)"
    )
    progress.say(f"disk: {status.bytes() / 2**20:.3g} MiB used, about {disk:.3g} MiB more needed")
    return refused


def watch(jobs: list[Config], seconds: float, progress: Progress) -> None:
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
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="show a live table")
    parser.add_source()
    args = parser.parse_intermixed_args(words)
    if args.watch is not None and not 0 < args.watch <= DAY_S:
        parser.error(f"--watch {args.watch:g}: seconds, more than 0 and at most a day")
    refused: list[Exception] = []  # all jobs are checked before any is timed
    jobs = list(compose(args.overrides, source_of(args), refused.append))
    if not jobs:
        raise refused[0]
    progress = Progress()
    if args.watch:
        watch(jobs, args.watch, progress)
    else:
        refused += plan(jobs, progress)
    for line in dict.fromkeys(one_line(error, args.overrides)[0] for error in refused):
        progress.say(f"error: {line}")
    return 2 if refused else 0
