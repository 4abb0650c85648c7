"""What minimises Mixup's loss: soft targets, their mean, and certainty where it is asked for."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, xlogy

from mixup_repro.beta import lambda_quadrature, theta_bar, theta_quadrature
from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.notes.theorems.direct import ALPHAS, ROUNDING, STRICTLY, digits
from mixup_repro.theory import gaussians, taylor
from mixup_repro.theory.entropy import entropy
from mixup_repro.theory.gradients import brier
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import mixup_optimal_limit
from mixup_repro.theory.perturbation import Loss, covariance


def soft_loss(logit: float, q: float) -> float:
    """Cross-entropy of logits (logit, 0) against the target (1 - q, q)."""
    y, u = torch.tensor([[1 - q, q], [logit, 0.0]], dtype=torch.float64)
    return float(taylor.cross_entropy(y, u))


def saturation() -> list[Check]:
    """The loss of a confident prediction: its formula, finite, and its growth."""
    errors = []
    for logit, q in product((2.0, 10.0, 30.0), (0.1, 0.5)):
        eps = expit(-logit)
        errors.append(abs(soft_loss(logit, q) + (1 - q) * np.log1p(-eps) + q * np.log(eps)))
    growth = max(abs(soft_loss(logit, 0.3) / logit / 0.3 - 1) for logit in (1e4, 1e6))
    said = "as printed, at 99.9999 % and the target (0.7, 0.3): 1 / loss, 0 if unbounded"
    return [
        Check(
            "the loss -(1-q) log(1-eps) - q log eps at confidence 1 - eps", 6, max(errors), ROUNDING
        ),
        Check(said, 1, 1 / soft_loss(np.log(1e6), 0.3), 1e-3),
        Check("as it holds, in the limit: loss / (q log(1/eps)), less 1", 2, growth, 1e-3),
    ]


def saturation_points() -> list[Check]:
    """Mixup's optimum at training points, and how many targets are one-hot."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 2)), np.arange(8) % 2
    sure = mixup_optimal_limit(x, y, Beta(1, 1), x).max()
    share = np.bincount(digits()[1]) / len(digits()[1])
    return [
        Check("as printed, optimum at training points: its confidence, below 1", 8, sure, STRICTLY),
        Check("as printed, digits: share of one-hot targets", 1797, float((share**2).sum()), 0.0),
    ]


def entropy_term() -> list[Check]:
    """Smoothed labels as a penalty: KL(u, p), not the entropy of p."""
    g, identity, apart, least = torch.Generator().manual_seed(0), [], [], []
    for alpha in ALPHAS:
        t, u_bar = theta_bar(alpha), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
        y, z = torch.eye(3).double()[0], torch.randn(3, generator=g, dtype=torch.float64)
        soft = taylor.cross_entropy(t * y + (1 - t) * u_bar, z)
        kl = (u_bar * (u_bar.log() - z.log_softmax(-1))).sum() + float(entropy(u_bar.numpy()))
        identity.append(float(soft - t * taylor.cross_entropy(y, z) - (1 - t) * kl))
        slopes = [penalty_slope(z, u_bar, reverse) for reverse in (False, True)]
        apart.append(float((slopes[0] - slopes[1]).abs().max()))
        at_u = [penalty_slope(u_bar.log(), u_bar, reverse) for reverse in (False, True)]
        least.append(float(torch.stack(at_u).abs().max()))
    return [
        Check("loss = CE + (1 - theta_bar)[KL(u, p) + H(u)]", 3, max(map(abs, identity)), ROUNDING),
        Check("both penalties have the same minimum, p = u: gradients", 3, max(least), ROUNDING),
        Check("as printed, a penalty on p's entropy: difference of gradients", 3, max(apart), 1e-6),
    ]


def penalty_slope(z: torch.Tensor, u: torch.Tensor, reverse: bool) -> torch.Tensor:
    """The gradient in logits of KL(u, p); reverse: of KL(p, u), which is -H(p) for uniform u."""
    z = z.clone().requires_grad_()
    log_p = z.log_softmax(-1)
    kl = log_p.exp() @ (log_p - u.log()) if reverse else u @ (u.log() - log_p)
    return torch.autograd.grad(kl, z)[0]


def ls_uniform() -> list[Check]:
    """The mean label of an example, and how labels move with inputs beside it."""
    g, mean, moves = torch.Generator().manual_seed(0), [], []
    x, y = torch.randn(6, 2, generator=g, dtype=torch.float64), torch.eye(3).double()[[0, 1, 2] * 2]
    for alpha in ALPHAS:
        theta, weight = (torch.from_numpy(v)[:, None, None] for v in theta_quadrature(alpha, 30))
        for i in range(6):
            label = (weight * (theta * y[i] + (1 - theta) * y)).sum(0).mean(0)
            smooth = theta_bar(alpha) * y[i] + (1 - theta_bar(alpha)) * y.mean(0)
            mean.append(float((label - smooth).abs().max()))
        moves.append(-float(covariance(y, x, alpha).abs().amax((1, 2)).min()))
    said = "an example's mean label is smoothed: theta_bar y + (1 - theta_bar) y_bar"
    return [
        Check(said, len(mean), max(mean), ROUNDING),
        Check(
            "less the labels' covariance with the inputs about it, below 0", 3, max(moves), -1e-3
        ),
    ]


