"""Section 5's remark: for balanced classes rescaling is temperature scaling with T = theta_bar."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.beta import theta_bar
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, number, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, interval, paired

TITLE = "Section 5: rescaling as temperature scaling"
PAPER = (
    "for balanced classes rescaling divides the logits of the shrunk input by theta_bar(alpha): "
    "temperature scaling whose temperature is known without a validation set."
)
FITTED = (
    "temperatures are fitted on one half of the test set and metrics read on the other, both ways"
)
DIFFERS = {
    "temperature_digits": f"scikit-learn's digits and an MLP; {FITTED}.",
    "temperature_cifar10_lenet": f"LeNet, as in fig4_cifar10_lenet; {FITTED}.",
    "temperature_cifar10_resnet20": f"ResNet-20, as in fig4_cifar10_resnet20; {FITTED}.",
}


def value(
    data: ItemData, metric: str, evaluation: str, alpha: float, shrunk: bool = True
) -> pd.Series:
    """A metric by seed of the Mixup runs of an alpha, on shrunk or plain inputs."""
    return data.metric(metric, "mixup", alpha, alpha if shrunk else None, evaluation)


def _fitted(data: ItemData) -> pd.DataFrame:
    """Temperatures fitted to the logits of shrunk inputs: seeds by alphas."""
    at = {a: value(data, "temperature", "temperature", a) for a in data.alphas()}
    return pd.DataFrame(at).dropna()


def _equals(data: ItemData) -> list[Finding]:
    return [
        number(f"fitted T on f(x~), alpha = {a:g}", values, theta_bar(a), math.inf, 3)
        for a, values in _fitted(data).items()
    ]


def _grows(data: ItemData) -> list[Finding]:
    fitted = _fitted(data)
    theta = [theta_bar(a) for a in fitted]
    if len(theta) < 2:
        raise NoValues("a slope needs two alphas")
    slopes = [np.polyfit(theta, row, 1)[0] for row in fitted.to_numpy()]
    return [signed("slope of the fitted temperature in theta_bar", slopes, 1)]


def _as_good(data: ItemData) -> list[Finding]:
    difference = pd.DataFrame(
        {
            a: paired(value(data, "ece", "rescaled", a), value(data, "ece", "temperature", a))
            for a in data.alphas()
        }
    ).dropna()
    detail = [signed(f"ECE, alpha = {a:g}", difference[a], -1, headline=False) for a in difference]
    return [
        signed("ECE, rescaled - fitted, mean over alphas", difference.mean(axis=1), -1),
        *detail,
    ]


CLAIMS = [
    Claim(
        "fig4_temperature",
        "sec. 5",
        "The temperature that fits the logits of shrunk inputs is theta_bar.",
        _equals,
    ),
    Claim(
        "fig4_temperature_slope",
        "sec. 5, our reading",
        "The temperature that fits the logits of shrunk inputs grows with theta_bar.",
        _grows,
    ),
    Claim(
        "fig4_temperature_ece",
        "sec. 5, our reading",
        "Rescaling calibrates at least as well as a temperature fitted on held-out data.",
        _as_good,
    ),
]

LINES = {  # name: evaluation, on shrunk inputs, look
    "Plain": ("plain", False, style.SERIES["Mixup"]),
    "Rescaled": ("rescaled", True, style.SERIES["Mixup (rescaled)"]),
    "Fitted, plain inputs": ("temperature", False, style.SERIES["Label smoothing"]),
    "Fitted, shrunk inputs": ("temperature", True, style.SERIES["ERM (rescaled)"]),
}


def table(data: ItemData) -> pd.DataFrame:
    """Fitted temperatures beside theta_bar, and the ECE of each prediction."""
    out = []
    for alpha in data.alphas():
        cells: dict = {"alpha": alpha, "theta_bar": theta_bar(alpha)}
        for name, (evaluation, shrunk, _) in LINES.items():
            for metric in ("temperature", "ece"):
                values = value(data, metric, evaluation, alpha, shrunk).dropna()
                if len(values):
                    i = interval(values)
                    column = f"{metric}, {name.lower()}"
                    cells |= i.cells(column)
        out.append(cells)
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """Fitted temperature against alpha, and ECE."""
    figure, axes = style.panels(2)
    alphas = data.alphas()
    units = {"temperature": 1, "ece": 100}
    for axis, (metric, unit) in zip(axes, units.items()):
        for name, (evaluation, shrunk, look) in LINES.items():
            at = [(a, unit * value(data, metric, evaluation, a, shrunk).dropna()) for a in alphas]
            at = [(a, interval(values)) for a, values in at if len(values)]
            axis.errorbar(
                [a for a, _ in at],
                [i.mean for _, i in at],
                [i.half for _, i in at],
                label=name,
                capsize=2,
                **look,
            )
        axis.set_xscale("log")
        axis.set_xticks(alphas, [f"{a:g}" for a in alphas])
        axis.minorticks_off()
        axis.set_xlabel(r"$\alpha$")
    fine = np.geomspace(min(alphas, default=0.1), max(alphas, default=8.0), 100)
    axes[0].plot(fine, [theta_bar(a) for a in fine], color="black", label=r"$\bar\theta(\alpha)$")
    axes[0].set_ylabel("Temperature of the logits")
    axes[1].set_ylabel("Test ECE, 15 bins (%)")
    axes[1].set_ylim(bottom=0)
    title = f"{curves.subtitle(data)}: temperature scaling of Mixup"
    return style.finish(figure, title, curves.note(data))
