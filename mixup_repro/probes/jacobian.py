"""How fast a network's outputs change with its inputs, on test points."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mixup_repro.errors import InputError
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 400
SHARE = 0.1  # of the inputs, which the concentration of the gradient is about

Network = Callable[[Tensor], Tensor]


def jacobian(subject: Subject) -> Answers:
    """Mean norms of derivatives by normalised inputs, on test points.

    logits, log_probabilities: Frobenius norm of the Jacobian. loss_gradient: norm of the gradient
    of the cross-entropy at the true class. concentration: share of that gradient's square in the
    tenth of the inputs (of the pixels, for pictures) where it is largest.
    """
    pixels, y = subject.examples("test", EXAMPLES)
    width = math.prod(subject.dataset.input_shape) * subject.dataset.classes
    found: dict[str, list[Tensor]] = {}
    for raw, classes in subject.chunks(pixels, y, width=width):
        logits, j = jacobians(subject.network, subject.inputs(raw))
        direction, wrong = loss_gradient(logits, j, classes)
        values = {
            "logits": j.flatten(2).norm(dim=-1),
            "log_probabilities": of_log_probabilities(logits, j).flatten(2).norm(dim=-1),
            "loss_gradient": wrong * direction.flatten(2).norm(dim=-1),
            "concentration": concentration(direction),
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    # A point whose gradient is zero has no concentration.
    return {("test", name): torch.cat(v, 1).nanmean(1) for name, v in found.items()}


def jacobians(network: Network, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (R, b, c), and their Jacobian (R, b, c, ...) by inputs x (R, b, ...).

    One backward pass a class: in evaluation mode no example's logits depend on another's input.

    Raises:
        InputError: the logits have no gradient by the inputs.
    """
    x = x.detach().requires_grad_()
    logits = network(x)
    if not logits.requires_grad:
        raise InputError("the network's logits have no gradient by its inputs")
    rows = [
        torch.autograd.grad(logits[..., k].sum(), x, retain_graph=True)[0]
        for k in range(logits.shape[-1])
    ]
    return logits.detach(), torch.stack(rows, 2)


def of_log_probabilities(logits: Tensor, j: Tensor) -> Tensor:
    """Jacobian (R, b, c, ...) of log softmax: J_k - sum_i p_i J_i."""
    return j - (_like(logits.softmax(-1), j) * j).sum(2, keepdim=True)


def loss_gradient(logits: Tensor, j: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the cross-entropy at classes y (R, b), as direction times 1 - p_y (R, b).

    sum_k p_k (J_k - J_y) over k != y, with p divided by 1 - p_y: that does not vanish where a
    network is sure, as the gradient itself does, and loses no digits.
    """
    own = y.unsqueeze(-1)
    others = logits.scatter(-1, own, -math.inf).softmax(-1)
    wrong = logits.softmax(-1).scatter(-1, own, 0.0).sum(-1)
    at = own.reshape(*own.shape, *(1,) * (j.ndim - 3)).expand(-1, -1, -1, *j.shape[3:])
    return (_like(others, j) * (j - j.gather(2, at))).sum(2), wrong


def concentration(gradient: Tensor) -> Tensor:
    """(R, b) share of |gradient|^2 in the SHARE of inputs where it is largest.

    gradient: (R, b, d), or (R, b, C, H, W), where an input is a pixel with all its channels.
    """
    squares = gradient.square()
    squares = squares.sum(2).flatten(2) if squares.ndim == 5 else squares.flatten(2)
    top = squares.topk(math.ceil(SHARE * squares.shape[-1]), dim=-1).values
    return top.sum(-1) / squares.sum(-1)


def _like(weights: Tensor, j: Tensor) -> Tensor:
    """weights (R, b, c) shaped so that they multiply j (R, b, c, ...)."""
    return weights.reshape(*weights.shape, *(1,) * (j.ndim - 3))
