"""Networks. Every network here maps (R, b, ...) inputs to (R, b, classes) logits for R replicas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Optional

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mixup_repro.errors import InputError
from mixup_repro.networks.lenet import LeNet
from mixup_repro.networks.random_features import RandomFeatures
from mixup_repro.networks.replicas import Replicas, Single, Stack, Vmapped, bytes_of, load_weights
from mixup_repro.networks.resnet import resnet18, resnet20, resnet32, resnet34, resnet44, resnet56
from mixup_repro.networks.small_cnn import SmallCNN
from mixup_repro.networks.timm_network import timm_network
from mixup_repro.plan import stream
from mixup_repro.schema import ArchitectureConfig

__all__ = [
    "NETWORKS",
    "RandomFeatures",
    "Replicas",
    "Single",
    "Stack",
    "Vmapped",
    "build",
    "bytes_of",
    "is_stacked",
    "load_weights",
    "normalises",
    "stack_size",
]

STACK_BYTES = 2**24  # one layer's outputs of all replicas: more would leave a CPU's cache
STACKED_LENETS = 100
FIELDS = (
    "width",
    "hidden",
    "features",
    "sigma",
    "one_logit",
    "dropout",
)  # of `architecture`: what some networks read


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    title: its name in figures.
    make: of an input's shape, the number of classes (and its field `width`), a module that maps
        (b, ...) to logits (b, classes); None for those that come stacked.
    reads: the fields of `architecture` that it reads; others are refused.
    """

    title: str
    make: Optional[Callable[..., nn.Module]] = None
    reads: tuple[str, ...] = ()


NETWORKS = {
    "linear": Kind("linear model"),
    "mlp": Kind("MLP", reads=("hidden", "dropout")),
    "random_features": Kind("random Fourier features", reads=("features", "sigma", "one_logit")),
    "lenet": Kind("LeNet", LeNet, reads=("dropout",)),
    "resnet18": Kind("ResNet-18", resnet18, reads=("width",)),
    "resnet20": Kind("ResNet-20", resnet20),
    "resnet32": Kind("ResNet-32", resnet32),
    "resnet34": Kind("ResNet-34", resnet34, reads=("width",)),
    "resnet44": Kind("ResNet-44", resnet44),
    "resnet56": Kind("ResNet-56", resnet56),
    "small_cnn": Kind("small CNN", SmallCNN, reads=("width",)),
}


def build(
    config: ArchitectureConfig, input_shape: tuple[int, ...], classes: int, seeds: list[int]
) -> Replicas:
    """One replica for each seed, initialised as PyTorch would from that seed, on the CPU.

    Raises:
        InputError: unknown name, a field that the network does not read or that it lacks, or inputs
            that it cannot take.
    """
    make = _maker(config)
    if make:
        members = [_seeded(seed, lambda: make(input_shape, classes)) for seed in seeds]
        return Single(members[0]) if len(members) == 1 else Vmapped(members)
    if config.name == "random_features":
        features, sigma = config.features or 0, config.sigma or 0.0
        if features < 1 or sigma <= 0:
            raise InputError(
                f"architecture.features={features}, sigma={sigma:g}: random_features needs at "
                f"least 1 feature and sigma > 0"
            )
        if config.one_logit and classes != 2:
            raise InputError(
                f"architecture.one_logit=true: one logit is for two classes, not {classes}"
            )
        network = RandomFeatures(input_shape, classes, features, sigma, seeds)
        network.one_logit = bool(config.one_logit)
        return network
    hidden = config.hidden or []
    if config.name == "mlp" and (not hidden or min(hidden) < 1):
        raise InputError(
            f"architecture.hidden={hidden}: an mlp needs widths of hidden layers, at least 1 each"
        )
    widths = [math.prod(input_shape), *hidden, classes]
    pairs = list(zip(widths, widths[1:]))
    return Stack(
        [_seeded(seed, lambda: nn.ModuleList(nn.Linear(*p) for p in pairs)) for seed in seeds],
        config.dropout or 0.0,
    )


def is_stacked(config: ArchitectureConfig) -> bool:
    """Whether the network comes stacked: perceptrons and random features.

    Raises:
        InputError: unknown name.
    """
    kind = _own(config)
    return kind is not None and kind.make is None


def _own(config: ArchitectureConfig) -> Optional[Kind]:
    """The kind of a network of our own; None for timm's."""
    if config.library == "timm":
        return None
    if config.library is not None:
        raise InputError(f"architecture.library={config.library}: timm, or null for our own")
    if config.name not in NETWORKS:
        raise InputError(
            f"architecture.name={config.name}: choose one of {', '.join(NETWORKS)}, or one of "
            f"timm's with architecture=timm architecture.name=<name>"
        )
    return NETWORKS[config.name]


def _maker(config: ArchitectureConfig) -> Optional[Callable[..., nn.Module]]:
    """What makes a network that is a module of its own; None for those that come stacked."""
    own = _own(config)
    reads = own.reads if own else ()
    for name in FIELDS:
        value = getattr(config, name)
        if value is not None and name not in reads:
            readers = ", ".join(k for k, kind in NETWORKS.items() if name in kind.reads)
            raise InputError(
                f"architecture.{name}={value}: is for {readers} of our own; {config.name}"
                f"{'' if own else ' of timm'} does not read it"
            )
    if config.width is not None and config.width < 1:
        raise InputError(f"architecture.width={config.width}: must be at least 1")
    rate = config.dropout
    if rate is not None and not 0 < rate < 1:
        raise InputError(f"architecture.dropout={rate}: must lie in (0, 1); null drops nothing")
    if not own:
        options = config.options or {}
        if not isinstance(options, dict):
            raise InputError(f"architecture.options={options}: give names and values")
        return partial(timm_network, config.name, options)
    if config.options is not None:
        raise InputError(f"architecture.options={config.options}: is for networks of timm")
    given = {k: getattr(config, k) for k in reads if getattr(config, k) is not None}
    return partial(own.make, **given) if own.make and given else own.make


def stack_size(config: ArchitectureConfig, batch_size: int, device: torch.device) -> int:
    """How many replicas to train as one stack; 1 where stacking is impossible or does not pay."""
    if config.name == "lenet" and device.type == "cuda":
        return STACKED_LENETS
    if not is_stacked(config):
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
