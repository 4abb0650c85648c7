"""What Figures 1 and 8 share: training error on the alternating line X_m^k."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.claims import Finding, number
from mixup_repro.papers.shared import ItemData, by_epoch, select
from mixup_repro.stats import NoValues

RUNS = 10  # of the paper, for each curve
CODE = (
    "one Adam optimiser for its ten runs, as said; all other settings here are the code's (one "
    "lambda a batch, partners from the whole data set)."
)
SAME = (
    "Our runs are independent; the authors' code keeps one Adam optimiser across its ten runs and "
    "resets only the weights."
)
Errors = Mapping[tuple[str, float | None], float]  # by method and alpha, in per cent


def final_error(data: ItemData, method: str, alpha: float | None = None) -> pd.Series:
    """Training error (%) after the last step, by seed. The line's test set is its training set."""
    return 100 * (1 - data.metric("accuracy", method, alpha))


def error_numbers(data: ItemData, logs: Mapping[str, Errors]) -> Iterator[Finding]:
    """The final errors that the authors' logs report for this setting, beside ours."""
    for (method, alpha), percent in logs[data.name].items():
        name = "ERM" if alpha is None else f"Mixup, alpha = {alpha:g}"
        errors = final_error(data, method, alpha)
        yield number(f"final error (%), {name}", errors, percent, RUNS, 2)


def draw(data: ItemData, title: str) -> Figure:
    """Training error against steps, one panel an alpha: mean and one standard deviation."""
    alphas = data.alphas()
    figure, axes = style.panels(len(alphas), sharey=True)
    for axis, alpha in zip(axes, alphas):
        for name, method, own in (("ERM", "erm", None), ("Mixup", "mixup", alpha)):
            with suppress(NoValues):
                curves = select(data.curves, method=method, alpha=own)
                error = 100 * (1 - by_epoch(curves, "test_accuracy"))
                mean, sd = error.mean(axis=1), error.std(axis=1, ddof=1).fillna(0)
                low, high = (mean - sd).clip(lower=0), (mean + sd).clip(upper=100)
                style.band(axis, error.index, mean, low, high, name)
        axis.set_title(rf"$\alpha = {alpha:g}$")
        axis.set_xlabel("Adam steps")
        axis.set_ylim(bottom=-2)
    axes[0].set_ylabel("Training error (%)")
    note = f"Mean and one standard deviation of {data.seeds()} runs. Scale: {data.scale}."
    return style.finish(figure, title, note)
