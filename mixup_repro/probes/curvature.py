"""Hessians of stacks by all weights: products, the largest eigenvalue, the trace.

The sum over replicas of their losses has a block for each replica, so one product serves all.
Vectors are (R, P), of the P weights of each replica.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from mixup_repro import interrupt
from mixup_repro.networks import Replicas

# Parts of a mean loss (R,), each in a pass of its own: they add up.
Parts = Sequence[Callable[[], Tensor]]
Product = Callable[[Tensor], Tensor]
STEPS = 15


def flat(network: Replicas, tensors: Iterable[Tensor]) -> Tensor:
    """(R, P) tensors shaped like the network's parameters, in their order, as one."""
    return torch.cat([t.reshape(network.replicas, -1) for t in tensors], dim=1)


def unflat(network: Replicas, vector: Tensor) -> list[Tensor]:
    """Tensors shaped like the network's parameters, of a vector (R, P)."""
    parameters = list(network.parameters())
    parts = vector.split([p.numel() // network.replicas for p in parameters], dim=1)
    return [part.reshape(p.shape) for part, p in zip(parts, parameters)]


def hessian(network: Replicas, loss: Parts, vector: Tensor) -> Tensor:
    """(R, P) the Hessian of each replica's loss times its vector (R, P)."""
    parameters, v = list(network.parameters()), unflat(network, vector)
    total = torch.zeros_like(vector)
    for part in loss:
        interrupt.check()
        gradients = torch.autograd.grad(part().sum(), parameters, create_graph=True)
        product = torch.autograd.grad(gradients, parameters, v, materialize_grads=True)
        total += flat(network, product)
    return total


def top_eigenvalue(product: Product, start: Tensor, steps: int = STEPS) -> Tensor:
    """(R,) the largest eigenvalue of symmetric matrices, by Lanczos' steps from vectors (R, P).

    Power iteration's products, and the best of all their span: it also finds the largest where one
    below zero is further from it.
    """
    q = start / start.norm(dim=1, keepdim=True)
    before, beta = torch.zeros_like(q), torch.zeros_like(q[:, :1])
    diagonal, beside = [], []
    for _ in range(min(steps, q.shape[1])):
        w = product(q) - beta * before
        alpha = (w * q).sum(1, keepdim=True)
        w = w - alpha * q
        beta = w.norm(dim=1, keepdim=True)
        diagonal.append(alpha)
        beside.append(beta)
        before, q = q, w / beta.clamp(min=torch.finfo(q.dtype).tiny)
    t = torch.diag_embed(torch.cat(diagonal, 1).double())
    off = torch.diag_embed(torch.cat(beside[:-1], 1).double(), offset=1) if beside[1:] else 0
    return torch.linalg.eigvalsh(t + off, UPLO="U")[:, -1]


def trace(product: Product, signs: Iterable[Tensor]) -> Tensor:
    """(R,) the trace, as the mean of v.Hv over vectors of random signs (Hutchinson, 1990)."""
    values = [(v * product(v)).sum(1) for v in signs]
    return torch.stack(values).mean(0)
