"""Figure 4: ERM and Mixup, plain and rescaled, against alpha.

The paper trains ResNet-34 on CIFAR-10 and CIFAR-100 and ResNet-50 on ImageNet. It prints no numbers
for the figure, so ours stand beside its claims. The paper's bars are standard errors, over 10
repetitions on CIFAR and 5 on ImageNet; ours are 95 % t intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.beta import theta_bar
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, over_alphas, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues, interval, paired

METRICS = {  # label, sign of an improvement, scale and unit on the axis
    "accuracy": ("Test accuracy (%)", 1, 100),
    "cross_entropy": ("Test cross-entropy (nats)", -1, 1),
    "ece": ("Test ECE, 15 bins (%)", -1, 100),
}
CHANGES = {
    "accuracy": "accuracy (points)",
    "cross_entropy": "cross-entropy (nats)",
    "ece": "ECE (points)",
}
LINES = {  # name: method, rescaled
    "ERM": ("erm", False),
    "ERM (rescaled)": ("erm", True),
    "Mixup": ("mixup", False),
    "Mixup (rescaled)": ("mixup", True),
}
# (data, metric, name of a line, alpha) to the metric by seed; plain ERM is the same at each alpha.
Values = Callable[[ItemData, str, str, float], pd.Series]


def values(data: ItemData, metric: str, name: str, alpha: float) -> pd.Series:
    """A metric on the test set, as `Values`."""
    method, rescaled = LINES[name]
    own = alpha if method == "mixup" else None
    return data.metric(metric, method, own, eval_alpha=alpha if rescaled else None)


def gain(
    data: ItemData, metric: str, method: str, alpha: float, values: Values = values
) -> pd.Series:
    """Rescaled at alpha minus plain, by seed; for Mixup of the runs trained at that alpha."""
    name = style.METHODS[method]
    return paired(*(values(data, metric, line, alpha) for line in (f"{name} (rescaled)", name)))


def gains(data: ItemData, metric: str, method: str) -> pd.DataFrame:
    """`gain` for every alpha (columns) and seed (rows); seeds that lack an alpha are left out."""
    return pd.DataFrame({a: gain(data, metric, method, a) for a in data.alphas()}).dropna()


def moves(data: ItemData, metric: str, sign: int) -> Iterator[Finding]:
    """Rescaling moves a metric of Mixup in one direction."""
    return over_alphas(metric, gains(data, metric, "mixup"), sign, SMALLEST[metric])


def hurts_erm(data: ItemData) -> Iterator[Finding]:
    """Rescaling worsens every metric of ERM."""
    for metric, (_, better, _) in METRICS.items():
        yield from over_alphas(metric, gains(data, metric, "erm"), -better, SMALLEST[metric])


def grows(data: ItemData) -> Iterator[Finding]:
    """Slope of the improvement in 1 - theta_bar(alpha), one least-squares line a seed."""
    shrink = np.array([1 - theta_bar(a) for a in data.alphas()])
    for metric, (_, better, _) in METRICS.items():
        table = gains(data, metric, "mixup")
        if len(shrink) < 2:
            raise NoValues("a slope needs two alphas")
        slopes = [np.polyfit(shrink, better * row, 1)[0] for row in table.to_numpy()]
        least = SMALLEST[metric] / np.ptp(shrink)  # over all of the alphas
        yield signed(f"{metric}, slope in 1 - theta_bar", slopes, 1, least=least)


CLAIMS = (
    Claim(
        "fig4_acc",
        "Fig. 4",
        "Rescaling raises Mixup's accuracy.",
        partial(moves, metric="accuracy", sign=1),
    ),
    Claim(
        "fig4_ce",
        "Fig. 4",
        "Rescaling lowers Mixup's cross-entropy.",
        partial(moves, metric="cross_entropy", sign=-1),
    ),
    Claim(
        "fig4_ece",
        "Fig. 4",
        "Rescaling lowers Mixup's ECE.",
        partial(moves, metric="ece", sign=-1),
    ),
    Claim("fig4_grows", "sec. 5", "The improvement grows with alpha.", grows),
    Claim("fig4_erm", "Fig. 4", "Rescaling ERM always hurts.", hurts_erm, always=True),
)


def table(data: ItemData, values: Values = values) -> pd.DataFrame:
    """Each metric, for each line and alpha."""
    return summarise(
        (
            {"prediction": name, "alpha": None if name == "ERM" else alpha},
            {metric: partial(values, data, metric, name, alpha) for metric in METRICS},
        )
        for name in LINES
        for alpha in data.alphas()[: 1 if name == "ERM" else None]
    )


def draw(data: ItemData) -> Figure:
    """Above: metrics by alpha, as in a row of the paper's figure. Below: rescaled minus plain."""
    figure = rows(data, values)
    title = "Plain and rescaled prediction against $\\alpha$"
    note = f"{reading(data, values)} {curves.note(data)}"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def reading(data: ItemData, values: Values) -> str:
    """For a figure's note: what the rows of differences show, and the number of pairs."""
    pairs = []
    for method in ("mixup", "erm"):
        with suppress(NoValues):
            n = min(len(gain(data, "accuracy", method, a, values)) for a in data.alphas())
            pairs.append(f"{style.METHODS[method]}: n = {n}")
    return (
        f"Below: rescaled minus plain, paired by seed ({', '.join(pairs)}), whose intervals decide "
        "the verdicts. Hollow: the interval includes zero. Blue ground: better. Each panel has its "
        "own scale."
    )


