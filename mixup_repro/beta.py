"""theta ~ Beta(alpha, alpha) truncated to [1/2, 1]: how much of itself a mixed example keeps.

Folding lambda ~ Beta(alpha, alpha) gives theta = max(lambda, 1 - lambda) (Carratino et al.,
Theorem 1). All moments follow from m = E|lambda - 1/2| = 4^-alpha / (alpha B(alpha, alpha)), the
integral of a perfect derivative, and from Var(lambda) = 1 / (4 (2 alpha + 1)).
Every function raises ValueError where alpha <= 0.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln, roots_jacobi


def _positive(alpha: float) -> None:
    if not alpha > 0:
        raise ValueError(f"alpha={alpha}: must be > 0")


def _mean_deviation(alpha: float) -> float:
    """E|lambda - 1/2|."""
    _positive(alpha)
    return float(np.exp(-alpha * np.log(4) - np.log(alpha) - betaln(alpha, alpha)))


def theta_bar(alpha: float) -> float:
    """The mean of theta: 1/2 + m, which is 1 - I_{1/2}(alpha + 1, alpha) of Algorithm 1.

    It falls from 1 (alpha -> 0) to 1/2 (alpha -> infinity). At alpha = 1, lambda is uniform and
    theta is uniform on [1/2, 1]:

    >>> from mixup_repro.beta import theta_bar
    >>> theta_bar(1)
    0.75
    >>> [round(theta_bar(alpha), 3) for alpha in (1e-3, 0.2, 8, 1024)]
    [0.999, 0.899, 0.598, 0.509]
    """
    return 0.5 + _mean_deviation(alpha)


def sigma2(alpha: float) -> float:
    """The variance of theta (Lemma 1): 1 / (4 (2 alpha + 1)) - m^2.

    >>> from mixup_repro.beta import sigma2
    >>> round(1 / sigma2(1), 9)  # uniform on an interval of length 1/2: (1/2)^2 / 12
    48.0
    """
    return 0.25 / (2 * alpha + 1) - _mean_deviation(alpha) ** 2


def gamma2(alpha: float) -> float:
    """gamma^2 = sigma^2 + (1 - theta_bar)^2 = E(1 - theta)^2 (Lemma 1).

    >>> from mixup_repro.beta import gamma2
    >>> round(1 / gamma2(1), 9)  # the mean square of what is uniform on [0, 1/2]
    12.0
    """
    return sigma2(alpha) + (0.5 - _mean_deviation(alpha)) ** 2


def density(theta: np.ndarray, alpha: float) -> np.ndarray:
    """The density of theta; 0 outside [1/2, 1]."""
    _positive(alpha)
    theta = np.asarray(theta, dtype=float)
    inside = (theta >= 0.5) & (theta < 1)
    t = np.where(inside, theta, 0.5)
    log = (alpha - 1) * (np.log(t) + np.log1p(-t)) - betaln(alpha, alpha)
    return np.where(inside, 2 * np.exp(log), 0.0)


def sample(alpha: float, size: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Independent draws of theta."""
    _positive(alpha)
    lam = rng.beta(alpha, alpha, size)
    return np.maximum(lam, 1 - lam)


def lambda_quadrature(alpha: float, nodes: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of E_lambda: exact for polynomials of degree up to 2 nodes - 1."""
    _positive(alpha)
    t, weight = roots_jacobi(nodes, alpha - 1, alpha - 1)
    return (1 + t) / 2, weight / weight.sum()


def theta_quadrature(alpha: float, nodes: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of E_theta: Gauss-Jacobi for (1 - theta)^(alpha - 1) on [1/2, 1]."""
    _positive(alpha)
    t, weight = roots_jacobi(nodes, alpha - 1, 0)
    theta = (3 + t) / 4
    weight = weight * theta ** (alpha - 1)
    return theta, weight / weight.sum()
