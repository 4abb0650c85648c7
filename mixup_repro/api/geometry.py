"""What Mixup makes of a data set: its optimal classifier, and how near mixed points come to others.

For data of up to some hundreds of points: both look at pairs of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor

from mixup_repro.api.checks import need, number
from mixup_repro.theory.conditions import Collinearity, assumption_2_9
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import check_data, mixup_optimal, mixup_optimal_limit

ROUNDING = 1e-6  # of the data's diameter
MOST = 200_000_000  # numbers of n^2 segments at once, 1.6 GB


class MixupOptimal:
    """The classifier h at which Mixup's loss is least (Chidambaram et al., Lemma 2.3).

    At a point z: the share that each class has of the mixed points lam s + (1 - lam) t within eps
    of z, over pairs s, t of the data and lam ~ Beta(alpha, alpha), with lam and 1 - lam for the
    classes of s and t. eps = None takes the limit for eps to 0 (Remark 2.4), for which z lies on a
    segment where it is within float32's rounding of it. NaN where nothing is mixed near z.

    x: points (n, ...), all distinct, that are flattened; y: classes (n,). Tensors or arrays.

    Between two points it is their mixture's label; at one of them, that point's own:

    >>> import torch, mixup_repro
    >>> h = mixup_repro.MixupOptimal(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1]), alpha=1.0)
    >>> h(torch.tensor([[0.0], [0.25], [2.0]]))
    tensor([[1.0000, 0.0000],
            [0.7500, 0.2500],
            [   nan,    nan]], dtype=torch.float64)

    Raises:
        InputError: shapes that do not fit, or data too large.
        ValueError: points that coincide, or fewer than two of points or classes.
    """

    def __init__(self, x: Any, y: Any, alpha: float = 1.0, eps: Optional[float] = None) -> None:
        x, y = _array(x, "x"), _array(y, "y")
        _check(x, y)
        size = len(x) ** 2 * x[0].size
        need(size <= MOST, f"x has {len(x)} points of {x[0].size} numbers: too many for all pairs")
        self.shape = x.shape[1:]
        self.x, self.y = check_data(x.reshape(len(x), -1), y)
        self.mixing = Beta(*2 * [number(alpha, "alpha")])
        self.eps = None if eps is None else number(eps, "eps")

    def __call__(self, x: Any) -> Tensor:
        """Shares (q, k) of the classes at points x (q, ...), in float64 on the CPU."""
        queries = _array(x, "x")
        need(
            queries.shape[1:] == self.shape,
            f"x has shape {queries.shape}: must be (q, ...) with points of shape {self.shape}",
        )
        queries = queries.reshape(len(queries), -1)
        if self.eps is None:
            found = mixup_optimal_limit(self.x, self.y, self.mixing, queries, ROUNDING)
        else:
            found = mixup_optimal(self.x, self.y, self.mixing, self.eps, queries)
        return torch.from_numpy(found)


def collinearity(dataset: Iterable[tuple[Any, Any]]) -> Collinearity:
    """How close a data set comes to violating Assumption 2.9 of Chidambaram et al.

    The smallest distance from a point to an open segment between two others, of which at least one
    is of another class: where it is 0, a mixed point lies on a point whose label it does not have.
    Also which three points these are, as indices, and whether all triples were looked at: above 200
    points, 20,000 segments drawn once stand for all, and the distance is an upper bound.

    dataset: pairs of a point and its class, such as a torch Dataset. Distances are in its units.

    >>> import torch, mixup_repro
    >>> from torch.utils.data import TensorDataset
    >>> x, y = torch.tensor([[0.0, 0.0], [1.0, 0.5], [2.0, 0.0]]), torch.tensor([0, 1, 0])
    >>> found = mixup_repro.collinearity(TensorDataset(x, y))
    >>> found.distance, found.witness, found.holds()
    (0.5, (1, 0, 2), True)

    Raises:
        InputError: no pairs, or points of unequal shapes.
        ValueError: points that coincide, or fewer than two of points or classes.
    """
    pairs = list(dataset)
    need(pairs, "dataset is empty")
    need(
        all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs),
        "dataset: its items must be pairs of a point and its class",
    )
    points = [_array(x, "a point of dataset") for x, _ in pairs]
    first = points[0].shape
    other = next((p.shape for p in points if p.shape != first), None)
    need(other is None, f"dataset has points of shapes {first} and {other}: must be of one")
    x, y = np.stack(points), np.array([int(y) for _, y in pairs])
    return assumption_2_9(x.reshape(len(x), -1), y)


def _array(values: Any, name: str) -> np.ndarray:
    """Values as an array, from any device."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    array = np.asarray(values)
    need(array.dtype.kind in "fiub", f"{name} has dtype {array.dtype}: must be numbers")
    need(np.isfinite(array).all(), f"{name} has NaN or infinity in it")
    return array


def _check(x: np.ndarray, y: np.ndarray) -> None:
    need(x.ndim >= 2, f"x has shape {x.shape}: must be (n, ...), a row a point")
    need(
        y.shape == x.shape[:1] and y.dtype.kind in "iu" and (y >= 0).all(),
        f"y has shape {y.shape} and dtype {y.dtype} where x has shape {x.shape}: must be classes "
        f"({len(x)},), integers from 0",
    )
