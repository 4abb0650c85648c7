"""How much a loss's gradient changes over a step along itself, on the way that training went.

Santurkar et al. (2018) measure it at the weights of each step of training. Here the places lie on
the straight line from a run's initial weights, which its seed gives, to its last ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mixup_repro import interrupt, networks
from mixup_repro.networks import Replicas
from mixup_repro.probes.curvature import Parts, flat, unflat
from mixup_repro.probes.sharpness import losses
from mixup_repro.probes.subject import Answers, Subject

PLACES = [k / 10 for k in range(11)]  # on the line: 0 is the start, 1 the end
LENGTHS = (0.5, 1.0, 2.0, 4.0)  # of a step, in learning rates


def smoothness(subject: Subject) -> Answers:
    """Means over PLACES of how a loss's gradient g at w differs from g' a step of -length g away.

    change: the largest |g' - g| / |length g| of all LENGTHS. relative: |g' - g| / |g| at a length
    of one learning rate. train: the clean loss of training examples. mixed 1: that of Mixup at
    alpha 1. own: what training minimised (see the probe `sharpness`). In evaluation mode.
    """
    network, rate = subject.network, subject.runs[0].config.recipe.lr
    parameters = list(network.parameters())
    end = [p.detach().clone() for p in parameters]
    start = initial(subject)
    found: Answers = {}
    for setting, loss in losses(subject).items():
        if setting == "test":
            continue
        total = {"change": torch.zeros(()), "relative": torch.zeros(())}
        for t in PLACES:
            place = [first + t * (last - first) for first, last in zip(start, end)]
            for name, value in around(network, loss, place, rate).items():
                total[name] = total[name].to(value) + value / len(PLACES)
        found |= {(setting, name): value for name, value in total.items()}
    put(parameters, end)
    return found


def initial(subject: Subject) -> list[Tensor]:
    """The parameters as training found them, in their order."""
    data, config = subject.dataset, subject.runs[0].config
    seeds = [run.seed for run in subject.runs]
    built = networks.build(config.architecture, data.input_shape, data.classes, seeds)
    own = subject.network.parameters()
    return [p.detach().to(end) for p, end in zip(built.parameters(), own)]


def around(network: Replicas, loss: Parts, place: list[Tensor], rate: float) -> dict[str, Tensor]:
    """`change` and `relative` (R,) at weights `place`; the network is left with others."""
    parameters = list(network.parameters())
    put(parameters, place)
    before = gradient(network, loss)
    norm = before.norm(dim=1)
    change = torch.zeros_like(norm)
    relative = torch.zeros_like(norm)
    for length in LENGTHS:
        step = unflat(network, length * rate * before)
        put(parameters, [p - s for p, s in zip(place, step)])
        moved = (gradient(network, loss) - before).norm(dim=1)
        change = change.maximum(moved / (length * rate * norm))
        if length == 1.0:
            relative = moved / norm
    return {"change": change, "relative": relative}


def gradient(network: Replicas, loss: Parts) -> Tensor:
    """(R, P) the gradient of each replica's loss by its weights."""
    parameters = list(network.parameters())
    total = torch.zeros_like(flat(network, parameters))
    for part in loss:
        interrupt.check()
        total += flat(network, torch.autograd.grad(part().sum(), parameters))
    return total


@torch.no_grad()
def put(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Give the network these weights."""
    for parameter, value in zip(parameters, values):
        parameter.copy_(value)
