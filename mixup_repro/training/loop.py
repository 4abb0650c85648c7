"""The training loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixup_repro import networks
from mixup_repro.data import DataSource
from mixup_repro.data.batches import Batches
from mixup_repro.distributed import add_up, rank, world_size
from mixup_repro.evaluation.metrics import metrics
from mixup_repro.evaluation.predictor import totals
from mixup_repro.jobs import batch_size
from mixup_repro.methods.registry import BOX, LAYER, METHODS, NOISE, OWN_LABELS, PAIRS
from mixup_repro.plan import EpochPlan, PlanSpec, draw_block
from mixup_repro.schema import Config, Run
from mixup_repro.training.learner import Learner, learning_rate

Steps = Sequence[tuple[Tensor, Tensor]]  # (R,) loss and (R,) weight of each step


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
        alpha_end=method.alpha_end,
        off_epochs=method.off_epochs or 0,
        epochs=recipe.epochs,
        lam_per=method.lam_per or "example",
        crop_padding=recipe.crop_padding or 0,
        flip=bool(recipe.flip),
        resized_crop=bool(recipe.resized_crop),
        box=BOX in draws,
        keys=NOISE in draws or bool(config.architecture.dropout),
        layers=tuple(method.layers or ()) if LAYER in draws else (),
        own_labels=OWN_LABELS in draws,
    )


class Plans:
    """The plans of R runs as tensors (R, n) on the device, copied there once a block."""

    def __init__(self, runs: Sequence[Run], n: int, device: torch.device) -> None:
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


@dataclass(frozen=True)
class Stack:
    """Runs that are trained together, as replicas of one network, and all it takes to train them.

    The runs differ in seed and alpha only.
    """

    runs: Sequence[Run]
    dataset: DataSource
    learner: Learner
    batches: Batches
    plans: Plans

    @staticmethod
    def of(runs: Sequence[Run], dataset: DataSource) -> Stack:
        """From the runs' seeds, on the data set's device.

        Networks that cannot be stacked come one at a time.
        """
        config, seeds = runs[0].config, [run.seed for run in runs]
        dataset = dataset.for_seeds(seeds)
        network = networks.build(config.architecture, dataset.input_shape, dataset.classes, seeds)
        return Stack(
            runs,
            dataset,
            Learner(network, config, dataset.device),
            dataset.batches(config, [run.alpha for run in runs]),
            Plans(runs, dataset.n_train, dataset.device),
        )


def summed(steps: Steps) -> list[tuple[Tensor, Tensor]]:
    """Both values of each step over all ranks, which hold their own shares. All must call it."""
    if world_size() == 1 or not steps:
        return list(steps)
    values = torch.stack([torch.stack(step) for step in steps])
    add_up([values])
    return [(loss, weight) for loss, weight in values]


class Watcher:
    """Is told by `fit` how training goes; this one does nothing with it."""

    def after_step(self, epoch: int, steps: Steps) -> None:
        """One more step is done; steps: this rank's share of those of this epoch so far."""

    def after_epoch(self, done: int, rows: list[dict[str, Any]]) -> None:
        """`done` epochs are done.

        rows: a point of the curves for each replica; empty after epochs that are not evaluated.
        """

    def diverged(self, replica: int, message: str) -> None:
        """A replica's loss is not finite; the others go on.

        Raises:
            FloatingPointError: always, here.
        """
        raise FloatingPointError(message)


def fit(stack: Stack, watcher: Watcher, start: int = 0, steps: Iterable[Any] = ()) -> None:
    """Train a stack from epoch `start` to the last of the recipe.

    steps: of the steps of epoch `start` that are done already, what `learner.step` returned, summed
        over all ranks; rank 0 takes the sums as its share.
    Nothing waits for the device inside an epoch, so a loss that is not finite is found at its end.
    """
    learner, recipe = stack.learner, stack.learner.config.recipe
    n, size = stack.dataset.n_train, batch_size(recipe, stack.dataset.n_train)
    steps_an_epoch = -(-n // size)
    alive = np.ones(learner.replicas, dtype=bool)
    done = [(loss, weight) if rank() == 0 else (0 * loss, 0 * weight) for loss, weight in steps]
    for epoch in range(start, recipe.epochs):
        for batch in stack.batches(stack.plans.epoch(epoch), size, first=len(done)):
            learner.set_learning_rate(learning_rate(recipe, epoch + len(done) / steps_an_epoch))
            done.append(learner.step(batch))
            watcher.after_step(epoch, done)
        done[:] = summed(done)  # in place: who was given the list and saves it now has the sums
        loss, weight = (torch.stack(values).cpu().numpy() for values in zip(*done))
        done = []
        for replica in np.flatnonzero(alive & ~np.isfinite(loss).all(0)):
            alive[replica] = False
            step = int(np.flatnonzero(~np.isfinite(loss[:, replica]))[0])
            message = f"the loss is not finite at epoch {epoch + 1}, step {step + 1}"
            watcher.diverged(int(replica), message)
        if not alive.any():
            return
        rows = []
        if (epoch + 1) % recipe.evaluate_every == 0 or epoch + 1 == recipe.epochs:
            learner.share_buffers()
            rows = measure(stack)
            for row, mixed, weighted in zip(rows, loss.mean(0), weight.mean(0)):
                row |= {"epoch": epoch + 1, "mixed_loss": float(mixed)}
                row |= {"weighted_accuracy": float(weighted)}
        watcher.after_epoch(epoch + 1, rows)


def measure(stack: Stack) -> list[dict[str, Any]]:
    """A point of the curves for each replica: accuracy and cross-entropy on the clean test set.

    The recipe may ask for the training set too (evaluate_train), and for the prediction rescaled at
    the run's own alpha (evaluate_rescaled).
    """
    recipe, alphas = stack.learner.config.recipe, [run.alpha for run in stack.runs]
    rows: list[dict[str, Any]] = [{} for _ in alphas]
    asked = dict.fromkeys((None, *alphas)) if recipe.evaluate_rescaled else (None,)
    for part in ("test", "train") if recipe.evaluate_train else ("test",):
        for alpha, total in totals(stack.learner.network, stack.dataset, part, asked).items():
            kind = "" if alpha is None else "_rescaled"
            for row, own, value in zip(rows, alphas, metrics(total)):
                if alpha in (None, own):
                    for name in ("accuracy", "cross_entropy"):
                        row[f"{part}_{name}{kind}"] = value[name]
    return rows
