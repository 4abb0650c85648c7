"""Figure 6: what rescaling does to Mixup on corrupted test sets, against the severity."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig4 import METRICS
from mixup_repro.papers.carratino2020.fig5 import SETTINGS, averaged, benchmark, change
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, interval

TITLE = "Figure 6: rescaled prediction against the severity of corruption"
PAPER = (
    "ResNet-34, CIFAR-10-C and CIFAR-100-C: as the severity grows, the gap between plain and "
    "rescaled Mixup grows in favour of plain Mixup; rescaled is better only at low severity and "
    "for a few metrics."
)
DIFFERS = {f"fig6_{name}": text for name, text in SETTINGS.items()}


def _moves(data: ItemData) -> list[Finding]:
    """Slope of the improvement in the severity, one least-squares line a seed and alpha."""
    findings = []
    for metric, (_, better, _) in METRICS.items():
        slopes = {}
        for alpha in data.alphas():
            gain = better * change(data, metric, alpha).dropna()
            if gain.shape[1] < 2:
                raise NoValues("a slope needs two severities")
            slopes[alpha] = pd.Series(np.polyfit(gain.columns, gain.T, 1)[0], gain.index)
        each = pd.DataFrame(slopes).dropna()
        findings.append(signed(f"{metric}, slope, mean over alphas", each.mean(axis=1), -1))
        findings += [
            signed(f"{metric}, slope, alpha = {a:g}", each[a], -1, headline=False) for a in each
        ]
    return findings


CLAIMS = [
    Claim(
        "fig6_severity",
        "Fig. 6",
        "Rescaling does worse, against plain Mixup, the severer the corruption.",
        _moves,
    )
]


def table(data: ItemData) -> pd.DataFrame:
    """Rescaled minus plain of each metric, for each alpha and severity."""
    out = []
    for alpha in data.alphas():
        changes = {metric: change(data, metric, alpha).dropna() for metric in METRICS}
        for severity in changes["accuracy"]:
            cells: dict = {"alpha": alpha, "severity": severity}
            for metric, values in changes.items():
                cells |= interval(values[severity]).cells(metric)
            out.append(cells)
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """Rescaled minus plain against severity, a line an alpha: from light to dark."""
    figure, axes = style.panels(3)
    alphas = data.alphas()
    for axis, (metric, (label, better, unit)) in zip(axes, METRICS.items()):
        for k, alpha in enumerate(alphas):
            values = unit * change(data, metric, alpha).dropna()
            at = [interval(values[s]) for s in values]
            shift = 0.06 * (k - (len(alphas) - 1) / 2)  # so that no interval hides another
            axis.errorbar(
                [s + shift for s in values],
                [i.mean for i in at],
                [i.half for i in at],
                label=rf"$\alpha$ = {alpha:g}",
                capsize=2,
                color=style.shade(k, len(alphas)),
                marker="osD^v<>"[k % 7],
            )
        axis.axhline(0, color="black", linewidth=0.6)
        axis.set_xticks(range(1, 6))
        axis.set_xlabel("Severity of the corruption")
        axis.set_ylabel(f"{label},\nrescaled minus plain")
        axis.set_title("rescaling is better " + ("above 0" if better > 0 else "below 0"))
    title = f"{curves.subtitle(data)}: rescaled minus plain Mixup on {benchmark(data)}"
    return style.finish(figure, title, f"{averaged(data)} {curves.note(data)}")
