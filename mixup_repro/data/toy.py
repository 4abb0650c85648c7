"""Toy data sets of the papers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Optional

import numpy as np
import torch

from mixup_repro.data.dataset import Dataset
from mixup_repro.errors import InputError
from mixup_repro.plan import stream
from mixup_repro.schema import DatasetConfig

# Centres of the Gaussians that each class is an equal mixture of, and their standard deviation.
_ANGLES = np.arange(8) * np.pi / 4
LAYOUTS = {
    "ring": ([(0.0, 0.0)], [(1.2 * np.cos(t), 1.2 * np.sin(t)) for t in _ANGLES], 0.3),
    "arch": ([(0.0, 1.2)], [(-1.5, -0.4), (0.0, -0.4), (1.5, -0.4)], 0.35),
}
GRID = 40  # points a side at which decisions in the plane are kept
REACH = 2.2  # the grid covers [-REACH, REACH] in both coordinates


def alternating_line(config: DatasetConfig) -> Dataset:
    """X_m^k: the points 0..m-1 on a line, each labelled with its value mod k.

    Chidambaram et al., Definitions 2.6 and D.1. The test set is the training set: the paper asks
    whether the points themselves are classified correctly.

    Raises:
        InputError: m < k or k < 2.
    """
    m, k = config.points, config.classes
    if not m or not k or not 2 <= k <= m:
        raise InputError(
            f"dataset.points={m}, dataset.classes={k}: X_m^k needs 2 <= classes <= points"
        )
    x = torch.arange(m, dtype=torch.float32).unsqueeze(1)
    y = torch.arange(m) % k
    return Dataset(f"x_{m}^{k}", x, y, x, y, classes=k)


def two_moons(config: DatasetConfig) -> Dataset:
    """Noisy two moons, drawn anew for each seed (Carratino et al., appendix B.3).

    scikit-learn's `make_moons`; half of the points for training, and a share of the training labels
    flipped. Test labels stay as they are.

    Raises:
        InputError: a field is missing or out of range.
    """
    points, noise, flipped = config.points or 0, config.noise, config.flipped
    if points < 8 or noise is None or noise < 0 or flipped is None or not 0 <= flipped < 1:
        raise InputError(
            f"dataset.points={points}, noise={noise}, flipped={flipped}: two_moons needs at least "
            f"8 points, noise >= 0 and 0 <= flipped < 1"
        )

    def draw(seed: int) -> Dataset:
        rng = stream(seed, "data")
        x, y = _make_moons(points, noise, int(rng.integers(2**31)))
        train = points // 2
        wrong = rng.choice(train, round(flipped * train), replace=False)
        clean = torch.from_numpy(y[:train].copy()).long()
        y[wrong] = 1 - y[wrong]
        return replace(_halves("two_moons", x, y, train, draw), y_clean=clean)

    return draw(0)


def circles(config: DatasetConfig) -> Dataset:
    """Two circles around the origin, drawn anew for each seed: the outer one is class 0.

    scikit-learn's `make_circles`; half of the points for training. Chords of the outer circle cross
    the inner one, so mixed points of one class lie among the other's.

    Raises:
        InputError: a field is missing or out of range.
    """
    points, noise, ratio = config.points or 0, config.noise, config.ratio
    if points < 8 or noise is None or noise < 0 or ratio is None or not 0 < ratio < 1:
        raise InputError(
            f"dataset.points={points}, noise={noise}, ratio={ratio}: circles needs at least 8 "
            f"points, noise >= 0 and 0 < ratio < 1"
        )

    def draw(seed: int) -> Dataset:
        from sklearn.datasets import make_circles

        drawn = int(stream(seed, "data").integers(2**31))
        x, y = make_circles(points, noise=noise, factor=ratio, random_state=drawn)
        return _halves("circles", x, y, points // 2, draw, grid())

    return draw(0)


def separated_moons(config: DatasetConfig) -> Dataset:
    """Two moons set apart, drawn anew for each seed (Pezeshki et al., 2020; Chidambaram et al.).

    scikit-learn's `make_moons`, then as in the published code: the moons are centred, every point
    is mirrored to its class's side of the second axis, the sides are pushed apart by `separation`
    each, and the axes are exchanged. The test set is another draw. Predictions are kept on a grid.

    Raises:
        InputError: a field is missing or out of range.
    """
    points, noise, separation = config.points or 0, config.noise, config.separation
    if points < 8 or noise is None or noise < 0 or separation is None or separation < 0:
        raise InputError(
            f"dataset.points={points}, noise={noise}, separation={separation}: separated_moons "
            f"needs at least 8 points, noise >= 0 and separation >= 0"
        )

    def sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = _make_moons(points, noise, seed)
        side = 2 * y - 1
        across = x[:, 1] - 0.3 * side
        across -= across.mean()
        across = -side * (np.abs(across) + separation)
        return np.stack([across, x[:, 0] - 0.5], axis=1), y

    def draw(seed: int) -> Dataset:
        x, y = (np.concatenate(both) for both in zip(sample(seed), sample(seed + 2**31)))
        return _halves(f"moons-{separation:g}", x, y, points, draw, grid())

    return draw(0)


def gaussians(config: DatasetConfig) -> Dataset:
    """Two classes in the plane with a known Bayes classifier, drawn anew for each seed.

    `layout` names the classes' mixtures in LAYOUTS; both are equally likely. Half of the points are
    for training, and predictions are kept on a grid.

    Raises:
        InputError: unknown layout, or fewer than 8 points.
    """
    points, layout = config.points or 0, config.layout
    if layout not in LAYOUTS or points < 8:
        raise InputError(
            f"dataset.points={points}, dataset.layout={layout}: needs at least 8 points and one "
            f"of {', '.join(LAYOUTS)}"
        )

    def draw(seed: int) -> Dataset:
        x, y = sample_gaussians(layout, points, stream(seed, "data"))
        return _halves(f"gaussians-{layout}", x, y, points // 2, draw, grid())

    return draw(0)


def sample_gaussians(
    layout: str, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """n points (n, 2) and their classes (n,)."""
    *classes, sd = LAYOUTS[layout]
    y = rng.integers(2, size=n)
    centres = [np.array(c)[rng.integers(len(c), size=n)] for c in classes]
    return np.where(y[:, None] == 0, *centres) + rng.normal(0, sd, (n, 2)), y


def gaussians_bayes(layout: str, x: np.ndarray) -> np.ndarray:
    """log P(class 1 | x) - log P(class 0 | x) at points (..., 2): the Bayes classifier's score."""
    zero, one = _log_densities(layout, x)
    return one - zero


