"""The Hessian of least squares under Mixup, and how hard it is to descend."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch

from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.notes.theorems.direct import ALPHAS, ROUNDING, STRICTLY, mixed_batches
from mixup_repro.theory.gradients import linear_hessian
from mixup_repro.theory.moments import Pairing, shrink
from mixup_repro.theory.perturbation import mixup_risk
from mixup_repro.theory.taylor import squared_error


def inputs(seed: int, centre: float) -> np.ndarray:
    """30 inputs in R^4 whose mean is `centre` in every coordinate."""
    x = np.random.default_rng(seed).normal(size=(30, 4)) * [0.6, 0.8, 1, 1.2]
    return x - x.mean(0) + centre


def differentiated(x: np.ndarray, alpha: float) -> np.ndarray:
    """The Hessian of the Mixup risk in weights and intercept, by automatic differentiation."""
    data = torch.from_numpy(x)

    def risk(w: torch.Tensor) -> torch.Tensor:
        def f(z: torch.Tensor) -> torch.Tensor:
            return (z @ w[:-1] + w[-1]).unsqueeze(-1)

        return mixup_risk(squared_error, f, data, data[:, :1], alpha, nodes=4)

    return torch.autograd.functional.hessian(risk, torch.ones(5, dtype=torch.float64)).numpy()


def behind_batchnorm(alpha: float) -> float:
    """The mean eigenvalue behind BatchNorm, over ERM's: all mixed batches of four, lambda each."""

    def trace(z: np.ndarray) -> float:
        z = (z - z.mean(0)) / z.std(0)
        return float((z**2).mean(0).sum())

    x = inputs(0, 0)[:4]
    mixed = mixed_batches(x, alpha, Pairing.PERMUTATION, per_example=True)
    found = [(p, trace(z)) for p, z in mixed if z.std(0).min() > 1e-6]
    return sum(p * t for p, t in found) / sum(p for p, _ in found) / trace(x)


def hessian_shrink() -> list[Check]:
    """The Hessian by its formula and differentiated; its largest eigenvalue; behind BatchNorm."""
    errors, top = [], []
    for (seed, centre), alpha in product(((0, 0), (1, 0), (2, 3)), ALPHAS):
        x = inputs(seed, centre)
        hessian = linear_hessian(x, shrink(alpha))
        errors.append(float(np.abs(differentiated(x, alpha) - hessian).max()))
        if not centre:
            weights = (linear_hessian(x, c)[:-1, :-1] for c in (shrink(alpha), 1))
            own, erm = (np.linalg.eigvalsh(h) for h in weights)
            top.append(float(np.abs(own / erm / shrink(alpha) - 1).max()))
    bn = [behind_batchnorm(alpha) for alpha in ALPHAS]
    formula = "[c Sigma + x_bar x_bar', x_bar; x_bar', 1] against differentiation"
    said = "as printed, behind BatchNorm: mean eigenvalue over ERM's, below 1"
    return [
        Check(formula, len(errors), max(errors), ROUNDING),
        Check(
            "centred inputs: eigenvalues over c times ERM's, less 1", len(top), max(top), ROUNDING
        ),
        Check(said, len(bn), max(bn), STRICTLY),
    ]


def condition(hessian: np.ndarray) -> float:
    """The largest eigenvalue over the smallest."""
    values = np.linalg.eigvalsh(hessian)
    return float(values[-1] / values[0])


def hessian_easier() -> list[Check]:
    """Condition numbers, on which the number of steps of gradient descent depends."""
    share: dict[int, list[float]] = {0: [], 3: []}
    for centre, seed, alpha in product(share, range(3), ALPHAS):
        x = inputs(seed, centre)
        own, erm = (linear_hessian(x, c) for c in (shrink(alpha), 1.0))
        cut = slice(None, None if centre else -1)  # centred: of the weights alone
        share[centre].append(condition(own[cut, cut]) / condition(erm[cut, cut]))
    said = "condition number over ERM's, below 1"
    return [
        Check(f"least squares, centred inputs: {said}", 9, max(share[0]), STRICTLY),
        Check(f"inputs of mean 3, with an intercept: {said}", 9, max(share[3]), STRICTLY),
    ]


THEOREMS = (
    Theorem("hessian_shrink", "B27", "Mixup scales the Hessian down.", hessian_shrink),
    Theorem(
        "hessian_easier",
        "B27",
        "So the landscape is easier to descend (here: least squares).",
        hessian_easier,
    ),
)
