"""The shrinkage factor theta_bar and the predictions it rescales (Carratino et al., section 5)."""

from __future__ import annotations

from collections.abc import Callable

from scipy.special import betainc
from torch import Tensor


def theta_bar(alpha: float) -> float:
    """Mean of theta ~ Beta(alpha, alpha) truncated to [1/2, 1]: 1 - I_{1/2}(alpha + 1, alpha).

    Carratino et al., Theorem 1 and Algorithm 1. It falls from 1 (alpha -> 0) to 1/2
    (alpha -> infinity).

    Raises:
        ValueError: alpha <= 0.
    """
    if not alpha > 0:
        raise ValueError(f"alpha={alpha}: must be > 0")
    return float(1.0 - betainc(alpha + 1.0, alpha, 0.5))


def rescaled(
    f: Callable[[Tensor], Tensor], x: Tensor, alpha: float, x_bar: Tensor, y_bar: Tensor
) -> Tensor:
    """Rescaled prediction: y_bar (1 - 1/theta) + f(theta x + (1 - theta) x_bar) / theta.

    Carratino et al., eq. (22) and Algorithm 1, on logits, with theta = theta_bar(alpha).
    x (..., *input) and x_bar (*input) are normalised inputs, y_bar (c,) are class frequencies;
    returns logits (..., c).
    """
    theta = theta_bar(alpha)
    logits = f(theta * x + (1 - theta) * x_bar)
    return y_bar * (1 - 1 / theta) + logits / theta
