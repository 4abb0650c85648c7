"""What Mixup's optimal prediction is between two overlapping classes on a line, beside Bayes'.

The minimiser of a proper loss is the expected label given the input. Of a mixed input that is the
mean over pairs of classes (a, b) and lambda, weighted by how likely they make this input.
Classes are equally likely.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from mixup_repro.beta import lambda_quadrature
from mixup_repro.theory.moments import over_lambda

LOW, HIGH = (-2.0, -1.0), (1.0, 2.0)  # of two uniform classes, which share [-1, 1]
TINY = 1e-9  # nearest to 0 or 1 that a lambda comes: below, its uniform law is lost to rounding


def bayes_gaussians(x: np.ndarray, m: float) -> np.ndarray:
    """The probability of class 1 at x, for classes N(-m, 1) and N(m, 1)."""
    return expit(2 * m * np.asarray(x, dtype=float))


def mixup_gaussians(x: np.ndarray, m: float, alpha: float, nodes: int = 60) -> np.ndarray:
    """E[y~ | x~ = x] of class 1, for classes N(-m, 1) and N(m, 1), by Gauss-Jacobi quadrature.

    A mixture is normal with the mean lam m_a + (1 - lam) m_b and the variance lam^2 + (1 - lam)^2.
    At the middle it is 1/2:

    >>> from mixup_repro.theory.gaussians import mixup_gaussians
    >>> float(mixup_gaussians(0.0, m=1, alpha=1).round(12))
    0.5
    """
    lam, weight = lambda_quadrature(alpha, nodes)
    x = np.asarray(x, dtype=float)[..., None]
    spread = np.sqrt(lam**2 + (1 - lam) ** 2)
    ours, total = np.zeros(x.shape[:-1]), np.zeros(x.shape[:-1])
    for a, b in product((0, 1), repeat=2):
        mean = m * (lam * (2 * a - 1) + (1 - lam) * (2 * b - 1))
        likely = weight * norm.pdf(x, mean, spread)
        ours += (likely * (lam * a + (1 - lam) * b)).sum(-1)
        total += likely.sum(-1)
    return ours / total


def mixup_uniforms(x: float, alpha: float) -> float:
    """E[y~ | x~ = x] of class 1, for classes uniform on [-2, 1] and [-1, 2].

    Bayes' is 1/2 on all of [-1, 1].
    """
    ours, total = 0.0, 0.0
    for a, b in product((0, 1), repeat=2):
        ends = product((LOW[a], HIGH[a]), (LOW[b], HIGH[b]))
        kinks = [(x - other) / (own - other) for own, other in ends if own != other]
        kinks = [kink for kink in kinks if 0 < kink < 1]
        likely = partial(_mixed, x, a, b)
        own = over_lambda(likely, alpha, kinks)
        first = over_lambda(partial(_weighted, likely), alpha, kinks)
        ours += a * first + b * (own - first)
        total += own
    return ours / total


def _weighted(likely: Callable[[float], float], lam: float) -> float:
    return lam * likely(lam)


def _mixed(x: float, a: int, b: int, lam: float) -> float:
    """The density at x of lam U_a + (1 - lam) U_b."""
    lam = min(max(lam, TINY), 1 - TINY)
    low = max(lam * LOW[a], x - (1 - lam) * HIGH[b])
    high = min(lam * HIGH[a], x - (1 - lam) * LOW[b])
    return max(0.0, high - low) / (9 * lam * (1 - lam))  # both laws have the width 3
