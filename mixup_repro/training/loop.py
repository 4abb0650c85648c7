"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mixup_repro import architectures
from mixup_repro.config import Config, Run, batch_size
from mixup_repro.data import Dataset
from mixup_repro.data.batches import Batches, Modification
from mixup_repro.data.streamed import StreamedBatches, StreamedSet
from mixup_repro.evaluation.metrics import metrics
from mixup_repro.evaluation.predictor import totals
from mixup_repro.methods.registry import BOX, METHODS, OWN_LABELS, PAIRS
from mixup_repro.plan import EpochPlan, PlanSpec, draw_block
from mixup_repro.training.learner import Learner, learning_rate

Steps = Sequence[tuple[Tensor, Tensor]]  # (R,) loss and (R,) weight of each step
AfterStep = Callable[[int, Steps], None]
EvaluatedEpoch = Callable[[int, list[dict]], None]
Failure = Callable[[int, str], None]


def plan_spec(config: Config, n: int) -> PlanSpec:
    """What the plans of a run on n training examples depend on."""
    method, recipe = config.method, config.recipe
    draws = METHODS[method.name].draws
    mixes = PAIRS in draws
    return PlanSpec(
        n=n,
        batch_size=batch_size(recipe, n),
        pairing=method.pairing if mixes else None,
        pairing_group=method.pairing_group if mixes else None,
        truncated=bool(method.truncated),
        alpha=method.alpha,
        lam_per=method.lam_per or "example",
        crop_padding=recipe.crop_padding or 0,
        flip=bool(recipe.flip),
        resized_crop=bool(recipe.resized_crop),
        box=BOX in draws,
        own_labels=OWN_LABELS in draws,
    )


class Plans:
    """The plans of R runs as tensors (R, n) on the device, copied there once a block."""

    def __init__(self, runs: list[Run], n: int, device: torch.device) -> None:
        self.specs = [(plan_spec(run.config, n), run.seed) for run in runs]
        self.device = device
        self.block_index = -1

    def epoch(self, epoch: int) -> EpochPlan:
        """The plans of one epoch, counted from 0; epochs in order are drawn once each."""
        index, row = divmod(epoch, self.specs[0][0].block)
        if index != self.block_index:
            drawn = [draw_block(spec, seed, index) for spec, seed in self.specs]
            stacked = EpochPlan.stack(drawn, axis=1)
            self.block = stacked.map(lambda a: torch.from_numpy(a).to(self.device))
            self.block_index = index
        return self.block.map(lambda a: a[row])


def assemble(
    runs: list[Run], dataset: Dataset | StreamedSet, device: torch.device
) -> tuple[Learner, Batches, Plans]:
    """What `fit` needs to train these runs as one stack (or one run), from their seeds.

    The runs differ in seed and alpha only; networks that cannot be stacked come one at a time.
    The data set must be on the device.
    """
    config = runs[0].config
    network = architectures.build(
        config.architecture, dataset.input_shape, dataset.classes, [run.seed for run in runs]
    )
    plans = Plans(runs, dataset.n_train, device)
    learner = Learner(network, config, device)
    if not dataset.in_memory:
        group = config.method.pairing_group or 1
        return learner, StreamedBatches(dataset, config.recipe.resized_crop, group), plans
    padding, flip = config.recipe.crop_padding or 0, bool(config.recipe.flip)
    modification = None
    if METHODS[config.method.name].modified_data:
        modification = Modification.of(dataset, [run.alpha for run in runs], padding, flip)
    batches = Batches(dataset, padding, config.method.pairing != "uniform", modification)
    return learner, batches, plans


def fit(
    learner: Learner,
    dataset: Dataset | StreamedSet,
    batches: Batches,
    plans: Plans,
    start: int,
    on_epoch: EvaluatedEpoch,
    on_failure: Failure,
    steps: Steps = (),
    on_step: AfterStep = lambda epoch, steps: None,
) -> None:
    """Train from epoch `start` to the recipe's end.

    steps: what `learner.step` returned in the steps of that epoch that are done already.
    on_step(epoch, steps): after each step, with those of its epoch so far.
    on_epoch(epochs_done, rows): after each epoch; one row of curve values a replica, or no rows
        where the epoch was not one to evaluate.
    on_failure(replica, message): a replica's loss is not finite; the others go on. Nothing waits
        for the device inside an epoch, so this is found at the epoch's end.
    """
    recipe = learner.config.recipe
    size = plans.specs[0][0].batch_size
    alive = np.ones(learner.replicas, dtype=bool)
    steps_an_epoch = -(-dataset.n_train // size)
    for epoch in range(start, recipe.epochs):
        steps = list(steps) if epoch == start else []
        for batch in batches(plans.epoch(epoch), size, first=len(steps)):
            learner.set_learning_rate(learning_rate(recipe, epoch + len(steps) / steps_an_epoch))
            steps.append(learner.step(batch))
            on_step(epoch, steps)
        loss, weight = (torch.stack(values).cpu().numpy() for values in zip(*steps))
        for replica in np.flatnonzero(alive & ~np.isfinite(loss).all(0)):
            alive[replica] = False
            step = int(np.flatnonzero(~np.isfinite(loss[:, replica]))[0])
            on_failure(replica, f"the loss is not finite at epoch {epoch + 1}, step {step + 1}")
        if not alive.any():
            return
        done = epoch + 1
        rows: list[dict] = []
        if done % recipe.evaluate_every == 0 or done == recipe.epochs:
            learner.share_buffers()
            rows = measure(learner, dataset, [spec.alpha for spec, _ in plans.specs])
            for row, mixed, weighted in zip(rows, loss.mean(0), weight.mean(0)):
                row |= {"epoch": done, "mixed_loss": float(mixed)}
                row |= {"weighted_accuracy": float(weighted)}
        on_epoch(done, rows)


def measure(
    learner: Learner, dataset: Dataset | StreamedSet, alphas: list[float | None]
) -> list[dict]:
    """Clean accuracy and cross-entropy of each replica on the test set, and as the recipe asks.

    alphas: of each replica, for its rescaled prediction.
    """
    recipe = learner.config.recipe
    rows: list[dict] = [{} for _ in alphas]
    for part in ("test", "train") if recipe.evaluate_train else ("test",):
        asked = dict.fromkeys((None, *alphas)) if recipe.evaluate_rescaled else (None,)
        for alpha, total in totals(learner.network, dataset, part, asked).items():
            values = metrics(total)
            kind = "" if alpha is None else "_rescaled"
            for row, own, value in zip(rows, alphas, values):
                if alpha in (None, own):
                    for name in ("accuracy", "cross_entropy"):
                        row[f"{part}_{name}{kind}"] = value[name]
    return rows
