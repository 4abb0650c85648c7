"""Hidden values: how straight a layer maps segments, and how flat its classes are."""

from __future__ import annotations

import torch
from torch import Tensor

from mixup_repro.errors import InputError
from mixup_repro.networks import Replicas
from mixup_repro.probes.segments import PAIRS, triples
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 1000


@torch.no_grad()
def representation(subject: Subject) -> Answers:
    """For each hidden layer k, counted from 1, with h the values after it.

    bend: the mean over pairs of training points of different classes of the distance from h at
    their middle to the middle of both h, over the distance of both h.
    spread: the mean over classes of the sum of singular values of their test points' centred h,
    over the root of their number (Verma et al., 2019, section 3 and appendix).
    dimension: the mean over classes of (sum of squared singular values)^2 / sum of their fourth
    powers, the number of directions that a class fills; scaling h leaves it alone.
    """
    network = subject.network
    ends = subject.inputs(pairs(subject))
    points = [ends[:, :, 0], ends[:, :, 1], ends.mean(2)]
    raw, y = subject.examples("test", EXAMPLES)
    x = subject.inputs(raw)
    found: Answers = {}
    for stage in range(1, network.stages):
        one, other, middle = (hidden(subject, p, stage) for p in points)
        away = (middle - (one + other) / 2).norm(dim=-1) / (other - one).norm(dim=-1)
        setting = f"layer {stage}"
        found[setting, "bend"] = away.nanmean(1)  # two points may have the same h
        h = hidden(subject, x, stage)
        found |= {(setting, name): v for name, v in of_classes(h, y).items()}
    return found


def check_stages(network: Replicas) -> None:
    """Raise InputError where the network is not cut into layers."""
    if network.stages < 2:
        raise InputError("needs a network that is cut into layers, and this one is not")


def pairs(subject: Subject) -> Tensor:
    """(R, PAIRS, 2, ...) raw training inputs: pairs of different classes."""
    data = subject.dataset
    labels = data.y_train.expand(len(subject.runs), -1).cpu().numpy()
    index = [torch.from_numpy(triples(rng, y, PAIRS)) for rng, y in zip(subject.rngs, labels)]
    at = torch.stack(index)[:, :, :2].flatten(1).to(data.device)
    return subject.at("train", at)[0].unflatten(1, (PAIRS, 2))


def hidden(subject: Subject, x: Tensor, stage: int) -> Tensor:
    """(R, n, units) the values that go into a stage, at inputs (R, n, ...)."""
    parts = [subject.network(part, 0, stage).flatten(2) for (part,) in subject.chunks(x)]
    return torch.cat(parts, 1)


def of_classes(h: Tensor, y: Tensor) -> dict[str, Tensor]:
    """spread and dimension (R,) of hidden values h (R, n, units) of classes y (R, n)."""
    rows = []
    for own, labels in zip(h.double(), y):
        values = []
        for k in labels.unique():
            points = own[labels == k]
            singular = torch.linalg.svdvals(points - points.mean(0))
            squares = singular.square()
            size = squares.sum().square() / squares.square().sum()
            values.append(torch.stack([singular.sum() / len(points) ** 0.5, size]))
        rows.append(torch.stack(values).nanmean(0))
    spread, dimension = torch.stack(rows, 1)
    return {"spread": spread, "dimension": dimension}
