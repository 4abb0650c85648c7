"""Distances of data points to mixed points of other classes (Chidambaram et al., Table 2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mixup_repro.data import Dataset
from mixup_repro.errors import InputError
from mixup_repro.plan import stream

CHUNK = 2**24  # distances held at once: 64 MiB


class Nearest(NamedTuple):
    """Minimum and mean, over the points of a set, of the distance to the nearest mixed point."""

    minimum: float
    average: float


def nearest(points: Tensor, labels: Tensor, mixed: Tensor, mixed_labels: Tensor) -> Tensor:
    """The Euclidean distance (p,) of every point to the nearest mixture of two other classes.

    points (p, d) have classes labels (p,); mixed (m, d) are mixtures of points of the two classes
    in mixed_labels (m, 2). The distance is infinite where no mixture has two other classes. It is
    computed as |a - b|^2 = |a|^2 + |b|^2 - 2 a.b by matrix products, class by class, in chunks.
    """
    out = points.new_full((len(points),), torch.inf)
    for label in labels.unique():
        others = mixed[(mixed_labels != label).all(1)]
        if not len(others):
            continue
        squares = others.square().sum(1)
        own = (labels == label).nonzero().squeeze(1)
        for rows in own.split(max(1, CHUNK // len(others))):
            x = points[rows]
            least = torch.addmm(squares, x, others.T, alpha=-2).amin(1)
            out[rows] = (least + x.square().sum(1)).clamp_min(0).sqrt()
    return out


def mixup_distances(dataset: Dataset, alpha: float, share: float, draw: int) -> dict[str, Nearest]:
    """Nearest distances to one epoch of Mixup points, of training points ("train") and test points.

    Mixup points, training points and test points are a random share of the data. Pixels are
    normalised, partners are uniform over the sample, and lambda is drawn for each point, as in the
    authors' code. draw: the seed of sample, partners and lambda.

    Raises:
        InputError: share outside (0, 1], or too few examples.
    """
    if not 0 < share <= 1:
        raise InputError(f"share={share:g}: must lie in (0, 1]")
    rng = stream(draw, "partner")

    def sample(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(rng.permutation(len(y))[: int(share * len(y))])
        return dataset.normalise(x[index]).flatten(1), y[index]

    (x, y), (x_test, y_test) = (
        sample(dataset.x_train, dataset.y_train),
        sample(dataset.x_test, dataset.y_test),
    )
    if len(y) < 2 or len(y_test) < 1:
        raise InputError(f"share={share:g} of {dataset.label} leaves {len(y)} training examples")
    centre = x.mean(0)  # distances of smaller numbers lose fewer digits by cancellation
    partner = torch.from_numpy(rng.integers(len(y), size=len(y)))
    lam = torch.from_numpy(rng.beta(alpha, alpha, len(y)).astype(np.float32)).unsqueeze(1)
    x -= centre
    mixed = torch.lerp(x[partner], x, lam)
    mixed_labels = torch.stack([y, y[partner]], 1)
    found = {}
    for part, points, labels in (("train", x, y), ("test", x_test - centre, y_test)):
        distance = nearest(points, labels, mixed, mixed_labels).double()
        found[part] = Nearest(distance.min().item(), distance.mean().item())
    return found
