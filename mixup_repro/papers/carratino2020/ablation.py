"""Section 5's ablations: Mixup of inputs only, and of inputs and labels independently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig4 import CHANGES, METRICS
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues, paired

ALPHAS = {"erm": None, "mixup": 1.0, "mixup_inputs": 1.0, "mixup_independent": 1.0}


def versus_joint(data: ItemData, metric: str, method: str) -> pd.Series:
    """A method's metric minus joint Mixup's, by seed."""
    return paired(*(data.metric(metric, m, ALPHAS[m]) for m in (method, "mixup")))


def worse(data: ItemData, method: str) -> Iterator[Finding]:
    """An ablated method's metrics are worse than joint Mixup's; only accuracy decides."""
    for metric, (_, better, _) in METRICS.items():
        part = f"{metric}, {style.METHODS[method]} - Mixup"
        headline, least = metric == "accuracy", SMALLEST[metric]
        yield signed(part, versus_joint(data, metric, method), -better, headline, least)


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
    """What each method changes of joint Mixup's accuracy, cross-entropy and ECE."""
    others = [method for method in ALPHAS if method != "mixup"]
    figure, axes = style.panels(3, size=(2.8, 1.8), sharey=True)
    for axis, (metric, (_, better, unit)) in zip(axes, METRICS.items()):
        for row, method in enumerate(others):
            with suppress(NoValues):
                colour = style.SERIES[style.METHODS[method]]["color"]
                change = unit * versus_joint(data, metric, method)
                style.effect(axis, row, change, colour, across=True)
        style.zero_line(axis, across=True, better=better)
        axis.set_title(f"Change in {CHANGES[metric]}")
        axis.grid(axis="x")
    axes[0].set_yticks(range(len(others)), [style.METHODS[method] for method in others])
    axes[0].set_ylim(len(others) - 0.5, -0.5)
    note = (
        "Differences to joint Mixup, paired by seed, whose intervals decide the verdicts. Hollow: "
        f"the interval includes zero. Blue ground: better. {curves.note(data)}"
    )
    title = "What other ways of mixing change of joint Mixup, $\\alpha = 1$"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


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
