"""The Mixup-optimal classifier of a finite data set, in closed form (Chidambaram et al., sec. 2.2).

A mixture lam s + (1 - lam) t of two points lies within eps of a query x for lam in one interval,
where the line through s and t runs through the ball of radius eps about x, or for no lam. Lemma 2.3
needs the measure of that interval under the mixing distribution, and the integral of lam over it.

Data are points x (n, d) and classes y (n,) in 0..k-1, and each ordered pair is equally likely. The
distribution of lambda need not be symmetric; that of 1 - lambda, and that of max(lambda,
1 - lambda), give the same classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import xlogy

from mixup_repro.beta import lambda_quadrature
from mixup_repro.theory.mixing import Beta, Mixing

CHUNK = 2_000_000  # how many pairs times queries are computed at once
Pair = tuple[np.ndarray, np.ndarray]
Classifier = Callable[[np.ndarray], np.ndarray]


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

    >>> from mixup_repro.theory.mixing import Beta
    >>> from mixup_repro.theory.optimal import mixup_optimal
    >>> mixup_optimal([0, 1, 2], [0, 1, 0], Beta(1, 1), eps=0.1, queries=[1]).round(3)
    array([[0.138, 0.862]])
    >>> mixup_optimal([0, 1, 2], [0, 1, 0], Beta(128, 128), eps=0.1, queries=[1]).round(3)
    array([[0.641, 0.359]])

    Raises:
        ValueError: eps <= 0, or data that `check_data` refuses.
    """
    return _classify(x, y, queries, _in_ball(mixing, eps))


def coefficients(x: ArrayLike, y: ArrayLike, mixing: Mixing, eps: float, query: ArrayLike) -> Pair:
    """xi^{i,j} and xi^{i,j}_lambda (section 2.2) at one query (d,), each (k, k); B_eps is open.

    On the cross of Proposition 2.5 each class has eps / 8 at the origin, from its own segment:

    >>> from mixup_repro.theory.mixing import Beta
    >>> from mixup_repro.theory.optimal import coefficients
    >>> cross = [[0, 1], [0, -1], [1, 0], [-1, 0]]
    >>> xi, xi_lambda = coefficients(cross, [0, 0, 1, 1], Beta(1, 1), eps=0.4, query=[0, 0])
    >>> xi
    array([[0.05, 0.  ],
           [0.  , 0.05]])

    Raises:
        ValueError: eps <= 0, or data that `check_data` refuses.
    """
    x, y = check_data(x, y)
    query = np.atleast_1d(np.asarray(query, dtype=float))
    ((mass, moment),) = _weigh(x, query[None], _in_ball(mixing, eps))
    one_hot = np.eye(int(y.max()) + 1)[y]
    xi, xi_lambda = (one_hot.T @ part.reshape(len(x), -1) @ one_hot for part in (mass, moment))
    return xi / len(x) ** 2, xi_lambda / len(x) ** 2


def _in_ball(mixing: Mixing, eps: float) -> Weights:
    """The mass and moment of the lambda that mix a pair into the ball."""
    if not eps > 0:
        raise ValueError(f"eps={eps}: must be > 0; the limit is mixup_optimal_limit")

    def weights(closest: _Closest, length: np.ndarray, own: np.ndarray) -> Pair:
        half = np.sqrt(np.maximum(eps**2 - closest.distance**2, 0)) / np.where(own, 1, length)
        low, high = closest.lam - half, closest.lam + half
        near = closest.distance < eps
        low, high = np.where(own, 0.0, low.clip(0, 1)), np.where(own, 1.0, high.clip(0, 1))
        mass, moment = (np.where(near, f(low, high), 0.0) for f in (mixing.mass, mixing.moment))
        return mass, moment

    return weights


