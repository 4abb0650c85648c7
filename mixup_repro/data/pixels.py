"""Pixels as numbers: normalised per channel, and the statistics that takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Affine = tuple[Tensor, Tensor]  # (C, 1, 1) scale and shift


def affine(mean: Sequence[float], std: Sequence[float], pixel_max: float) -> Affine:
    """(C, 1, 1) scale and shift that take raw pixels to (pixel / pixel_max - mean) / std."""
    m, s = (torch.tensor(list(v), dtype=torch.float64) for v in (mean, std))
    return (1 / (pixel_max * s)).float().view(-1, 1, 1), (-m / s).float().view(-1, 1, 1)


def pixel_statistics(pixels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Exact mean and standard deviation per channel of uint8 pixels (n, H, W, C)."""
    values = np.arange(256)
    mean, std = [], []
    for channel in range(pixels.shape[-1]):
        chunks = pixels[..., channel].split(4096)
        each = [torch.bincount(chunk.flatten(), minlength=256) for chunk in chunks]
        counts = torch.stack(each).sum(0).numpy()
        m = (counts * values).sum() / counts.sum()
        mean.append(m)
        std.append(np.sqrt((counts * (values - m) ** 2).sum() / counts.sum()))
    return np.array(mean), np.array(std)


def normalised(pixels: Tensor, by: Affine) -> Tensor:
    """Pixels (..., H, W, C), bytes or floats, to (..., C, H, W) float32."""
    width, channels = pixels.shape[-2:]
    # One row of pixels at a time: a broadcast over three channels does not vectorise.
    scale, shift = (t.flatten().repeat(width) for t in by)
    rows = pixels.flatten(-2).to(torch.float32, copy=True).mul_(scale).add_(shift)
    return rows.unflatten(-1, (width, channels)).movedim(-1, -3)
