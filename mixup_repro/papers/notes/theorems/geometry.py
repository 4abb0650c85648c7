"""Where mixed inputs lie, and what kind of prior that is beside Gaussian noise."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import torch
from torch import Tensor

from mixup_repro.beta import lambda_quadrature, theta_bar
from mixup_repro.data.batches import Batch
from mixup_repro.methods.losses import mixup
from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.notes.theorems.direct import ALPHAS, ROUNDING, STRICTLY, digits
from mixup_repro.schema import MethodConfig
from mixup_repro.theory.perturbation import mixup_risk
from mixup_repro.theory.taylor import cross_entropy, squared_error


def to_segments(points: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How far points (q, d) lie from the nearest segment between two of x (n, d): (q,)."""
    nearest = np.full(len(points), np.inf)
    for s, t in combinations(x, 2):
        lam = np.clip((points - t) @ (s - t) / ((s - t) @ (s - t)), 0, 1)
        away = np.linalg.norm(points - t - lam[:, None] * (s - t), axis=1)
        nearest = np.minimum(nearest, away)
    return nearest


def hull(x: np.ndarray, n: int = 200) -> np.ndarray:
    """n random points of the convex hull of x."""
    return np.random.default_rng(1).dirichlet(np.ones(len(x)), n) @ x


def cloud(d: int) -> np.ndarray:
    """20 normal points in d dimensions."""
    return np.random.default_rng(d).normal(size=(20, d))


