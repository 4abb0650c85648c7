"""Means, covariances, labels and areas: what mixing does to the data, without a network."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from scipy.special import xlogy

from mixup_repro.data.batches import Batch
from mixup_repro.methods.losses import cutmix
from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.notes.theorems.direct import (
    ALPHAS,
    ROUNDING,
    STRICTLY,
    mixed_batches,
)
from mixup_repro.schema import MethodConfig
from mixup_repro.theory.moments import (
    Pairing,
    barely_mixed,
    batch_factor,
    label_entropy,
    mean_pasted_share,
    over_lambda,
    pasted_share,
    same_picture,
    second_moment_factor,
    shrink,
)

SMALL = ((0.2, False), (1.0, True), (8.0, True))  # alpha, whether lambda is drawn per example


def batch(pairing: Pairing) -> np.ndarray:
    """A small batch of points in the plane: even, or odd where the pairing asks for it."""
    b = 3 if pairing == Pairing.ODD_REVERSAL else 4
    return np.random.default_rng(b).normal(size=(b, 2)) + 1


def mean_kept() -> list[Check]:
    """The mixed batch's mean, in expectation and batch by batch, by enumeration."""
    expected, each = [], []
    for pairing, (alpha, per_example) in product(Pairing, SMALL):
        x = batch(pairing)
        mean = sum(p * z.mean(0) for p, z in mixed_batches(x, alpha, pairing, per_example))
        expected.append(float(np.abs(mean - x.mean(0)).max()))
    x = batch(Pairing.PERMUTATION)
    for alpha in ALPHAS:
        drawn = mixed_batches(x, alpha, Pairing.PERMUTATION, per_example=False)
        each.append(max(float(np.abs(z.mean(0) - x.mean(0)).max()) for _, z in drawn))
    return [
        Check("expected mean less the data's, four pairings", len(expected), max(expected), 1e-12),
        Check("each batch's, under a permutation with one lambda", len(each), max(each), 1e-12),
    ]


def cov_shrink() -> list[Check]:
    """The factors of the covariance by pairing, by enumeration; and that of alpha alone."""
    own, inside, printed = [], [], []
    for pairing, (alpha, per_example) in product(Pairing, SMALL):
        x = batch(pairing)
        mean, s, b = x.mean(0), np.cov(x.T, ddof=0), len(x)
        second, within = np.zeros((2, 2)), np.zeros((2, 2))
        for p, z in mixed_batches(x, alpha, pairing, per_example):
            second += p * (z - mean).T @ (z - mean) / b
            within += p * np.cov(z.T, ddof=0)
        factor = second_moment_factor(alpha, pairing, b)
        own.append(float(np.abs(second - factor * s).max()))
        factor = batch_factor(alpha, pairing, b, per_example)
        inside.append(float(np.abs(within - factor * s).max()))
        if pairing == Pairing.NEVER_SELF:
            printed.append(float(np.abs(second / s - shrink(alpha)).max()))
    below = [shrink(alpha) for alpha in (1e-3, *ALPHAS, 1e4)]
    said = "as printed, a factor of alpha alone for every pairing: never oneself, b = 4"
    return [
        Check("c = (alpha + 1) / (2 alpha + 1), which must be below 1", 5, max(below), STRICTLY),
        Check("a mixed example: c S; never oneself [c - (1 - c)/(b - 1)] S", 12, max(own), 1e-12),
        Check("inside of a mixed batch, by pairing and lambda", len(inside), max(inside), 1e-12),
        Check(said, len(printed), max(printed), ROUNDING),
    ]


def linear_fits(x: np.ndarray, y: np.ndarray, c: float, mu: float) -> np.ndarray:
    """Ridge (penalty mu) from moments that are c times those of centred data: (d, k)."""
    x, y = x - x.mean(0), y - y.mean(0)
    return np.linalg.solve(c * x.T @ x / len(x) + mu * np.eye(x.shape[1]), c * x.T @ y / len(x))


def fisher(x: np.ndarray, label: np.ndarray, c: float) -> float:
    """The largest ratio of variances between and within classes, of moments times c."""
    mean = np.array([x[label == k].mean(0) for k in np.unique(label)])[label]
    between, within = (c * (z - z.mean(0)).T @ (z - z.mean(0)) for z in (mean, x - mean))
    return float(np.linalg.eigvals(np.linalg.solve(within, between)).real.max())


