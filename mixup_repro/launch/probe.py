"""What a run would cost on this machine, by a few timed steps."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count, islice
from statistics import median
from typing import Any

import torch

from mixup_repro.data import DataSource
from mixup_repro.jobs import batch_size, expand
from mixup_repro.launch.estimate import Bill, Left
from mixup_repro.launch.slots import slots
from mixup_repro.live import phase
from mixup_repro.schema import Config, Run
from mixup_repro.store.identity import run_id
from mixup_repro.training.job import stack_size
from mixup_repro.training.loop import Stack
from mixup_repro.training.record import device_name

# Steps before those that are timed, more than a CUDA graph takes to be recorded; and how many are
# timed, at least one and, on a CPU, for at most so long.
WARM_UP, STEPS, SECONDS = 5, 20, 3.0


def line(missing: list[Left], jobs: list[Config], data: Mapping[str, Any]) -> str:
    """What the missing runs of some jobs would cost on this machine, timed now.

    data: the jobs' data sets on their device, by the text of their configs.
    """
    if not missing:
        return ""
    waiting, seconds = {some.folders[0].id: some for some in missing}, 0.0
    for job in jobs:
        ids = dict.fromkeys(run_id(run.config) for run in expand(job))
        mine = [waiting.pop(name) for name in ids if name in waiting]
        if mine:
            dataset, hardware = data[str(job.dataset)], job.hardware
            if hardware.slots:
                torch.set_num_threads(slots(hardware, dataset.device)[0].threads)
            runs = [run for some in mine for run in some.runs]
            names = ", ".join(dict.fromkeys(some.what() for some in mine))
            with phase("timing", things=f"steps of {names}"):
                each = epoch_seconds(job, runs, dataset)
            seconds += each * sum(some.epochs() for some in mine)
    device = device_name(torch.empty(0, device=dataset.device))
    bill = Bill(device, runs=sum(len(some.folders) for some in missing), seconds=seconds)
    return f"{bill.amount(hardware)}; timed now{busy()}"


def epoch_seconds(job: Config, runs: list[Run], dataset: DataSource) -> float:
    """Estimated seconds for an epoch of one of these runs of a job, on the data set's device.

    Steps and evaluation are timed one by one once both have run before: the first ones choose
    kernels, record graphs and fill caches. Of each the median counts, which a moment's load of the
    machine does not move; `busy` tells of a load that stays.
    """
    recipe, n = job.recipe, dataset.n_train
    size = batch_size(recipe, n)
    stack = Stack.of(runs[: stack_size(job, len(runs), dataset)], dataset)
    learner, dataset = stack.learner, stack.dataset
    endless = (b for epoch in count() for b in stack.batches(stack.plans.epoch(epoch), size))
    steps = _timed(dataset.device, (partial(learner.step, batch) for batch in endless))
    _, x, _ = next(dataset.chunks("test", 1000, len(stack.runs)))

    def predict() -> None:
        with torch.no_grad():
            learner.network(dataset.normalise(x)).cpu()

    each = _timed(dataset.device, (predict for _ in count())) / x.shape[1]
    passes = dataset.n_test + n * recipe.evaluate_train
    passes *= 1 + (recipe.evaluate_rescaled and runs[0].alpha is not None)
    return (steps * -(-n // size) + each * passes / recipe.evaluate_every) / len(stack.runs)


def _timed(device: torch.device, calls: Iterator[Callable[[], object]]) -> float:
    """Median seconds of a call, after some that warm up."""
    for steps in (WARM_UP, STEPS):
        began, seconds = time.perf_counter(), []
        for call in islice(calls, steps):
            started = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - started)
            if device.type == "cpu" and time.perf_counter() - began > SECONDS:
                break
    return median(seconds)


def busy() -> str:
    """A warning where more processes want the CPU than it has cores; else nothing."""
    try:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
    except OSError:
        return ""
    if load <= cores:
        return ""
    more = " and several threads wait for each other: try OMP_NUM_THREADS=1"
    return (
        f"; this machine is busy (load {load:.1f} on {cores} cores): alone, runs take less"
        f"{more * (torch.get_num_threads() > 1)}"
    )
