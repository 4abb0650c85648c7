"""The gradient under Mixup: its mean, its direction, its variance, and the Hessian."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import nn

from mixup_repro.beta import lambda_quadrature
from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.notes.theorems.direct import ALPHAS, ROUNDING, STRICTLY
from mixup_repro.theory import gradients, taylor
from mixup_repro.theory.entropy import softmax_regression
from mixup_repro.theory.moments import beta_moment, shrink
from mixup_repro.theory.perturbation import Loss, mixup_risk

AFFINE = (taylor.cross_entropy, taylor.squared_error, gradients.brier, gradients.focal)
OTHERS = (
    gradients.absolute_error,
    gradients.hinge,
    gradients.huber,
    gradients.reversed_kl,
    gradients.generalised,
)


def effect(loss: Loss) -> float:
    """The largest difference that averaging the labels makes to the gradient, 20 draws."""
    g, worst = torch.Generator().manual_seed(0), 0.0
    for alpha in ALPHAS:
        lam, chance = (torch.from_numpy(v) for v in lambda_quadrature(alpha, 20))
        for _ in range(20):
            u, one, other = torch.randn(3, 3, generator=g, dtype=torch.float64)
            labels = torch.lerp(other.softmax(-1), one.softmax(-1), lam[:, None])
            found = gradients.label_effect(loss, u, labels, chance)
            worst = max(worst, float(found.abs().max()))
    return worst


def grad_mean() -> list[Check]:
    """Losses affine in the label, and five that are not."""
    affine, others = ([effect(loss) for loss in losses] for losses in (AFFINE, OTHERS))
    said = "at a fixed mixed input"
    names = "absolute error, hinge, Huber, reversed KL, generalised cross-entropy"
    return [
        Check(f"cross-entropy, squared error, Brier, focal; {said}", 240, max(affine), ROUNDING),
        Check(f"as printed, of any loss: {names}", 300, max(others), ROUNDING),
    ]


def points(seed: int, centre: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (12, 3) and labels of three overlapping classes, one-hot (12, 3)."""
    rng = np.random.default_rng(seed)
    label = np.arange(12) % 3
    x = rng.normal(size=(12, 3)) + 0.3 * label[:, None]
    return x - x.mean(0) + centre, np.eye(3)[label]


def mixup_gradient(
    loss: Loss, w: np.ndarray, x: np.ndarray, y: np.ndarray, alpha: float
) -> np.ndarray:
    """Of the Mixup risk of x -> W x, by every pair and quadrature over lambda."""
    weight = torch.from_numpy(w).requires_grad_()
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    risk = mixup_risk(loss, lambda z: z @ weight.T, inputs, labels, alpha)
    return torch.autograd.grad(risk, weight)[0].numpy()