def best(loss: Loss, labels: torch.Tensor, chance: torch.Tensor, softmax: bool) -> float:
    """The share of class 1 that minimises the mean loss over soft labels (k, 2)."""

    def mean(value: float) -> float:
        outputs = [0.0, value] if softmax else [1 - value, value]
        u = torch.tensor(outputs, dtype=torch.float64)
        return float(sum(p * loss(y, u) for p, y in zip(chance, labels)))

    found = minimize_scalar(mean, bounds=(-8, 8) if softmax else (0, 1), options={"xatol": 1e-9})
    return float(expit(found.x)) if softmax else float(found.x)


def optimal_label() -> list[Check]:
    """The minimiser of three losses, found by search, beside the mean label."""
    errors = []
    for alpha in ALPHAS:
        theta, chance = (torch.from_numpy(v) for v in theta_quadrature(alpha, 12))
        labels = torch.stack([1 - theta, theta], 1)
        for loss in (taylor.cross_entropy, brier, taylor.squared_error):
            found = best(loss, labels, chance, softmax=loss is not taylor.squared_error)
            errors.append(abs(found - theta_bar(alpha)))
    names = "cross-entropy, Brier, squared error: the minimiser less E y~"
    return [Check(names, len(errors), max(errors), 1e-6)]


def optimal_half() -> list[Check]:
    """A mix of two points of two classes, where lambda can be seen and where it cannot."""
    hidden, seen = [], []
    for alpha in ALPHAS:
        lam, chance = (torch.from_numpy(v) for v in lambda_quadrature(alpha, 12))
        labels = torch.stack([1 - lam, lam], 1)
        hidden.append(abs(best(taylor.cross_entropy, labels, chance, softmax=True) - 0.5))
        h = mixup_optimal_limit([0.0, 1.0], [0, 1], Beta(alpha, alpha), [0.3])[0, 1]
        seen.append(abs(float(h) - 0.5))
    return [
        Check("as it holds, lambda hidden: less 1/2", 3, max(hidden), 1e-6),
        Check("as printed, at lambda = 0.3 of two points: less 1/2", 3, max(seen), 1e-6),
    ]


def h(p: float) -> float:
    """The entropy of a share p of two classes, in nats."""
    return float(-xlogy(p, p) - xlogy(1 - p, 1 - p))


def active_entropy() -> list[Check]:
    """Mixup-optimal predictions between the classes beside Bayes'."""
    plateau = [h(gaussians.mixup_uniforms(0.75, alpha)) - np.log(2) for alpha in ALPHAS]
    gauss = []
    for m, alpha in product((0.25, 0.5, 1.0, 2.0, 4.0), ALPHAS):
        for x in np.linspace(0.02, 1, 50) * m:
            ours = float(gaussians.mixup_gaussians(x, m, alpha))
            gauss.append(h(float(gaussians.bayes_gaussians(x, m))) - h(ours))
    ideal = []
    for m in (0.25, 0.5, 0.9):  # at the point lam of the way from -m to m the network says lam
        lam = np.linspace(0.05, 0.45, 9)
        bayes = gaussians.bayes_gaussians(m * (2 * lam - 1), m)
        ideal += [h(t) - h(float(p)) for t, p in zip(lam, bayes)]
    lower = "entropy less Bayes', below 0"
    return [
        Check(f"classes uniform on [-2, 1] and [-1, 2], at 0.75: {lower}", 3, max(plateau), -1e-3),
        Check(
            f"an idealised p = lambda, means nearer than 2 deviations: {lower}", 27, max(ideal), 0
        ),
        Check("two equal Gaussians: never, Bayes' less ours", len(gauss), max(gauss), 0),
    ]


THEOREMS = (
    Theorem("saturation", "A20", "Saturated outputs have an unbounded loss.", saturation),
    Theorem(
        "saturation_points",
        "A20, B29",
        "Mixup necessarily prevents saturation and never asks for certainty.",
        saturation_points,
    ),
    Theorem(
        "entropy_term",
        "A21",
        "The loss is a cross-entropy and a penalty on predictions of low entropy.",
        entropy_term,
    ),
    Theorem(
        "ls_uniform",
        "A21, B30",
        "Label smoothing is the same everywhere; Mixup's depends on the data.",
        ls_uniform,
    ),
    Theorem(
        "optimal_label", "B29", "The optimal prediction is the expected mixed label.", optimal_label
    ),
    Theorem("optimal_half", "B29", "A mix of two classes is predicted 1/2.", optimal_half),
    Theorem(
        "active_entropy",
        "B40",
        "Between the classes Mixup can be less uncertain than Bayes.",
        active_entropy,
    ),
)
