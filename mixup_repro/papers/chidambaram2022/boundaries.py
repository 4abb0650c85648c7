"""What Figures 3 and 10 to 14 share: decision maps, and how linear they are."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.data.toy import GRID, REACH, grid, separated_moons
from mixup_repro.papers import style
from mixup_repro.papers.claims import Claim, Finding, changes, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.schema import DatasetConfig
from mixup_repro.stats import interval, paired

PAPER = (
    "two moons set apart, MLP 2-500-2, full-batch Adam, 1,500 epochs, 10 seeds: at a separation of "
    "0.5 ERM's boundary is nearly a straight line and Mixup's (alpha 1 and 1024) highly nonlinear; "
    "at 0.1 ERM too captures the shape."
)
LINEAR = 99.0  # per cent of the square that a line must decide alike: our reading of "nearly"
ANGLES = 180


def linearity(probability: np.ndarray) -> float:
    """Share (%) of the grid that the best straight line decides as the network does.

    Every one of ANGLES directions is tried with every threshold, so the best is found up to a
    degree. 100 is a straight boundary.
    """
    decided = np.where(probability > 0.5, 1, -1)
    gained = np.cumsum(decided[_orders()], axis=1)
    # Left of the threshold one class, right of it the other; or the other way round.
    agree = np.abs(2 * gained - gained[:, -1:]).max()
    return 50 + 50 * agree / len(decided)


@cache
def _orders() -> np.ndarray:
    """(ANGLES, grid points) the grid in the order in which a line of each direction passes it."""
    angles = np.arange(ANGLES) * np.pi / ANGLES
    directions = np.stack([np.cos(angles), np.sin(angles)])
    return np.argsort(grid().numpy() @ directions, axis=0).T


def by_seed(data: ItemData, method: str, alpha: float | None = None) -> pd.Series:
    """Linearity (%) of each seed's decision map."""
    return data.decision_map(method, alpha).apply(lambda p: linearity(p.to_numpy()))


def nearly_linear(data: ItemData, sign: int) -> list[Finding]:
    """ERM's linearity is above (1) or below (-1) LINEAR."""
    return [signed(f"linearity of ERM (%) less {LINEAR:g}", by_seed(data, "erm") - LINEAR, sign)]


def less_linear(data: ItemData) -> list[Finding]:
    """Mixup's boundaries are less linear than ERM's; alpha 1 and 1024 are the paper's."""
    erm = by_seed(data, "erm")
    return [
        signed(
            f"linearity (%), Mixup - ERM, alpha = {a:g}",
            paired(by_seed(data, "mixup", a), erm),
            -1,
            headline=a in (1, 1024),
        )
        for a in data.alphas()
    ]


def accumulated(data: ItemData) -> list[Finding]:
    """What never zeroing Mixup's gradients changes: linearity and test accuracy, by alpha."""
    findings = []
    for a in data.alphas():
        linear = paired(by_seed(data, "mixup_accumulated", a), by_seed(data, "mixup", a))
        accuracy = paired(
            *(100 * data.metric("accuracy", m, a) for m in ("mixup_accumulated", "mixup"))
        )
        findings += [
            changes(f"linearity (%), accumulated - zeroed, alpha = {a:g}", linear),
            changes(f"test accuracy (%), accumulated - zeroed, alpha = {a:g}", accuracy),
        ]
    return findings


QUIRK = Claim(
    "quirk_accumulate",
    "authors' code",
    "What never zeroing Mixup's gradients changes.",
    accumulated,
)


def rows_of(data: ItemData) -> list[tuple[str, float | None]]:
    """(method, alpha) of everything that has decision maps."""
    known = data.maps[["method", "alpha"]].drop_duplicates().itertuples(index=False)
    return [(method, None if np.isnan(alpha) else alpha) for method, alpha in known]


def table(data: ItemData) -> pd.DataFrame:
    """Linearity and test accuracy (%) of ERM and of Mixup at each alpha."""
    out = []
    for method, alpha in rows_of(data):
        cells: dict = {"method": style.METHODS[method], "alpha": alpha}
        cells |= interval(by_seed(data, method, alpha)).cells("linearity (%)")
        accuracy = 100 * data.metric("accuracy", method, alpha)
        out.append(cells | interval(accuracy).cells("test accuracy (%)"))
    return pd.DataFrame(out)


def draw(data: ItemData, separation: float) -> Figure:
    """Share of seeds that decide for class 1, with the points of one seed.

    Above Mixup, below Mixup with accumulated gradients.
    """
    config = DatasetConfig("separated_moons", points=300, noise=0.1, separation=separation)
    seed0 = separated_moons(config)
    ticks, alphas = np.linspace(-REACH, REACH, GRID), [None, *data.alphas()]
    figure, axes = style.grid_of_panels(2, len(alphas))
    for mixup, line in zip(("mixup", "mixup_accumulated"), axes):
        for axis, alpha in zip(line, alphas):
            method = "erm" if alpha is None else mixup
            if (method, alpha) not in rows_of(data):
                continue
            name = {"erm": "ERM", "mixup": "Mixup", "mixup_accumulated": "accumulated"}[method]
            name += "" if alpha is None else rf", $\alpha = {alpha:g}$"
            share = (data.decision_map(method, alpha) > 0.5).mean(axis=1).to_numpy()
            share = share.reshape(GRID, GRID)
            axis.contourf(ticks, ticks, share, np.linspace(0, 1, 6), cmap="coolwarm", alpha=0.7)
            axis.contour(ticks, ticks, share, [0.5], colors="black", linewidths=1)
            for label, marker, colour in ((0, "o", style.BLUE), (1, "s", style.ORANGE)):
                points = seed0.x_train[seed0.y_train == label]
                axis.scatter(*points.T, s=2, marker=marker, color=colour, label=f"class {label}")
            linear = by_seed(data, method, alpha).mean()
            axis.set_title(f"{name}\nlinearity {linear:.1f} %", fontsize=7.5)
            axis.set_box_aspect(1)
            axis.grid(False)
    note = (
        f"Colour: share of {data.seeds()} seeds that decide for class 1. Points: seed 0. "
        f"Linearity: share of the square that the best line decides alike. Scale: {data.scale}."
    )
    return style.finish(figure, f"Two moons, separation {separation:g}", note)
