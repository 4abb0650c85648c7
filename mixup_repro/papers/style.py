"""One look for every figure: colour-blind safe, and readable in grey by line style and marker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from mixup_repro.methods import registry
from mixup_repro.networks import NETWORKS
from mixup_repro.stats import Interval
from mixup_repro.store.files import replacing

Values: TypeAlias = "Sequence[float] | pd.Index"
# Okabe and Ito's palette.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
COLOURS = {"blue": BLUE, "orange": ORANGE, "green": GREEN, "purple": PURPLE, "grey": GREY}


def _look(colour: str, line: str, marker: str) -> dict[str, Any]:
    return {"color": COLOURS[colour], "linestyle": line, "marker": marker}


SERIES = {method.title: _look(*method.look) for method in registry.METHODS.values()} | {
    "ERM (rescaled)": _look("grey", ":", "s"),
    "Mixup (rescaled)": _look("orange", "-", "D"),
    "Approximate Mixup (rescaled)": _look("purple", "-", "d"),
}
METHODS = {name: method.title for name, method in registry.METHODS.items()}
RC: dict[Any, object] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "svg.hashsalt": "mixup_repro",
}
PANEL = (2.7, 2.4)  # inches
TIMM = {"resnet50": "ResNet-50"}  # titles of timm's networks that the papers use


def network(name: str) -> str:
    """An architecture as a title has it; timm's keep their own names."""
    return NETWORKS[name].title if name in NETWORKS else TIMM.get(name, name)


def panels(n: int, **kwargs: Any) -> tuple[Figure, list[Axes]]:
    """A row of n panels, without pyplot: nothing global is left behind but the style."""
    matplotlib.rcParams.update(RC)
    figure = Figure(figsize=(n * PANEL[0], PANEL[1] + 0.55))
    return figure, list(figure.subplots(1, n, squeeze=False, **kwargs)[0])


def grid_of_panels(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    """Small square panels with shared axes, row by row."""
    matplotlib.rcParams.update(RC)
    figure = Figure(figsize=(1.75 * columns, 2.3 * rows + 0.8))
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).tolist()


def shade(k: int, n: int) -> tuple[float, ...]:
    """The k-th of n colours from light to dark, which grey keeps in order."""
    return matplotlib.colormaps["cividis_r"](0.15 + 0.85 * k / max(1, n - 1))


def better_worse() -> LinearSegmentedColormap:
    """Orange over white to blue: worse, no change, better."""
    return LinearSegmentedColormap.from_list("better_worse", [ORANGE, "white", BLUE])


def band(axis: Axes, x: Values, mean: Values, low: Values, high: Values, name: str) -> None:
    """A named line without markers, in a band from low to high."""
    look = SERIES[name] | {"marker": ""}
    axis.fill_between(x, low, high, color=look["color"], alpha=0.2, linewidth=0)
    axis.plot(x, mean, label=name, **look)


def points(axis: Axes, x: Values, at: Sequence[Interval], label: str, **look: Any) -> None:
    """Means with their intervals, joined by a line where the look has one."""
    mean, half = [i.mean for i in at], [i.half for i in at]
    axis.errorbar(x, mean, half, label=label, capsize=2, **look)


LINE = 0.2065  # inches of a line of the legend or the note


def finish(figure: Figure, title: str, note: str) -> Figure:
    """Title above, one legend of all panels' lines and a note (n, interval, scale) below."""
    lines = [axis.get_legend_handles_labels() for axis in figure.axes]
    by_name = {name: line for handles, names in lines for line, name in zip(handles, names)}
    labels, handles = list(by_name), list(by_name.values())
    figure.suptitle(title, fontsize=10)
    inches = sum(0.5 + 0.07 * len(label) for label in labels)
    rows = int(np.ceil(inches / figure.get_figwidth()))
    below = note.count("\n") + 1
    figure.set_figheight(figure.get_figheight() + 0.2 * max(0, rows - 1))
    line = LINE / figure.get_figheight()
    figure.tight_layout(rect=(0, line * (below + rows), 1, 1))
    figure.set_layout_engine(None)  # what is left of it would draw all once more before saving
    if labels:
        place = (0.5, line * (below - 0.286))
        columns = -(-len(labels) // rows)
        figure.legend(handles, labels, loc="lower center", ncols=columns, bbox_to_anchor=place)
    figure.text(0.5, 0.214 * line, note, ha="center", fontsize=7.5, color=GREY)
    return figure


def save(figure: Figure, stem: Path) -> None:
    """Write <stem>.png and <stem>.pdf, undated: the same data gives the same bytes."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    undated = {"CreationDate": None, "Creator": None, "Producer": None}
    formats: dict[str, dict[str, Any]] = {
        "png": {"dpi": 200, "metadata": {"Software": None}},
        "pdf": {"metadata": undated},
    }
    for kind, how in formats.items():
        with replacing(stem.with_name(f"{stem.name}.{kind}"), "wb") as file:
            figure.savefig(file, format=kind, **how)
