"""Predictions beside people's votes: is a network as unsure as people are? A question of our own.

CIFAR-10H (Peterson et al., 2019) has about 50 people's votes on each test picture of CIFAR-10. A
network that knew them would have their entropy as its cross-entropy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, by_seed, predicted, select, summarise
from mixup_repro.papers.sources import Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues, interval

BENCHMARK = "cifar10-h"
METRICS = {"cross_entropy": ("Cross-entropy (nats)", 1), "ece": ("ECE, 15 bins (%)", 100)}
TRUTHS = {"labels": ("o", "white"), "people": ("s", None)}  # marker, and its filling


def predictions(data: ItemData) -> Iterator[tuple[str, dict[str, object]]]:
    """Every prediction of the runs by its name, with what selects it."""
    for method, alpha in data.methods():
        name = style.METHODS[method]
        yield name, {"method": method, "alpha": alpha} | predicted(None)
        if alpha is not None:
            yield f"{name} (rescaled)", {"method": method, "alpha": alpha} | predicted(alpha)


def against(data: ItemData, truth: str, metric: str, which: dict[str, object]) -> pd.Series:
    """A metric of a prediction by seed, against the labels or people's votes.

    Raises:
        NoValues: there are no such rows.
    """
    if truth == "labels":
        return by_seed(select(data.runs, **which), metric)
    return by_seed(select(data.ood, benchmark=BENCHMARK, **which), metric)


def table(data: ItemData) -> pd.DataFrame:
    """Cross-entropy and ECE of each prediction, against labels and people's votes.

    Raises:
        NoValues: no run was asked for people's votes.
    """
    select(data.ood, benchmark=BENCHMARK)
    return summarise(
        (
            {"prediction": name},
            {
                f"{metric}, {truth}": partial(against, data, truth, metric, which)
                for metric in METRICS
                for truth in TRUTHS
            },
        )
        for name, which in predictions(data)
    )


def draw(data: ItemData) -> Figure:
    """Each prediction in a line: against labels (hollow) and against people's votes (full)."""
    figure, axes = style.panels(2, size=(3.6, 2.6), sharey=True)
    names = [name for name, _ in predictions(data)]
    for axis, (metric, (label, unit)) in zip(axes, METRICS.items()):
        for row, (name, which) in enumerate(predictions(data)):
            for k, (truth, (marker, filling)) in enumerate(TRUTHS.items()):
                place = row + style.dodge(k, len(TRUTHS), 0.26)
                with suppress(NoValues):
                    at = interval(unit * against(data, truth, metric, which))
                    half = at.half if np.isfinite(at.half) else 0.0
                    look: dict[str, Any] = {
                        "color": style.SERIES[name]["color"],
                        "markerfacecolor": filling,
                    }
                    axis.errorbar(at.mean, place, xerr=half, fmt=marker, **look)
        axis.set_title(label)
        axis.set_xlim(left=0, right=1.04 * axis.get_xlim()[1])
        axis.grid(axis="x")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    for truth, (marker, filling) in TRUTHS.items():
        (mark,) = axes[0].plot([], [], marker, color=style.SOFT, label=f"against {truth}")
        mark.set_markerfacecolor(filling or style.SOFT)
    title = "Predictions beside labels, and beside the votes of people"
    return style.finish(
        figure, title, curves.note(data, rows=data.ood), style.data_and_network(data.runs)
    )


ITEM = Item(
    title="Predictions beside people's votes",
    paper="does not ask people (a question of our own).",
    on=(
        On(
            "people_cifar10",
            Runs(
                "carratino2020/fig7_cifar10",
                ask="benchmark=cifar10_h",
                only=dict.fromkeys(SCALES, "method.epsilon=0.1"),
            ),
            stands_in="",
            differs=(
                "truth is the share of about 50 people that names a class (CIFAR-10H); accuracy "
                "is the share that agrees with the prediction."
            ),
            code=curves.NO_CODE,
        ),
    ),
    claims=(),
    draw=draw,
    table=table,
)
