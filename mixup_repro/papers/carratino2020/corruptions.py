"""Rescaled minus plain Mixup for every corruption and severity; Figure 6 has their means."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020.fig4 import CHANGES, METRICS
from mixup_repro.papers.carratino2020.fig5 import benchmark, sets, settings
from mixup_repro.papers.items import Item
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.shifts.corruptions import CORRUPTIONS
from mixup_repro.stats import NoValues, interval, paired


def change(data: ItemData, metric: str) -> pd.DataFrame:
    """Rescaled minus plain, mean over alphas: seeds (rows) by (severity, corruption)."""
    by_alpha = [
        paired(*(sets(data, metric, name, alpha) for name in ("Mixup (rescaled)", "Mixup")))
        for alpha in data.alphas()
    ]
    if not by_alpha:
        raise NoValues("no runs of Mixup")
    return sum(by_alpha[1:], by_alpha[0]).dropna() / len(by_alpha)


def table(data: ItemData) -> pd.DataFrame:
    """Rescaled minus plain for each corruption, mean over severities and alphas."""
    changes = {m: change(data, m).T.groupby(level="corruption").mean().T for m in METRICS}
    return summarise(
        (
            {"corruption": corruption},
            {metric: partial(values.get, corruption) for metric, values in changes.items()},
        )
        for corruption in CORRUPTIONS  # in the benchmark's order
        if corruption in changes["accuracy"]
    )


def draw(data: ItemData) -> Figure:
    """A row for each corruption, by family, with a dot for the change at each severity."""
    changes = {metric: change(data, metric) for metric in METRICS}
    places = _places(changes["accuracy"])
    height = 0.5 + 0.19 * (max(places.values()) + 1)
    figure, axes = style.panels(3, size=(3.0, height), sharey=True)
    for axis, (metric, (_, better, unit)) in zip(axes, METRICS.items()):
        for corruption, place in places.items():
            _row(axis, unit * changes[metric].xs(corruption, axis=1, level="corruption"), place)
        style.zero_line(axis, across=True, better=better)
        if better < 0:
            axis.invert_xaxis()
        axis.set_title(f"Change in {CHANGES[metric]}")
        axis.grid(axis="x")
        axis.grid(False, axis="y")
    heads: dict[str, float] = {}
    for name, place in places.items():
        heads.setdefault(family(name).capitalize(), place - 1)
    names = [*heads, *(_title(name) for name in places)]
    axes[0].set_yticks([*heads.values(), *places.values()], names)
    for label in axes[0].get_yticklabels()[: len(heads)]:
        label.set_fontweight("bold")
    axes[0].set_ylim(max(places.values()) + 0.7, -0.7)
    for axis in axes:
        _sides(axis, min(heads.values()))
    alphas = ", ".join(f"{a:g}" for a in data.alphas())
    note = (
        "Dots: severities 1 to 5, from small and grey to large and dark. Hollow: the 95 % t "
        "interval includes zero. Blue ground, to the right: rescaling is better. Families and rows "
        f"by mean change in accuracy. Mean over alpha = {alphas} and "
        f"{len(changes['accuracy'])} seeds. Scale: {data.scale}."
    )
    about = f"{style.data_and_network(data.runs)}, on {benchmark(data)}"
    title = "Rescaled minus plain Mixup, corruption by corruption"
    return style.finish(figure, title, note, about)


def _sides(axis: Axes, place: float) -> None:
    """Write "hurts" and "helps" at the two sides of zero, in a row that has no dots.

    Where a side has no room for its word, the word is left out.
    """
    look: dict[str, Any] = {"va": "center", "fontsize": 8.3, "color": style.SOFT}
    zero = (0 - axis.get_xlim()[0]) / np.diff(axis.get_xlim())[0]  # of the width
    sides = (("← hurts", "right", -4, zero), ("helps →", "left", 4, 1 - zero))
    for word, side, away, share in sides:
        if share > 0.22:
            axis.annotate(word, (0, place), (away, 0), textcoords="offset points", ha=side, **look)


def _title(corruption: str) -> str:
    """A corruption as rows show it, such as Gaussian noise or JPEG compression."""
    words = corruption.replace("_", " ")
    return words.replace("gaussian", "Gaussian").replace("jpeg", "JPEG")


def family(corruption: str) -> str:
    """The family of a corruption in the benchmark: noise, blur, weather or digital."""
    if corruption in ("snow", "frost", "fog", "brightness", "spatter"):
        return "weather"
    last = corruption.rpartition("_")[2]
    return last if last in ("noise", "blur") else "digital"


def _places(changes: pd.DataFrame) -> dict[str, float]:
    """The place of each corruption's row: families, and the rows of each, by mean change."""
    mean = changes.T.groupby(level="corruption").mean().mean(axis=1)
    ranks = mean.groupby(family).mean().sort_values(ascending=False)
    places, place = {}, 0.0
    for each in ranks.index:
        place += 1
        rows = mean[[name for name in mean.index if family(name) == each]]
        for name in rows.sort_values(ascending=False).index:
            places[name], place = place, place + 1
    return places


def _row(axis: Axes, by_severity: pd.DataFrame, place: float) -> None:
    """The mean change at each severity (columns), hollow where its interval includes zero."""
    at = {severity: interval(values) for severity, values in by_severity.items()}
    axis.plot([i.mean for i in at.values()], [place] * len(at), color=style.LINE, linewidth=2.2)
    for k, i in enumerate(at.values()):
        colour = style.shade(k, len(at))
        look: dict[str, Any] = {
            "markersize": 3.6 + 0.6 * k,
            "markeredgecolor": colour,
            "zorder": 3 + k,
        }
        filling = "white" if i.low <= 0 <= i.high else colour
        axis.plot(i.mean, place, "o", markerfacecolor=filling, **look)


ITEM = Item(
    title="Rescaled prediction, corruption by corruption",
    paper="shows means over corruptions only (Figures 5 and 6).",
    on=settings("corruptions"),
    claims=(),  # the paper says nothing of single corruptions
    draw=draw,
    table=table,
)
