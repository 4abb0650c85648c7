"""Means, covariances and labels of examples that Mixup mixes or CutMix cuts, in closed form.

Mixup's input is lam x_i + (1 - lam) x_j with lam ~ Beta(alpha, alpha). For independent pairs the
data's covariance is multiplied by `shrink`, E[lam^2 + (1 - lam)^2]. Inside of a batch the factor
depends on who is paired with whom.
Every function of alpha raises ValueError where alpha <= 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np
from scipy import integrate
from scipy.special import betainc, betaincinv, betaln, digamma


class Pairing(StrEnum):
    """Who is mixed with whom in a batch of b examples in random order."""

    UNIFORM = "uniform partner"  # independent, oneself allowed
    PERMUTATION = "uniform permutation"
    NEVER_SELF = "never oneself"  # a random cyclic shift, or the reversal of an even batch
    ODD_REVERSAL = "reversal of an odd batch"  # the middle one is mixed with itself


def beta_moment(alpha: float, k: float, m: float = 0.0) -> float:
    """E[lam^k (1 - lam)^m]."""
    if not alpha > 0:
        raise ValueError(f"alpha={alpha}: must be > 0")
    return float(np.exp(betaln(alpha + k, alpha + m) - betaln(alpha, alpha)))


def shrink(alpha: float) -> float:
    """c = E[lam^2 + (1 - lam)^2] = (alpha + 1) / (2 alpha + 1), from 1 (alpha -> 0) down to 1/2.

    >>> from mixup_repro.theory.moments import shrink
    >>> round(shrink(1), 4)
    0.6667
    """
    return 2 * beta_moment(alpha, 2)


def second_moment_factor(alpha: float, pairing: Pairing, b: int) -> float:
    """E (x~ - m)(x~ - m)' of one mixed example as a multiple of the batch's covariance S.

    m is the batch's mean, and S has the divisor b. A partner that is never oneself lies more often
    on the other side of the mean: about m, E x_j x_i' = -S / (b - 1).
    """
    c = shrink(alpha)
    return c - (1 - c) / (b - 1) if pairing == Pairing.NEVER_SELF else c


def batch_factor(alpha: float, pairing: Pairing, b: int, per_example: bool) -> float:
    """The expected covariance inside of a mixed batch, as a multiple of S (divisors b).

    per_example: lambda is drawn for each example, otherwise once for the batch. The factor is that
    of the second moment less the variance of the mixed batch's own mean, where v = Var lam.
    """
    c, v = shrink(alpha), beta_moment(alpha, 2) - 0.25
    moves = {
        Pairing.UNIFORM: (c - 0.25 if per_example else c - 0.25 - v) / b,
        Pairing.PERMUTATION: 2 * v / b * per_example,
        Pairing.NEVER_SELF: 2 * v / (b - 1) * per_example,
        Pairing.ODD_REVERSAL: 2 * v / b * per_example,
    }
    return second_moment_factor(alpha, pairing, b) - moves[pairing]


def label_entropy(alpha: float) -> float:
    """The mean entropy (nats) of a mixed label of two classes: psi(2 alpha + 1) - psi(alpha + 1).

    >>> from mixup_repro.theory.moments import label_entropy
    >>> round(label_entropy(1), 12)
    0.5
    """
    beta_moment(alpha, 0)
    return float(digamma(2 * alpha + 1) - digamma(alpha + 1))


def barely_mixed(alpha: float, margin: float = 0.01) -> float:
    """The share of mixtures with max(lam, 1 - lam) > 1 - margin: 2 I_margin(alpha, alpha)."""
    beta_moment(alpha, 0)
    return float(2 * betainc(alpha, alpha, margin))


def pasted_share(lam: float) -> float:
    """The expected share of the picture that CutMix pastes, given lambda: (r - r^2 / 4)^2.

    r = sqrt(1 - lam) is the side of the box as a fraction of the picture's; its centre is uniform,
    and what lies beyond the picture's edges is cut off.
    """
    r = math.sqrt(1 - lam)
    return (r - r**2 / 4) ** 2


def mean_pasted_share(alpha: float) -> float:
    """E of `pasted_share`, where 1 - lam has the mean 1/2.

    >>> from mixup_repro.theory.moments import mean_pasted_share
    >>> [round(mean_pasted_share(alpha), 4) for alpha in (0.2, 1, 8)]
    [0.2985, 0.3208, 0.3358]
    """
    first, middle, last = (beta_moment(alpha, k) for k in (1, 1.5, 2))
    return first - middle / 2 + last / 16


def same_picture(p: Sequence[float], q: Sequence[float], alpha: float) -> float:
    """The probability that two pixels of a cut picture come from the same of its two originals.

    p, q: the places of the pixels as fractions of the sides. With an independent partner this is
    the factor of the covariance of both pixels under CutMix; under Mixup it is `shrink` for all.

    >>> from mixup_repro.theory.moments import same_picture
    >>> same_picture((0.5, 0.5), (0.5, 0.5), alpha=1)
    1.0
    """

    def given(lam: float) -> float:
        r = math.sqrt(1 - lam)
        p_in, q_in, both = (_covers(a, b, r) for a, b in ((p, p), (q, q), (p, q)))
        return 1 - p_in - q_in + 2 * both

    kinks = [2 * side for x in (*p, *q) for side in (x, 1 - x)]  # a box about x reaches an edge
    kinks += [abs(a - b) for a, b in zip(p, q)]  # a box can cover both
    return over_lambda(given, alpha, [1 - r**2 for r in kinks if 0 < r < 1])


def _covers(p: Sequence[float], q: Sequence[float], r: float) -> float:
    """The probability that a box of side r covers both places: a product over the sides."""
    covered = 1.0
    for a, b in zip(p, q):
        low, high = max(0.0, max(a, b) - r / 2), min(1.0, min(a, b) + r / 2)
        covered *= max(0.0, high - low)
    return covered


def over_lambda(f: Callable[[float], float], alpha: float, kinks: Sequence[float] = ()) -> float:
    """E f(lam) by adaptive quadrature over lambda's quantiles, from kink to kink of f."""
    beta_moment(alpha, 0)
    cuts = sorted({0.0, 1.0, *(float(betainc(alpha, alpha, kink)) for kink in kinks)})
    parts = (
        integrate.quad(lambda t: f(float(betaincinv(alpha, alpha, t))), low, high, epsabs=1e-11)[0]
        for low, high in pairwise(cuts)
    )
    return float(sum(parts))
