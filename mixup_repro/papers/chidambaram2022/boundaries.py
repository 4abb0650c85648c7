"""What Figures 3 and 10 to 14 share: decision maps, and how linear they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.config import DatasetConfig
from mixup_repro.data.toy import GRID, REACH, grid, separated_moons
from mixup_repro.papers import style
from mixup_repro.papers.claims import Finding, changes, signed
from mixup_repro.results import ItemData
from mixup_repro.stats import interval, paired

PAPER = (
    "two moons set apart, MLP 2-500-2, full-batch Adam, 1,500 epochs, 10 seeds: at a separation of "
    "0.5 ERM's boundary is nearly a straight line and Mixup's (alpha 1 and 1024) highly nonlinear; "
    "at 0.1 ERM too captures the shape."
)
LINEAR = 97.0  # per cent of the plane that a line must decide as the network does: "nearly linear"
ANGLES = 180


def linearity(probability: np.ndarray) -> float:
    """Share (%) of the grid that the best straight line decides as the network does.

    Every one of ANGLES directions is tried with every threshold, so the best is found up to a
    degree. 100 is a straight boundary.
    """
    decided = np.where(probability > 0.5, 1, -1)
    best = 0
    for angle in np.arange(ANGLES) * np.pi / ANGLES:
        order = np.argsort(grid().numpy() @ [np.cos(angle), np.sin(angle)])
        gained = np.concatenate([[0], np.cumsum(decided[order])])
        # Left of the threshold one class, right of it the other; or the other way round.
        agree = np.abs(2 * gained - gained[-1]).max()
        best = max(best, agree)
    return 50 + 50 * best / len(decided)


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


def rows_of(data: ItemData) -> list[tuple[str, float | None]]:
    """(method, alpha) of every run of the item."""
    methods = [m for m in ("mixup", "mixup_accumulated") if m in set(data.runs["method"])]
    return [("erm", None), *((m, a) for m in methods for a in data.alphas())]


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
    """Share of seeds that decide for class 1, with the points of one seed: above Mixup, below
    Mixup with accumulated gradients."""
    config = DatasetConfig("separated_moons", points=300, noise=0.1, separation=separation)
    seed0 = separated_moons(config)
    alphas, ticks = data.alphas(), np.linspace(-REACH, REACH, GRID)
    methods = ["mixup", "mixup_accumulated"]
    figure, axes = style.grid_of_panels(2, len(alphas) + 1)
    for method, line in zip(methods, axes):
        cells = [("ERM", "erm", None)]
        cells += [(rf"{style.METHODS[method]}, $\alpha = {a:g}$", method, a) for a in alphas]
        for axis, (name, method_, alpha) in zip(line, cells):
            share = (data.decision_map(method_, alpha) > 0.5).mean(axis=1).to_numpy()
            share = share.reshape(GRID, GRID)
            axis.contourf(ticks, ticks, share, np.linspace(0, 1, 6), cmap="coolwarm", alpha=0.7)
            axis.contour(ticks, ticks, share, [0.5], colors="black", linewidths=1)
            for label, marker, colour in ((0, "o", style.BLUE), (1, "s", style.ORANGE)):
                points = seed0.x_train[seed0.y_train == label]
                axis.scatter(*points.T, s=2, marker=marker, color=colour, label=f"class {label}")
            linear = by_seed(data, method_, alpha).mean()
            axis.set_title(f"{name}\nlinearity {linear:.1f} %", fontsize=7.5)
            axis.set_box_aspect(1)
            axis.grid(False)
    note = (
        f"Colour: share of {data.seeds()} seeds that decide for class 1. Points: seed 0. "
        f"Linearity: share of the square that the best line decides alike. Scale: {data.scale}."
    )
    return style.finish(figure, f"Two moons, separation {separation:g}", note)
