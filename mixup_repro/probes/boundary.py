"""The decision boundary of two classes in the plane: how long and curved it is, and where it lies.

It is traced on a grid of SIDE points a side, by logits, which do not saturate as probabilities do.
"""

from __future__ import annotations

import numpy as np
import torch
from contourpy import contour_generator
from scipy.spatial import KDTree

from mixup_repro.data import Dataset
from mixup_repro.data.toy import LAYOUTS, REACH, gaussians_density
from mixup_repro.errors import InputError
from mixup_repro.probes.subject import Answers, Subject

SIDE = 300
STEP = 0.1  # between points of a line whose turns are counted: finer waves come from the grid

Lines = list[np.ndarray]  # (m, 2) points of each


def check_plane(data: Dataset) -> None:
    """Raise InputError where the data are not two classes in the plane."""
    if data.input_shape != (2,) or data.classes != 2:
        raise InputError(f"needs two classes in the plane, and {data.label} is something else")


@torch.no_grad()
def boundary(subject: Subject) -> Answers:
    """Measures of the boundary in the square [-REACH, REACH]^2; none where it has only one class.

    length: of its lines. turning: the sum of the angles by which they turn, in radians. distance:
    the mean along them of the distance to the nearest training point. density: the mean along them
    of the inputs' density, over its mean at test points, where the data's density is known.
    """
    data, runs = subject.dataset, subject.runs
    x = square().to(data.device, subject.dtype)
    logits = subject.logits(x.expand(len(runs), *x.shape))
    scores = (logits[..., 1] - logits[..., 0]).double().cpu().numpy()
    points = {
        part: getattr(data, f"x_{part}").expand(len(runs), -1, -1).cpu().numpy()
        for part in ("train", "test")
    }
    layout = runs[0].config.dataset.layout
    rows = [
        measures(trace(score), points["train"][r], points["test"][r], layout)
        for r, score in enumerate(scores)
    ]
    return {
        ("boundary", name): torch.tensor([row[name] for row in rows], dtype=torch.float64)
        for name in rows[0]
    }


def square() -> torch.Tensor:
    """(SIDE^2, 2) points of the square, row by row of the second coordinate."""
    axis = torch.linspace(-REACH, REACH, SIDE, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis).flip(1)


def trace(score: np.ndarray) -> Lines:
    """The lines on which a score (SIDE^2,) at the points of `square` is zero, in steps of STEP.

    Between points of the grid the score is linear. A line shorter than two steps has none of its
    turns counted, and one that is closed ends where it begins.
    """
    axis = np.linspace(-REACH, REACH, SIDE)
    found = contour_generator(axis, axis, score.reshape(SIDE, SIDE)).lines(0.0)
    return [resampled(np.asarray(line)) for line in found]


def resampled(line: np.ndarray) -> np.ndarray:
    """A line (m, 2) as points at equal steps along it, of a length as near to STEP as possible."""
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    at = np.linspace(0, along[-1], max(2, round(along[-1] / STEP) + 1))
    return np.stack([np.interp(at, along, column) for column in line.T], 1)


def turning(line: np.ndarray) -> float:
    """The sum of the angles (radians) between a line's steps; of a closed one also at its end."""
    steps = np.diff(line, axis=0)
    if np.allclose(line[0], line[-1]):
        steps = np.r_[steps, steps[:1]]
    angle = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    return float(np.abs(np.diff(angle)).sum())


def measures(
    lines: Lines, train: np.ndarray, test: np.ndarray, layout: str | None
) -> dict[str, float]:
    """What `boundary` finds of one data set's boundary; nan where there is no line."""
    if not lines:
        return dict.fromkeys(("length", "turning", "distance", "density"), np.nan)
    middles = np.concatenate([(line[1:] + line[:-1]) / 2 for line in lines])
    lengths = np.concatenate([np.linalg.norm(np.diff(line, axis=0), axis=1) for line in lines])
    distance, _ = KDTree(train).query(middles)
    density = np.nan
    if layout in LAYOUTS:
        along = np.average(gaussians_density(layout, middles), weights=lengths)
        density = along / gaussians_density(layout, test).mean()
    return {
        "length": float(lengths.sum()),
        "turning": sum(map(turning, lines)),
        "distance": float(np.average(distance, weights=lengths)),
        "density": float(density),
    }
