"""Figures 2 and 9: clean training error of Mixup and ERM on pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.claims import Claim, Finding, mostly, number, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, by_epoch, select, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues, paired

RUNS, WORST = 5, 1024.0
MARGIN = 0.01  # "within 1 %" of accuracy
# Mean final test error (%) in the authors' logs, (Mixup, ERM) by alpha; ERM was run at each alpha.
LOGS = {
    "fig2_mnist": {1: (0.59, 0.55), 32: (0.76, 0.61), 128: (0.69, 0.66), 1024: (0.92, 0.63)},
    "fig2_cifar10": {
        **{1: (13.24, 16.45), 32: (16.34, 15.95), 128: (16.91, 15.79), 1024: (17.11, 16.63)},
    },
    "fig2_cifar100": {
        **{1: (45.22, 48.54), 32: (48.66, 47.99), 128: (48.42, 47.54), 1024: (48.29, 47.96)},
    },
}
LEVELS = (0.5, 0.9)  # shares of the way from guessing to ERM's final error
GUESSING = {"mnist": 0.9, "cifar10": 0.9, "cifar100": 0.99}  # the error of a blind guess


def train_error(data: ItemData, method: str, alpha: float | None = None) -> pd.DataFrame:
    """Clean training error: epochs by seeds.

    Raises:
        NoValues: there are no such runs.
    """
    return 1 - by_epoch(select(data.curves, method=method, alpha=alpha), "train_accuracy")


def excess(data: ItemData, alpha: float) -> pd.Series:
    """Final clean training error of Mixup minus ERM's, by seed."""
    final = (train_error(data, *m).iloc[-1] for m in (("mixup", alpha), ("erm", None)))
    return paired(*final)


def near(data: ItemData) -> Iterator[Finding]:
    """Mixup's error is at most MARGIN above ERM's."""
    for a in data.alphas():
        above = excess(data, a) - MARGIN
        yield signed("error - ERM's - 1 point", above, -1, a == WORST, alpha=a)


def closer(data: ItemData) -> Iterator[Finding]:
    """At smaller alphas Mixup's error is closer to ERM's than at the largest."""
    worst = excess(data, WORST).abs()
    smaller = [a for a in data.alphas() if a < WORST]
    if not smaller:
        raise NoValues("no alpha is smaller than 1024")
    for a in smaller:
        less, least = paired(excess(data, a).abs(), worst), SMALLEST["error"]
        yield signed("|error - ERM's|, less that at 1024", less, -1, least=least, alpha=a)


def epochs_to(data: ItemData, method: str, alpha: float | None, level: pd.Series) -> pd.Series:
    """The first epoch at which the training error is at most `level`, by seed; infinite if never.

    level: one for each seed; a seed that lacks either a run or a level is left out. A seed that
    never gets there took longer than it was trained: these times may be compared, but not averaged.

    Raises:
        NoValues: there are no such runs.
    """
    error = train_error(data, method, alpha)
    both = error.columns.intersection(level.index)
    reached = error[both].le(level[both], axis=1)
    return reached.idxmax().where(reached.any(), math.inf).astype(float)


def rate(data: ItemData) -> Iterator[Finding]:
    """Mixup reaches an error in less than twice the epochs that ERM takes, in most seeds.

    The errors are at LEVELS of the way from guessing to ERM's final error. "Less than twice" is our
    reading of the paper's "very similar rate".
    """
    final = train_error(data, "erm").iloc[-1]
    guessing = GUESSING[data.runs["dataset"].iloc[0]]
    for share in LEVELS:
        level = guessing - share * (guessing - final)  # by seed of ERM
        erm = epochs_to(data, "erm", None, level)
        ours = epochs_to(data, "mixup", WORST, level)
        never = int(np.isinf(ours).sum())
        unreached = f" ({never} of {len(ours)} seeds never)" if never else ""
        part = f"{share:.0%} of the way to ERM's error within twice its epochs, alpha = 1024"
        yield mostly(part + unreached, ours < 2 * erm[ours.index])


def final_test_error(data: ItemData, method: str, alpha: float | None = None) -> pd.Series:
    """Final test error (%) by seed."""
    return 100 * (1 - data.metric("accuracy", method, alpha))


def log_errors(data: ItemData) -> Iterator[Finding]:
    """Mixup's final test errors beside those of the authors' logs."""
    for alpha, (mixup, _) in LOGS[data.name].items():
        errors = final_test_error(data, "mixup", alpha)
        yield number(f"test error (%), alpha = {alpha}", errors, mixup, RUNS, 2)


