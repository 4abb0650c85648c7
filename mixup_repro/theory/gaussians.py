"""Mixup's optimal prediction between two overlapping classes on a line, and Bayes' prediction.

The minimiser of a proper loss is the expected label given the input. For a mixed input x it is the
mean label over all pairs of classes (a, b) and all lambda, weighted by their density at x. Both
classes are equally likely.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from mixup_repro.beta import lambda_quadrature
from mixup_repro.theory.moments import over_lambda

LOW, HIGH = (-2.0, -1.0), (1.0, 2.0)  # of two uniform classes, which share [-1, 1]
TINY = 1e-300  # stands for a lambda of 0, by which the density would divide


def bayes_gaussians(x: np.ndarray | float, m: float) -> np.ndarray:
    """The probability of class 1 at x, for classes N(-m, 1) and N(m, 1)."""
    return expit(2 * m * np.asarray(x, dtype=float))


def mixup_gaussians(x: np.ndarray | float, m: float, alpha: float, nodes: int = 60) -> np.ndarray:
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
    """E[y~ | x~ = x] of class 1 at x in (-2, 2), for classes uniform on [-2, 1] and [-1, 2].

    Bayes' prediction is 1/2 on all of [-1, 1]. Lambda from 0 to 1/2 is enough, since lambda with
    the pair (a, b) gives the same as 1 - lambda with (b, a).
    """
    ours, total = 0.0, 0.0
    for a, b in product((0, 1), repeat=2):
        ends = product((LOW[a], HIGH[a]), (LOW[b], HIGH[b]))
        kinks = [(x - other) / (own - other) for own, other in ends if own != other]
        kinks = [kink for kink in kinks if 0 < kink < 0.5]
        own, first = (
            over_lambda(partial(_mixed, x=x, a=a, b=b, power=k), alpha, [*kinks, 0.5])
            for k in (0, 1)
        )
        ours += a * first + b * (own - first)
        total += own
    return ours / total


def _mixed(lam: float, x: float, a: int, b: int, power: int) -> float:
    """The density at x of lam U_a + (1 - lam) U_b, times lam to a power; 0 for lam > 1/2."""
    if lam > 0.5:
        return 0.0
    w = max(lam, TINY)
    # w U_a is uniform on an interval of length 3 w: the share of it that can be completed to x.
    ends = ((x - (1 - w) * end - w * LOW[a]) / (3 * w) for end in (HIGH[b], LOW[b]))
    low, high = (min(max(end, 0.0), 1.0) for end in ends)
    return lam**power * (high - low) / (3 * (1 - w))
