"""What a job would still cost: by the wall times of finished runs, else by a few timed steps."""

from __future__ import annotations

import time
from itertools import count, islice

import torch

from mixup_repro import networks
from mixup_repro.data import DataSource
from mixup_repro.jobs import batch_size, expand
from mixup_repro.schema import Config
from mixup_repro.store.folder import RunFolder, State
from mixup_repro.store.records import is_done, read_record
from mixup_repro.training.loop import Stack
from mixup_repro.training.run import snapshot_epochs

WARM_UP, STEPS, SECONDS = 2, 20, 3.0  # a probe takes at most STEPS steps or SECONDS


def missing(job: Config) -> list[RunFolder]:
    """The runs of a job that are neither done nor being trained."""
    folders = [RunFolder(run) for run in expand(job)]
    return [f for f in folders if f.state() not in (State.DONE, State.RUNNING)]


def seconds_left(job: Config, dataset: DataSource) -> tuple[float, float]:
    """Estimated seconds to train what is missing of a job, one stack (or run) after another.

    Returns (by finished runs of the same id, by a timed probe): what was trained before the last
    checkpoints is deducted from both.
    """
    by_records, unknown = 0.0, []
    for folder in missing(job):
        left = 1 - folder.epoch() / job.recipe.epochs
        times = wall_times(folder, dataset.device)
        if times:
            by_records += left * sum(times) / len(times)
        else:
            unknown.append((folder, left))
    if not unknown:
        return by_records, 0.0
    each = probe(job, [folder for folder, _ in unknown], dataset)
    return by_records, each * sum(left for _, left in unknown)


def wall_times(folder: RunFolder, device: torch.device) -> list[float]:
    """Seconds that finished runs of the same id took, other seeds on the same kind of device."""
    others = filter(is_done, folder.path.parent.glob("seed*"))
    records = [read_record(other) for other in others]
    on_cpu = device.type == "cpu"
    return [r["wall_s"] for r in records if r["device"].startswith("cpu") == on_cpu]


def probe(job: Config, folders: list[RunFolder], dataset: DataSource) -> float:
    """Estimated seconds for one of these runs of a job, from a few timed steps on this machine."""
    runs, recipe = [folder.run for folder in folders], job.recipe
    n = dataset.n_train
    size = batch_size(recipe, n)
    device = dataset.device
    most = networks.stack_size(job.architecture, size, device)
    stack = Stack.of(runs[: min(most, dataset.together(len(runs)))], dataset)
    dataset = stack.dataset

    def synchronise() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    endless = (b for epoch in count() for b in stack.batches(stack.plans.epoch(epoch), size))
    for step, batch in enumerate(islice(endless, WARM_UP + STEPS)):
        if step == WARM_UP:
            synchronise()
            started = time.perf_counter()
        stack.learner.step(batch)
        timed = step + 1 - WARM_UP
        if timed > 0 and time.perf_counter() - started > SECONDS:
            break
    synchronise()
    step_s = (time.perf_counter() - started) / timed
    _, x, _ = next(dataset.chunks("test", 1000, len(stack.runs)))
    started = time.perf_counter()
    with torch.no_grad():
        stack.learner.network(dataset.normalise(x)).cpu()
    evaluate_s = (time.perf_counter() - started) * dataset.n_test / x.shape[1]
    epoch_s = step_s * -(-n // size) + evaluate_s / recipe.evaluate_every
    return epoch_s * recipe.epochs / len(stack.runs)


def bytes_needed(job: Config, dataset: DataSource) -> int:
    """Disk that the finished runs missing from a job will take: weights and test logits."""
    network = networks.build(job.architecture, dataset.input_shape, dataset.classes, [0])
    kept = 1 + len(snapshot_epochs(network, job.recipe.epochs))
    logits = dataset.n_test * dataset.classes * 4
    return len(missing(job)) * (kept * networks.bytes_of(network) + logits)
