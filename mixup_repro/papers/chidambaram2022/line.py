"""What Figures 1 and 8 share: training error on the alternating line X_m^k."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.claims import Finding, number
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import interval

RUNS = 10  # of the paper, for each curve


def final_error(data: ItemData, method: str, alpha: float | None = None) -> pd.Series:
    """Training error (%) after the last step, by seed. The line's test set is its training set."""
    return 100 * (1 - data.metric("accuracy", method, alpha))


def error_numbers(data: ItemData, reference: dict) -> list[Finding]:
    """The final errors that the authors' logs report, {(method, alpha): percent}, beside ours."""
    findings = []
    for (method, alpha), percent in reference.items():
        name = "ERM" if alpha is None else f"Mixup, alpha = {alpha:g}"
        errors = final_error(data, method, alpha)
        findings.append(number(f"final error (%), {name}", errors, percent, RUNS, 2))
    return findings


def table(data: ItemData) -> pd.DataFrame:
    """Final training error (%) for each method and alpha."""
    out = []
    for (method, alpha), _ in data.runs.groupby(["method", "alpha"], dropna=False):
        alpha = None if np.isnan(alpha) else alpha
        errors = final_error(data, method, alpha)
        i = interval(errors)
        cells = {"method": method, "alpha": alpha, "n": i.n, "final error (%)": i.mean}
        out.append(cells | {"+-": i.half, "runs that err": int((errors > 0).sum())})
    return pd.DataFrame(out)


def draw(data: ItemData, title: str) -> Figure:
    """Training error against steps, one panel an alpha: mean and one standard deviation."""
    alphas = data.alphas()
    figure, axes = style.panels(len(alphas), sharey=True)
    for axis, alpha in zip(axes, alphas):
        for name, method, own in (("ERM", "erm", None), ("Mixup", "mixup", alpha)):
            curves = data.curves[data.curves["method"] == method]
            curves = curves[curves["alpha"].isna() if own is None else curves["alpha"] == own]
            if curves.empty:
                continue
            error = curves.assign(error=100 * (1 - curves["test_accuracy"]))
            by_step = error.pivot(index="epoch", columns="seed", values="error")
            mean, sd = by_step.mean(axis=1), by_step.std(axis=1, ddof=1).fillna(0)
            low, high = (mean - sd).clip(lower=0), (mean + sd).clip(upper=100)
            style.band(axis, by_step.index, mean, low, high, name)
        axis.set_title(rf"$\alpha = {alpha:g}$")
        axis.set_xlabel("Adam steps")
        axis.set_ylim(bottom=-2)
    axes[0].set_ylabel("Training error (%)")
    note = f"Mean and one standard deviation of {data.seeds()} runs. Scale: {data.scale}."
    return style.finish(figure, title, note)
