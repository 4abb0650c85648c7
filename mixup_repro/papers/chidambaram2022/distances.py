"""How near mixed points come to points of other classes (Chidambaram et al., Table 2)."""

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
    """Over the points of a part of a data set: minimum and mean of their nearest distances."""

    minimum: float
    average: float


def nearest(points: Tensor, labels: Tensor, mixed: Tensor, mixed_labels: Tensor) -> Tensor:
    """(p,) the Euclidean distance of every point to the nearest mixed point it can collide with.

    points (p, d) with classes (p,); mixed (m, d) with the two classes each was mixed from (m, 2). A
    point can collide with mixtures of two other classes than its own. Infinite where there are
    none. |a - b|^2 = |a|^2 + |b|^2 - 2 a.b by matrix products, a class and a chunk at a time.
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
    """One epoch of Mixup points of a random share of the training set, against `train` and `test`.

    Pixels are normalised; partners are uniform over the sample and lambda is drawn for each point,
    as in the authors' code. `draw` seeds sample, partners and lambda.

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
    centre = x.mean(0)  # smaller numbers lose less to the cancellation of squares
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
