"""Section 5's remark: for balanced classes rescaling is temperature scaling with T = theta_bar."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.beta import theta_bar
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, number, over_alphas, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues, interval, paired

LINES = {  # name: evaluation, whether inputs are shrunk, look
    "Plain": ("plain", False, style.SERIES["Mixup"]),
    "Rescaled": ("rescaled", True, style.SERIES["Mixup (rescaled)"]),
    "Fitted, plain inputs": ("temperature", False, style.SERIES["Label smoothing"]),
    "Fitted, shrunk inputs": ("temperature", True, style.SERIES["Approximate Mixup"]),
}


def value(data: ItemData, metric: str, alpha: float, line: str) -> pd.Series:
    """A metric by seed of the Mixup runs of an alpha, for one of LINES."""
    evaluation, shrunk, _ = LINES[line]
    return data.metric(metric, "mixup", alpha, alpha if shrunk else None, evaluation).dropna()


def fitted(data: ItemData) -> pd.DataFrame:
    """Temperatures fitted to the logits of shrunk inputs: seeds by alphas."""
    at = {a: value(data, "temperature", a, "Fitted, shrunk inputs") for a in data.alphas()}
    return pd.DataFrame(at).dropna()


def equals(data: ItemData) -> Iterator[Finding]:
    """The fitted temperature at each alpha is theta_bar(alpha), which is a number without error."""
    for a, values in fitted(data).items():
        yield number(f"fitted T on f(x~), alpha = {a:g}", values, theta_bar(a), math.inf, 3)


def grows(data: ItemData) -> Iterator[Finding]:
    """Slope of the fitted temperature in theta_bar, one least-squares line a seed."""
    table = fitted(data)
    theta = [theta_bar(a) for a in table]
    if len(theta) < 2:
        raise NoValues("a slope needs two alphas")
    slopes = [np.polyfit(theta, row, 1)[0] for row in table.to_numpy()]
    yield signed("slope of the fitted temperature in theta_bar", slopes, 1)


def as_good(data: ItemData) -> Iterator[Finding]:
    """The ECE of rescaling is below that of a fitted temperature."""
    lines = ("Rescaled", "Fitted, shrunk inputs")
    less = {a: paired(*(value(data, "ece", a, line) for line in lines)) for a in data.alphas()}
    return over_alphas("ECE, rescaled - fitted", less, -1)


CLAIMS = (
    Claim(
        "fig4_temperature",
        "sec. 5, our question",
        "The temperature that fits the logits of shrunk inputs is theta_bar.",
        equals,
        ours=True,
    ),
    Claim(
        "fig4_temperature_slope",
        "sec. 5, our question",
        "The temperature that fits the logits of shrunk inputs grows with theta_bar.",
        grows,
        ours=True,
    ),
    Claim(
        "fig4_temperature_ece",
        "sec. 5, our question",
        "Rescaling calibrates at least as well as a temperature fitted on held-out data.",
        as_good,
        ours=True,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Fitted temperatures beside theta_bar, and the ECE of each prediction."""
    return summarise(
        (
            {"alpha": alpha, "theta_bar": theta_bar(alpha)},
            {
                f"{metric}, {line.lower()}": partial(value, data, metric, alpha, line)
                for line in LINES
                for metric in ("temperature", "ece")
            },
        )
        for alpha in data.alphas()
    )


def draw(data: ItemData) -> Figure:
    """Fitted temperature against alpha, and ECE."""
    figure, axes = style.panels(2, size=(4.1, 2.4))
    alphas = data.alphas()
    for axis, (metric, unit) in zip(axes, {"temperature": 1, "ece": 100}.items()):
        for k, (line, (*_, look)) in enumerate(LINES.items()):
            at = {}
            for place, alpha in enumerate(alphas):
                with suppress(NoValues):
                    values = unit * value(data, metric, alpha, line)
                    at[place + style.dodge(k, len(LINES), 0.14)] = interval(values)
            if at:
                style.points(axis, [*at], [*at.values()], line, **look)
        style.alpha_ticks(axis, alphas)
    places = range(len(alphas))
    theta = [theta_bar(a) for a in alphas]
    axes[0].plot(places, theta, "_", markersize=14, color=style.INK, label=r"$\bar\theta(\alpha)$")
    axes[0].set_title("Temperature of the logits")
    axes[1].set_title("Test ECE, 15 bins (%)")
    axes[1].set_ylim(bottom=0)
    for axis in axes:
        style.name_lines(axis)
    title, about = "Temperature scaling of Mixup", style.data_and_network(data.runs)
    mixup = data.runs[data.runs["method"] == "mixup"]
    each = mixup.assign(run_id=mixup["run_id"] + mixup["evaluation"])  # not all runs have each
    return style.finish(figure, title, curves.note(data, rows=each), about)


FITTED = (
    "temperatures are fitted on one half of the test set and metrics read on the other, both ways"
)
SETTINGS = {
    "digits": "an MLP on digits",
    "cifar10_lenet": "LeNet",
    "cifar10_resnet20": "ResNet-20",
}
ITEM = Item(
    title="Section 5: rescaling as temperature scaling",
    paper=(
        "for balanced classes rescaling divides the logits of the shrunk input by "
        "theta_bar(alpha): temperature scaling whose temperature is known without a validation set."
    ),
    on=tuple(
        On(
            f"temperature_{name}",
            Runs(f"carratino2020/fig4_{name}", ask="evaluation.temperature=true"),
            stands_in=network,
            differs=f"{network}, as in fig4_{name}; {FITTED}.",
            code=curves.NO_CODE,
        )
        for name, network in SETTINGS.items()
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
