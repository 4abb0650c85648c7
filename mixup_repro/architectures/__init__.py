"""Networks. Every network here maps (R, b, ...) inputs to (R, b, classes) logits for R replicas."""

from __future__ import annotations

import torch
from torch import nn

from mixup_repro.architectures.lenet import LeNet
from mixup_repro.architectures.mlp import mlp_layers
from mixup_repro.architectures.random_features import RandomFeatures
from mixup_repro.architectures.replicas import Single, Stack, bytes_of
from mixup_repro.architectures.resnet import resnet18, resnet34
from mixup_repro.config import ArchitectureConfig
from mixup_repro.errors import InputError
from mixup_repro.plan import stream

__all__ = ["STACKABLE", "RandomFeatures", "Single", "Stack", "build", "bytes_of", "stack_size"]

STACKABLE = ("linear", "mlp", "random_features")
STACK_BYTES = 2**24  # one layer's outputs of all replicas: more leaves a CPU's cache, at half speed
NETWORKS = {"lenet": LeNet, "resnet18": resnet18, "resnet34": resnet34}


def build(
    config: ArchitectureConfig, input_shape: tuple[int, ...], classes: int, seeds: list[int]
) -> Single | Stack:
    """One replica for each seed, initialised as PyTorch would from that seed, on the CPU.

    Raises:
        InputError: unknown name, or inputs the network cannot take.
    """
    if config.name not in (*STACKABLE, *NETWORKS):
        known = ", ".join((*STACKABLE, *NETWORKS))
        raise InputError(f"architecture.name={config.name}: choose one of {known}")
    if config.name in NETWORKS:
        (seed,) = seeds
        return Single(_seeded(seed, lambda: NETWORKS[config.name](input_shape, classes)))
    if config.name == "random_features":
        if not config.features or not config.sigma:
            raise InputError("architecture: random_features needs features and sigma")
        return RandomFeatures(input_shape, classes, config.features, config.sigma, seeds)
    hidden = config.hidden or [] if config.name == "mlp" else []
    if config.name == "mlp" and not hidden:
        raise InputError("architecture.hidden: an mlp needs the widths of its hidden layers")
    return Stack(
        [_seeded(seed, lambda: mlp_layers(input_shape, hidden, classes)) for seed in seeds]
    )


def stack_size(config: ArchitectureConfig, batch_size: int, device: torch.device) -> int:
    """How many replicas to train as one stack; 1 where the network cannot be stacked."""
    if config.name not in STACKABLE:
        return 1
    width = max([*(config.hidden or []), config.features or 1])
    return max(1, STACK_BYTES // (4 * batch_size * width)) if device.type == "cpu" else 10**6


def _seeded(seed: int, make):
    """Run `make` with PyTorch's global generator seeded, and leave that generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(stream(seed, "init").integers(2**62)))
        network: nn.Module = make()
    return network
