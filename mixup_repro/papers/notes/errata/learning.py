"""Gradients and curvature: of what they are means, and what shrinking them is worth (B, C65)."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit

from mixup_repro.papers.carratino2020.errata import direct, formulas
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.gradients import linear_gradient, linear_hessian
from mixup_repro.theory.moments import beta_moment, shrink

C = shrink(1.0)
OUTPUT = 0.3  # where the gradient of the absolute error is looked at
LONG = 10.0  # a weight of ERM after many steps on separable data, where it grows without end


def _averaged() -> list[Number]:
    apart = quad(lambda lam: -np.sign(lam - OUTPUT), 0, 1, points=[OUTPUT])[0]
    x = formulas.POINTS - formulas.POINTS.mean(0)
    y = (formulas.LABELS - formulas.LABELS.mean())[:, None]
    w, step = 0.2, 1e-4

    def risk(slope: float) -> float:
        return direct.mixup(direct.squared, lambda z: slope * z, x, y, nodes=4)

    mixed = (risk(w + step) - risk(w - step)) / (2 * step)
    found = [linear_gradient(np.array([[w]]), np.zeros(1), x, y, c)[0][0, 0] for c in (1.0, C)]
    return [
        Number(
            "|y - u|, u = 0.3, labels lambda: gradient; printed: at the label 1/2",
            -1.0,
            -(1 - OUTPUT) + OUTPUT,
            float(apart),
        ),
        Number(
            "least squares, inputs mixed too, slope 0.2; printed: ERM's",
            float(found[0]),
            float(found[1]),
            mixed,
            1e-8,
        ),
        Number(
            "the same; printed: at the mean label and the mean input",
            0.0,
            float(found[1]),
            mixed,
            1e-8,
        ),
    ]


def _design(x: np.ndarray) -> np.ndarray:
    """E z~ z~' of mixed (x, 1), alpha = 1, by every pair and lambda."""
    z, total = np.c_[x, np.ones(len(x))], np.zeros((3, 3))
    for lam, weight in zip(*direct.uniform(0, 1, 4)):
        for a, b in product(z, repeat=2):
            mixed = lam * a + (1 - lam) * b
            total += weight * np.outer(mixed, mixed)
    return total / len(x) ** 2


def _condition(hessian: np.ndarray) -> float:
    values = np.linalg.eigvalsh(hessian)
    return float(values[-1] / values[0])


def _shrunk() -> list[Number]:
    x = np.random.default_rng(0).normal(size=(8, 2)) + 3
    y = x @ np.array([1.0, -1.0]) + np.random.default_rng(1).normal(size=8)
    centred = x - x.mean(0)
    plain, own, mixed = linear_hessian(x, 1.0), linear_hessian(x, C), _design(x)
    fit = np.linalg.lstsq(np.c_[x, np.ones(8)], y, rcond=None)[0][0]
    shrunk = np.linalg.solve(C * centred.T @ centred, C * centred.T @ y)[0]
    squared = 2 * beta_moment(1.0, 4) + 2 * beta_moment(1.0, 2, 2)  # E s^2
    by_hand = quad(lambda t: (t**2 + (1 - t) ** 2) ** 2, 0, 1)[0] * 9 / 4
    erm = _condition(plain)
    return [
        Number("first weight of least squares, alpha = 1", None, float(shrunk), float(fit)),
        Number(
            "condition number, inputs of mean 3; printed: ERM's or better",
            erm,
            _condition(own),
            _condition(mixed),
            1e-6,
        ),
        Number(
            "noise over squared gradient, relative to ERM's; printed: no more than 1",
            1.0,
            squared / C**2,
            float(by_hand),
        ),
    ]


def _bent(w: float) -> float:
    """The curvature of the clean logistic loss of f = w x on x = -1, 1 with classes 0, 1."""
    return float(expit(w) * expit(-w))


