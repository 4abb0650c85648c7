"""Checks of the paper's theorems in float64: both sides are computed, and compared."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from mixup_repro.beta import sigma2, theta_bar, theta_quadrature
from mixup_repro.papers.carratino2020 import section5
from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.theory.entropy import proposition_1
from mixup_repro.theory.perturbation import covariance, mixup_risk, perturbation, perturbed_risk
from mixup_repro.theory.taylor import (
    approximate_risk,
    cross_entropy,
    logistic,
    quadratic_risk,
    squared_error,
)

ALPHAS = (0.2, 1.0, 8.0)
SEEDS = range(2)
NODES = 24  # of the quadrature over theta or lambda
ROUNDING = 1e-10  # relative: float64 through sums of thousands of terms
LOSSES = (cross_entropy, squared_error)


def data(seed: int, n: int = 6, d: int = 3, c: int = 3) -> tuple[Tensor, Tensor]:
    """Inputs (n, d) that are not centred, and one-hot labels (n, c) of unbalanced classes."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=torch.float64) + torch.arange(d)
    return x, nn.functional.one_hot(torch.arange(n) ** 2 % c, c).double()


def network(seed: int, d: int = 3, c: int = 3) -> Callable[[Tensor], Tensor]:
    """A smooth network, for single inputs or batches."""
    g = torch.Generator().manual_seed(100 + seed)
    v, w = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((8, d), (c, 8)))
    return lambda x: torch.tanh(x @ v.T / d) @ w.T / 4


def _relative(ours: Tensor, truth: Tensor) -> float:
    return float((ours - truth).abs().max() / truth.abs().max())


def _theta(alpha: float) -> tuple[Tensor, Tensor]:
    """Values of theta and their probabilities, for expectations over theta."""
    theta, weight = theta_quadrature(alpha, NODES)
    return torch.from_numpy(theta), torch.from_numpy(weight)


def theorem_1() -> list[Check]:
    """Both risks, and the mean of the perturbations."""
    risks, means = [], []
    for seed, alpha in product(SEEDS, ALPHAS):
        x, y = data(seed)
        for loss in LOSSES:
            f = network(seed)
            sides = (r(loss, f, x, y, alpha, NODES) for r in (perturbed_risk, mixup_risk))
            risks.append(_relative(*sides))
        theta, weight = _theta(alpha)
        for z, i in product((x, y), range(len(x))):
            mean = weight @ perturbation(z, theta, i, alpha).mean(1)
            means.append(float(mean.abs().max()))
    return [
        Check("(4) = (7), relative", len(risks), max(risks), ROUNDING),
        Check("mean of the perturbations", len(means), max(means), ROUNDING),
    ]


def lemma_1() -> list[Check]:
    """Covariances by enumeration of every theta and partner."""
    errors = []
    for seed, alpha in product(SEEDS, ALPHAS):
        x, y = data(seed)
        for a, b in ((x, x), (x, y), (y, y)):
            theta, weight = _theta(alpha)
            expected = [
                torch.einsum(
                    "t,tja,tjb->ab",
                    weight / len(x),
                    *(perturbation(z, theta, i, alpha) for z in (a, b)),
                )
                for i in range(len(x))
            ]
            errors.append(_relative(covariance(a, b, alpha), torch.stack(expected)))
    return [Check("covariances (8), relative", len(errors), max(errors), ROUNDING)]


def theorem_2() -> list[Check]:
    """The terms (12) less their definition (10), for three losses; Sigma_xx may be singular."""
    binary = torch.tensor([[0], [1], [1], [0], [1], [0]]).double()
    parts = []
    for name, loss, c in (
        ("cross-entropy (Cor. 1)", cross_entropy, 3),
        ("logistic loss (Cor. 2)", logistic, 1),
        ("squared error (Cor. 3)", squared_error, 3),
    ):
        errors = []
        for seed, alpha, d in product(SEEDS, (0.3, 2.0), (3, 8)):  # n = 6: Sigma_xx is singular
            x, y = data(seed, d=d)
            y, f = binary if c == 1 else y, network(seed, d, c)
            terms = quadratic_risk(loss, f, x, y, alpha)
            truth = approximate_risk(loss, f, x, y, alpha, NODES)
            errors.append(_relative(terms.total, truth))
        parts.append(Check(f"(12) = (10), {name}, relative", len(errors), max(errors), ROUNDING))
    return [*parts, _no_inverse()]


def _no_inverse() -> Check:
    """How far H times its pseudo-inverse is from 1, for the softmax's H: Corollary 1 inverts it."""
    errors = []
    for seed in SEEDS:
        p = network(seed)(data(seed)[0]).softmax(-1)
        h = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
        left = h @ torch.linalg.pinv(h, hermitian=True, rtol=1e-12) - torch.eye(p.shape[1])
        errors.append(float(torch.linalg.matrix_norm(left, 2).max()))
    part = "Cor. 1's H^-1, which no softmax has (here the pseudo-inverse): H H^-1 less 1"
    return Check(part, len(errors), max(errors), ROUNDING, printed=True)