def rows(data: ItemData, values: Values) -> Figure:
    """A column for each metric; rows: the four lines, rescaled minus plain of Mixup, and of ERM."""
    figure, axes = style.panels(3, 3)
    for column, metric in enumerate(METRICS):
        _levels(axes[column], data, values, metric)
        for row, method in enumerate(("mixup", "erm"), start=1):
            _change(axes[3 * row + column], data, values, metric, method)
    style.name_lines(axes[2], *axes[:2])
    for axis in axes:
        style.alpha_ticks(axis, data.alphas())
        axis.set_xlabel("")
    for axis in axes[6:]:
        axis.set_xlabel(r"$\alpha$ of training and of rescaling")
    return figure


def _levels(axis: Axes, data: ItemData, values: Values, metric: str) -> None:
    """The lines of a metric against alpha, side by side at each alpha."""
    label, _, unit = METRICS[metric]
    for k, name in enumerate(LINES):
        at = {}
        for place, alpha in enumerate(data.alphas()):
            with suppress(NoValues):
                at[place] = interval(unit * values(data, metric, name, alpha))
        if at and name == "ERM":  # does not depend on alpha: a line and a band
            style.level(axis, at[min(at)], len(data.alphas()), name)
        elif at:
            look = style.SERIES[name] | ({"linestyle": ""} if len(at) == 1 else {})
            shifted = [place + style.dodge(k, len(LINES), 0.16) for place in at]
            style.points(axis, shifted, [*at.values()], name, **look)
    axis.set_title(label)


def _change(axis: Axes, data: ItemData, values: Values, metric: str, method: str) -> None:
    """Rescaled minus plain against alpha, with the intervals that decide the verdicts."""
    _, better, unit = METRICS[metric]
    name = style.METHODS[method]
    colour, means = style.SERIES[name]["color"], {}
    for place, alpha in enumerate(data.alphas()):
        with suppress(NoValues):
            change = unit * gain(data, metric, method, alpha, values)
            means[place] = interval(change).mean
            style.effect(axis, place, change, colour)
    axis.plot([*means], [*means.values()], color=colour, linewidth=1, alpha=0.5)
    style.zero_line(axis, better=better)
    axis.set_title(f"{name}: {CHANGES[metric]}", color=style.text_colour(colour))


LENET = (
    "LeNet in place of ResNet-34; at scale short 40 epochs with the schedule of appendix B.1 "
    "scaled, five alphas and 5 seeds."
)
IMAGENET_CODE = (
    "warms up for 11 epochs, decays weights by 2e-4 and BatchNorm's not at all, keeps pixels in "
    "[0, 1], resizes bicubically, pairs by reversal, takes lambda at least 1/2: see "
    "`fig4_imagenet_published`."
)
ITEM = Item(
    title="Figure 4: rescaled prediction against alpha",
    paper=(
        "ResNet-34, CIFAR-10 and CIFAR-100, 200 epochs, 10 repetitions: rescaling at test time "
        "gives Mixup higher accuracy, lower cross-entropy and lower ECE, the more so the larger "
        "alpha; rescaling ERM always hurts. (ImageNet, ResNet-50: the same but for cross-entropy "
        "and ECE at very low alpha.)"
    ),
    on=(
        On(
            "fig4_cifar10",
            Runs("carratino2020/fig4_cifar10"),
            stands_in="",
            differs=(
                "at scale short 20 epochs with the schedule of appendix B.1 scaled, alpha 1 alone "
                "and one seed."
            ),
            code=curves.NO_CODE,
        ),
        On(
            "fig4_cifar100",
            Runs("carratino2020/fig4_cifar100"),
            stands_in="",
            differs="",
            code=curves.NO_CODE,
        ),
        On(
            "fig4_cifar10_lenet",
            Runs("carratino2020/fig4_cifar10_lenet"),
            stands_in="LeNet",
            differs=LENET,
            code=curves.NO_CODE,
        ),
        On(
            "fig4_cifar100_lenet",
            Runs("carratino2020/fig4_cifar100_lenet"),
            stands_in="LeNet",
            differs=LENET,
            code=curves.NO_CODE,
        ),
        On(
            "fig4_cifar10_resnet20",
            Runs("carratino2020/fig4_cifar10_resnet20"),
            stands_in="ResNet-20",
            differs=(
                "ResNet-20 in place of ResNet-34; at scale short 30 epochs with the schedule of "
                "appendix B.1 scaled, three alphas and 3 seeds."
            ),
            code=curves.NO_CODE,
        ),
        On(
            "fig4_digits",
            Runs("carratino2020/fig4_digits"),
            stands_in="an MLP on digits",
            differs=(
                "scikit-learn's digits (898 training scans) and an MLP 64-256-256-10 in place of "
                "CIFAR and ResNet-34; the recipe is ours."
            ),
            code=curves.NO_CODE,
        ),
        On(
            "fig4_imagenet",
            Runs("carratino2020/fig4_imagenet"),
            stands_in="",
            differs="",
            code=IMAGENET_CODE,
        ),
        On(
            "fig4_imagenet_published",
            Runs("carratino2020/fig4_imagenet_published"),
            stands_in="",
            differs=(
                "the settings of the authors' published code: warm-up, weight decay 2e-4, pixels "
                "in [0, 1], bicubic resizing, pairing by reversal, lambda at least 1/2."
            ),
            code="initialises the last BatchNorm of a block with ones, here zeros.",
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
    panel=5,
)
