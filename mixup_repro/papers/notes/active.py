"""Active learning on digits: what asking for the most uncertain labels gains, under Mixup too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.shared import ItemData, Row, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.probes.active import LABELS, STRATEGIES
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues, interval, paired

EARLY, LATE = LABELS[1:3], LABELS[-2:]  # numbers of labels that are one part of the claim each
LINES = dict(zip(STRATEGIES, (":", "-")))


def accuracy(data: ItemData, strategy: str, n: int, method: str, alpha: float | None) -> pd.Series:
    """Test accuracy by seed with n labels that a strategy chose."""
    return data.probed("active", strategy, f"accuracy {n}", method, alpha)


def gain(data: ItemData, labels: tuple[int, ...], method: str, alpha: float | None) -> pd.Series:
    """Accuracy by entropy less that by chance, by seed: the mean over numbers of labels."""
    each = [
        paired(*(accuracy(data, strategy, n, method, alpha) for strategy in ("entropy", "random")))
        for n in labels
    ]
    mean: pd.Series = pd.concat(each, axis=1).mean(axis=1)
    return mean


def not_always(data: ItemData) -> Iterator[Finding]:
    """Uncertainty sampling gains less under Mixup than under ERM; the gains as detail."""
    at, least = bank.alphas(data, "mixup"), SMALLEST["accuracy"]
    for name, labels in (("early", EARLY), ("late", LATE)):
        erm = gain(data, labels, "erm", None)
        gains = {a: gain(data, labels, "mixup", a) for a in at}
        part = f"gain of entropy over chance, {name} ({labels[0]} to {labels[-1]} labels)"
        less = {a: paired(gains[a], erm) for a in gains}
        yield from over_alphas(f"{part}, Mixup - ERM", less, -1, least)
        yield from map(bank.as_detail, over_alphas(f"{part}, Mixup", gains, 1, least))


CLAIMS = (
    Claim(
        "active_pool",
        "B40",
        "Mixup does not always help uncertainty sampling.",
        not_always,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Test accuracy with each number of labels, of each method, alpha and strategy."""
    rows: list[Row] = [
        (
            {"method": style.METHODS[method], "alpha": alpha, "labels by": strategy},
            {f"{n} labels": partial(accuracy, data, strategy, n, method, alpha) for n in LABELS},
        )
        for method, alpha in (("erm", None), *(("mixup", a) for a in bank.alphas(data, "mixup")))
        for strategy in STRATEGIES
    ]
    return summarise(rows)


def draw(data: ItemData) -> Figure:
    """An alpha a column. Above: accuracy by labels, of ERM and Mixup; below: entropy's gain."""
    places = bank.alphas(data, "mixup")
    figure, axes = style.panels(max(1, len(places)), 2, size=(2.5, 2.2), sharey="row")
    for column, alpha in enumerate(places):
        above, below = axes[column], axes[len(places) + column]
        for k, (method, own) in enumerate((("erm", None), ("mixup", alpha))):
            _accuracies(above, data, method, own)
            _gains(below, data, method, own, k)
        above.set_title(rf"$\alpha = {alpha:g}$")
        style.zero_line(below)
        for axis in (above, below):
            axis.set_xticks(LABELS)
        below.set_xlabel("Labels")
    axes[0].set_ylabel("Accuracy (%)")
    axes[len(axes) // 2].set_ylabel("Entropy less chance")
    note = (
        "Labels are chosen by chance, or 20 at a time by the entropy of predictions. Below: points "
        "that choosing by entropy gains; hollow: the interval includes zero. "
        f"{curves.note(data)}"
    )
    title = "Asking for the labels that one is least sure of"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def _accuracies(axis: Axes, data: ItemData, method: str, alpha: float | None) -> None:
    """Mean accuracy by labels, a line a strategy."""
    for strategy, line in LINES.items():
        with suppress(NoValues):
            at = [interval(100 * accuracy(data, strategy, n, method, alpha)) for n in LABELS]
            name = style.METHODS[method]
            look = style.SERIES[name] | {"linestyle": line, "marker": ""}
            how = "entropy" if strategy == "entropy" else "chance"
            style.points(axis, LABELS, at, f"{name}, by {how}", **look)


def _gains(axis: Axes, data: ItemData, method: str, alpha: float | None, k: int) -> None:
    """What choosing by entropy gains, by labels."""
    for n in LABELS[1:]:
        with suppress(NoValues):
            look = style.SERIES[style.METHODS[method]]
            values = 100 * gain(data, (n,), method, alpha)
            marker = look["marker"] or "s"
            at = n + style.dodge(k, 2, 5)
            style.effect(axis, at, values, look["color"], marker=marker, beside=1.5, size=4)


ITEM = Item(
    title="Active learning",
    paper=(
        "one might think that Mixup's smoother predictions help uncertainty sampling; that is not "
        "always true, for it can be less uncertain between classes than Bayes (B40)."
    ),
    on=(
        bank.setting(
            "active_digits",
            Runs(
                "notes/bank_digits",
                ask="probe=active",
                only=dict.fromkeys(SCALES, "method=erm,mixup"),
            ),
            stands_in="an MLP on digits",
            here=(
                f"{bank.RUNS} {LABELS[0]} of 898 training pictures are labelled by chance, then 20 "
                "at a time, with a network trained anew after each, in as many steps as on all."
            ),
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
