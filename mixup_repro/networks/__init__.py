"""Networks. Every network here maps (R, b, ...) inputs to (R, b, classes) logits for R replicas."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mixup_repro.errors import InputError
from mixup_repro.networks.lenet import LeNet
from mixup_repro.networks.mlp import mlp_layers
from mixup_repro.networks.random_features import RandomFeatures
from mixup_repro.networks.replicas import Replicas, Single, Stack, Vmapped, bytes_of, load_weights
from mixup_repro.networks.resnet import resnet18, resnet20, resnet32, resnet34, resnet44, resnet56
from mixup_repro.networks.timm_network import timm_network
from mixup_repro.plan import stream
from mixup_repro.schema import ArchitectureConfig

__all__ = [
    "STACKABLE",
    "RandomFeatures",
    "Replicas",
    "Single",
    "Stack",
    "Vmapped",
    "build",
    "bytes_of",
    "load_weights",
    "normalises",
    "stack_size",
]

STACKABLE = ("linear", "mlp", "random_features")
STACK_BYTES = 2**24  # one layer's outputs of all replicas: more would leave a CPU's cache
STACKED_LENETS = 100
Make = Callable[[tuple[int, ...], int], nn.Module]  # of an input's shape and the classes
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "lenet": LeNet,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet34": resnet34,
    "resnet44": resnet44,
    "resnet56": resnet56,
}


def build(
    config: ArchitectureConfig, input_shape: tuple[int, ...], classes: int, seeds: list[int]
) -> Replicas:
    """One replica for each seed, initialised as PyTorch would from that seed, on the CPU.

    Raises:
        InputError: unknown name, or inputs the network cannot take.
    """
    make = _maker(config)
    if make:
        members = [_seeded(seed, lambda: make(input_shape, classes)) for seed in seeds]
        return Single(members[0]) if len(members) == 1 else Vmapped(members)
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


def _maker(config: ArchitectureConfig) -> Make | None:
    """What makes a network that is a module of its own; None for those that come stacked."""
    if config.library == "timm":
        return partial(timm_network, config.name)
    if config.library is not None:
        raise InputError(f"architecture.library={config.library}: timm, or null for our own")
    if config.name not in (*STACKABLE, *NETWORKS):
        known = ", ".join((*STACKABLE, *NETWORKS))
        raise InputError(
            f"architecture.name={config.name}: choose one of {known}, or one of timm's with "
            f"architecture=timm architecture.name=<name>"
        )
    make = NETWORKS.get(config.name)
    return partial(make, width=config.width) if make and config.width else make


def stack_size(config: ArchitectureConfig, batch_size: int, device: torch.device) -> int:
    """How many replicas to train as one stack; 1 where stacking is impossible or does not pay."""
    if config.name == "lenet" and device.type == "cuda":
        return STACKED_LENETS
    if config.name not in STACKABLE or config.library:
        return 1
    width = max([*(config.hidden or []), config.features or 1])
    return max(1, STACK_BYTES // (4 * batch_size * width)) if device.type == "cpu" else 10**6


def normalises(network: nn.Module) -> bool:
    """Whether the network's training depends on which examples are passed together."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


def _seeded(seed: int, make: Callable[[], nn.Module]) -> nn.Module:
    """Run `make` with PyTorch's global generator seeded, and leave that generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(stream(seed, "init").integers(2**62)))
        return make()
