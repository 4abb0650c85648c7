"""The same experiment in several sizes, down to what any machine trains: `plan --ladder`."""

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
    """Words of train, from the paper's setting down to seconds."""
    smaller = [other for n in NETWORKS if (other := f"{name}_{n}") in experiments()]
    yield [f"experiment={name}"]
    for other in smaller or [name]:
        yield [f"experiment={other}", "scale=short"]
    yield [f"experiment={(smaller or [name])[-1]}", "scale=smoke"]


def ladder(words: Sequence[str], source: Source, progress: Progress) -> None:
    """Say what each size of an experiment costs, and what to type for it.

    words: one names the experiment; the others go with each size.

    Raises:
        InputError: none names an experiment that there is.
    """
    named = [word for word in words if word.startswith("experiment=")]
    if len(named) != 1 or named[0].removeprefix("experiment=") not in experiments():
        raise InputError("--ladder: name one experiment, such as experiment=<paper>/<grid>")
    more = [word for word in words if word not in named and not word.startswith("scale=")]
    for rung in rungs(named[0].removeprefix("experiment=")):
        status = Status(jobs := list(compose([*rung, *more], source)))
        missing, network = left(status), jobs[0].architecture.name
        runs, there = sum(len(some.folders) for some in missing), status.count().total()
        epochs = jobs[0].recipe.epochs
        of = f"{there} runs of {epochs} epoch{'s' * (epochs > 1)}"
        progress.say(f"{network}, {of}, {runs} to train")
        for line in priced(missing, status):
            progress.say(f"  {line}")
        progress.say(f"  mixup-repro train -m {shlex.join([*rung, *more])}")
