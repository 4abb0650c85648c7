"""Corollary 3: the squared error, and linear least squares."""

from __future__ import annotations

import numpy as np
import torch

from mixup_repro.beta import gamma2, sigma2, theta_bar
from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.perturbation import covariance

ALPHA = 1.0
K = (ALPHA + 1) / (2 * ALPHA + 1)  # E theta^2 + E (1 - theta)^2


def _drawn(n: int = 9, d: int = 3, c: int = 2) -> tuple[np.ndarray, ...]:
    """Points (n, d), labels (n, c), and two linear models, W (c, d) and b (c,)."""
    rng = np.random.default_rng(0)
    shapes = ((n, d), (n, c), (c, d), (c,), (c, d), (c,))
    return tuple(rng.normal(size=shape) for shape in shapes)


def _fit_and_offset(x: np.ndarray, y: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean |r_i|^2 and |b - b_bar|^2, with r_i the residual at the best intercept b_bar."""
    b_bar = y.mean(0) - w @ x.mean(0)
    residual = x @ w.T + b_bar - y
    return np.array([np.square(residual).sum(1).mean(), np.square(b - b_bar).sum()])


def _eq19() -> list[Number]:
    x, y, w, b, other_w, other_b = _drawn()
    t, s2 = theta_bar(ALPHA), sigma2(ALPHA)
    printed = np.array([(2 * s2 + 2 * t**2 + (1 - t) ** 2) / 4, 1.0])
    right = np.array([K / 2, 0.5])
    parts = _fit_and_offset(x, y, w, b)
    change = parts - _fit_and_offset(x, y, other_w, other_b)

    def risk(w: np.ndarray, b: np.ndarray) -> float:
        return direct.mixup(direct.squared, lambda z: w @ z + b, x, y, nodes=4)

    far, step = risk(w, b), np.array([1.0, 0.0])
    bend = (risk(w, b + step) - 2 * far + risk(w, b - step)) / 2
    theta, weight = direct.uniform(0.5, 1)
    square = float(weight @ (theta**2 + (1 - theta) ** 2)) / 2
    shrunk = [direct.THETA_BAR * (z - z.mean(0)) + z.mean(0) for z in (x, y)]
    loss = float(direct.squared(shrunk[1], shrunk[0] @ w.T + b).mean())
    terms = np.array([t**2, 1.0])
    return [
        Number("coefficient of the mean of |r|^2", printed[0], right[0], square),
        Number("coefficient of |b - b_bar|^2", printed[1], right[1], bend),
        Number(
            "(4) of one linear model less another's; printed: by (19), whose C cancels",
            float(printed @ change),
            float(right @ change),
            far - risk(other_w, other_b),
        ),
        Number("C, the rest of (4)", None, 0.0, far - float(right @ parts)),
        Number("left side of (37)", float(terms @ parts), float(terms @ parts) / 2, loss),
    ]


def _conditions() -> list[Number]:
    x, y, ridge = np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3.5]), 0.5
    xx, xy, s_xx, s_xy = x @ x / 4, x @ y / 4, x.var(), ((x - x.mean()) * y).mean()
    own, rest = x.mean() * y.mean(), x.mean() ** 2
    through_origin = (K * xy + (1 - K) * own) / (K * xx + (1 - K) * rest)
    lam, weight = direct.uniform(0, 1)
    mixed, target = (lam[:, None, None] * z[:, None] + (1 - lam)[:, None, None] * z for z in (x, y))

    def mean(z: np.ndarray) -> float:
        return float(weight @ z.mean((1, 2)))

    spread = mean(mixed**2) - mean(mixed) ** 2
    joint = mean(mixed * target) - mean(mixed) * mean(target)
    about = "slope for x = 1, 2, 3, 4, y = 2, 1, 4, 3.5; printed: ERM's"
    return [
        Number(
            f"{about}; no intercept", xy / xx, through_origin, mean(mixed * target) / mean(mixed**2)
        ),
        Number(
            f"{about}; with intercept and ridge 1/2 slope^2 / 2",
            s_xy / (s_xx + ridge),
            s_xy / (s_xx + ridge / K),
            joint / (spread + ridge),
        ),
        Number(f"{about}; with intercept alone", None, s_xy / s_xx, joint / spread),
    ]


def _norms() -> list[Number]:
    rng = np.random.default_rng(0)
    w, factor = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    metric = factor @ factor.T
    draws = np.linalg.cholesky(metric).T  # rows whose sum of outer products is the metric
    by_draws = sum(float(np.square(w @ row).sum()) for row in draws)
    printed, right = np.trace(w.T @ metric @ w), np.trace(w @ metric @ w.T)
    what = "sum of |M delta|^2 over delta with covariance Z, c = d = 3; printed: |M|_Z^2"
    return [Number(what, float(printed), float(right), by_draws)]


def _first_slope(x: np.ndarray, y: np.ndarray, extra: float) -> float:
    """Of least squares with free intercept, weights gamma^2 / n, and `extra` more for point 1."""
    n = len(x)
    weight = np.sqrt(gamma2(ALPHA) / n + extra * (np.arange(n) == 0))
    design = np.c_[x, np.ones(n)] * weight[:, None]
    return float(np.linalg.lstsq(design, y * weight)[0][0])


def _weighted() -> list[Number]:
    """J^(i) of (18) for the first of 20 points, and two regressions with that point weighted."""
    rng = np.random.default_rng(0)
    n, s2, g2, t = 20, sigma2(ALPHA), gamma2(ALPHA), theta_bar(ALPHA)
    x = rng.normal(size=(n, 2))
    y = x[:, 0] - x[:, 1] ** 2 + rng.normal(size=n)
    delta, epsilon = direct.noise(x, 0), direct.noise(y, 0)
    root = np.sqrt(direct.probabilities(n))
    by_noise = np.linalg.lstsq(delta * root[:, None], epsilon * root)[0]
    points, labels = torch.from_numpy(x), torch.from_numpy(y[:, None])
    s_yx, s_xx = covariance(labels, points, ALPHA)[0], covariance(points, points, ALPHA)[0]
    j = torch.linalg.solve(s_xx, s_yx[0])
    theta, weight = direct.uniform(0.5, 1)
    own, others = weight @ (theta - direct.THETA_BAR) ** 2, weight @ (1 - theta) ** 2
    return [
        Number(
            "J^(1), 20 points; printed: MOLS with sigma^2 more weight for point 1",
            _first_slope(x, y, s2),
            float(j[0]),
            float(by_noise[0]),
        ),
        Number(
            "the same, MOLS with sigma^2 gamma^2 / (1 - theta_bar)^2 more weight",
            None,
            _first_slope(x, y, s2 * g2 / (1 - t) ** 2),
            float(by_noise[0]),
        ),
        Number(
            "point i's own share of all weight, any n, alpha = 1",
            None,
            s2 / (s2 + g2),
            float(own / (own + others)),
        ),
    ]


ERRATA = (
    Erratum(
        id="eq19",
        where="Corollary 3, eq. (19), and its proof, eq. (37)",
        kind=Kind.MISPRINT,
        printed="""
            The Mixup risk of a linear model is `(2 sigma^2 + 2 theta_bar^2 + (1 - theta_bar)^2) /
            2n` times the sum of squared-error losses, plus `|b - b_bar|^2`, plus a constant.
            """,
        right="""
            `(2 sigma^2 + theta_bar^2 + (1 - theta_bar)^2) / 2n` times the sum of `|r_i|^2`, plus
            `|b - b_bar|^2 / 2`, without a constant, with `r_i = W (x_i - x_bar) - (y_i - y_bar)`.
            The bracket is `(alpha + 1) / (2 alpha + 1)`.
            """,
        derivation="""
            1. The residual at a mixed point is theta r_i + (1 - theta) r_j + (b - b_bar).
            2. Square it and average over i and j: the r_i sum to 0, so the cross terms vanish.
            3. What is left is (E theta^2 + E (1 - theta)^2) mean |r_i|^2 + |b - b_bar|^2; the loss
               is half of it.
            4. E theta^2 + E (1 - theta)^2 = 1 - 2 E lambda (1 - lambda) = 1 - alpha / (2 alpha +
               1).
            5. (37) drops the 1/2 of the loss (3) in its first line; (19) then writes the loss where
               |r_i|^2 stands, which halves the slope's part only.
            """,
        holds="(36) in every line; and the minimiser is least squares', which (19) is used for.",
        witness=_eq19,
    ),
    Erratum(
        id="cor3_conditions",
        where="Corollary 3, last sentence",
        kind=Kind.CONDITION,
        printed="Mixup has no effect on linear least squares.",
        right="""
            With an intercept that is free and not penalised, and without weight decay: the data
            term is multiplied by `k = (alpha + 1) / (2 alpha + 1)`, so a ridge penalty acts `1/k`
            as strongly.
            """,
        derivation="""
            1. With (19) as it must be, the risk is k mean |r|^2 / 2 + |b - b_bar|^2 / 2: b = b_bar,
               and W is least squares'.
            2. Without intercept E x_mix^2 = k mean x^2 + (1 - k) x_bar^2, and likewise for x y: the
               slope is pulled to y_bar / x_bar.
            3. With lambda |W|^2 / 2 added, divide by k: ERM's risk with lambda / k.
            """,
        holds="The corollary for models with intercept, as it says, without a penalty.",
        witness=_conditions,
    ),
    Erratum(
        id="cor3_norms",
        where="Corollaries 2 and 3, R1, and eq. (36)",
        kind=Kind.MISPRINT,
        printed="R1 has the squared norm `|grad f - J^(i)|_Z^2`, `Z = Sigma_xx^(i)`.",
        right="Of the transpose, `|(grad f - J^(i))^T|_Z^2`, as in Theorem 2 and Corollary 1.",
        derivation="""
            1. Section 2 defines |M|_Z^2 = Tr(M^T Z M), for M with as many rows as Z, here d.
            2. grad f - J^(i) is c x d, so it must be transposed; E |M delta|^2 = Tr(M Z M^T).
            3. For c = d the printed one exists, and is another number.
            """,
        holds="Everything that is derived from it.",
        witness=_norms,
    ),
    Erratum(
        id="mols_jacobian",
        where="Section 5, Jacobian regularization",
        kind=Kind.CONDITION,
        printed="""
            `J^(i)` is the Jacobian of least squares on the modified data, with more weight for
            point i.
            """,
        right="""
            For the squared error only; elsewhere `J^(i)` is `H^-1` times it, and depends on `f`.
            The line is fitted through the fixed point `(x_bar, y_bar)`. As least squares with a
            free intercept the weight is more than `sigma^2` says, and point i has a share of it
            that `n` does not change.
            """,
        derivation="""
            1. J^(i) = Sigma_yx^(i) (Sigma_xx^(i))^-1 is the slope through the means with weights
               gamma^2 / n for all points and sigma^2 more for point i.
            2. A free intercept would follow point i: with extra weight w the spread that counts is
               w gamma^2 / (gamma^2 + w) of it. That is sigma^2 for w = sigma^2 gamma^2 / (1 -
               theta_bar)^2, as gamma^2 - sigma^2 = (1 - theta_bar)^2.
            3. Point i's share sigma^2 / (sigma^2 + gamma^2) does not fall with n: J^(i) does not
               tend to the slope of least squares.
            """,
        holds="It is the slope of a linear model of the inputs, and comes from the correlation.",
        witness=_weighted,
    ),
)
