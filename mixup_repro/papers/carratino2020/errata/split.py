"""Sections 2 and 3: pairs within a batch, and the decomposition of Theorem 1."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import torch

from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.perturbation import mixup_risk
from mixup_repro.theory.taylor import logistic

K = 2 / 3  # E theta^2 + E (1 - theta)^2 at alpha = 1
POINTS = np.array([[-2.0, 1.0], [0.5, -1.0], [1.0, 0.0], [0.0, 3.0], [2.0, 2.0], [-1.0, 1.5]])
LABELS = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])


def _f(z: np.ndarray) -> np.ndarray:
    """A smooth function of points (..., 2)."""
    return np.asarray(np.tanh(z[..., 0]) - z[..., 1] ** 2 / 4)


def _tensor_f(z: torch.Tensor) -> torch.Tensor:
    """The same for `theory`, which gives an output a last axis."""
    return (z[..., :1].tanh() - z[..., 1:].square() / 4).to(torch.float64)


def _unfolded(m: float) -> tuple[float, float]:
    """The risk (7) and E |delta|^2, index i having the mean weight m in [1/4, 3/4].

    theta goes to i with probability p, and 1 - theta with 1 - p.
    """
    p, n = 2 * m - 0.5, len(POINTS)
    theta, weight = direct.uniform(0.5, 1)
    own, chance = np.r_[theta, 1 - theta], np.r_[p * weight, (1 - p) * weight]
    x_tilde, y_tilde = (m * z + (1 - m) * z.mean(0) for z in (POINTS, LABELS))
    risk = size = 0.0
    for share, probability in zip(own, chance):
        for i, j in np.ndindex(n, n):
            delta = share * POINTS[i] + (1 - share) * POINTS[j] - x_tilde[i]
            epsilon = share * LABELS[i] + (1 - share) * LABELS[j] - y_tilde[i]
            loss = direct.logistic(y_tilde[i] + epsilon, _f(x_tilde[i] + delta))
            risk += probability * float(loss) / n**2
            size += probability * float(delta @ delta) / n**2
    return risk, size


def _not_unique() -> list[Number]:
    x, y = torch.from_numpy(POINTS), torch.from_numpy(LABELS[:, None])
    spread = float(POINTS.var(0).sum())
    ours, numbers = float(mixup_risk(logistic, _tensor_f, x, y, 1.0)), []
    for m in (0.75, 0.6, 0.5):
        risk, size = _unfolded(m)
        numbers += [
            Number(f"(4); other: (7) with {m:g} for theta_bar", None, ours, risk),
            Number(f"E |delta|^2 / tr Sigma with {m:g}", None, K - m**2, size / spread),
        ]
    return numbers


def _dependent() -> list[Number]:
    """Points 0 and 1, i the first, j the second where theta < 3/4: each with probability 1/2."""
    theta, weight = direct.uniform(0.5, 0.75)
    kept = float(weight @ (1 - theta)) / 2
    below = (1 - 0.5) ** 2 - (1 - 0.75) ** 2  # twice the integral of 1 - theta, density 2
    what = "mean of delta_1 for points 0 and 1, j the other one where theta < 3/4"
    return [Number(what, 0.0, below - (1 - direct.THETA_BAR) / 2, kept - 0.125)]


def _spread() -> list[Number]:
    lam, weight = direct.uniform(0, 1)
    mixed = lam[:, None, None, None] * POINTS[:, None] + (1 - lam)[:, None, None, None] * POINTS
    away = mixed - POINTS.mean(0)
    each = np.square(away).sum(-1).mean((1, 2))
    share = float(weight @ each) / float(POINTS.var(0).sum())
    what = "variance of mixed inputs in units of Sigma's; printed: that of the modified inputs"
    return [Number(what, 0.75**2, K, share)]


def _batches() -> list[Number]:
    n, size = 6, 3
    pairs = [
        (batch[k], batch[order[k]])
        for batch in combinations(range(n), size)
        for order in permutations(range(size))
        for k in range(size)
    ]
    lam, weight = direct.uniform(0, 1)

    def loss(i: int, j: int) -> float:
        mixed, target = (
            lam.reshape(-1, *[1] * z[i].ndim) * z[i]
            + (1 - lam).reshape(-1, *[1] * z[i].ndim) * z[j]
            for z in (POINTS, LABELS)
        )
        return float(weight @ direct.logistic(target, _f(mixed)))

    losses = np.array([[loss(i, j) for j in range(n)] for i in range(n)])
    mixup, erm = float(losses.mean()), float(losses.diagonal().mean())
    share = (1 - 1 / size) / (1 - 1 / n)
    own = sum(i == j for i, j in pairs) / len(pairs)
    return [
        Number(
            "probability of a pair (i, i), batches of 3 of 6 points", 1 / n, 1 / size, float(own)
        ),
        Number(
            "expected loss of such pairs; printed: the Mixup risk (4)",
            mixup,
            share * mixup + (1 - share) * erm,
            float(np.mean([losses[i, j] for i, j in pairs])),
        ),
    ]


ERRATA = (
    Erratum(
        id="batch_pairs",
        where="Section 2, after eq. (4)",
        kind=Kind.FALSE,
        printed="Pairs made within a mini-batch give a stochastic gradient of (4) as well.",
        right="""
            A permutation of a batch of `B`, drawn without replacement, pairs a point with itself
            with probability `1/B`, not `1/n`. The expectation is `a` times the Mixup risk and `1 -
            a` times the empirical risk, `a = (1 - 1/B) / (1 - 1/n)`.
            """,
        derivation="""
            1. A uniform permutation of B positions has one fixed point in expectation: P(i = j) =
               1/B. Given that i and j differ, all pairs are equally likely.
            2. (4) has the share 1/n of pairs (i, i), whose mixture is the point: an ERM example.
            3. With a as above 1 - 1/B = a (1 - 1/n), so the shares of both kinds agree.
            """,
        holds="""
            The statement for independent partners. The bias is small: 1 - a is 0.0078 for B = 128
            and n = 50,000.
            """,
        witness=_batches,
    ),
    Erratum(
        id="thm1_independent",
        where="Theorem 1",
        kind=Kind.CONDITION,
        printed="theta and j are two random variables with these distributions, f any function.",
        right="""
            theta and j independent; inputs a convex set, on which f is defined; and f a fixed
            function of one input, so no batch normalisation in training mode.
            """,
        derivation="""
            1. (28) averages over j for each theta, and appendix A.2 multiplies their expectations.
            2. Points 0 and 1, alpha = 1, i the first: let j be the second where theta < 3/4. Then j
               is uniform, and E delta = E (1 - theta) 1(theta < 3/4) - 1/8 = 3/16 - 1/8.
            """,
        holds="The theorem under these conditions, which Mixup meets as it is written in (4).",
        witness=_dependent,
    ),
    Erratum(
        id="thm1_unique",
        where="Theorem 1 and section 5, eq. (5) and (21)",
        kind=Kind.UNSAID,
        printed="Mixup implicitly shrinks inputs and labels by theta_bar.",
        right="""
            The decomposition is one of many: every mean from `1 - theta_bar` to `theta_bar` will do
            for theta_bar, `1/2` for every alpha. The printed one has the smallest perturbations,
            which is its justification.
            """,
        derivation="""
            1. In (4) a pair is met twice, as (i, j) and (j, i), so either point may be called i,
               with any probability that depends on lambda.
            2. The weight of i then has any mean m in that interval, and (7) holds with m for
               theta_bar: nothing in its proof needs more than E delta = 0.
            3. E |delta|^2 = (k - m^2) tr Sigma with k = (alpha + 1) / (2 alpha + 1), as a mixed
               input has the variance k Sigma for every m. It is smallest for the largest m,
               theta_bar.
            """,
        holds="Theorem 1, for any distribution of lambda, with theta = max(lambda, 1 - lambda).",
        witness=_not_unique,
    ),
    Erratum(
        id="mixed_spread",
        where="Section 5, eq. (21)",
        kind=Kind.FALSE,
        printed="Mixup's function is defined on the space of the modified inputs.",
        right="""
            It is trained on mixed inputs, whose variance is `(alpha + 1) / (2 alpha + 1)` of the
            data's; that of the modified inputs is `theta_bar^2`.
            """,
        derivation="""
            1. lambda x_i + (1 - lambda) x_j has the covariance (E lambda^2 + E (1 - lambda)^2)
               Sigma.
            2. E lambda^2 = 1/4 + 1 / (4 (2 alpha + 1)): the bracket is (alpha + 1) / (2 alpha + 1).
            """,
        holds="Modified inputs are the means of mixed ones. Clean inputs have 1, above both.",
        witness=_spread,
    ),
)
