"""Figure 4: ERM and Mixup, plain and rescaled, against alpha.

The paper trains ResNet-34 on CIFAR-10 and CIFAR-100 and ResNet-50 on ImageNet. It prints no numbers
for the CIFAR rows, so ours stand beside its claims. The paper's bars are standard errors over 10
repetitions; ours are 95 % t intervals.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.beta import theta_bar
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import Interval, NoValues, interval, paired

TITLE = "Figure 4: rescaled prediction against alpha"
PAPER = (
    "ResNet-34, CIFAR-10 and CIFAR-100, 200 epochs, 10 repetitions: rescaling at test time gives "
    "Mixup higher accuracy, lower cross-entropy and lower ECE, the more so the larger alpha; "
    "rescaling ERM always hurts. (ImageNet, ResNet-50: the same but for cross-entropy and ECE at "
    "very low alpha.)"
)
LENET = (
    "LeNet in place of ResNet-34; at scale short 40 epochs with the schedule of appendix B.1 "
    "scaled, five alphas and 5 seeds."
)
DIFFERS = {
    "fig4_cifar10": "at scale short 20 epochs with the schedule of appendix B.1 scaled, alpha 1 "
    "alone and one seed.",
    "fig4_digits": "scikit-learn's digits (898 training scans) and an MLP 64-256-256-10 in place "
    "of CIFAR and ResNet-34; the recipe is ours.",
    "fig4_cifar10_lenet": LENET,
    "fig4_cifar100_lenet": LENET,
    "fig4_cifar10_resnet20": "ResNet-20 in place of ResNet-34; at scale short 30 epochs with the "
    "schedule of appendix B.1 scaled, three alphas and 3 seeds.",
    "fig4_imagenet_published": "the settings of the authors' published code: warm-up, weight decay "
    "2e-4, pixels in [0, 1], bicubic resizing, pairing by reversal, lambda at least 1/2.",
}
METRICS = {  # label, sign of an improvement, scale and unit on the axis
    "accuracy": ("Test accuracy (%)", 1, 100),
    "cross_entropy": ("Test cross-entropy (nats)", -1, 1),
    "ece": ("Test ECE, 15 bins (%)", -1, 100),
}


def gain(data: ItemData, metric: str, method: str, alpha: float) -> pd.Series:
    """Rescaled at alpha minus plain, by seed; for Mixup of the runs trained at that alpha."""
    own = alpha if method == "mixup" else None
    rescaled = data.metric(metric, method, own, eval_alpha=alpha)
    return paired(rescaled, data.metric(metric, method, own))


def gains(data: ItemData, metric: str, method: str) -> pd.DataFrame:
    """`gain` for every alpha (columns) and seed (rows); seeds that lack an alpha are left out."""
    return pd.DataFrame({a: gain(data, metric, method, a) for a in data.alphas()}).dropna()


def _improves(metric: str, method: str, sign: int) -> list:
    def test(data: ItemData) -> list[Finding]:
        table = gains(data, metric, method)
        label = f"{metric}, " if method == "erm" else ""
        detail = [signed(f"{label}alpha = {a:g}", table[a], sign, False) for a in table]
        return [signed(f"{label}mean over alphas", table.mean(axis=1), sign), *detail]

    return test


def _erm_hurts(data: ItemData) -> list[Finding]:
    return [
        finding
        for metric, (_, better, _) in METRICS.items()
        for finding in _improves(metric, "erm", -better)(data)
    ]


def _grows(data: ItemData) -> list[Finding]:
    """Slope of the improvement in 1 - theta_bar(alpha), one least-squares line a seed."""
    shrink = np.array([1 - theta_bar(a) for a in data.alphas()])
    findings = []
    for metric, (_, better, _) in METRICS.items():
        table = gains(data, metric, "mixup")
        if len(shrink) < 2:
            raise NoValues("a slope needs two alphas")
        slopes = [np.polyfit(shrink, better * row, 1)[0] for row in table.to_numpy()]
        findings.append(signed(f"{metric}, slope in 1 - theta_bar", slopes, 1))
    return findings


CLAIMS = [
    Claim(
        "fig4_acc",
        "Fig. 4",
        "Rescaling raises Mixup's accuracy.",
        _improves("accuracy", "mixup", 1),
    ),
    Claim(
        "fig4_ce",
        "Fig. 4",
        "Rescaling lowers Mixup's cross-entropy.",
        _improves("cross_entropy", "mixup", -1),
    ),
    Claim("fig4_ece", "Fig. 4", "Rescaling lowers Mixup's ECE.", _improves("ece", "mixup", -1)),
    Claim("fig4_grows", "sec. 5", "The improvement grows with alpha.", _grows),
    Claim("fig4_erm", "Fig. 4", "Rescaling ERM always hurts.", _erm_hurts),
]


def series(data: ItemData) -> dict[str, list[tuple[float, pd.Series]]]:
    """For each line of the figure, (alpha, runs' rows by seed) in order of alpha."""
    runs, alphas = data.runs, data.alphas()

    def rows(method: str, alpha: float, rescaled: bool) -> pd.DataFrame:
        own = runs["alpha"] == alpha if method == "mixup" else runs["alpha"].isna()
        at = runs["evaluation"] == ("rescaled" if rescaled else "plain")
        at &= runs["eval_alpha"] == alpha if rescaled else True
        return runs[(runs["method"] == method) & own & at]

    lines = {
        "ERM": ("erm", False),
        "ERM (rescaled)": ("erm", True),
        "Mixup": ("mixup", False),
        "Mixup (rescaled)": ("mixup", True),
    }
    return {name: [(a, rows(m, a, r)) for a in alphas] for name, (m, r) in lines.items()}


def table(data: ItemData) -> pd.DataFrame:
    """Mean and half-width of the 95 % interval of each metric, for each line and alpha."""
    out = []
    for name, points in series(data).items():
        for alpha, rows in points[:1] if name == "ERM" else points:
            if rows.empty:
                continue
            cells = {"prediction": name, "alpha": None if name == "ERM" else alpha}
            for metric in METRICS:
                cells |= interval(rows[metric]).cells(metric)
            out.append(cells)
    return pd.DataFrame(out)


def line(axis: Axes, name: str, points: list[tuple[float, Interval]]) -> None:
    """A line of the figure through (alpha, interval); nothing without points."""
    if not points:
        return
    alphas = [a for a, _ in points]
    mean, low, high = ([getattr(i, part) for _, i in points] for part in ("mean", "low", "high"))
    if name == "ERM":  # does not depend on alpha: a line and a band
        style.band(axis, alphas, mean, low, high, name)
    else:
        half = [i.half for _, i in points]
        axis.errorbar(alphas, mean, half, label=name, capsize=2, **style.SERIES[name])


def label(axis: Axes, data: ItemData, text: str) -> None:
    """Alpha along the bottom, a metric up the side."""
    axis.set_xscale("log")
    axis.set_xticks(data.alphas(), [f"{a:g}" for a in data.alphas()], minor=False)
    axis.minorticks_off()
    axis.set_xlabel(r"$\alpha$ (training, and rescaling)")
    axis.set_ylabel(text)


def draw(data: ItemData) -> Figure:
    """Accuracy, cross-entropy and ECE against alpha, as the paper's row of panels."""
    figure, axes = style.panels(3)
    for axis, (metric, (text, _, unit)) in zip(axes, METRICS.items()):
        for name, points in series(data).items():
            line(
                axis, name, [(a, interval(rows[metric] * unit)) for a, rows in points if len(rows)]
            )
        label(axis, data, text)
    axes[2].set_ylim(bottom=0)
    title = f"{curves.subtitle(data)}: plain and rescaled prediction"
    return style.finish(figure, title, curves.note(data))
