"""Figure 7: histograms of the confidence of predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.evaluation.metrics import BINS
from mixup_repro.papers import layout, style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, select, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues, interval, paired

Pairs = tuple[tuple[str, str], ...]


def less_confident(data: ItemData, pairs: Pairs, detail: Pairs = ()) -> Iterator[Finding]:
    """Of each pair of methods, the first one's mean confidence minus the second's is positive."""
    for more, less in (*pairs, *detail):
        difference = paired(data.mean_confidence(more), data.mean_confidence(less))
        part = f"mean confidence, {style.METHODS[more]} - {style.METHODS[less]}"
        headline, least = (more, less) in pairs, SMALLEST["confidence"]
        yield signed(part, difference, 1, headline, least)


def approximate(data: ItemData) -> Iterator[Finding]:
    """Approximate Mixup is less confident than ERM, and nearer to Mixup."""
    yield from less_confident(data, (("erm", "approx_mixup"),))
    mixup, approx, erm = map(data.mean_confidence, ("mixup", "approx_mixup", "erm"))
    nearer = paired((erm - mixup).abs(), (approx - mixup).abs())
    yield signed("nearer to Mixup than ERM is, by", nearer, 1, headline=False)


CLAIMS = (
    Claim(
        "fig7_ls",
        "Fig. 7, left",
        "Label smoothing makes predictions less confident than ERM's.",
        partial(less_confident, pairs=(("erm", "label_smoothing"),)),
    ),
    Claim(
        "fig7_mixup",
        "Fig. 7, left",
        "Mixup is even less confident than label smoothing.",
        partial(less_confident, pairs=(("label_smoothing", "mixup"),), detail=(("erm", "mixup"),)),
    ),
    Claim(
        "fig7_approx",
        "Fig. 7, right",
        "Approximate Mixup is less confident than ERM, like Mixup.",
        approximate,
    ),
)


def histogram(data: ItemData, method: str, evaluation: str = "plain") -> pd.DataFrame:
    """Share of test examples in each bin of the confidence: bins by seeds.

    Raises:
        NoValues: there are no such runs.
    """
    rows = select(data.bins, method=method, evaluation=evaluation)
    counts = rows.pivot(index="bin", columns="seed", values="count")
    return counts / counts.sum()


Lines = Mapping[str, tuple[str, str]]  # name: method, evaluation


def panels(data: ItemData, columns: tuple[Lines, ...]) -> Figure:
    """A column for each group of lines: their histograms, and below their mean confidences."""
    figure, axes = style.panels(len(columns), 2, (3.8, 1.8), sharex=True, height_ratios=(2, 1))
    for k, lines in enumerate(columns):
        _histograms(axes[k], data, lines)
        _means(axes[len(columns) + k], data, lines)
    shown = data.bins[(data.bins["count"] > 0) & (data.bins["evaluation"] == "plain")]
    axes[0].set_xlim(shown["bin"].min() / BINS, 1)
    top = max(axis.get_ylim()[1] for axis in axes[: len(columns)])
    for axis in axes[: len(columns)]:
        axis.set_ylim(0, top)
    return figure


def _histograms(axis: Axes, data: ItemData, lines: Lines) -> None:
    """Shares of test examples as steps: mean over seeds, with its interval."""
    edges = np.linspace(0, 1, BINS + 1)
    for name, (method, evaluation) in lines.items():
        with suppress(NoValues):
            share = 100 * histogram(data, method, evaluation)
            at = [interval(row) for _, row in share.iterrows()]
            look = {k: style.SERIES[name][k] for k in ("color", "linestyle")}
            axis.stairs([i.mean for i in at], edges, linewidth=1.4, **look)
            middle, bars = (edges[1:] + edges[:-1]) / 2, {"fmt": "none", "elinewidth": 0.7}
            style.points(axis, middle, at, "_", ecolor=look["color"], **bars)
    axis.set_title("Test examples (%)")


def _means(axis: Axes, data: ItemData, lines: Lines) -> None:
    """The mean confidence of each line with its interval, and the runs."""
    for row, (name, (method, evaluation)) in enumerate(lines.items()):
        with suppress(NoValues):
            values = data.mean_confidence(method, evaluation)
            colour = style.SERIES[name]["color"]
            style.effect(axis, row, values, colour, across=True, against=None)
            label = f"{name}, {interval(values).mean:.2f}"
            layout.end_label(axis, row, label, style.text_colour(colour))
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.set_yticks([])
    axis.set_title("Mean confidence")
    axis.set_xlabel("Confidence")
    axis.grid(axis="x")


def table(data: ItemData) -> pd.DataFrame:
    """Mean confidence and accuracy of each method's plain predictions."""
    return summarise(
        (
            {"method": style.METHODS[method]},
            {
                "mean confidence": partial(data.mean_confidence, method),
                "accuracy": partial(data.metric, "accuracy", method, alpha),
            },
        )
        for method, alpha in data.methods()
    )


def draw(data: ItemData) -> Figure:
    """Left: ERM, label smoothing, Mixup. Right: ERM, approximate Mixup, Mixup."""
    groups = (("erm", "label_smoothing", "mixup"), ("erm", "approx_mixup", "mixup"))
    columns = tuple({style.METHODS[m]: (m, "plain") for m in methods} for methods in groups)
    title = f"Confidence of predictions on the test set, {BINS} bins"
    figure, about = panels(data, columns), style.data_and_network(data.runs)
    return style.finish(figure, title, curves.note(data), about)


ITEM = Item(
    title="Figure 7: confidence of predictions",
    paper=(
        "LeNet, CIFAR-10, test set: ERM is very confident, label smoothing less, Mixup even less; "
        "approximate Mixup is less confident, like Mixup."
    ),
    on=(
        On(
            "fig7_cifar10",
            Runs("carratino2020/fig7_cifar10", only=dict.fromkeys(SCALES, "method.epsilon=0.25")),
            stands_in="label smoothing at 1/4",
            differs=(
                "the paper does not name the weight epsilon of label smoothing's uniform "
                "distribution; here 1 - theta_bar(1) = 1/4, at which labels are shrunk as Mixup's."
            ),
            code=curves.NO_CODE,
        ),
        On(
            "fig7_cifar10_tenth",
            Runs("carratino2020/fig7_cifar10", only=dict.fromkeys(SCALES, "method.epsilon=0.1")),
            stands_in="",
            differs=(
                "the paper does not name the weight epsilon of label smoothing's uniform "
                "distribution; here 0.1, that of Szegedy et al. (2016), whom it cites."
            ),
            code=curves.NO_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
