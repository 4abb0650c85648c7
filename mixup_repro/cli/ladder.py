"""`plan --ladder`: an experiment in several sizes, down to one that takes any machine seconds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from mixup_repro.errors import InputError
from mixup_repro.jobs import Source, compose, experiments
from mixup_repro.launch.estimate import left, priced
from mixup_repro.launch.status import Status
from mixup_repro.training.progress import Progress

NETWORKS = ("resnet18w16", "resnet20", "lenet")  # in place of the paper's: <experiment>_<network>


def rungs(name: str) -> Iterator[list[str]]:
    """The words for train of each size: the paper's, smaller networks at scale short, smoke."""
    smaller = [other for n in NETWORKS if (other := f"{name}_{n}") in experiments()]
    yield [f"experiment={name}"]
    for other in smaller or [name]:
        yield [f"experiment={other}", "scale=short"]
    yield [f"experiment={(smaller or [name])[-1]}", "scale=smoke"]


def ladder(words: Sequence[str], source: Source, progress: Progress) -> None:
    """Print what each size of an experiment costs, and the command that trains it.

    words: one of them names the experiment, and the others are added to each command.

    Raises:
        InputError: not exactly one word names an experiment, or there is no such experiment.
    """
    named = [w.removeprefix("experiment=") for w in words if w.startswith("experiment=")]
    if len(named) != 1 or named[0] not in experiments():
        raise InputError("--ladder: name one experiment, such as experiment=<paper>/<grid>")
    more = [word for word in words if not word.startswith(("experiment=", "scale="))]
    for rung in rungs(named[0]):
        status = Status(jobs := list(compose([*rung, *more], source)))
        missing, network, epochs = left(status), jobs[0].architecture.name, jobs[0].recipe.epochs
        runs = sum(len(some.folders) for some in missing)
        of = f"{status.count().total()} runs of {epochs} epoch{'s' * (epochs > 1)}"
        progress.say(f"{network}, {of}, {runs} to train")
        for line in priced(missing, status):
            progress.say(f"  {line}")
        progress.say(f"  mixup-repro train -m {shlex.join([*rung, *more])}")