def _flat() -> list[Number]:
    x, y = np.array([[-1.0], [1.0]]), np.array([0.0, 1.0])

    def slope(w: float) -> float:
        """Of Mixup's risk: pairs of one point, and of both, where x~ = 2 lam - 1."""
        lam, weight = direct.uniform(0, 1)
        mixed = weight @ ((expit(w * (2 * lam - 1)) - lam) * (2 * lam - 1))
        return float(-expit(-w) / 2 + mixed / 2)

    ours = brentq(slope, 0, 20, xtol=1e-14)
    found = minimize_scalar(
        lambda w: direct.mixup(direct.logistic, lambda z: w * z[0], x, y),
        bounds=(0, 20),
        options={"xatol": 1e-9},
    ).x

    def clean(w: float) -> float:
        return float(np.logaddexp(0, -w))

    step = 1e-3
    around = (clean(found + step) - 2 * clean(found) + clean(found - step)) / step**2
    return [
        Number("Mixup's weight on x = -1, 1, alpha = 1", None, ours, float(found), 1e-6),
        Number(
            "curvature of the clean loss there; printed: below ERM's at weight 10",
            _bent(LONG),
            _bent(ours),
            around,
            1e-6,
        ),
    ]


ERRATA = (
    Erratum(
        id="averaged_labels",
        where="B15",
        kind=Kind.CONDITION,
        printed="The expected gradient is exactly that at the averaged labels.",
        right="""
            For losses whose gradient is affine in the label, such as cross-entropy or squared
            error, and at a fixed input. Not for absolute error, hinge or Huber; and Mixup does not
            keep the input fixed, so that there is no averaged label to speak of.
            """,
        derivation="""
            1. E grad l(y, u) = grad l(E y, u) for all laws of y if and only if grad l is affine
               in y. Of cross-entropy it is p - y.
            2. Of |y - u| it is -sign(y - u): for uniform y and u = 0.3 the mean is -0.4, and at y =
               1/2 it is -1.
            3. With inputs mixed as well, r~ = W x~ - y~ and x~ are mixtures with one lambda. On
               centred data E r~ x~' = c E r x': neither ERM's, nor that at mean inputs, which is 0.
            """,
        holds="""
            Of linear least squares on centred data the direction is ERM's; of softmax regression
            it is not (`grad_bias`).
            """,
        witness=_averaged,
    ),
    Erratum(
        id="shrunk_only",
        where="B14, B26, B27",
        kind=Kind.FALSE,
        printed="""
            A smaller covariance regularises; a smaller variance of the gradient makes for surer
            steps, and a smaller Hessian for an easier descent.
            """,
        right="""
            Of linear least squares all three are a change of scale. The fit is ERM's; noise
            relative to the gradient is no less; and the condition number is ERM's for centred
            inputs, and worse for others.
            """,
        derivation="""
            1. Both Sigma_xx and Sigma_yx are multiplied by c, so Sigma_yx Sigma_xx^-1 is what it
               was.
            2. At the optimum, residuals independent of inputs, the variance is multiplied by E s^2
               and the mean gradient by c = E s, s = lam^2 + (1 - lam)^2; E s^2 >= (E s)^2.
            3. Eigenvalues of the centred Hessian are all multiplied by c. With an intercept the
               part x_bar x_bar' does not shrink, which drives them apart.
            """,
        holds="""
            Covariance, variance and Hessian do become smaller. A ridge penalty mu then acts as
            mu / c, and behind BatchNorm the factor cancels (`hessian_shrink`).
            """,
        witness=_shrunk,
    ),
    Erratum(
        id="flat_by_scale",
        where="B15, C65",
        kind=Kind.CONDITION,
        printed="Mixup leads to flatter minima.",
        right="""
            It depends on the loss that is looked at. Of the clean training loss ERM's minimum is
            the flatter one once it is sure of the data, for that reason alone.
            """,
        derivation="""
            1. The logistic loss of a logit u is bent by p (1 - p), which is about e^-|u|.
            2. On data that can be separated ERM's weights grow without end, so that its curvature
               falls to zero.
            3. Mixup's optimum has finite logits, where p (1 - p) is not small.
            """,
        holds="""
            Of Mixup's own loss, looked at in all networks, Mixup's can be the flatter minimum
            (`flat_minima`).
            """,
        witness=_flat,
    ),
)
