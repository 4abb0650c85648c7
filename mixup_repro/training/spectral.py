"""Spectral regularisation (Yoshida and Miyato, 2017): a penalty on the weights' largest stretch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mixup_repro.networks import Replicas

SQUARINGS = 15  # as 32,768 steps of power iteration


def spectral_penalty(network: Replicas, coefficient: float) -> Tensor:
    """(R,) coefficient / 2 times the sum of the squared largest singular values of the weights.

    Yoshida and Miyato, eq. 4.
    """
    total = sum(squared_norm(w) for w in weight_matrices(network))
    return coefficient / 2 * torch.as_tensor(total)


def weight_matrices(network: Replicas) -> Iterator[Tensor]:
    """Weights (R, outputs, inputs) of each layer; a kernel has a row for each output channel."""
    for parameter in network.parameters():
        own = network.own(parameter, 0)
        if own.ndim > 1:  # others are biases, or BatchNorm's
            yield parameter.reshape(network.replicas, len(own), -1)


def squared_norm(w: Tensor) -> Tensor:
    """(R,) squares of the largest singular values of matrices (R, m, n), with their gradient.

    |w v|^2 at the singular vector v, which is no variable of the gradient: to first order moving v
    changes nothing there. An SVD gives the same, fifty times as slowly for a stack of small ones.
    """
    w = w if w.shape[-2] >= w.shape[-1] else w.mT
    v = top_vector(w.detach())
    return (w @ v).square().sum((-2, -1))


def top_vector(w: Tensor) -> Tensor:
    """(R, n, 1) singular vectors of matrices (R, m, n) by powers of w' w; zero where w is."""
    power = w.mT @ w
    tiny = torch.finfo(w.dtype).tiny
    for _ in range(SQUARINGS):
        power = power / power.norm(dim=(-2, -1), keepdim=True).clamp_min(tiny)
        power = power @ power
    longest = power.norm(dim=-2, keepdim=True).argmax(-1, keepdim=True)  # all are multiples of v
    v = power.gather(-1, longest.expand(-1, power.shape[-1], 1))
    return v / v.norm(dim=-2, keepdim=True).clamp_min(tiny)
