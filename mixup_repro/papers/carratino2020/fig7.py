"""Figure 7: histograms of the confidence of predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.evaluation.metrics import BINS
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, interval, paired

TITLE = "Figure 7: confidence of predictions"
PAPER = (
    "LeNet, CIFAR-10, test set: ERM is very confident, label smoothing less, Mixup even less; "
    "approximate Mixup is less confident, like Mixup."
)
DIFFERS = {
    "fig7_cifar10": "label smoothing mixes in the uniform distribution with weight "
    "1 - theta_bar(1) = 1/4, which the paper's text names.",
}


def less_confident(data: ItemData, more: str, less: str, headline: bool = True) -> Finding:
    """Mean confidence of one method minus another's is positive."""
    difference = paired(data.mean_confidence(more), data.mean_confidence(less))
    part = f"mean confidence, {style.METHODS[more]} - {style.METHODS[less]}"
    return signed(part, difference, 1, headline)


def _approximate(data: ItemData) -> list[Finding]:
    mixup, approximate, erm = map(data.mean_confidence, ("mixup", "approx_mixup", "erm"))
    nearer = paired((erm - mixup).abs(), (approximate - mixup).abs())
    return [
        less_confident(data, "erm", "approx_mixup"),
        signed("nearer to Mixup than ERM is, by", nearer, 1, headline=False),
    ]


CLAIMS = [
    Claim(
        "fig7_ls",
        "Fig. 7, left",
        "Label smoothing makes predictions less confident than ERM's.",
        lambda data: [less_confident(data, "erm", "label_smoothing")],
    ),
    Claim(
        "fig7_mixup",
        "Fig. 7, left",
        "Mixup is even less confident than label smoothing.",
        lambda data: [
            less_confident(data, "label_smoothing", "mixup"),
            less_confident(data, "erm", "mixup", headline=False),
        ],
    ),
    Claim(
        "fig7_approx",
        "Fig. 7, right",
        "Approximate Mixup is less confident than ERM, like Mixup.",
        _approximate,
    ),
]


def histogram(data: ItemData, method: str, evaluation: str = "plain") -> pd.DataFrame:
    """Share of test examples in each bin of the confidence: bins by seeds."""
    rows = data.bins[(data.bins["method"] == method) & (data.bins["evaluation"] == evaluation)]
    if rows.empty:
        raise NoValues(f"no confidences of {method}")
    counts = rows.pivot(index="bin", columns="seed", values="count")
    return counts / counts.sum()


def panel(axis: Axes, data: ItemData, lines: dict[str, tuple[str, str]]) -> None:
    """Histograms as steps, {name: (method, evaluation)}: mean over seeds with its interval."""
    edges = np.linspace(0, 1, BINS + 1)
    for name, (method, evaluation) in lines.items():
        try:
            share = 100 * histogram(data, method, evaluation)
        except NoValues:
            continue
        at = [interval(row) for _, row in share.iterrows()]
        look = style.SERIES[name]
        axis.stairs(
            [i.mean for i in at],
            edges,
            label=name,
            color=look["color"],
            linestyle=look["linestyle"],
            linewidth=1.5,
        )
        middle = (edges[1:] + edges[:-1]) / 2
        half = [i.half for i in at]
        axis.errorbar(
            middle, [i.mean for i in at], half, fmt="none", ecolor=look["color"], elinewidth=0.7
        )
    axis.set_xlabel("Confidence")
    axis.set_ylabel("Test examples (%)")
    axis.set_ylim(bottom=0)


def table(data: ItemData) -> pd.DataFrame:
    """Mean confidence and accuracy of each method's plain predictions."""
    out = []
    for method in data.runs["method"].unique():
        confidence = interval(data.mean_confidence(method)).cells("mean confidence")
        right = interval(data.metric("accuracy", method, _alpha(data, method))).cells("accuracy")
        out.append({"method": style.METHODS[method]} | confidence | right)
    return pd.DataFrame(out)


def _alpha(data: ItemData, method: str) -> float | None:
    alpha = data.runs.loc[data.runs["method"] == method, "alpha"].iloc[0]
    return None if np.isnan(alpha) else alpha


def draw(data: ItemData) -> Figure:
    """Left: ERM, label smoothing, Mixup. Right: ERM, Mixup, approximate Mixup."""
    figure, axes = style.panels(2, sharey=True)
    groups = (("erm", "label_smoothing", "mixup"), ("erm", "approx_mixup", "mixup"))
    for axis, methods in zip(axes, groups):
        panel(axis, data, {style.METHODS[m]: (m, "plain") for m in methods})
        axis.set_xlim(0.1, 1)
    title = f"{curves.subtitle(data)}: confidence on the test set, {BINS} bins"
    return style.finish(figure, title, curves.note(data))
