"""How far a network is from linear between training points, beyond them, and beside them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.errors import InputError
from mixup_repro.probes.subject import Answers, Subject

PAIRS = 500
INSIDE = [(k + 0.5) / 8 for k in range(8)]  # places on a segment from one point, 0, to another, 1
OUTSIDE = [1.125, 1.25, 1.375, 1.5]


@torch.no_grad()
def segments(subject: Subject) -> Answers:
    """Deviations from straight lines through pairs of training points of different classes.

    probabilities: L1 distance to the line between the network's own predictions at both points.
    logits: Euclidean distance to the line between both points' logits, over their distance.
    labels: L1 distance of the probabilities to the line between the labels.
    inside, outside: the mean over places on the segment and beyond its end. beside: at its middle,
    moved by half its length in a random direction that is orthogonal to it. three: mixtures of a
    pair and a third point, by weights that are uniform on the simplex.
    """
    x, y = points(subject)
    y = F.one_hot(y, subject.dataset.classes).to(x.dtype)
    ends = predictions(subject, x)
    found: Answers = {}
    for setting, places in (("inside", INSIDE), ("outside", OUTSIDE)):
        for t in places:
            weights = x.new_tensor([1 - t, t, 0.0]).expand(*y.shape[:3])
            for name, value in deviations(subject, mix(x, weights), weights, ends, y).items():
                key = setting, name
                found[key] = found.get(key, x.new_zeros(())) + value / len(places)
    half = x.new_tensor([0.5, 0.5, 0.0]).expand(*y.shape[:3])
    beside = deviations(subject, mix(x, half) + orthogonal(subject, x), half, ends, y)
    weights = subject.drawn(lambda rng: rng.dirichlet(np.ones(3), y.shape[1]))
    three = deviations(subject, mix(x, weights), weights, ends, y)
    del three["logits"]  # there is no distance between three
    return found | {
        (setting, name): value
        for setting, values in (("beside", beside), ("three", three))
        for name, value in values.items()
    }


def points(subject: Subject) -> tuple[Tensor, Tensor]:
    """Inputs (R, m, 3, ...) and classes (R, m, 3): pairs of different classes, and a third point.

    Raises:
        InputError: the training examples are of one class.
    """
    data = subject.dataset
    labels = data.y_train.expand(len(subject.runs), -1).cpu().numpy()
    index = np.stack([triples(rng, y, PAIRS) for rng, y in zip(subject.rngs, labels)])
    raw, classes = subject.at("train", torch.from_numpy(index).flatten(1).to(data.device))
    shape = index.shape[1:]
    return subject.inputs(raw).unflatten(1, shape), classes.unflatten(1, shape)


def triples(rng: np.random.Generator, y: np.ndarray, m: int) -> np.ndarray:
    """(m, 3) indices: any, one of another class, uniformly, and any."""
    order, counts = np.argsort(y, kind="stable"), np.bincount(y)
    first, others = rng.integers(len(y), size=m), len(y) - counts
    if counts.max() == len(y):
        raise InputError("all training examples are of one class")
    place = rng.integers(others[y[first]])  # among those of other classes, in order of class
    start = (np.cumsum(counts) - counts)[y[first]]
    place += np.where(place >= start, counts[y[first]], 0)
    return np.stack([first, order[place], rng.integers(len(y), size=m)], axis=1)


def mix(x: Tensor, weights: Tensor) -> Tensor:
    """sum_k w_k x_k of points x (R, m, 3, ...) and weights (R, m, 3)."""
    return (weights.reshape(*weights.shape, *(1,) * (x.ndim - 3)) * x).sum(2)


def orthogonal(subject: Subject, x: Tensor) -> Tensor:
    """(R, m, ...) random steps of half a segment's length, orthogonal to it."""
    along = (x[:, :, 1] - x[:, :, 0]).flatten(2)
    step = subject.drawn(lambda rng: rng.normal(size=along.shape[1:]))
    step = step - (step * along).sum(-1, True) / (along * along).sum(-1, True) * along
    step = step / step.norm(dim=-1, keepdim=True) * along.norm(dim=-1, keepdim=True) / 2
    return step.unflatten(2, x.shape[3:])


def predictions(subject: Subject, x: Tensor) -> Tensor:
    """Logits (R, m, 3, c) at the points x (R, m, 3, ...)."""
    return subject.logits(x.flatten(1, 2)).unflatten(1, x.shape[1:3])


def deviations(
    subject: Subject, x: Tensor, weights: Tensor, ends: Tensor, y: Tensor
) -> dict[str, Tensor]:
    """Mean deviations (R,) at inputs x (R, m, ...) from mixtures of what is at three points.

    weights: (R, m, 3). ends, y: (R, m, 3, c) their logits and labels.
    """
    u = subject.logits(x)
    p, away = u.softmax(-1), (ends[:, :, 1] - ends[:, :, 0]).norm(dim=-1)
    values = {
        "probabilities": (p - mix(ends.softmax(-1), weights)).abs().sum(-1),
        "logits": (u - mix(ends, weights)).norm(dim=-1) / away,
        "labels": (p - mix(y, weights)).abs().sum(-1),
    }
    return {name: value.mean(1) for name, value in values.items()}