def gaussians_density(layout: str, x: np.ndarray) -> np.ndarray:
    """The density of the inputs at points (..., 2)."""
    sd = LAYOUTS[layout][2]
    density: np.ndarray = np.exp(np.logaddexp(*_log_densities(layout, x))) / (4 * np.pi * sd**2)
    return density


def _log_densities(layout: str, x: np.ndarray) -> list[np.ndarray]:
    """The log density of each class at points (..., 2), but for the Gaussians' constant."""
    *classes, sd = LAYOUTS[layout]
    return [
        np.logaddexp.reduce(-np.square(x[..., None, :] - np.array(c)).sum(-1) / 2 / sd**2, axis=-1)
        - np.log(len(c))
        for c in classes
    ]


def _make_moons(points: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_moons  # a second to import, and other data do without

    return make_moons(points, noise=noise, random_state=seed)


def grid() -> torch.Tensor:
    """(GRID^2, 2) points of the plane, row by row of the second coordinate."""
    axis = torch.linspace(-REACH, REACH, GRID)
    return torch.cartesian_prod(axis, axis).flip(1)


def _halves(
    label: str,
    x: np.ndarray,
    y: np.ndarray,
    train: int,
    draw: Callable[[int], Dataset],
    points: Optional[torch.Tensor] = None,
) -> Dataset:
    """Two classes; the first `train` points are for training, the others for testing."""
    inputs, classes = torch.from_numpy(x).float(), torch.from_numpy(y).long()
    parts = (inputs[:train], classes[:train], inputs[train:], classes[train:])
    return Dataset(label, *parts, classes=2, draw=draw, grid=points)
