"""The Mixup-optimal classifier of a finite data set, in closed form (Chidambaram et al., sec. 2.2).

A mixture lam s + (1 - lam) t of two points lies within eps of a query x for lam in one interval, if
at all: where the line through s and t runs through the ball. The measure of that interval under the
mixing distribution, and the mean of lam over it, are all that Lemma 2.3 needs.

Data are points x (n, d) and classes y (n,) in 0..k-1, each ordered pair equally likely. So the
distribution of lambda need not be symmetric, and only what is symmetric in it counts: its mirror
image, of 1 - lambda, gives the same classifier, and so does max(lambda, 1 - lambda).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy import integrate, special, stats
from scipy.optimize import brentq

CHUNK = 2_000_000  # pairs times queries at once
HINT = "It must be bounded, with its jumps, kinks and narrow peaks named in `points`."
Density = Callable[[np.ndarray], np.ndarray]
Pair = tuple[np.ndarray, np.ndarray]


class Mixing(Protocol):
    """A distribution of lambda on [0, 1]; arrays in, arrays of the same shape out."""

    def mass(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """P(low < lam < high)."""

    def moment(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """E[lam; low < lam < high]."""

    def density(self, lam: np.ndarray) -> np.ndarray:
        """The density at lam; where it jumps, the mean of both sides."""


@dataclass(frozen=True)
class Beta:
    """Beta(a, b); Beta(alpha, alpha) is Mixup's. Incomplete beta functions, accurate in tails.

    Raises:
        ValueError: a or b is not > 0.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.b > 0):
            raise ValueError(f"Beta({self.a}, {self.b}): both must be > 0")

    def mass(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return _between(self.a, self.b, low, high)

    def moment(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return self.a / (self.a + self.b) * _between(self.a + 1, self.b, low, high)

    def density(self, lam: np.ndarray) -> np.ndarray:
        return stats.beta(self.a, self.b).pdf(lam)


@dataclass(frozen=True)
class FromDensity:
    """Any bounded density on [0, 1]: Lemma 2.3 is for them all. Masses and moments by quadrature.

    density: of an array, elementwise, such as `scipy.stats.truncnorm(-1, 1, 0.5, 0.5).pdf`.
    points: where it jumps or has a kink or a narrow peak, in order. With its ends given, uniform
    mixing `FromDensity(scipy.stats.uniform(0.2, 0.6).pdf, (0.2, 0.8))` is exact.

    Raises:
        ValueError: points that are not increasing inside of [0, 1]; a density whose integral is
            not 1; or, in use too, one that is too rough for the quadrature.
    """

    density: Density
    points: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(a <= b for a, b in pairwise((0, *self.points, 1))):
            raise ValueError(f"points={self.points}: must increase, inside of [0, 1]")
        with np.errstate(all="ignore"):
            total = float(self.mass(np.zeros(()), np.ones(())))
        if not abs(total - 1) < 1e-6:
            raise ValueError(
                f"the density's integral over [0, 1] is {total:.6g}: must be 1. {HINT}"
            )

    def mass(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return self._integral(self.density, low, high)

    def moment(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return self._integral(lambda lam: lam * self.density(lam), low, high)

    def _integral(self, f: Density, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        total = np.zeros(np.broadcast_shapes(np.shape(low), np.shape(high)))
        for start, stop in pairwise((0, *self.points, 1)):
            a = np.clip(low, start, stop)
            width = np.clip(high, start, stop) - a
            # All intervals at once, cut alike until the heaviest are right.
            value, error = integrate.quad_vec(
                lambda u, a=a, width=width: width * f(a + u * width),
                *(0, 1),
                epsrel=1e-9,
                norm="max",
                limit=100,
            )
            if error > 1e-6 * np.abs(value).max():
                raise ValueError(f"the density cannot be integrated to 1e-6. {HINT}")
            total += value
        return total


def _between(a: float, b: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    # On the upper half differences of the survival function keep their digits.
    lower = special.betainc(a, b, high) - special.betainc(a, b, low)
    upper = special.betaincc(a, b, low) - special.betaincc(a, b, high)
    return np.where(low > a / (a + b), upper, lower)


def check_data(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, d) as float64 and classes (n,).

    Raises:
        ValueError: fewer than two points or classes, points that coincide, classes that overlap.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y)
    x = x[:, None] if x.ndim == 1 else x
    if len(x) != len(y) or len(x) < 2 or len(np.unique(y)) < 2:
        raise ValueError(f"{len(x)} points and classes {np.unique(y)}: at least two of both needed")
    _, first, inverse = np.unique(x, axis=0, return_index=True, return_inverse=True)
    for k in np.flatnonzero(first[inverse.ravel()] != np.arange(len(x))):
        j = first[inverse.ravel()[k]]
        if y[j] != y[k]:
            raise ValueError(f"classes {y[j]} and {y[k]} overlap: points {j} and {k} coincide")
        raise ValueError(f"points {j} and {k} coincide; give each point once")
    return x, y


def mixup_optimal(
    x: ArrayLike, y: ArrayLike, mixing: Mixing, eps: float, queries: ArrayLike
) -> np.ndarray:
    """h_eps (Lemma 2.3, eq. 1; Corollary C.1 where the mixing is symmetric) at queries (q, d).

    The share of each class, (q, k); NaN outside X_mix, where no mixture comes within eps.
    Theorem 2.7's points on a line, classes 0, 1, 0: with large alpha the middle is misclassified,
    because mixtures of its neighbours come to lie on it.

    >>> from mixup_repro.theory.optimal import Beta, mixup_optimal
    >>> mixup_optimal([0, 1, 2], [0, 1, 0], Beta(1, 1), eps=0.1, queries=[1]).round(3)
    array([[0.138, 0.862]])
    >>> mixup_optimal([0, 1, 2], [0, 1, 0], Beta(128, 128), eps=0.1, queries=[1]).round(3)
    array([[0.641, 0.359]])

    Raises:
        ValueError: eps <= 0, or data that `check_data` refuses.
    """
    if not eps > 0:
        raise ValueError(f"eps={eps}: must be > 0; the limit is mixup_optimal_limit")

    def weights(closest: _Closest, length: np.ndarray, own: np.ndarray) -> Pair:
        half = np.sqrt(np.maximum(eps**2 - closest.distance**2, 0)) / np.where(own, 1, length)
        low, high = closest.lam - half, closest.lam + half
        near = closest.distance < eps
        low, high = np.where(own, 0.0, low.clip(0, 1)), np.where(own, 1.0, high.clip(0, 1))
        mass, moment = (np.where(near, f(low, high), 0.0) for f in (mixing.mass, mixing.moment))
        return mass, moment

    return _classify(x, y, queries, weights)


def mixup_optimal_limit(
    x: ArrayLike, y: ArrayLike, mixing: Mixing, queries: ArrayLike, tolerance: float = 1e-9
) -> np.ndarray:
    """The limit of h_eps for eps to 0, the Mixup-optimal classifier h (Remark 2.4).

    Between two points of two classes it is their mixture's label, which Mixup trains it to be:

    >>> from mixup_repro.theory.optimal import Beta, mixup_optimal_limit
    >>> mixup_optimal_limit([0, 1], [0, 1], Beta(1, 1), queries=[0, 0.25, 1, 2])
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.  , 1.  ],
           [ nan,  nan]])

    At a data point it is that point's class (Proposition 2.8). Elsewhere a pair counts whose line
    passes through the query, by density(lam) / |s - t|. A line passes where its distance is at most
    `tolerance` times the data's diameter. NaN where none does.

    Raises:
        ValueError: data that `check_data` refuses.
    """
    points, _ = check_data(x, y)
    reach = tolerance * np.linalg.norm(points.max(0) - points.min(0))

    def weights(closest: _Closest, length: np.ndarray, own: np.ndarray) -> Pair:
        hit = closest.distance <= reach
        at_point = (hit & own).any(1, keepdims=True)
        inside = (closest.lam > 0) & (closest.lam < 1)
        density = np.where(inside, mixing.density(closest.lam.clip(1e-12, 1 - 1e-12)), 0.0)
        line = np.where(own, 0.0, density / np.where(own, 1, length))
        mass = np.where(hit, np.where(at_point, own, line), 0.0)
        return mass, mass * np.where(own, 0.5, closest.lam)

    return _classify(x, y, queries, weights)


class _Closest(NamedTuple):
    """Of the line through every pair to every query: where (as lam) and how far, (q, n * n)."""

    lam: np.ndarray
    distance: np.ndarray


# (closest, length of each pair's line, whether it is one point) -> mass and moment of each pair.
Weights = Callable[[_Closest, np.ndarray, np.ndarray], Pair]


def _classify(x: ArrayLike, y: ArrayLike, queries: ArrayLike, weights: Weights) -> np.ndarray:
    x, y = check_data(x, y)
    queries = np.asarray(queries, dtype=float)
    queries = queries[:, None] if queries.ndim == 1 else queries
    n, k = len(x), int(y.max()) + 1
    s, t = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    own, span = s == t, x[s] - x[t]
    length = np.linalg.norm(span, axis=1)
    # Row p of `first` has a 1 for the class of s, of `second` for that of t.
    first, second = np.eye(k)[y[s]], np.eye(k)[y[t]]
    out = []
    for part in np.array_split(queries, max(1, len(queries) * n * n // CHUNK)):
        away = x[t] - part[:, None]
        squared = np.where(own, 1.0, length**2)
        lam = -(away * span).sum(-1) / squared
        distance = np.linalg.norm(away + lam[..., None] * span, axis=-1)
        mass, moment = weights(_Closest(lam, distance), length, own)
        out.append(moment @ first + (mass - moment) @ second)
    score = np.concatenate(out)
    total = score.sum(1, keepdims=True)
    return np.divide(score, total, out=np.full_like(score, np.nan), where=total > 0)


def failing_alpha(eps: float) -> float:
    """The alpha above which h_eps misclassifies the middle of X_3^2 (Theorem 2.7), to 1e-6 of it.

    Raises:
        ValueError: eps outside (0, 1): from 1 on, the ball holds other points.
    """
    if not 0 < eps < 1:
        raise ValueError(f"eps={eps}: must lie between 0 and 1, the distance of neighbours")

    def excess(log_alpha: float) -> float:
        alpha = np.exp(log_alpha)
        h = mixup_optimal([0, 1, 2], [0, 1, 0], Beta(alpha, alpha), eps, [1.0])
        return h[0, 0] - 0.5

    return float(np.exp(brentq(excess, np.log(1e-3), np.log(1e3 / eps**2), rtol=1e-8)))


def failing_alpha_bound(eps: float) -> float:
    """The alpha from which the proof of Theorem 2.7 says that it does: (log 4 / eps^2 - 1) / 2."""
    return (np.log(4) / eps**2 - 1) / 2