def nearest(x: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far each of x (n, d) is from the nearest of the others (m, d)."""
    square = (x**2).sum(1)[:, None] + (others**2).sum(1) - 2 * x @ others.T
    return np.sqrt(square.clip(0).min(1))


def off_manifold() -> list[Check]:
    """How far mixtures of two classes are from the nearest scan, beside scans from each other."""
    x, y = digits()
    rng = np.random.default_rng(0)
    i, j = rng.integers(len(x), size=(2, 600))
    i, j = i[y[i] != y[j]], j[y[i] != y[j]]
    scans = np.median([nearest(x[k : k + 1], np.delete(x, k, 0))[0] for k in i])
    apart = [
        float(scans / np.median(nearest(lam * x[i] + (1 - lam) * x[j], x))) for lam in (0.5, 0.9)
    ]
    said = "digits: neighbours' distance over a mixture's from the data, below 1"
    return [
        Check(f"as it holds, lambda = 0.5, {said}", len(i), apart[0], STRICTLY),
        Check(f"as printed, of any mixture: lambda = 0.9, {said}", len(i), apart[1], STRICTLY),
    ]


def vrm_segments() -> list[Check]:
    """Distances of what Mixup trains on from the nearest of all segments."""
    worst = []
    for d, alpha in product((2, 3, 5), ALPHAS):
        rng, x = np.random.default_rng(d), torch.from_numpy(cloud(d))
        partner, lam = rng.permutation(20), torch.from_numpy(rng.beta(alpha, alpha, (1, 20)))
        label, box = torch.zeros(1, 20, d).double(), torch.zeros(1, 20, 2)
        batch = Batch(x[None], label, x[None, partner], label, lam, box)
        inputs = mixup(lambda z: z, batch, MethodConfig("mixup")).logits[0]
        worst.append(float(to_segments(inputs.numpy(), x.numpy()).max()))
    said = "mixed inputs in R^2, R^3, R^5: distance from the nearest segment"
    return [Check(said, 20 * len(worst), max(worst), ROUNDING)]


def vrm_hull() -> list[Check]:
    """Random points of the convex hull of 20: are they on a segment between two of them?"""
    line = float(to_segments(hull(cloud(1)), cloud(1)).max())
    off = [float((to_segments(hull(cloud(d)), cloud(d)) > 1e-9).mean()) for d in (2, 3, 5)]
    return [
        Check("as it holds, on a line: distance from the nearest segment", 200, line, ROUNDING),
        Check("as printed, in R^2, R^3, R^5: share of the hull off all segments", 600, max(off), 0),
    ]


def regression(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Centred inputs (12, 3) and one output (12, 1)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 3))
    y = x @ rng.normal(size=(3, 1)) + rng.normal(size=(12, 1))
    return x - x.mean(0), y - y.mean(0)


def ridge(x: np.ndarray, y: np.ndarray, mu: float) -> np.ndarray:
    """The weights (1, d) of least squares with the penalty mu |W|^2 / 2."""
    n, d = x.shape
    return np.linalg.solve(x.T @ x / n + mu * np.eye(d), x.T @ y / n).T


def noise_risk(w: Tensor, x: np.ndarray, y: np.ndarray, sigma: float) -> Tensor:
    """The mean squared error / 2 under Gaussian input noise, by Gauss-Hermite quadrature."""
    node, weight = np.polynomial.hermite_e.hermegauss(3)
    risk = torch.zeros(())
    for k in product(range(3), repeat=x.shape[1]):
        noisy = torch.from_numpy(x + sigma * node[list(k)])
        chance = (weight[list(k)] / weight.sum()).prod()
        risk = risk + chance * squared_error(torch.from_numpy(y), noisy @ w.T).mean()
    return risk


def slope(w: np.ndarray, x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    """The largest entry of the gradient of `noise_risk`."""
    weights = torch.from_numpy(w).requires_grad_()
    found = torch.autograd.grad(noise_risk(weights, x, y, sigma), weights)[0]
    return float(found.abs().max())


def mixup_slope(w: np.ndarray, x: np.ndarray, y: np.ndarray, alpha: float) -> float:
    """The largest entry of the gradient of the Mixup risk."""
    weights = torch.from_numpy(w).requires_grad_()
    data = torch.from_numpy(x), torch.from_numpy(y)
    risk = mixup_risk(squared_error, lambda z: z @ weights.T, *data, alpha)
    return float(torch.autograd.grad(risk, weights)[0].abs().max())


def vrm_gaussian() -> list[Check]:
    """The risk of a linear model under input noise."""
    errors = []
    for seed, sigma in product(range(3), (0.1, 1.0)):
        x, y = regression(seed)
        w = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 3)))
        plain = squared_error(torch.from_numpy(y), torch.from_numpy(x) @ w.T).mean()
        penalty = sigma**2 * w.square().sum() / 2
        errors.append(abs(float(noise_risk(w, x, y, sigma) - plain - penalty)))
    said = "least squares: risk under noise less ERM's and sigma^2 |W|^2 / 2"
    return [Check(said, len(errors), max(errors), ROUNDING)]


def rel_tikhonov() -> list[Check]:
    """The gradient under input noise at ridge's solution."""
    cases = list(product(range(3), (0.1, 1.0)))
    errors = [slope(ridge(*regression(s), sigma**2), *regression(s), sigma) for s, sigma in cases]
    said = "the noise's gradient at ridge's weights, penalty sigma^2"
    return [Check(said, len(errors), max(errors), ROUNDING)]


def vrm_linear_contrast() -> list[Check]:
    """Where least squares ends under Mixup, and under noise of as much variance as inputs."""
    still, size = [], []
    for seed in range(3):
        x, y = regression(seed)
        plain, noisy = ridge(x, y, 0), ridge(x, y, float(x.var(0).mean()))
        size.append(float(np.linalg.norm(noisy) / np.linalg.norm(plain)))
        still += [mixup_slope(plain, x, y, alpha) for alpha in ALPHAS]
    return [
        Check("Mixup's gradient at the weights of least squares", 9, max(still), ROUNDING),
        Check("Gaussian noise: size of the weights over that, below 1", 3, max(size), STRICTLY),
    ]


def alpha_to_zero() -> list[Check]:
    """The Mixup risk of a network near alpha = 0, and its slope in alpha.

    Beta(alpha, alpha) is half a mass at each end and alpha / (2 lam (1 - lam)) between them, to
    first order. So the slope of E g is the mean over lam of (g - its chord) / (2 lam (1 - lam)).
    """
    g = torch.Generator().manual_seed(0)
    x, w = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((6, 2), (3, 2)))
    y = torch.eye(3, dtype=torch.float64)[[0, 1, 2] * 2]

    def loss(lam: float) -> float:
        inputs, labels = (lam * v[:, None] + (1 - lam) * v for v in (x, y))
        return float(cross_entropy(labels, torch.tanh(inputs @ w.T)).mean())

    node, weight = lambda_quadrature(1.0, 60)
    rate = sum(p * (loss(t) - loss(1.0)) / (2 * t * (1 - t)) for t, p in zip(node, weight))
    small = 1e-4
    risk = float(mixup_risk(cross_entropy, lambda z: torch.tanh(z @ w.T), x, y, small))
    slopes = [(risk - loss(1.0)) / small / rate, (1 - theta_bar(small)) / small / np.log(2)]
    said = "over its formula, less 1"
    return [
        Check("Mixup risk less ERM's at alpha = 0.0001", 1, abs(risk - loss(1.0)), 1e-3),
        Check(f"its slope in alpha {said}", 1, abs(slopes[0] - 1), 1e-3),
        Check(f"1 - theta_bar = alpha ln 2: slope {said}", 1, abs(slopes[1] - 1), 1e-3),
    ]


THEOREMS = (
    Theorem("off_manifold", "A2", "Mixed inputs lie off the data (here: digits).", off_manifold),
    Theorem("vrm_gaussian", "A6", "Gaussian vicinities are training with noise.", vrm_gaussian),
    Theorem(
        "rel_tikhonov",
        "Carratino et al., section 1",
        "Input noise is Tikhonov regularisation (here: least squares).",
        rel_tikhonov,
    ),
    Theorem(
        "vrm_linear_contrast",
        "A6, A7",
        "Mixup's vicinity is another prior than noise (here: least squares).",
        vrm_linear_contrast,
    ),
    Theorem("vrm_segments", "A6", "Mixed inputs lie on segments between examples.", vrm_segments),
    Theorem("vrm_hull", "A8", "Mixed inputs fill the whole convex hull of the data.", vrm_hull),
    Theorem("alpha_to_zero", "A9", "Small alpha recovers ERM.", alpha_to_zero),
)
