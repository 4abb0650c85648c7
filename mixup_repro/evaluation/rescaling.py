"""The prediction to ask of a network trained with mixup (Carratino et al., section 5)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from mixup_repro.beta import theta_bar


def rescaled(
    f: Callable[[Tensor], Tensor], x: Tensor, alpha: float, x_bar: Tensor, y_bar: Tensor
) -> Tensor:
    """Rescaled prediction: y_bar (1 - 1/theta) + f(theta x + (1 - theta) x_bar) / theta.

    Carratino et al., eq. (22) and Algorithm 1, on logits, with theta = theta_bar(alpha).
    x (..., *input) and x_bar (*input) are normalised inputs, y_bar (c,) are class frequencies;
    returns logits (..., c). At alpha = 1, theta is 3/4: a linear f without intercept gets back what
    shrinking took, f(3) / 0.75 = 4, and every logit is moved by y_bar (1 - 4/3).

    >>> import torch
    >>> from mixup_repro.evaluation.rescaling import rescaled
    >>> f = lambda x: torch.cat([x, -x], -1)
    >>> rescaled(f, torch.tensor([[4.0]]), 1.0, torch.tensor([0.0]), torch.tensor([0.6, 0.3]))
    tensor([[ 3.8000, -4.1000]])

    Raises:
        ValueError: alpha <= 0.
    """
    theta = theta_bar(alpha)
    logits = f(theta * x + (1 - theta) * x_bar)
    return y_bar * (1 - 1 / theta) + logits / theta
