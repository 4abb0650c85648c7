"""Points from their unordered midpoints (Chidambaram et al., Theorem 2.11).

Projected on a random direction, points and midpoints have an order. The smallest sums of two are
a1 + a2 and a1 + a3; guess which one is a2 + a3, and the three are known. From then on the smallest
sum not explained yet is a1 plus the next point. A wrong guess ends in a sum that is not there.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

TOLERANCE = 1e-7  # of the spread of the midpoints: what counts as the same sum


def recover(midpoints: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    """Every set of points (m, d), up to order, whose pairs have these midpoints (m (m - 1) / 2, d).

    For m >= 6 points with a density it is one set, with probability 1. More than one set is an
    exception that the theorem allows, as for certain 8 points. No set means that these are not the
    midpoints of any m points.

    Raises:
        ValueError: fewer midpoints than six points have, or not m (m - 1) / 2 of them for any m.
    """
    midpoints = np.asarray(midpoints, dtype=float)
    midpoints = midpoints[:, None] if midpoints.ndim == 1 else midpoints
    n = len(midpoints)
    m = (1 + isqrt(1 + 8 * n)) // 2
    if m * (m - 1) // 2 != n:
        raise ValueError(
            f"{n} midpoints: m points have m (m - 1) / 2, so {m} have {m * (m - 1) // 2} and "
            f"{m + 1} have {m * (m + 1) // 2}; some are missing or too many"
        )
    if m < 6:
        raise ValueError(f"{n} midpoints are of {m} points: the theorem needs at least 6 points")
    direction = np.random.default_rng(seed).normal(size=midpoints.shape[1:])
    sums = 2 * midpoints
    sums = sums[np.argsort(sums @ direction)]
    found: list[np.ndarray] = []
    for guess in range(2, m):  # a2 + a3 comes after at most a1 + a2, ..., a1 + am
        points = _complete(sums, guess, direction, m)
        if points is not None and not any(_same(points, other) for other in found):
            found.append(points)
    return found


def _complete(sums: np.ndarray, guess: int, direction: np.ndarray, m: int) -> np.ndarray | None:
    """The points, if `sums[guess]` is that of the second and third."""
    reach = TOLERANCE * np.ptp(sums, axis=0).max()
    first = (sums[0] + sums[1] - sums[guess]) / 2
    points = [first]
    left = np.ones(len(sums), dtype=bool)
    keys = sums @ direction
    width = reach * np.abs(direction).sum()
    while left.any():
        if len(points) == m:
            return None
        new = sums[int(left.argmax())] - first  # the smallest sum left is a1 plus the next point
        for point in points:
            low, high = np.searchsorted(keys, (point + new) @ direction + np.array([-width, width]))
            near = np.arange(low, high)[left[low:high]]
            near = near[np.abs(sums[near] - point - new).max(1, initial=0) <= reach]
            if not len(near):
                return None
            left[near[0]] = False
        points.append(new)
    return np.array(points) if len(points) == m else None


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two sets of points are one, up to order."""
    distance = np.abs(a[:, None] - b[None]).max(-1)
    return bool(distance.min(1).max() <= 1e-6 * (1 + np.abs(a).max()))


def mixup_matrix(m: int) -> np.ndarray:
    """A (m (m - 1) / 2, m) of appendix C.2: each row has two ones, for the points it adds."""
    i, j = np.triu_indices(m, 1)
    return np.eye(m)[i] + np.eye(m)[j]


def permutes_columns(a: np.ndarray, order: np.ndarray) -> bool:
    """Whether the rows a[order], the PA of Lemma C.2, are a with its columns permuted."""
    columns = [sorted(map(tuple, m.T)) for m in (a, a[order])]
    return columns[0] == columns[1]
