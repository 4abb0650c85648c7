"""Gradients and Hessians of Mixup: of losses in their labels, and of linear least squares.

For least squares f(x) = W x + b the residual r = W x + b - y of a mixed example is the mixture of
two residuals, and its gradient in W is g = r x'. So all expectations are moments of lambda times
moments of the data: c = E[lam^2 + (1 - lam)^2], and the moments of degree four below. Data are
x (n, d) and residuals r (n, k); all n^2 pairs are equally likely. G = E g is the mean gradient.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap

from mixup_repro.theory.moments import beta_moment, shrink
from mixup_repro.theory.perturbation import Loss


def label_effect(loss: Loss, u: Tensor, labels: Tensor, chance: Tensor) -> Tensor:
    """E grad_u l(y, u) less grad_u l(E y, u), (c,): zero for losses affine in the label.

    labels (k, c) occur with the probabilities chance (k,); u (c,) is the output.
    """
    slope = grad(loss, argnums=1)
    each = vmap(slope, in_dims=(0, None))(labels, u)
    return chance @ each - slope(chance @ labels, u)


def linear_gradient(
    w: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray, c: float
) -> tuple[np.ndarray, np.ndarray]:
    """The expected gradients of |W x + b - y|^2 / 2 in W (k, d) and b (k,) under Mixup.

    c = `shrink(alpha)`, and c = 1 is ERM. Only the part of centred data shrinks.
    """
    s_xx, s_yx = _covariance(x, x), _covariance(y, x)
    mean = w @ x.mean(0) + b - y.mean(0)
    return c * (w @ s_xx - s_yx) + np.outer(mean, x.mean(0)), mean


def linear_hessian(x: np.ndarray, c: float) -> np.ndarray:
    """The Hessian in one output's weights and intercept (d + 1, d + 1): ERM's is c = 1."""
    design = np.c_[x, np.ones(len(x))]
    mean = design.mean(0)
    return c * _covariance(design, design) + np.outer(mean, mean)


def mean_square(r: np.ndarray, x: np.ndarray, alpha: float) -> float:
    """E|g~|^2 of one mixed example, where r and x have mean zero.

    E[lam^4 + (1 - lam)^4] E|g|^2 + 4 b2 |G|^2 + 2 b2 E|r|^2 E|x|^2, b2 = E[lam^2 (1 - lam)^2].

    Raises:
        ValueError: r or x has another mean than zero.
    """
    a4, b2 = 2 * beta_moment(alpha, 4), beta_moment(alpha, 2, 2)
    own, mean, apart = _parts(r, x)
    return a4 * own + 4 * b2 * mean + 2 * b2 * apart


def variance(r: np.ndarray, x: np.ndarray, alpha: float | None) -> float:
    """E|g~|^2 - |E g~|^2, where E g~ = c G; of ERM's gradient where alpha is None.

    Raises:
        ValueError: r or x has another mean than zero.
    """
    own, mean, _ = _parts(r, x)
    return own - mean if alpha is None else mean_square(r, x, alpha) - shrink(alpha) ** 2 * mean


def added_variance(r: np.ndarray, x: np.ndarray, alpha: float) -> float:
    """E Var(g~ | the two originals): the variance that the draw of lambda alone adds.

    Given both, the mean of g~ is c / 2 (g_ii + g_jj) + (1 - c) / 2 (g_ij + g_ji), g_ij = r_i x_j'.
    """
    c = shrink(alpha)
    own, mean, apart = _parts(r, x)
    known = c**2 * (own + mean) / 2 + (1 - c) ** 2 * (apart + mean) / 2
    return mean_square(r, x, alpha) - known


def _parts(r: np.ndarray, x: np.ndarray) -> tuple[float, float, float]:
    """E|g|^2, |E g|^2 and E|r|^2 E|x|^2."""
    for values in (r, x):
        if np.abs(values.mean(0)).max() > 1e-9 * np.abs(values).max():
            raise ValueError("residuals and inputs must have mean zero")
    rr, xx, mean = (r**2).sum(1), (x**2).sum(1), r.T @ x / len(x)
    return float((rr * xx).mean()), float((mean**2).sum()), float(rr.mean() * xx.mean())


def _covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a - a.mean(0)).T @ (b - b.mean(0)) / len(a)


def brier(y: Tensor, u: Tensor) -> Tensor:
    """|y - softmax(u)|^2."""
    return (y - u.softmax(-1)).square().sum(-1)


def focal(y: Tensor, u: Tensor) -> Tensor:
    """The focal loss, gamma = 2, with soft labels as weights."""
    return -(y * (1 - u.softmax(-1)) ** 2 * u.log_softmax(-1)).sum(-1)


def absolute_error(y: Tensor, u: Tensor) -> Tensor:
    """|y - u|_1."""
    return (y - u).abs().sum(-1)


def hinge(y: Tensor, u: Tensor) -> Tensor:
    """One against all: labels 0 to 1 as signs -1 to 1."""
    return (1 - (2 * y - 1) * u).relu().sum(-1)


def huber(y: Tensor, u: Tensor) -> Tensor:
    """Squared up to a distance of 1/2, then linear."""
    away = (y - u).abs()
    return torch.where(away < 0.5, away.square() / 2, away / 2 - 1 / 8).sum(-1)


def reversed_kl(y: Tensor, u: Tensor) -> Tensor:
    """KL(p, y), for labels that are nowhere zero."""
    log_p = u.log_softmax(-1)
    return (log_p.exp() * (log_p - y.log())).sum(-1)


def generalised(y: Tensor, u: Tensor) -> Tensor:
    """Generalised cross-entropy, q = 0.7, of the label's expected probability."""
    return (1 - (y * u.softmax(-1)).sum(-1) ** 0.7) / 0.7
