"""What items on data in the plane share: a figure of boundaries, with quantities below them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.data import Dataset
from mixup_repro.data.toy import REACH
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.chidambaram2022.boundaries import FINE, finer
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, interval

SHOWN = 300  # points of a panel, at most
# A horizontal line for a quantity's panel, as height and name.
Mark = Callable[[ItemData, Quantity], tuple[float, str]]


def draw(
    data: ItemData,
    quantities: Sequence[Quantity],
    drawn: Dataset,
    title: str,
    mark: Mark | None = None,
    reach: float = REACH,
) -> Figure:
    """Above: boundaries of each run, of ERM and of Mixup; below: a quantity a panel, by alpha.

    drawn: the data of run 0. mark: gives a horizontal line for each panel below. reach: half a side
    of the square shown above. A panel below without values stays empty.
    """
    figure, axes = style.panels(len(quantities), 2, size=(2.5, 2.35))
    places = bank.alphas(data, "mixup")
    few = sorted({places[round(k)] for k in np.linspace(0, len(places) - 1, len(quantities) - 1)})
    for axis, alpha in zip(axes, [None, *few]):
        _boundaries(axis, data, alpha, drawn)
        axis.set_xlim(-reach, reach)
        axis.set_ylim(-reach, reach)
    for axis in axes[1 + len(few) : len(quantities)]:
        axis.set_axis_off()
    for axis, quantity in zip(axes[len(quantities) :], quantities):
        _levels(axis, data, quantity, places)
        if mark:
            height, name = mark(data, quantity)
            axis.axhline(height, color=style.INK, linestyle=":", label=name)
    note = (
        "Above: boundary of each run (log-odds linear between the points of a grid), and the "
        f"training points of run 0 (class 1: squares). {curves.note(data)}"
    )
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def _boundaries(axis: Axes, data: ItemData, alpha: float | None, drawn: Dataset) -> None:
    """Every run's boundary, of ERM where alpha is None."""
    method = "erm" if alpha is None else "mixup"
    name = style.METHODS[method]
    for label, marker in ((0, "o"), (1, "s")):
        x, y = drawn.x_train[drawn.y_train == label][:SHOWN].T
        shade = style.shade(label, 2)
        axis.scatter(x, y, s=6, color=shade, marker=marker, alpha=0.4, linewidths=0)
    with suppress(NoValues):
        ticks = np.linspace(-REACH, REACH, FINE)
        for odds in np.moveaxis(finer(data.decision_map(method=method, alpha=alpha)), -1, 0):
            if odds.min() < 0 < odds.max():
                colour = style.SERIES[name]["color"]
                axis.contour(ticks, ticks, odds, [0], colors=[colour], linewidths=0.8)
    axis.set_title(name if alpha is None else rf"{name}, $\alpha = {alpha:g}$")
    axis.set_box_aspect(1)
    axis.grid(False)
    axis.set_xticks([-2, -1, 0, 1, 2])
    axis.set_yticks([-2, -1, 0, 1, 2])


def _levels(axis: Axes, data: ItemData, quantity: Quantity, places: list[float]) -> None:
    """A quantity of Mixup by alpha, with ERM's as a band."""
    with suppress(NoValues):
        erm = interval(quantity.unit * quantity.values(data, "erm", None))
        style.level(axis, erm, len(places), "ERM")
    means = {}
    for place, alpha in enumerate(places):
        with suppress(NoValues):
            means[place] = interval(quantity.unit * quantity.values(data, "mixup", alpha))
    if means:
        style.points(axis, [*means], [*means.values()], "Mixup", **style.SERIES["Mixup"])
    style.alpha_ticks(axis, places)
    axis.set_title(quantity.title)
