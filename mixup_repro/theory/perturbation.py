"""Mixup as a perturbed ERM on modified data (Carratino et al., section 3 and Lemma 1).

Data are tensors x (n, d) and y (n, c), in float64 for the checks. alpha <= 0 raises ValueError.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mixup_repro.beta import gamma2, lambda_quadrature, sigma2, theta_bar, theta_quadrature
from mixup_repro.methods.modified import Function, centred, modified

Loss = Callable[[Tensor, Tensor], Tensor]  # l(y, u) for targets and outputs (..., c) -> (...)


def perturbation(x: Tensor, theta: Tensor, i: int, alpha: float) -> Tensor:
    """delta_i (or epsilon_i) for draws theta (t,) and every partner j: (t, n, d) (eq. 6)."""
    mean, theta = theta_bar(alpha), theta.reshape(-1, 1, 1)
    return (theta - mean) * x[i] + (1 - theta) * x - (1 - mean) * x.mean(0)


def covariance(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """E delta_i epsilon_i^T for every i, (n, d_a, d_b): sigma^2 a_i b_i^T + gamma^2 Sigma_ab.

    Lemma 1, eq. (8), with a_i and b_i centred. Give (x, x), (x, y) or (y, y) for the three of them.

    Raises:
        ValueError: as `centred`.
    """
    a, b = centred(a), centred(b)
    own = a.unsqueeze(2) * b.unsqueeze(1)
    return sigma2(alpha) * own + gamma2(alpha) * (a.T @ b / len(a))


def mixup_risk(
    loss: Loss, f: Function, x: Tensor, y: Tensor, alpha: float, nodes: int = 40
) -> Tensor:
    """The Mixup risk (eq. 4): all n^2 pairs, Gauss-Jacobi quadrature over lambda.

    Points -1 and 1 with labels -1 and 1, and f = 0: half of the pairs are two points, whose mean
    label 1 - 2 lambda has the mean square 1/3 at alpha = 1; the other half have labels -1 or 1.

    >>> import torch
    >>> from mixup_repro.theory.perturbation import mixup_risk
    >>> x = y = torch.tensor([[-1.0], [1.0]]).double()
    >>> mixup_risk(lambda y, u: (y - u).square().sum(-1), torch.zeros_like, x, y, alpha=1)
    tensor(0.6667, dtype=torch.float64)
    """
    risk = torch.zeros((), dtype=x.dtype)
    for lam, weight in zip(*lambda_quadrature(alpha, nodes)):
        inputs = lam * x.unsqueeze(1) + (1 - lam) * x
        targets = lam * y.unsqueeze(1) + (1 - lam) * y
        risk = risk + weight * loss(targets, f(inputs)).mean()
    return risk


def perturbed_risk(
    loss: Loss, f: Function, x: Tensor, y: Tensor, alpha: float, nodes: int = 40
) -> Tensor:
    """The same risk as ERM on modified data under random perturbations (Theorem 1, eq. 7).

    >>> import torch
    >>> from mixup_repro.theory.perturbation import mixup_risk, perturbed_risk
    >>> from mixup_repro.theory.taylor import cross_entropy
    >>> x, y = torch.tensor([[0.0], [1.0], [3.0]]).double(), torch.eye(3).double()
    >>> f = lambda x: torch.cat([-x, x.square(), x.sin()], -1)
    >>> f"{mixup_risk(cross_entropy, f, x, y, alpha=0.5):.12f}"
    '3.021812918218'
    >>> f"{perturbed_risk(cross_entropy, f, x, y, alpha=0.5):.12f}"
    '3.021812918218'
    """
    mean = theta_bar(alpha)
    x_tilde, y_tilde = modified(x, alpha).unsqueeze(1), modified(y, alpha).unsqueeze(1)

    def noise(z: Tensor, theta: float) -> Tensor:
        return (theta - mean) * z.unsqueeze(1) + (1 - theta) * z - (1 - mean) * z.mean(0)

    risk = torch.zeros((), dtype=x.dtype)
    for theta, weight in zip(*theta_quadrature(alpha, nodes)):
        inputs, targets = x_tilde + noise(x, theta), y_tilde + noise(y, theta)
        risk = risk + weight * loss(targets, f(inputs)).mean()
    return risk
