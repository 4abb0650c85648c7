"""The assumptions of Chidambaram et al., as checks of a finite data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixup_repro.theory.optimal import check_data

EXACT = 200  # up to this many points every triple is looked at


@dataclass(frozen=True)
class Collinearity:
    """How close a data set comes to violating Assumption 2.9.

    distance: the smallest from a point x to an open segment between two others, at least one of
    them of another class than x. witness: that (x, u, v), as indices. exact: every triple was seen.
    """

    distance: float
    witness: tuple[int, int, int]
    exact: bool

    def holds(self, tolerance: float = 0.0) -> bool:
        """Whether Assumption 2.9 does: no point within `tolerance` of such a segment."""
        return self.distance > tolerance


def assumption_2_9(
    x: np.ndarray, y: np.ndarray, pairs: int = 20_000, seed: int = 0
) -> Collinearity:
    """Measure Assumption 2.9 on points (n, d) and classes (n,).

    The paper's `lambda > 0` is read as 0 < lambda < 1 with u, v other points than x: else every
    point would violate it, as its own mixture. Above EXACT points a random sample of `pairs` of
    segments stands for all, and the distance is an upper bound.

    Raises:
        ValueError: data that `check_data` refuses.
    """
    x, y = check_data(x, y)
    n, exact = len(x), len(x) <= EXACT
    if exact:
        u, v = np.triu_indices(n, 1)
    else:
        rng = np.random.default_rng(seed)
        u = rng.integers(n, size=pairs)
        v = (u + rng.integers(1, n, size=pairs)) % n
    best: Collinearity | None = None
    for k in range(n):
        use = (u != k) & (v != k) & ((y[u] != y[k]) | (y[v] != y[k]))
        if not use.any():
            continue
        distance = _to_segments(x[k], x[u[use]], x[v[use]])
        at = int(distance.argmin())
        if best is None or distance[at] < best.distance:
            witness = (k, int(u[use][at]), int(v[use][at]))
            best = Collinearity(float(distance[at]), witness, exact)
    return best or Collinearity(np.inf, (-1, -1, -1), exact)


def _to_segments(x: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Distance of x (d,) to every segment from u (p, d) to v (p, d)."""
    span = u - v
    lam = ((x - v) * span).sum(1) / (span**2).sum(1)
    return np.linalg.norm(v + lam.clip(0, 1)[:, None] * span - x, axis=1)


def assumption_3_1(
    x: np.ndarray, y: np.ndarray, label: int, query: np.ndarray, tolerance: float = 1e-9
) -> bool:
    """Whether Assumption 3.1 holds at a point of X_mix for a class, with symmetric mixing.

    No segment between points of other classes passes through `query` (d,); every one between the
    class and another passes closer to the class; and at least one segment passes at all. A segment
    passes where its distance is at most `tolerance` times the data's diameter.

    Raises:
        ValueError: data that `check_data` refuses.
    """
    x, y = check_data(x, y)
    query = np.atleast_1d(np.asarray(query, dtype=float))
    reach = tolerance * np.linalg.norm(x.max(0) - x.min(0))
    at_point = np.linalg.norm(x - query, axis=1) <= reach
    if (at_point & (y != label)).any():
        return False
    s, t = (index.ravel() for index in np.indices((len(x), len(x))))
    s, t = s[s != t], t[s != t]
    passes = _to_segments(query, x[s], x[t]) <= reach  # those that end there too: lam is 1 then
    s, t = s[passes], t[passes]
    if ((y[s] != label) & (y[t] != label)).any():
        return False
    mixed = (y[s] == label) & (y[t] != label)
    span = x[s[mixed]] - x[t[mixed]]
    lam = ((query - x[t[mixed]]) * span).sum(1) / (span**2).sum(1)
    return bool((lam > 0.5 + tolerance).all() and (at_point.any() or len(s)))
