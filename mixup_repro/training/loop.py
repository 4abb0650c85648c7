"""The training loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from mixup_repro import architectures
from mixup_repro.checks import METHOD_FIELDS
from mixup_repro.config import Config, Run
from mixup_repro.data import Dataset
from mixup_repro.data.batches import Batches, Modification
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.evaluation.predictor import predict
from mixup_repro.methods import ON_MODIFIED_DATA
from mixup_repro.plan import EpochPlan, PlanSpec, draw_block
from mixup_repro.training.learner import Learner, learning_rate

EvaluatedEpoch = Callable[[int, list[dict]], None]
Failure = Callable[[int, str], None]


def plan_spec(config: Config, n: int) -> PlanSpec:
    """What the plans of a run on n training examples depend on."""
    method, recipe = config.method, config.recipe
    mixes = "pairing" in METHOD_FIELDS[method.name]
    return PlanSpec(
        n=n,
        batch_size=min(recipe.batch_size or n, n),
        pairing=method.pairing if mixes else None,
        pairing_group=method.pairing_group if mixes else None,
        alpha=method.alpha,
        lam_per=method.lam_per or "example",
        crop_padding=recipe.crop_padding or 0,
        flip=bool(recipe.flip),
        box=method.name == "cutmix",
        own_labels=method.name == "mixup_independent",
    )


class Plans:
    """The plans of R runs as tensors (R, n) on the device, copied there once a block."""

    def __init__(self, runs: list[Run], n: int, device: torch.device) -> None:
        self.specs = [(plan_spec(run.config, n), run.seed) for run in runs]
        self.device = device
        self.block_index = -1

    def epoch(self, epoch: int) -> EpochPlan:
        index, row = divmod(epoch, self.specs[0][0].block)
        if index != self.block_index:
            drawn = [draw_block(spec, seed, index) for spec, seed in self.specs]
            stacked = EpochPlan.stack(drawn, axis=1)
            self.block = stacked.map(lambda a: torch.from_numpy(a).to(self.device))
            self.block_index = index
        return self.block.map(lambda a: a[row])


def assemble(
    runs: list[Run], dataset: Dataset, device: torch.device
) -> tuple[Learner, Batches, Plans]:
    """What `fit` needs to train these runs as one stack (or one run), from their seeds.

    The runs differ in seed and alpha only; networks that cannot be stacked come one at a time.
    The data set must be on the device.
    """
    config = runs[0].config
    network = architectures.build(
        config.architecture, dataset.input_shape, dataset.classes, [run.seed for run in runs]
    )
    padding, flip = config.recipe.crop_padding or 0, bool(config.recipe.flip)
    modification = None
    if config.method.name in ON_MODIFIED_DATA:
        modification = Modification.of(dataset, [run.alpha for run in runs], padding, flip)
    batches = Batches(dataset, padding, config.method.pairing != "uniform", modification)
    return Learner(network, config, device), batches, Plans(runs, dataset.n_train, device)


def fit(
    learner: Learner,
    dataset: Dataset,
    batches: Batches,
    plans: Plans,
    start: int,
    on_epoch: EvaluatedEpoch,
    on_failure: Failure,
) -> None:
    """Train from epoch `start` to the recipe's end.

    on_epoch(epochs_done, rows): after each epoch; one row of curve values a replica, or no rows
        where the epoch was not one to evaluate.
    on_failure(replica, message): a replica's loss is not finite; the others go on. Nothing waits
        for the device inside an epoch, so this is found at the epoch's end.
    """
    recipe = learner.config.recipe
    batch_size = plans.specs[0][0].batch_size
    alive = np.ones(learner.replicas, dtype=bool)
    for epoch in range(start, recipe.epochs):
        learner.set_learning_rate(learning_rate(recipe, epoch))
        steps = [learner.step(batch) for batch in batches(plans.epoch(epoch), batch_size)]
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
            rows = measure(learner, dataset, [spec.alpha for spec, _ in plans.specs])
            for row, mixed, weighted in zip(rows, loss.mean(0), weight.mean(0)):
                row |= {"epoch": done, "mixed_loss": float(mixed)}
                row |= {"weighted_accuracy": float(weighted)}
        on_epoch(done, rows)


def measure(learner: Learner, dataset: Dataset, alphas: list[float | None]) -> list[dict]:
    """Clean accuracy and cross-entropy of each replica on the test set, and as the recipe asks.

    alphas: of each replica, for its rescaled prediction.
    """
    recipe = learner.config.recipe
    parts = {"test": (dataset.x_test, dataset.y_test)}
    if recipe.evaluate_train:
        parts["train"] = (dataset.x_train, dataset.y_train)
    rows: list[dict] = [{} for _ in alphas]
    for part, (x, y) in parts.items():
        for alpha in {None, *alphas} if recipe.evaluate_rescaled else {None}:
            values = metrics(sums(predict(learner.network, dataset, x, alpha), y))
            kind = "" if alpha is None else "_rescaled"
            for row, own, value in zip(rows, alphas, values):
                if alpha in (None, own):
                    for name in ("accuracy", "cross_entropy"):
                        row[f"{part}_{name}{kind}"] = value[name]
    return rows
