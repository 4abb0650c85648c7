"""Figure 6: what rescaling does to Mixup on corrupted test sets, against the severity."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig4 import CHANGES, METRICS
from mixup_repro.papers.carratino2020.fig5 import averaged, benchmark, change, settings
from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item
from mixup_repro.papers.shared import ItemData, Row, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.stats import NoValues


def moves(data: ItemData) -> Iterator[Finding]:
    """Slope of the improvement in the severity, one least-squares line a seed and alpha."""
    for metric, (_, better, _) in METRICS.items():
        gains = {a: better * change(data, metric, a).dropna() for a in data.alphas()}
        severities = sorted({s for gain in gains.values() for s in gain})
        if len(severities) < 2:
            raise NoValues("a slope needs two severities")
        slopes = {
            a: pd.Series(np.polyfit(gain.columns, gain.T, 1)[0], gain.index)
            for a, gain in gains.items()
        }
        least = SMALLEST[metric] / np.ptp(severities)  # over all of the severities
        yield from over_alphas(f"{metric}, slope", slopes, -1, least)


CLAIMS = (
    Claim(
        "fig6_severity",
        "Fig. 6",
        "As the corruption grows severer, plain Mixup's lead over rescaled Mixup always grows.",
        moves,
        always=True,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Rescaled minus plain of each metric, for each alpha and severity."""
    return summarise(row for alpha in data.alphas() for row in _rows(data, alpha))


def _rows(data: ItemData, alpha: float) -> Iterator[Row]:
    changes = {metric: change(data, metric, alpha).dropna() for metric in METRICS}
    for severity in changes["accuracy"]:
        columns = {metric: partial(table.get, severity) for metric, table in changes.items()}
        yield {"alpha": alpha, "severity": severity}, columns


def draw(data: ItemData) -> Figure:
    """Rescaled minus plain against severity, a line an alpha: from grey to ink."""
    figure, axes = style.panels(3)
    alphas = data.alphas()
    for axis, (metric, (_, better, unit)) in zip(axes, METRICS.items()):
        for k, alpha in enumerate(alphas):
            values = unit * change(data, metric, alpha).dropna()
            places = [severity + style.dodge(k, len(alphas)) for severity in values]
            colour = style.shade(k, len(alphas))
            look: dict[str, Any] = {"marker": "osD^v<>"[k % 7], "size": 4.5, "beside": 0.06}
            for place, (_, effect) in zip(places, values.items()):
                style.effect(axis, place, effect, colour, **look)
            name = rf"$\alpha$ = {alpha:g}"
            axis.plot(places, values.mean(), color=colour, linewidth=1, label=name)
        style.zero_line(axis, better=better)
        axis.set_xticks(range(1, 6))
        axis.set_xlabel("Severity of the corruption")
        axis.set_title(f"Change in {CHANGES[metric]}")
    style.name_lines(axes[2], *axes[:2])
    title = "Rescaled minus plain Mixup against the severity of corruption"
    note = f"Hollow: the interval includes zero. Blue ground: rescaling is better. {averaged(data)}"
    about = f"{style.data_and_network(data.runs)}, on {benchmark(data)}"
    return style.finish(figure, title, f"{note} {curves.note(data, rows=data.ood)}", about)


ITEM = Item(
    title="Figure 6: rescaled prediction against the severity of corruption",
    paper=(
        "ResNet-34, CIFAR-10-C and CIFAR-100-C: as the severity grows, the gap between plain and "
        "rescaled Mixup always grows in favour of plain Mixup; rescaled is better only at low "
        "severity and for a few metrics."
    ),
    on=settings("fig6"),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
