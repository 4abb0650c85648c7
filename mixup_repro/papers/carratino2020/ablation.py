"""Section 5's ablations: Mixup of inputs only, and of inputs and labels independently."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig4 import METRICS
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import interval, paired

TITLE = "Section 5: what is mixed"
PAPER = (
    "citing Zhang et al.: Mixup of inputs only, and independent Mixup of inputs and labels, do "
    "worse than joint Mixup. The paper shows no runs of its own."
)
OURS = (
    "the ablations are ours: inputs only takes the label of the example with the larger weight; "
    "independent Mixup draws a partner and a lambda for the labels alone. alpha is 1"
)
DIFFERS = {
    "ablation_digits": f"{OURS}; scikit-learn's digits and an MLP.",
    "ablation_cifar10": f"{OURS}; LeNet.",
}
ALPHAS = {"erm": None, "mixup": 1.0, "mixup_inputs": 1.0, "mixup_independent": 1.0}


def _worse(method: str) -> list:
    def test(data: ItemData) -> list[Finding]:
        findings = []
        for metric, (_, better, _) in METRICS.items():
            ablated, joint = (data.metric(metric, m, ALPHAS[m]) for m in (method, "mixup"))
            part = f"{metric}, {style.METHODS[method]} - Mixup"
            findings.append(
                signed(part, paired(ablated, joint), -better, headline=metric == "accuracy")
            )
        return findings

    return test


CLAIMS = [
    Claim(
        "ablation_inputs",
        "sec. 5",
        "Mixup of inputs only is less accurate than joint Mixup.",
        _worse("mixup_inputs"),
    ),
    Claim(
        "ablation_independent",
        "sec. 5",
        "Independent Mixup of inputs and labels is less accurate than joint Mixup.",
        _worse("mixup_independent"),
    ),
]


def table(data: ItemData) -> pd.DataFrame:
    """Metrics of the plain prediction of each method."""
    out = []
    for method, alpha in ALPHAS.items():
        cells: dict = {"method": style.METHODS[method]}
        for metric in METRICS:
            values = data.metric(metric, method, alpha)
            if len(values):
                cells |= interval(values).cells(metric)
        out.append(cells)
    return pd.DataFrame(out).dropna()


def draw(data: ItemData) -> Figure:
    """Accuracy, cross-entropy and ECE of each method: points with intervals."""
    figure, axes = style.panels(3)
    for axis, (metric, (label, _, unit)) in zip(axes, METRICS.items()):
        for place, (method, alpha) in enumerate(ALPHAS.items()):
            values = unit * data.metric(metric, method, alpha)
            if values.empty:
                continue
            i, name = interval(values), style.METHODS[method]
            look = {"marker": "o"} | {k: v for k, v in style.SERIES[name].items() if v}
            look["linestyle"] = ""
            axis.errorbar(place, i.mean, i.half, label=name, capsize=3, **look)
        axis.set_xticks([])
        axis.set_xlim(-0.6, len(ALPHAS) - 0.4)
        axis.set_ylabel(label)
    title = f"{curves.subtitle(data)}: joint Mixup and its ablations, $\\alpha = 1$"
    return style.finish(figure, title, curves.note(data))
