"""Modified data: inputs and labels shrunk to their means (Carratino et al., eq. 5)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from mixup_repro.beta import theta_bar

Function = Callable[[Tensor], Tensor]  # f for inputs (..., d) -> (..., c)


def centred(x: Tensor) -> Tensor:
    """x_i - x_bar.

    Raises:
        ValueError: fewer than two examples, of which nothing can be mixed.
    """
    if len(x) < 2:
        raise ValueError(f"mixing needs at least two examples, not {len(x)}")
    return x - x.mean(0)


def modified(x: Tensor, alpha: float) -> Tensor:
    """x_bar + theta_bar (x_i - x_bar): inputs or labels shrunk to their mean (eq. 5).

    At alpha = 1 everything keeps theta_bar = 3/4 of its distance to the mean.

    >>> import torch
    >>> from mixup_repro.methods.modified import modified
    >>> modified(torch.tensor([[0.0], [4.0]]), alpha=1)
    tensor([[0.5000],
            [3.5000]])
    >>> modified(torch.eye(2), alpha=1)  # one-hot labels: smoothed
    tensor([[0.8750, 0.1250],
            [0.1250, 0.8750]])

    Raises:
        ValueError: as `centred`.
    """
    return x.mean(0) + theta_bar(alpha) * centred(x)
