"""Section 5's ablations: Mixup of inputs only, and of inputs and labels independently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig4 import METRICS
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues, interval, paired

ALPHAS = {"erm": None, "mixup": 1.0, "mixup_inputs": 1.0, "mixup_independent": 1.0}


def worse(data: ItemData, method: str) -> Iterator[Finding]:
    """An ablated method's metrics are worse than joint Mixup's; accuracy is what is claimed."""
    for metric, (_, better, _) in METRICS.items():
        ablated, joint = (data.metric(metric, m, ALPHAS[m]) for m in (method, "mixup"))
        part = f"{metric}, {style.METHODS[method]} - Mixup"
        headline, least = metric == "accuracy", SMALLEST[metric]
        yield signed(part, paired(ablated, joint), -better, headline, least)


CLAIMS = (
    Claim(
        "ablation_inputs",
        "sec. 5",
        "Mixup of inputs only is less accurate than joint Mixup.",
        partial(worse, method="mixup_inputs"),
    ),
    Claim(
        "ablation_independent",
        "sec. 5",
        "Independent Mixup of inputs and labels is less accurate than joint Mixup.",
        partial(worse, method="mixup_independent"),
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Metrics of the plain prediction of each method."""
    return summarise(
        (
            {"method": style.METHODS[method]},
            {metric: partial(data.metric, metric, method, alpha) for metric in METRICS},
        )
        for method, alpha in ALPHAS.items()
    )


def draw(data: ItemData) -> Figure:
    """Accuracy, cross-entropy and ECE of each method: points with intervals."""
    figure, axes = style.panels(3)
    for axis, (metric, (label, _, unit)) in zip(axes, METRICS.items()):
        for place, (method, alpha) in enumerate(ALPHAS.items()):
            with suppress(NoValues):
                i, name = interval(unit * data.metric(metric, method, alpha)), style.METHODS[method]
                look = {"marker": "o"} | {k: v for k, v in style.SERIES[name].items() if v}
                look["linestyle"] = ""
                axis.errorbar(place, i.mean, i.half, label=name, capsize=3, **look)
        axis.set_xticks([])
        axis.set_xlim(-0.6, len(ALPHAS) - 0.4)
        axis.set_ylabel(label)
    title = f"{curves.subtitle(data)}: joint Mixup and its ablations, $\\alpha = 1$"
    return style.finish(figure, title, curves.note(data))


OURS = (
    "the ablations are ours: inputs only takes the label of the example with the larger weight; "
    "independent Mixup draws a partner and a lambda for the labels alone. alpha is 1"
)
ITEM = Item(
    title="Section 5: what is mixed",
    paper=(
        "citing Zhang et al.: Mixup of inputs only, and independent Mixup of inputs and labels, do "
        "worse than joint Mixup. The paper shows no runs of its own."
    ),
    on=(
        On(
            "ablation_digits",
            Runs("carratino2020/ablation_digits"),
            stands_in="an MLP on digits",
            differs=f"{OURS}; scikit-learn's digits and an MLP.",
            code=curves.NO_CODE,
        ),
        On(
            "ablation_cifar10",
            Runs("carratino2020/ablation_cifar10"),
            stands_in="LeNet",
            differs=f"{OURS}; LeNet.",
            code=curves.NO_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
