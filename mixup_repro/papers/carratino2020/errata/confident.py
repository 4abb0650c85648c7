"""Theorem 2 and Corollary 1: what the regularisers are where predictions are confident."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit

from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.carratino2020.errata.formulas import LABELS, POINTS, covariances
from mixup_repro.papers.carratino2020.theorems import data, network
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.taylor import (
    approximate_risk,
    cross_entropy,
    quadratic_risk,
    squared_error,
)

LAST = 3  # the point of the four that is looked at, with slope 1


def _moments() -> tuple[float, float]:
    """E delta^2 and E epsilon delta of the last point, by enumeration."""
    weight = direct.probabilities(len(POINTS))
    delta, epsilon = direct.noise(POINTS, LAST)[:, 0], direct.noise(LABELS, LAST)
    return float(weight @ delta**2), float(weight @ (epsilon * delta))


def _r1_r3(u: float, slope: float = 1.0) -> tuple[float, float, float]:
    """R1, R3 (Corollary 2), and their sum without an inverse, of the last point at logit u."""
    s_xx, s_yx = (float(s[LAST].item()) for s in covariances(POINTS, LABELS))
    v = float(expit(u) * expit(-u))
    r1 = v / 2 * s_xx * (slope - s_yx / s_xx / v) ** 2
    return r1, -(s_yx**2) / s_xx / v / 2, v * s_xx * slope**2 / 2 - s_yx * slope


def _confident() -> list[Number]:
    s_xx, s_yx = map(Decimal, _moments())
    about = "of the last of four points, slope 1"
    numbers = []
    for u in (8, 20):
        with localcontext() as context:  # 50 digits: R1 and R3 cancel
            context.prec = 50
            v = Decimal(-u).exp() / (1 + Decimal(-u).exp()) ** 2
            r1 = v / 2 * s_xx * (1 - s_yx / (s_xx * v)) ** 2
            r3 = -(s_yx**2) / (2 * s_xx * v)
            both = float(r1 + r3)
        ours = _r1_r3(u)
        if u == 8:
            numbers += [
                Number(f"R1 {about}, logit 8; printed: vanishes", 0.0, ours[0], float(r1)),
                Number(f"R3 {about}, logit 8", None, ours[1], float(r3)),
            ]
        what = f"R1 + R3 {about}, logit {u}; printed: vanishes"
        numbers.append(Number(what, 0.0, ours[2], both))
    numbers.append(Number("their limit, - Sigma_yx f'", 0.0, _r1_r3(40)[2], -float(s_yx)))
    return numbers


def _determinant(m: list[list[Fraction]]) -> Fraction:
    total = Fraction(0)
    for order in permutations(range(len(m))):
        swaps = sum(a > b for a, b in combinations(order, 2))
        product = Fraction((-1) ** swaps)
        for row, column in enumerate(order):
            product *= m[row][column]
        total += product
    return total


def _inverse() -> list[Number]:
    p = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    exact = [[(a if i == j else 0) - a * b for j, b in enumerate(p)] for i, a in enumerate(p)]
    minor = _determinant([row[:2] for row in exact[:2]])
    rank = 3 if _determinant(exact) else 2 if minor else 1
    q = np.array([1 / 2, 1 / 3, 1 / 6])
    ours = np.linalg.matrix_rank(np.diag(q) - np.outer(q, q))
    (x, y), f = data(0), network(0)
    points = x.numpy()
    noise, labels = direct.noise(points, 0), direct.noise(y.numpy(), 0)
    weight = direct.probabilities(len(points))
    s_yx = labels.T @ (noise * weight[:, None])
    return [
        Number("rank of H(u), 3 classes; printed: invertible", 3.0, float(ours), float(rank)),
        Number("largest entry of 1^T Sigma_yx^(1)", None, 0.0, float(np.abs(s_yx.sum(0)).max())),
        Number(
            "approximate risk of a network; right: (12) with pseudo-inverses, other: (10)",
            None,
            float(quadratic_risk(cross_entropy, f, x, y, 1.0).total),
            float(approximate_risk(cross_entropy, f, x, y, 1.0)),
        ),
    ]


def _few_points() -> list[Number]:
    x, y = data(0, n=4, d=6)
    f = network(0, d=6)
    noise = direct.noise(x.numpy(), 0)
    s_xx, _ = covariances(x.numpy(), y.numpy()[:, 0])
    return [
        Number(
            "rank of Sigma_xx^(1), 4 points in 6 dimensions; printed: it has an inverse",
            6.0,
            float(np.linalg.matrix_rank(s_xx[0])),
            float(np.linalg.matrix_rank(noise)),
        ),
        Number(
            "approximate risk, squared error; right: (12) with pseudo-inverses, other: (10)",
            None,
            float(quadratic_risk(squared_error, f, x, y, 1.0).total),
            float(approximate_risk(squared_error, f, x, y, 1.0)),
        ),
    ]


def _signs() -> list[Number]:
    s_xx, s_yx = _moments()
    v = float(expit(0.0) * expit(0.0))
    least = minimize_scalar(lambda g: v * g**2 * s_xx / 2 - s_yx * g)
    delta, weight = direct.noise(POINTS, LAST)[:, 0], direct.probabilities(len(POINTS))
    target = LABELS.mean() + direct.THETA_BAR * (LABELS[LAST] - LABELS.mean())
    s = float(covariances(POINTS, LABELS)[0][LAST].item())
    numbers = [
        Number(
            "R3 of the last of four points, logit 0; other: least R1 + R3 over the slope",
            None,
            _r1_r3(0.0)[1],
            float(least.fun),
        )
    ]
    for bend in (1.0, -1.0):
        numbers.append(
            Number(
                f"R2 of it, f'' = {bend:g}",
                None,
                float((0.5 - target) * s * bend / 2),
                float(weight @ ((0.5 - target) * bend * delta**2 / 2)),
            )
        )
    x, y = data(0)
    found = [quadratic_risk(cross_entropy, network(k), x, y, 1.0) for k in range(8)]
    sums = [float(q.r1 + q.r2 + q.r3 + q.r4) for q in found]
    direct_sums = [
        float(approximate_risk(cross_entropy, network(k), x, y, 1.0)) - float(q.modified_loss)
        for k, q in enumerate(found)
    ]
    what = "least R1 + R2 + R3 + R4 of 8 random networks; other: (10) less the modified loss"
    return [*numbers, Number(what, None, min(sums), min(direct_sums))]


def _mean_zero() -> list[Number]:
    u, target, slope, mean, step = 0.5, 0.3, 1.0, 0.2, 0.4
    delta = np.array([mean + step, mean - step])
    v = expit(u) * expit(-u)
    loss = torch.nn.functional.softplus(torch.tensor(u, dtype=torch.float64)).item() - target * u
    second = v * slope**2 * (delta**2).mean() / 2
    full = loss + ((expit(u) - target) * slope * delta + v * (slope * delta) ** 2 / 2).mean()
    missing = (expit(u) - target) * slope * mean
    what = "E l_Q of the logistic loss, u = .5, y~ = .3, f' = 1, delta = .6 or -.2; printed: (12)"
    return [Number(what, loss + second, loss + second + missing, float(full))]


ERRATA = (
    Erratum(
        id="r1_confident",
        where="Section 5, Jacobian regularization; Corollaries 1 and 2",
        kind=Kind.FALSE,
        printed="""
            R1 is weighted by the Hessian, so it vanishes where a prediction is confident; label
            smoothing keeps it active.
            """,
        right="""
            R1 grows without bound and R3 falls without bound; only their sum means anything. Its
            limit is the linear term `- <Sigma_yx, grad f>`, which does not depend on confidence.
            """,
        derivation="""
            1. J^(i) contains 1/v (or H^-1): with v = s (1 - s), R1 = v/2 |grad f|^2 - <Sigma_yx,
               grad f> + q / (2v), where q = Sigma_yx Sigma_xx^-1 Sigma_xy.
            2. R3 = - q / (2v). As v tends to 0, R1 tends to infinity and R3 to minus infinity.
            3. R1 + R3 = 1/2 <Sigma_xx, grad f^T H grad f> - <Sigma_yx, grad f>: no inverse.
            4. Its first part tends to 0 and its second stays.
            """,
        holds="""
            The quadratic part alone vanishes, as dropout's does. In float64 v is 0 from a logit of
            37 on, and R1 and R3 are then inf or nan while the sum is not.
            """,
        witness=_confident,
    ),
    Erratum(
        id="cor1_inverse",
        where="Corollary 1, eq. (14)",
        kind=Kind.CONDITION,
        printed="`J^(i)` and R3 have the inverse of `H`, and its square root.",
        right="""
            `H(u) 1 = 0`, so `H` has no inverse. With the pseudo-inverse the corollary is exact;
            `R_1 + R_3` needs none.
            """,
        derivation="""
            1. H(u) = diag(S) - S S^T, and the entries of S sum to 1: H 1 = S - S = 0.
            2. Labels sum to 1, so epsilon sums to 0 and 1^T Sigma_yx = 0.
            3. So the columns of Sigma_yx lie in H's range, the complement of 1, where H H^+ is the
               identity: (34) holds with H^+.
            """,
        holds="The corollary with the pseudo-inverse; Corollary 2, where v > 0.",
        witness=_inverse,
    ),
    Erratum(
        id="thm2_inverse",
        where="Theorem 2, eq. (12) and (13)",
        kind=Kind.CONDITION,
        printed="For any twice continuously differentiable loss.",
        right="""
            For a loss whose second derivative in u is positive definite, and points whose
            covariance has full rank. Otherwise with pseudo-inverses, where the columns of l_uy
            Sigma_yx lie in the range of l_uu.
            """,
        derivation="""
            1. R1, R3 and J^(i) need the square root and inverse of l_uu, and that of Sigma_xx^(i).
            2. Sigma_xx^(i) maps onto the span of the x_j - x_bar: at most n - 1 dimensions, so it
               is singular where n <= d, and where a pixel is constant.
            3. Sigma_xy^(i) lies in that span, so its pseudo-inverse does; l_uu's does under the
               condition.
            """,
        holds="(30) to (33), and so the sum R1 + R3, for every such loss.",
        witness=_few_points,
    ),
    Erratum(
        id="four_penalties",
        where="Section 4, after Theorem 2",
        kind=Kind.FALSE,
        printed="Four penalty terms regularise the risk on modified data.",
        right="""
            R1 is a penalty. R3 is never positive and falls with confidence, R2 and R4 have no sign,
            and the sum may be negative.
            """,
        derivation="""
            1. R1 is a squared norm and R3 minus a squared norm: R1 + R3 has the minimum R3, where
               grad f = J^(i).
            2. R2 is linear in the Hessian of f: bent the other way, f gives it the other sign.
            3. R4 has the sign of l_yy, and is 0 for the cross-entropy.
            """,
        holds="Theorem 2; and R1 >= 0.",
        witness=_signs,
    ),
    Erratum(
        id="thm2_mean",
        where="Section 4, before Theorem 2",
        kind=Kind.CONDITION,
        printed="The expression holds for any joint perturbation with the covariances (9).",
        right="For any with these covariances and mean zero.",
        derivation="""
            1. (11) has the terms l_y epsilon and l_u grad f delta, which are linear.
            2. (9) fixes second moments. With a mean m of delta, l_u grad f m stays.
            """,
        holds="It holds for Mixup's perturbations, whose mean is zero by Theorem 1.",
        witness=_mean_zero,
    ),
)
