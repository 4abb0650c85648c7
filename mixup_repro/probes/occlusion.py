"""Test pictures with a block hidden, and with Gaussian noise."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 2000
SIDES = (0.25, 0.375, 0.5, 0.625)  # of a block, as shares of the picture's
NOISE = (0.05, 0.1, 0.2, 0.3)  # standard deviations, of the range of a pixel


@torch.no_grad()
def occlusion(subject: Subject) -> Answers:
    """Accuracy, cross-entropy and calibration error of test pictures that lack something.

    centre, random: a block of the mean colour, in the middle or anywhere inside the picture; the
    number is the block's side over the picture's. noise: of this standard deviation, cut off at
    black and white.
    """
    data = subject.dataset
    raw, y = subject.examples("test", EXAMPLES)
    pixels = raw.to(subject.dtype)
    found: Answers = {}

    def score(setting: str, x: Tensor) -> None:
        logits = subject.logits(subject.inputs(x))
        for name in ("accuracy", "cross_entropy", "ece"):
            values = [row[name] for row in metrics(sums(logits, y))]
            found[setting, name] = torch.tensor(values, dtype=torch.float64)

    score("clean", pixels)
    for share in SIDES:
        side = max(1, round(share * min(data.input_shape[1:])))
        for where in ("centre", "random"):
            mask = block(subject, y.shape[1], side, where)
            score(f"{where} {share:g}", torch.where(mask, mean_colour(subject), pixels))
    for sd in NOISE:
        noise = subject.drawn(lambda rng: rng.standard_normal(raw.shape[1:], dtype="float32"))
        noisy = pixels + sd * data.pixel_max * noise
        score(f"noise {sd:g}", noisy.clamp(0, data.pixel_max))
    return found


def mean_colour(subject: Subject) -> Tensor:
    """(C,) the mean of each channel, as raw pixels."""
    mean = torch.tensor(subject.dataset.mean, dtype=subject.dtype, device=subject.dataset.device)
    return mean * subject.dataset.pixel_max


def block(subject: Subject, n: int, side: int, where: str) -> Tensor:
    """(R, n, H, W, 1) true inside a square block of this side."""
    inside = []
    for size in subject.dataset.input_shape[1:]:
        most = size - side
        start = torch.full((len(subject.runs), n), most // 2, device=subject.dataset.device)
        if where == "random":
            start = subject.drawn(partial(_whole, most=most, n=n))
        pixel = torch.arange(size, device=start.device)
        low = start.unsqueeze(-1)
        inside.append((pixel >= low) & (pixel < low + side))
    return (inside[0].unsqueeze(-1) & inside[1].unsqueeze(-2)).unsqueeze(-1)


def _whole(rng: np.random.Generator, most: int, n: int) -> np.ndarray:
    return rng.integers(most + 1, size=n)
