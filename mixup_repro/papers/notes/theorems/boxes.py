"""A box between two boxes, and how much it covers of either."""

from __future__ import annotations

import numpy as np

from mixup_repro.papers.claims import Check, Theorem

HIT = 0.5  # the overlap from which detection counts a box as found


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4) as left, bottom, right, top."""
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    both = (high - low).clip(0).prod(-1)
    areas = sum((box[..., 2:] - box[..., :2]).prod(-1) for box in (one, other))
    return both / (areas - both)


def random_boxes(n: int) -> np.ndarray:
    """n pairs of boxes (2, n, 4) in a unit square, with sides from 0.2 to 0.5."""
    rng = np.random.default_rng(0)
    side = 0.2 + 0.3 * rng.random((2, n, 2))
    corner = rng.random((2, n, 2)) * (1 - side)
    return np.concatenate([corner, corner + side], -1)


def boxes_interpolate() -> list[Check]:
    """The interpolated box beside the two true ones, by lambda."""
    one, other = random_boxes(20_000)
    miss = {}
    for lam in (0.5, 0.7, 0.9):
        mixed = lam * one + (1 - lam) * other
        best = np.maximum(overlap(mixed, one), overlap(mixed, other))
        miss[lam] = float((best < HIT).mean())
    said = "share of mixed boxes that overlap neither true box by half, below 1/2"
    return [
        Check(f"as it holds, lambda = 0.9: {said}", one.shape[0], miss[0.9], HIT),
        Check(f"as printed, lambda = 0.7: {said}", one.shape[0], miss[0.7], HIT),
        Check(f"as printed, lambda = 0.5: {said}", one.shape[0], miss[0.5], HIT),
    ]


THEOREMS = (
    Theorem(
        "boxes_interpolate",
        "B32",
        "For boxes, the target to learn is the interpolated box (here: does it cover either?).",
        boxes_interpolate,
    ),
)