def linear_least_squares() -> list[Check]:
    """Mixup's gradient at the least-squares fit; eq. (19) as printed, and with mended factors."""
    gradients, printed, mended = [], [], []
    for seed, alpha in product(SEEDS, ALPHAS):
        x, y = data(seed, n=8)
        design = torch.cat([x, torch.ones(len(x), 1)], 1)
        solution = torch.linalg.lstsq(design, y).solution.T.requires_grad_()
        risk = mixup_risk(squared_error, _linear(solution), x, y, alpha)
        gradients.append(float(torch.autograd.grad(risk, solution)[0].abs().max()))
        rows = np.array([_risk_and_parts(x, y, alpha, k) for k in range(6)])
        risk, fitted, intercept = rows.T
        t, s2 = theta_bar(alpha), sigma2(alpha)
        left = risk - (2 * s2 + 2 * t**2 + (1 - t) ** 2) / 2 * fitted - intercept
        printed.append(np.ptp(left) / np.ptp(risk))  # eq. (19) says that this is a constant
        left = risk - (2 * s2 + t**2 + (1 - t) ** 2) * fitted - intercept / 2
        mended.append(np.abs(left).max() / np.ptp(risk))
    return [
        Check("Mixup's gradient at the least-squares fit", len(printed), max(gradients), ROUNDING),
        Check("(19) as printed, relative", len(printed), max(printed), ROUNDING, printed=True),
        Check("(19) without the slip of its proof, relative", len(printed), max(mended), ROUNDING),
    ]


def _linear(w: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x @ w[:, :-1].T + w[:, -1]


def _risk_and_parts(x: Tensor, y: Tensor, alpha: float, seed: int) -> list[float]:
    """Of a random linear model: Mixup risk, error with the best intercept, |b - b_bar|^2."""
    g = torch.Generator().manual_seed(seed)
    w = torch.randn(3, 4, generator=g, dtype=torch.float64)
    b_bar = y.mean(0) - w[:, :-1] @ x.mean(0)
    best = torch.cat([w[:, :-1], b_bar.unsqueeze(1)], 1)
    values = (
        mixup_risk(squared_error, _linear(w), x, y, alpha),
        squared_error(y, _linear(best)(x)).mean(),
        (w[:, -1] - b_bar).square().sum(),
    )
    return [float(v) for v in values]


def proposition_1_inequalities() -> list[Check]:
    """How far both inequalities are violated on overlapping classes, balanced and unbalanced.

    The second one has a condition, a mean entropy of at most Z(y_bar). With an intercept it is
    always met; without one, the inequality is tried where it is met.
    """
    parts = []
    for name, intercept in (("", True), (", without intercept", False)):
        bound, entropy = [], []
        for counts, alpha in product(((60, 60, 60), (90, 10), (80, 40, 15, 10)), ALPHAS):
            rng = np.random.default_rng(len(counts))
            label = np.repeat(np.arange(len(counts)), counts)
            x = rng.normal(size=(len(label), 2)) * 1.5 + rng.normal(size=(len(counts), 2))[label]
            x = np.c_[x, np.ones(len(x))] if intercept else x
            found = proposition_1(x, np.eye(len(counts))[label], alpha)
            bound.append(found.bound - found.smoothed)
            if found.plain <= found.prior:
                entropy.append(found.plain - found.smoothed)
        low, less = "lower bound less mean entropy (nats)", "entropy without less with smoothing"
        parts.append(Check(f"{low}{name}", len(bound), max(bound), ROUNDING))
        parts.append(Check(f"{less}{name}", len(entropy), max(entropy), ROUNDING))
    return parts


THEOREMS = (
    Theorem(
        "thm1", "Thm 1", "Mixup is ERM on modified data with perturbations of mean 0.", theorem_1
    ),
    Theorem("lemma1", "Lemma 1", "The perturbations' covariances are (8).", lemma_1),
    Theorem(
        "thm2",
        "Thm 2, Cor. 1-3",
        "The second-order Mixup risk is the modified-data loss + R1 + R2 + R3 + R4.",
        theorem_2,
    ),
    Theorem(
        "r2_unstable",
        "sec. 4",
        "R2 induces numerical instability, being not convex (here: with it (12) has no lower "
        "bound).",
        section5.second_derivatives_are_unstable,
    ),
    Theorem(
        "linear_ls",
        "Cor. 3",
        "Mixup has no effect on linear least squares; its risk is (19).",
        linear_least_squares,
    ),
    Theorem(
        "smoothed_labels",
        "sec. 5",
        "Label smoothing with epsilon = 1 - theta_bar and u = y_bar trains on Mixup's modified "
        "labels.",
        section5.smoothing_is_modified_labels,
    ),
    Theorem(
        "temperature",
        "sec. 5",
        "For balanced classes (22) scales the logits of the shrunk input by a temperature, "
        "theta_bar.",
        section5.rescaling_is_temperature,
    ),
    Theorem(
        "prop1",
        "Prop. 1",
        "Label smoothing raises the mean entropy of a linear softmax model's predictions.",
        proposition_1_inequalities,
    ),
)
