"""What Figures 1 and 8 share: training error on the alternating line X_m^k."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.claims import Finding, number
from mixup_repro.papers.shared import ItemData, by_epoch, select
from mixup_repro.stats import NoValues

RUNS = 10  # of the paper, for each curve
CODE = (
    "one Adam optimiser for its ten runs, as said; all other settings here are the code's (one "
    "lambda a batch, partners from the whole data set)."
)
SAME = (
    "Our runs are independent; the authors' code keeps one Adam optimiser across its ten runs and "
    "resets only the weights."
)
Errors = Mapping[tuple[str, float | None], float]  # by method and alpha, in per cent


def final_error(data: ItemData, method: str, alpha: float | None = None) -> pd.Series:
    """Training error (%) after the last step, by seed. The line's test set is its training set."""
    return 100 * (1 - data.metric("accuracy", method, alpha))


def error_numbers(data: ItemData, logs: Mapping[str, Errors]) -> Iterator[Finding]:
    """The final errors that the authors' logs report for this setting, beside ours."""
    for (method, alpha), percent in logs[data.name].items():
        name = "ERM" if alpha is None else f"Mixup, alpha = {alpha:g}"
        errors = final_error(data, method, alpha)
        yield number(f"final error (%), {name}", errors, percent, RUNS, 2)


def columns(data: ItemData) -> list[tuple[str, str, float | None]]:
    """Title, method and alpha of each column of a figure: ERM, then Mixup by alpha."""
    mixup = [(rf"Mixup, $\alpha = {a:g}$", "mixup", a) for a in data.alphas()]
    return [("ERM", "erm", None), *mixup]


def draw(data: ItemData, title: str) -> Figure:
    """The training error of every run along training, with a panel for ERM and for each alpha."""
    shown = columns(data)
    figure, axes = style.panels(len(shown), size=(2.7, 1.9), sharey=True)
    for axis, (name, method, alpha) in zip(axes, shown):
        rows(axis, data, method, alpha)
        colour = style.text_colour(style.SERIES[style.METHODS[method]]["color"])
        axis.set_title(f"{name}\n{axis.get_title(loc='left')}", color=colour)
    style.colour_bar(axes[-1], axes[-1].collections[0], "Points wrong", [0, 0.5, 1], percent=True)
    return style.finish(figure, title, note(data), style.data_and_network(data.runs))


def note(data: ItemData) -> str:
    """For a figure's note: what rows and colours mean, n and scale."""
    return (
        f"Rows are runs: pale while every point is right, the darker the more are wrong. "
        f"{data.seeds()} runs. Scale: {data.scale}."
    )


def _bars(edges: np.ndarray, error: np.ndarray) -> Iterator[tuple[float, int, float, float]]:
    """Stretches of steps along which a run's error stays the same: error, run, begin and end.

    edges (steps + 1,): begin of the first step and end of each; error (runs, steps).
    """
    for row, values in enumerate(error):
        first = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
        for begin, end in zip(first, [*first[1:], len(values)]):
            yield float(values[begin]), row, float(edges[begin]), float(edges[end])


def rows(axis: Axes, data: ItemData, method: str, alpha: float | None) -> None:
    """Training error along training, a row for each run; the title counts those that end wrong."""
    with suppress(NoValues):
        error = 1 - by_epoch(select(data.curves, method=method, alpha=alpha), "test_accuracy")
        steps, runs = error.index.to_numpy(), error.shape[1]
        edges = np.concatenate([[0], steps])
        look: dict[str, Any] = {"cmap": style.wrong(), "norm": Normalize(0, 1)}
        bars = sorted(_bars(edges, error.T.to_numpy()))  # those of a colour are one path in an SVG
        boxes = [[(a, k), (b, k), (b, k + 1), (a, k + 1)] for _, k, a, b in bars]
        shown = PolyCollection(boxes, linewidth=0, **look)
        shown.set_array(np.array([value for value, *_ in bars]))
        axis.add_collection(shown)
        for row in range(1, runs):
            axis.axhline(row, color="white", linewidth=1.5)
        final = final_error(data, method, alpha)
        axis.set_title(f"{int((final > 0).sum())} of {len(final)} err; mean {final.mean():.0f} %")
        axis.set_xlim(0, steps[-1])
        axis.set_xticks([0, steps[-1] // 2, steps[-1]])
        axis.set_ylim(runs, 0)
    axis.set_yticks([])
    axis.set_xlabel("Adam steps")
    axis.grid(False)