CLAIMS = (
    Claim(
        "fig2_near",
        "Fig. 2",
        "Mixup's clean training accuracy is within 1 % of ERM's, even at alpha 1024.",
        near,
    ),
    Claim("fig2_closer", "Fig. 9", "Smaller alphas are closer to ERM than 1024.", closer),
    Claim(
        "fig2_rate",
        "sec. 2.5",
        "Mixup minimises the empirical risk at a rate very similar to ERM's (our yardstick: in "
        "less than twice the epochs).",
        rate,
    ),
    Claim("fig2_test", "authors' logs", "Final test errors.", log_errors, on=tuple(LOGS)),
)


def final_train_error(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """Final clean training error (%) by seed."""
    return 100 * train_error(data, method, alpha).iloc[-1]


def table(data: ItemData) -> pd.DataFrame:
    """Final clean training error and test error (%), of ERM and Mixup at each alpha."""
    return summarise(
        (
            {"method": style.METHODS[method], "alpha": alpha},
            {
                "training error (%)": partial(final_train_error, data, method, alpha),
                "test error (%)": partial(final_test_error, data, method, alpha),
            },
        )
        for method, alpha in (("erm", None), *(("mixup", a) for a in data.alphas()))
    )


def draw(data: ItemData) -> Figure:
    """Error along training, the largest alpha first (Fig. 2); and the gap at the end by alpha."""
    alphas = data.alphas()
    wide = -(-(len(alphas) + 1) // 2) if len(alphas) > 2 else len(alphas) + 1
    figure, axes = style.panels(wide, -(-(len(alphas) + 1) // wide), size=(3.1, 2.3))
    for axis, alpha in zip(axes, reversed(alphas)):
        for name, method, own in (("ERM", "erm", None), ("Mixup", "mixup", alpha)):
            with suppress(NoValues):
                style.runs(axis, 100 * train_error(data, method, own), name)
        axis.set_xlabel("Epoch")
        axis.set_title(rf"Clean training error (%), $\alpha = {alpha:g}$")
    top = max(axis.get_ylim()[1] for axis in axes[: len(alphas)])
    for axis in axes[: len(alphas)]:
        axis.set_ylim(0, top)
    style.name_lines(axes[0], *axes[1 : len(alphas)])
    _gaps(axes[len(alphas)], data)
    for axis in axes[len(alphas) + 1 :]:
        axis.set_axis_off()
    many = f"Thin lines: {data.seeds()} runs" if data.seeds() > 1 else "One run, so no interval"
    note = (
        f"{many}. Gap: paired by seed, with the 95 % t interval that decides the verdict; hollow: "
        f"it may include one point; blue: at most a point above ERM. Scale: {data.scale}."
    )
    title = "Clean training error of Mixup and ERM"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def _gaps(axis: Axes, data: ItemData) -> None:
    """Mixup's final error less ERM's, in points, by alpha."""
    colour = style.SERIES["Mixup"]["color"]
    for place, alpha in enumerate(data.alphas()):
        with suppress(NoValues):
            gap = 100 * excess(data, alpha)
            style.effect(axis, place, gap, colour, against=100 * MARGIN)
    low, high = axis.get_ylim()
    low, high = min(low, -0.1), max(high, 110 * MARGIN)
    axis.axhspan(low, 100 * MARGIN, color=style.HELP, linewidth=0, zorder=0)
    style.zero_line(axis)
    axis.set_ylim(low, high)
    style.alpha_ticks(axis, data.alphas())
    axis.set_title("Mixup - ERM at the end (points)")


NARROW = "width 16 in place of 64"
SETTINGS = {  # what stands in, and all that differs
    "fig2_mnist": ("", ""),
    "fig2_cifar10": ("", ""),
    "fig2_cifar100": ("", ""),
    "fig2_mnist_lenet": ("LeNet", "LeNet in place of ResNet-18, and 25 epochs."),
    "fig2_mnist_resnet18w16": (
        "ResNet-18 of width 16",
        f"{NARROW}; at scale short 20 epochs, alpha 1, 32 and 1024, and 2 seeds.",
    ),
    "fig2_cifar10_resnet18w16": (
        "ResNet-18 of width 16",
        f"{NARROW}; at scale short 25 epochs, alpha 1024, and 2 seeds.",
    ),
}
ITEM = Item(
    title="Figures 2 and 9: clean training error on pictures",
    paper=(
        "ResNet-18, MNIST, CIFAR-10 and CIFAR-100, Adam, 50 epochs, 5 runs: Mixup's clean training "
        "error is within 1 % of ERM's even at alpha = 1024, smaller alphas are closer, and it "
        "falls at nearly the same rate."
    ),
    on=tuple(
        On(
            name,
            Runs(f"chidambaram2022/{name}"),
            stands_in=stands_in,
            differs=differs,
            code=(
                "trains ERM again beside each alpha; all other settings of `fig2_mnist`, "
                "`fig2_cifar10` and `fig2_cifar100` are the code's (one lambda a batch, partners "
                "from the whole data set)."
            ),
        )
        for name, (stands_in, differs) in SETTINGS.items()
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
