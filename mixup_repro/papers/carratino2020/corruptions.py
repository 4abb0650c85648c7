"""Rescaled minus plain Mixup for every corruption and severity: what Figure 6 is the mean of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig4 import METRICS
from mixup_repro.papers.carratino2020.fig5 import benchmark, sets, settings
from mixup_repro.papers.items import Item
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.shifts.corruptions import CORRUPTIONS
from mixup_repro.stats import Interval, NoValues, interval, paired


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
        for corruption in _order(changes["accuracy"].columns)
    )


def draw(data: ItemData) -> Figure:
    """A map a metric: corruptions by severities, the change in the cells."""
    figure, axes = style.panels(3, sharey=True)
    first = change(data, "accuracy")
    names = _order(first.columns.get_level_values("corruption").unique())
    figure.set_figheight(1.6 + 0.17 * len(names))
    for axis, (metric, (label, better, unit)) in zip(axes, METRICS.items()):
        values = unit * change(data, metric)
        cells = {key: interval(values[key]) for key in values}
        _map(axis, cells, names, better, digits=2 if unit == 100 else 3)
        axis.set_title(f"{label},\nrescaled minus plain")
        axis.set_xlabel("Severity")
    about = f"{curves.subtitle(data)}: rescaled minus plain Mixup on {benchmark(data)}"
    note = "Blue: rescaling is better. Orange: worse. Grey: the 95 % t interval includes zero."
    alphas = ", ".join(f"{a:g}" for a in data.alphas())
    over = f"Mean over alpha = {alphas} and {data.seeds()} seeds. Scale: {data.scale}."
    return style.finish(figure, about, f"{note}\n{over}")


def _map(
    axis: Axes,
    cells: dict[tuple[int, str], Interval],
    names: list[str],
    better: int,
    digits: int,
) -> None:
    severities = sorted({severity for severity, _ in cells})
    mean = np.array([[cells[s, name].mean for s in severities] for name in names])
    limit = np.abs(mean).max() or 1.0
    colours = style.better_worse()
    axis.imshow(better * mean, cmap=colours, vmin=-limit, vmax=limit, aspect="auto")
    for row, name in enumerate(names):
        for column, severity in enumerate(severities):
            cell = cells[severity, name]
            unsure = cell.low <= 0 <= cell.high
            dark = abs(cell.mean) > 0.7 * limit
            axis.text(
                column,
                row,
                f"{cell.mean:+z.{digits}f}",
                ha="center",
                va="center",
                fontsize=6,
                color=style.GREY if unsure else "white" if dark else "black",
            )
    axis.set_xticks(range(len(severities)), [str(s) for s in severities])
    axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axis.grid(False)


def _order(names: Iterable[str]) -> list[str]:
    """In the benchmark's order: noise, blur, weather, digital."""
    return [name for name in CORRUPTIONS if name in set(names)]


ITEM = Item(
    title="Rescaled prediction, corruption by corruption",
    paper="shows means over corruptions only (Figures 5 and 6).",
    on=settings("corruptions"),
    claims=(),  # the paper says nothing of single corruptions
    draw=draw,
    table=table,
)
