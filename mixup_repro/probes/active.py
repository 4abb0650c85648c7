"""Active learning: the run's network trained anew on few labels, chosen by entropy or by chance.

The one probe that trains: by the loop and the recipe of the run it asks, from the same initial
weights. Its labels are of the run's training examples; what is not chosen is the pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mixup_repro import interrupt
from mixup_repro.data import Dataset
from mixup_repro.errors import InputError
from mixup_repro.jobs import batch_size
from mixup_repro.networks import Replicas
from mixup_repro.probes.subject import Answers, Subject
from mixup_repro.schema import Run
from mixup_repro.training.loop import Stack, Steps, Watcher, fit

LABELS = (20, 40, 60, 80, 100, 120)  # the first are drawn; then the difference is asked for
STRATEGIES = ("random", "entropy")


class Accuracy(Watcher):
    """Keeps what the last epoch gave on the test set."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def after_step(self, epoch: int, steps: Steps) -> None:
        """Answers a request to stop."""
        interrupt.check()

    def after_epoch(self, done: int, rows: list[dict[str, Any]]) -> None:
        """Keeps the point of each replica's curves."""
        self.rows = rows


def check_examples(data: Dataset) -> None:
    """Raise InputError where there are fewer training examples than are labelled."""
    if data.n_train < LABELS[-1]:
        raise InputError(
            f"labels {LABELS[-1]} training examples, and {data.label} has {data.n_train}"
        )


def active(subject: Subject) -> Answers:
    """Test accuracy with each number of LABELS, by strategy: the metric `accuracy <labels>`.

    random: a random order's first ones. entropy: the same first ones; then those of the pool whose
    predictions, by the network trained on the labels so far, have the largest entropy.
    """
    data = subject.dataset
    order = subject.drawn(lambda rng: rng.permutation(data.n_train))
    found: Answers = {}
    for strategy in STRATEGIES:
        chosen = order[:, : LABELS[0]]
        for n, more in zip(LABELS, (*LABELS[1:], None)):
            network, accuracy = trained(subject, chosen)
            found[strategy, f"accuracy {n}"] = accuracy
            if more is None:
                continue
            if strategy == "random":
                chosen = order[:, :more]
            else:
                chosen = torch.cat([chosen, most_unsure(subject, network, chosen, more - n)], 1)
    return found


def trained(subject: Subject, chosen: Tensor) -> tuple[Replicas, Tensor]:
    """Networks of the runs trained on the examples `chosen` (R, n), and test accuracies (R,)."""
    dataset = labelled(subject, chosen)
    stack = Stack.of([*shorter(subject.runs, subject.dataset.n_train, chosen.shape[1])], dataset)
    watcher = Accuracy()
    fit(stack, watcher)
    accuracies = [row["test_accuracy"] for row in watcher.rows]
    return stack.learner.network.eval(), torch.tensor(accuracies, dtype=torch.float64)


def labelled(subject: Subject, chosen: Tensor) -> Dataset:
    """The data set with these training examples (R, n) of each replica alone."""
    data, replicas = subject.dataset, len(chosen)
    x, y = subject.at("train", chosen)
    alone: dict[str, Any] = {"x_train": x, "y_train": y}
    if not data.per_replica:
        for name in ("x_test", "y_test"):
            tensor = getattr(data, name)
            alone[name] = tensor.expand(replicas, *tensor.shape)
    return replace(data, **alone, y_clean=None, draw=None, content=None, per_replica=True)


def shorter(runs: Any, whole: int, n: int) -> Iterator[Run]:
    """The runs with as many steps on n examples as they had on all of them, measured at the end."""
    for run in runs:
        recipe = run.config.recipe
        before, now = (-(-m // batch_size(recipe, m)) for m in (whole, n))
        epochs = max(1, round(recipe.epochs * before / now))
        own = replace(
            recipe,
            epochs=epochs,
            evaluate_every=epochs,
            evaluate_train=False,
            evaluate_rescaled=False,
        )
        yield Run(replace(run.config, recipe=own), run.seed)


@torch.no_grad()
def most_unsure(subject: Subject, network: Replicas, chosen: Tensor, count: int) -> Tensor:
    """(R, count) of the pool, those whose predictions have the largest entropy."""
    replicas, n = len(chosen), subject.dataset.n_train
    raw, _ = subject.at("train", torch.arange(n, device=chosen.device).expand(replicas, n))
    asked = replace(subject, network=network)
    log_p = asked.logits(asked.inputs(raw)).double().log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1)
    return entropy.scatter(1, chosen, -torch.inf).topk(count, dim=1).indices