def cov_regularises() -> list[Check]:
    """Least squares, Fisher's ratio and ridge on the moments that Mixup shrinks by c."""
    least, ratio, ridge, smaller = [], [], [], []
    for seed, alpha in product(range(5), ALPHAS):
        rng, c = np.random.default_rng(seed), shrink(alpha)
        label = np.arange(60) % 3
        x = rng.normal(size=(60, 4)) + rng.normal(size=(3, 4))[label]
        y = np.eye(3)[label]
        sizes = [np.linalg.norm(linear_fits(x, y, factor, 0)) for factor in (c, 1)]
        least.append(float(sizes[0] / sizes[1]))
        ratio.append(fisher(x, label, c) / fisher(x, label, 1))
        mixed, plain = linear_fits(x, y, c, 0.3), linear_fits(x, y, 1, 0.3)
        ridge.append(float(np.abs(mixed - linear_fits(x, y, 1, 0.3 / c)).max()))
        smaller.append(float(np.linalg.norm(mixed) / np.linalg.norm(plain)))
    n = len(least)
    return [
        Check("least squares: size of the fit over ERM's, below 1", n, max(least), STRICTLY),
        Check("Fisher's ratio over ERM's, below 1", n, max(ratio), STRICTLY),
        Check("as it holds: a ridge penalty mu acts as mu / c", n, max(ridge), ROUNDING),
        Check("so ridge's fit is smaller: size over ERM's", n, max(smaller), STRICTLY),
    ]


def label_soft() -> list[Check]:
    """The entropy of mixed labels of two classes, by quadrature; no lambda leaves them one-hot."""
    errors = [
        abs(label_entropy(a) - over_lambda(lambda t: -xlogy(t, t) - xlogy(1 - t, 1 - t), a))
        for a in ALPHAS
    ]
    hard = max(np.exp(-label_entropy(a)) for a in ALPHAS)
    return [
        Check("mean entropy is psi(2 alpha + 1) - psi(alpha + 1)", 3, max(errors), 1e-7),
        Check("exp(-mean entropy), which is 1 for one-hot labels", 3, float(hard), STRICTLY),
    ]


def never_sees() -> list[Check]:
    """How many mixtures are an example to within one per cent."""
    said, printed = "of mixtures more than 99 % one example", "as printed"
    found = {alpha: barely_mixed(alpha) for alpha in ALPHAS}
    return [
        Check(f"{printed}, at alpha 0.2: share {said}", 1, found[0.2], 1e-3),
        Check(f"{printed}, at alpha 1: share {said}", 1, found[1.0], 1e-3),
        Check(f"as it holds, for large alpha (8): share {said}", 1, found[8.0], 1e-3),
    ]


def cutmix_labels(n: int = 500) -> np.ndarray:
    """Weight of the partner's label less the share of its pixels, of white boxes in black."""
    rng = np.random.default_rng(0)
    lam, box = (torch.from_numpy(rng.random(shape)).float() for shape in ((1, n), (1, n, 2)))
    black, white = torch.zeros(1, n, 1, 8, 8), torch.ones(1, n, 1, 8, 8)
    labels = [torch.eye(2)[k].expand(1, n, 2) for k in (0, 1)]
    batch = Batch(black, labels[0], white, labels[1], lam, box)
    found = cutmix(lambda x: x.mean((-3, -2, -1)).unsqueeze(-1), batch, MethodConfig("cutmix"))
    return (found.targets[0, :, 1] - found.logits[0, :, 0]).numpy()


def cutmix_area() -> list[Check]:
    """The share that is pasted, beside the drawn lambda's and beside the label's."""
    share = [abs(mean_pasted_share(a) - over_lambda(pasted_share, a)) for a in ALPHAS]
    label = [abs(float(error)) for error in cutmix_labels()]
    drawn = max(0.5 - mean_pasted_share(alpha) for alpha in ALPHAS)
    return [
        Check("the label's lambda: weight less share of pixels", len(label), max(label), 1e-6),
        Check("as printed, the drawn lambda: 1/2 less the mean pasted share", 3, drawn, ROUNDING),
        Check("which is E(r - r^2/4)^2, r^2 = 1 - lambda, cut at the edges", 3, max(share), 1e-9),
    ]


def cutmix_local() -> list[Check]:
    """Factors of the covariance of two pixels, against Mixup's: the same for all pairs."""
    centre, near = (0.5, 0.5), ((0.55, 0.5), (0.5, 0.6))
    own = [abs(same_picture(p, p, a) - 1) for p in (centre, *near) for a in ALPHAS]
    close = [shrink(a) / same_picture(centre, p, a) for p in near for a in ALPHAS]
    return [
        Check("a pixel's own variance, less what it was", len(own), max(own), 1e-9),
        Check("near pixels: Mixup's factor over CutMix's", len(close), max(close), STRICTLY),
    ]


THEOREMS = (
    Theorem("mean_kept", "B13", "Mixup leaves the data's mean where it is.", mean_kept),
    Theorem(
        "cov_shrink",
        "B13",
        "Mixup multiplies the data's covariance by a factor of alpha that is always below 1.",
        cov_shrink,
    ),
    Theorem(
        "cov_regularises",
        "B14",
        "This smaller variance is what regularises (here: linear models).",
        cov_regularises,
    ),
    Theorem("label_soft", "A20", "Mixed labels of two distinct classes are soft.", label_soft),
    Theorem("never_sees", "B38", "The model never sees any single data point.", never_sees),
    Theorem("cutmix_area", "C22 to C30", "CutMix's lambda is the share of area.", cutmix_area),
    Theorem(
        "cutmix_local",
        "C31, C37",
        "CutMix keeps more of the local structure than Mixup (here: covariances of pixels).",
        cutmix_local,
    ),
)
