"""Sums and means are taken in float64; on devices that have none, on the CPU."""

from __future__ import annotations

from torch import Tensor


def host(values: Tensor) -> Tensor:
    """The values, on the CPU where their device has no float64 (MPS)."""
    return values.cpu() if values.device.type == "mps" else values
