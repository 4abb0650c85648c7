"""What Figures 3 and 10 to 14 share: decision maps, and how linear they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.data.toy import GRID, REACH, grid, separated_moons
from mixup_repro.papers import style
from mixup_repro.papers.claims import Claim, Finding, changes, signed
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.schema import DatasetConfig
from mixup_repro.stats import NoValues, paired

PAPER = (
    "two moons set apart, MLP 2-500-2, full-batch Adam, 1,500 epochs, 10 seeds: at a separation of "
    "0.5 ERM's boundary is nearly a straight line and Mixup's (alpha 1 and 1024) highly nonlinear; "
    "at 0.1 ERM too captures the shape."
)
DIFFERS = (
    "zeroed gradients, as the paper's text implies; the published code never zeroes Mixup's and "
    "trains 1,000 epochs. Both variants are here, for 1,500 epochs; the code's own setting stands "
    "by itself."
)
CODE_DIFFERS = (
    "the settings of the authors' code: Mixup's gradients are never zeroed, and all networks are "
    "trained for 1,000 epochs."
)
CODE = (
    "gradients and epochs, as said; all other settings here are the code's, and so is the way to "
    "draw the moons."
)
LINEAR = 99.0  # per cent of the square that a line must decide alike: our reading of "nearly"
# Our reading of "highly": a line decides less of the square alike than it does of the boundary of
# nearest neighbours, which follows the moons point by point (95 to 96 % at a separation of 0.5).
HIGHLY = 95.0
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
    maps = data.decision_map(method=method, alpha=alpha)
    return maps.apply(lambda p: linearity(p.to_numpy()))


def accuracy(data: ItemData, method: str, alpha: float | None = None) -> pd.Series:
    """Test accuracy (%) by seed."""
    return 100 * data.metric("accuracy", method, alpha)


def nearly_linear(data: ItemData) -> Iterator[Finding]:
    """ERM's linearity is above LINEAR."""
    yield signed(f"linearity of ERM (%) less {LINEAR:g}", by_seed(data, "erm") - LINEAR, 1)


def mixing(data: ItemData) -> str:
    """Mixup as the setting trains it: with zeroed gradients where it has both variants."""
    trained = {method for method, _ in data.methods()}
    return "mixup" if "mixup" in trained else "mixup_accumulated"


def highly_nonlinear(data: ItemData) -> Iterator[Finding]:
    """Mixup's linearity is below HIGHLY at the paper's alphas, 1 and 1024."""
    method = mixing(data)
    for a in (1, 1024):
        less = by_seed(data, method, a) - HIGHLY
        yield signed(f"linearity (%) of Mixup less {HIGHLY:g}", less, -1, alpha=a)
    for finding in less_linear(data):
        yield replace(finding, headline=False)


def less_linear(data: ItemData) -> Iterator[Finding]:
    """Mixup's boundaries are less linear than ERM's, at every alpha."""
    method, erm = mixing(data), by_seed(data, "erm")
    for a in data.alphas():
        less = paired(by_seed(data, method, a), erm)
        yield signed("linearity (%), Mixup - ERM", less, -1, least=SMALLEST["linearity"], alpha=a)


def captures_shape(data: ItemData) -> Iterator[Finding]:
    """ERM's boundary is less linear at this separation than at the one beside it."""
    if data.beside is None:
        raise NoValues("no runs at the other separation")
    less = paired(by_seed(data, "erm"), by_seed(data.beside, "erm"))
    part = "linearity (%) of ERM, separation 0.1 - separation 0.5"
    yield signed(part, less, -1, least=SMALLEST["linearity"])


def accumulated(data: ItemData) -> Iterator[Finding]:
    """What never zeroing Mixup's gradients changes: linearity and test accuracy, by alpha."""
    for a in data.alphas():
        for name, of in (("linearity", by_seed), ("test accuracy", accuracy)):
            change = paired(*(of(data, m, a) for m in ("mixup_accumulated", "mixup")))
            yield changes(f"{name} (%), accumulated - zeroed", change, a)


QUIRK = Claim(
    "quirk_accumulate",
    "authors' code",
    "What never zeroing Mixup's gradients changes.",
    accumulated,
    ours=True,
)


def table(data: ItemData) -> pd.DataFrame:
    """Linearity and test accuracy (%) of ERM and of Mixup at each alpha."""
    return summarise(
        (
            {"method": style.METHODS[method], "alpha": alpha},
            {
                "linearity (%)": partial(by_seed, data, method, alpha),
                "test accuracy (%)": partial(accuracy, data, method, alpha),
            },
        )
        for method, alpha in data.methods()
    )


def draw(data: ItemData, separation: float) -> Figure:
    """Share of seeds that decide for class 1, with the points of one seed.

    Above Mixup, below Mixup with accumulated gradients, where the setting has both.
    """
    config = DatasetConfig("separated_moons", points=300, noise=0.1, separation=separation)
    seed0 = separated_moons(config)
    ticks, alphas = np.linspace(-REACH, REACH, GRID), [None, *data.alphas()]
    trained = {method for method, _ in data.methods()}
    shown = [method for method in ("mixup", "mixup_accumulated") if method in trained]
    figure, axes = style.grid_of_panels(len(shown), len(alphas))
    for mixup, line in zip(shown, axes):
        for axis, alpha in zip(line, alphas):
            method = "erm" if alpha is None else mixup
            if (method, alpha) not in data.methods():
                continue
            name = {"erm": "ERM", "mixup": "Mixup", "mixup_accumulated": "accumulated"}[method]
            name += "" if alpha is None else rf", $\alpha = {alpha:g}$"
            share = (data.decision_map(method=method, alpha=alpha) > 0.5).mean(axis=1).to_numpy()
            share = share.reshape(GRID, GRID)
            axis.contourf(ticks, ticks, share, np.linspace(0, 1, 6), cmap="coolwarm", alpha=0.7)
            axis.contour(ticks, ticks, share, [0.5], colors="black", linewidths=1)
            for label, marker, colour in ((0, "o", style.BLUE), (1, "s", style.ORANGE)):
                x, y = seed0.x_train[seed0.y_train == label].T
                axis.scatter(x, y, s=2, marker=marker, color=colour, label=f"class {label}")
            linear = by_seed(data, method, alpha).mean()
            axis.set_title(f"{name}\nlinearity {linear:.1f} %", fontsize=7.5)
            axis.set_box_aspect(1)
            axis.grid(False)
    note = (
        f"Colour: share of {data.seeds()} seeds that decide for class 1. Points: seed 0. "
        f"Linearity: share of the square that the best line decides alike. Scale: {data.scale}."
    )
    return style.finish(figure, f"Two moons, separation {separation:g}", note)