def away(a: np.ndarray, b: np.ndarray) -> float:
    """1 - cosine of the angle between two gradients."""
    return float(1 - (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


def grad_bias() -> list[Check]:
    """The direction of Mixup's expected gradient beside ERM's."""
    linear, softmax, bias = [], [], []
    for seed, alpha in product(range(3), ALPHAS):
        x, y = points(seed)
        centred = y - y.mean(0)
        w = np.random.default_rng(seed).normal(size=(3, 3))
        erm = gradients.linear_gradient(w, np.zeros(3), x, centred, 1)[0]
        linear.append(away(mixup_gradient(taylor.squared_error, w, x, centred, alpha), erm))
        p = nn.functional.softmax(torch.from_numpy(x @ w.T), -1).numpy()
        erm = (p - y).T @ x / len(x)
        softmax.append(away(mixup_gradient(taylor.cross_entropy, w, x, y, alpha), erm))
        best = softmax_regression(x, y)
        found = mixup_gradient(taylor.cross_entropy, best, x, y, alpha)
        bias.append(float(np.linalg.norm(found)))
    n = len(linear)
    return [
        Check(
            "least squares, centred data: 1 - cosine to ERM's gradient", n, max(linear), ROUNDING
        ),
        Check("as printed, softmax regression: 1 - cosine", n, max(softmax), ROUNDING),
        Check("as printed, softmax regression at ERM's fit: its size", n, max(bias), 1e-6),
    ]


def residuals(seed: int, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Random residuals (n, 2) and inputs (n, 3) of mean zero, not at the optimum."""
    rng = np.random.default_rng(seed)
    x, r = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    r += x[:, :2]
    return r - r.mean(0), x - x.mean(0)


def at_optimum(grows: bool = False, apart: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (n, 1) and inputs (n, 1) that are uncorrelated, as at the optimum.

    Signs of both are balanced, so all else can be chosen: residuals as large as inputs (`grows`),
    almost zero where inputs are not (`apart`), or of one size (independent).
    """
    size = np.array([[1.0, 3.0], [1.0, 3.0]]) if grows else np.array([[1.0, 1.0], [1.0, 3.0]])
    size = np.array([[1.0, 0.1], [0.1, 1.0]]) if apart else size
    rows = [(s * r, t * x) for r, x in size.T for s, t in product((-1, 1), repeat=2)]
    values = np.array(rows)
    return values[:, :1], values[:, 1:]


def enumerated(r: np.ndarray, x: np.ndarray, alpha: float) -> tuple[float, float, float]:
    """|E g~ - c G|, E|g~|^2 and E Var(g~ | pair): every pair and lambda."""
    lam, chance = lambda_quadrature(alpha, 8)
    k = lam[:, None, None, None]
    rr, xx = (k * v[:, None] + (1 - k) * v[None] for v in (r, x))
    g = np.einsum("tijk,tijd->tijkd", rr, xx)
    square = np.einsum("t,tij->ij", chance, (g**2).sum((-2, -1)))
    mean = np.einsum("t,tijkd->ijkd", chance, g)
    spread = square - (mean**2).sum((-2, -1))
    bias = mean.mean((0, 1)) - shrink(alpha) * r.T @ x / len(x)
    return float(np.abs(bias).max()), float(square.mean()), float(spread.mean())


def grad_added() -> list[Check]:
    """What the draw of lambda adds, by closed form and enumeration; and the total beside ERM's."""
    errors, parts, total = [], [], []
    for seed, alpha in product(range(5), ALPHAS):
        r, x = residuals(seed)
        added = gradients.added_variance(r, x, alpha)
        errors.append(abs(added - enumerated(r, x, alpha)[2]) / added)
        parts.append(-added / gradients.variance(r, x, None))
        r, x = at_optimum()
        total.append(gradients.variance(r, x, None) / gradients.variance(r, x, alpha))
    return [
        Check("closed form against enumeration, relative", len(errors), max(errors), ROUNDING),
        Check("less the added part, over ERM's variance: below 0", len(parts), max(parts), -1e-6),
        Check("as printed, if of the total: ERM's over Mixup's, below 1", 3, max(total), STRICTLY),
    ]


def grad_variance() -> list[Check]:
    """The variance of a linear model's gradient, and how it compares to ERM's."""
    errors, ratio, spread = [], [], []
    for seed, alpha in product(range(5), ALPHAS):
        r, x = residuals(seed)
        bias, square, _ = enumerated(r, x, alpha)
        errors.append(max(bias, abs(square / gradients.mean_square(r, x, alpha) - 1)))
    r, x = at_optimum()
    for alpha in ALPHAS:
        s2 = 2 * beta_moment(alpha, 4) + 2 * beta_moment(alpha, 2, 2)  # E s^2
        ratio.append(gradients.variance(r, x, alpha) / gradients.variance(r, x, None))
        spread.append(abs(ratio[-1] - s2))
    r, x = at_optimum(apart=True)
    larger = [gradients.variance(r, x, a) / gradients.variance(r, x, None) for a in ALPHAS]
    name = "as it holds, residuals independent of inputs, at the optimum"
    counter = "as printed, of every linear model (residuals large where inputs are small)"
    return [
        Check("closed forms against enumeration, relative", len(errors), max(errors), ROUNDING),
        Check(f"{name}: variance over ERM's is E s^2", 3, max(spread), ROUNDING),
        Check(f"{name}: which is below 1", 3, max(ratio), STRICTLY),
        Check(f"{counter}: variance over ERM's, below 1", 3, max(larger), STRICTLY),
    ]


def relative(r: np.ndarray, x: np.ndarray, alpha: float) -> float:
    """Mixup's variance over its squared mean gradient, over ERM's."""
    plain = gradients.variance(r, x, None)
    return gradients.variance(r, x, alpha) / plain / shrink(alpha) ** 2


def grad_snr() -> list[Check]:
    """Noise relative to signal: the mean gradient shrinks by c as well."""
    independent = [relative(*at_optimum(), alpha) for alpha in ALPHAS]
    grows = relative(*at_optimum(grows=True), ALPHAS[-1])
    noise = "noise over squared gradient, relative to ERM's, below 1"
    return [
        Check(
            f"as printed, residuals independent of inputs: {noise}", 3, max(independent), STRICTLY
        ),
        Check(f"as it holds, residuals as large as inputs, alpha 8: {noise}", 1, grows, STRICTLY),
    ]


THEOREMS = (
    Theorem("grad_mean", "B15", "The expected gradient is that at the averaged labels.", grad_mean),
    Theorem("grad_bias", "B15", "Mixup does not push in a wrong direction.", grad_bias),
    Theorem("grad_added", "B15", "Mixup adds variance to the gradient.", grad_added),
    Theorem(
        "grad_variance", "B26", "Of a linear model the gradient's variance falls.", grad_variance
    ),
    Theorem("grad_snr", "B26", "So the optimiser's steps are more confident.", grad_snr),
)