def mixup_optimal_limit(
    x: ArrayLike, y: ArrayLike, mixing: Mixing, queries: ArrayLike, tolerance: float = 1e-9
) -> np.ndarray:
    """The limit of h_eps for eps to 0, the Mixup-optimal classifier h (Remark 2.4).

    Between two points of two classes it is their mixture's label, which Mixup trains it to be:

    >>> from mixup_repro.theory.mixing import Beta
    >>> from mixup_repro.theory.optimal import mixup_optimal_limit
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
    n, classes = len(x), np.eye(int(y.max()) + 1)[y]
    # Row p of `first` has a 1 for the class of pair p's first point, of `second` for the other's.
    first, second = np.repeat(classes, n, 0), np.tile(classes, (n, 1))
    parts = [m @ first + (mass - m) @ second for mass, m in _weigh(x, queries, weights)]
    score = np.concatenate(parts)
    total = score.sum(1, keepdims=True)
    return np.divide(score, total, out=np.full_like(score, np.nan), where=total > 0)


def _weigh(x: np.ndarray, queries: np.ndarray, weights: Weights) -> Iterator[Pair]:
    """Mass and moment of every ordered pair, (q, n * n) each, for some of the queries at once."""
    n = len(x)
    s, t = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    own, span = s == t, x[s] - x[t]
    length = np.linalg.norm(span, axis=1)
    squared = np.where(own, 1.0, length**2)
    for part in np.array_split(queries, max(1, len(queries) * n * n // CHUNK)):
        away = x[t] - part[:, None]
        lam = -(away * span).sum(-1) / squared
        distance = np.linalg.norm(away + lam[..., None] * span, axis=-1)
        yield weights(_Closest(lam, distance), length, own)


def mixup_loss(x: ArrayLike, y: ArrayLike, alpha: float, g: Classifier, nodes: int = 40) -> float:
    """J_mix (section 2.1) of a classifier g, from points (q, d) to (q, k), with Beta(alpha, alpha).

    Gauss-Jacobi quadrature over lambda for every ordered pair: for g without kinks or jumps. Of a
    classifier that says 1/2 everywhere it is log 2:

    >>> import numpy as np
    >>> from mixup_repro.theory.optimal import mixup_loss
    >>> round(mixup_loss([0, 1, 2], [0, 1, 0], 1.0, lambda z: np.full((len(z), 2), 0.5)), 6)
    0.693147

    Raises:
        ValueError: alpha <= 0, or data that `check_data` refuses.
    """
    x, y = check_data(x, y)
    target, loss = np.eye(int(y.max()) + 1)[y], 0.0
    for lam, weight in zip(*lambda_quadrature(alpha, nodes)):
        mixed = lam * x[:, None] + (1 - lam) * x
        shares = lam * target[:, None] + (1 - lam) * target
        outputs = g(mixed.reshape(-1, x.shape[1])).reshape(shares.shape)
        loss -= weight * xlogy(shares, outputs).sum(-1).mean()
    return float(loss)


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
    """The alpha that the proof of Theorem 2.7 takes for enough: (log 4 / eps^2 - 1) / 2.

    From eps = 0.3991 on it is too small: the proof misprints a variance, has eps in place of
    eps / 2, and leaves out the contribution of pairs of two classes. `safe_alpha` is enough.
    """
    return (np.log(4) / eps**2 - 1) / 2


def safe_alpha(eps: float) -> float:
    """An alpha from which h_eps misclassifies the middle of X_3^2, for every eps > 0 (our bound).

    This is the proof of Theorem 2.7 with its slips corrected. Let Y be Beta(alpha, alpha), whose
    variance is 1 / (8 alpha + 4). In units of 1/9, class 0 leads at the middle by at least
    2 P(|Y - 1/2| < eps / 2), from the pairs of 0 and 2, less 1, from the middle's pair with itself,
    less 2 E|1 - 2 Y|, the most that pairs with the middle can contribute to its own class. With
    P >= 1 - 2 exp(-eps^2 (2 alpha + 1) / 2) and E|1 - 2 Y| <= (2 alpha + 1)^(-1/2) that is > 0.
    """
    return max(7.5, np.log(8) / eps**2 - 0.5)
