"""Random numbers as a pure function of integer keys, on any device, for any number of replicas.

The plan of an epoch draws one key an example; what is random inside a network or a loss is a hash
of that key, the place (such as a layer) and the index of a value. So it does not depend on the
device, the other runs of a stack, the part of a batch or where training was interrupted, and
nothing has to be stored.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # as int64, which wraps around
FIRST, SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def splitmix64(state: Tensor) -> Tensor:
    """The mixing function of SplitMix64 (Steele et al., 2014), on int64 as if unsigned.

    >>> import torch
    >>> from mixup_repro.random_bits import GOLDEN, splitmix64
    >>> splitmix64(torch.tensor(1234567 + GOLDEN)).item()  # its first of seed 1234567
    6457827717110365317
    """
    state = (state ^ _shifted(state, 30)) * FIRST
    state = (state ^ _shifted(state, 27)) * SECOND
    return state ^ _shifted(state, 31)


def _shifted(value: Tensor, by: int) -> Tensor:
    """A logical shift to the right: torch's keeps the sign."""
    return (value >> by) & ((1 << (64 - by)) - 1)


def uniform(keys: Tensor, shape: tuple[int, ...], place: int = 0) -> Tensor:
    """(*keys.shape, *shape) numbers of (0, 1) in float32, other ones for each key and place."""
    count = math.prod(shape)
    index = torch.arange(1, count + 1, device=keys.device, dtype=torch.int64)
    start = splitmix64(keys + place)
    bits = splitmix64(start.unsqueeze(-1) + index * GOLDEN)
    values = ((_shifted(bits, 41)).float() + 0.5) * 2.0**-23
    return values.reshape(*keys.shape, *shape)


def normal(keys: Tensor, shape: tuple[int, ...], place: int = 0) -> Tensor:
    """Standard normal numbers, by the inverse of their distribution function."""
    return math.sqrt(2) * torch.erfinv(2 * uniform(keys, shape, place) - 1)


def dropout(x: Tensor, keys: Tensor, rate: float, place: int) -> Tensor:
    """x (*keys.shape, ...) with values zeroed at `rate`, the others scaled by 1 / (1 - rate)."""
    kept = uniform(keys, tuple(x.shape[keys.ndim :]), place) >= rate
    return x * kept.to(x.dtype) / (1 - rate)
