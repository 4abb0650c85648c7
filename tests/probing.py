"""Shared by the tests of probes: subjects in float64, and one example at a time."""

from __future__ import annotations

import torch
from helpers import job
from torch import Tensor, nn

from mixup_repro import networks
from mixup_repro.data import Dataset, load
from mixup_repro.jobs import expand
from mixup_repro.networks import Replicas
from mixup_repro.probes.subject import Subject

CE = nn.functional.cross_entropy


def digits() -> Dataset:
    return load(job("dataset=digits").dataset)


def subject(probe: str, *words: str, gain: float = 3.0, seeds: int = 2) -> Subject:
    """Untrained networks on digits in float64, with weights large enough to be sure of things."""
    runs = expand(job("dataset=digits", "architecture.hidden=[12]", f"seeds={seeds}", *words))
    data = digits()
    network = networks.build(
        runs[0].config.architecture, data.input_shape, data.classes, [r.seed for r in runs]
    )
    network = network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(gain)
    return Subject(probe, network, data, runs)


def one(network: Replicas, replica: int, x: Tensor) -> Tensor:
    """Logits (c,) of a replica for one input."""
    every = x.expand(network.replicas, 1, *x.shape)
    return network(every)[replica, 0]
