"""An alpha that falls to zero along training, against one that stays and one that rises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity
from mixup_repro.papers.notes.calibration import ACCURACY, ECE, NLL
from mixup_repro.papers.shared import ItemData, Row, summarise
from mixup_repro.papers.sources import Beside, Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues, interval, paired

STARTS = (0.2, 1.0, 8.0, 32.0)  # alphas that fall to zero, or that are risen to
NEARLY_ZERO = 0.001  # where alpha rises from
RISING = "rising to {:g}"  # the name of a grid's part
# How alpha goes, and its marker.
MARKERS = {"falling": "o", "fixed": "s", "fixed at the mean": "D", "rising": "^"}
CONTROLS = [*MARKERS][1:]


def values(data: ItemData, name: str, quantity: Quantity, alpha: float) -> pd.Series:
    """A quantity by seed of the runs whose alpha falls to zero from `alpha`, or of a control."""
    if name == "falling":
        return quantity.values(data, "mixup", alpha)
    if name == "rising":
        return quantity.values(data.other(RISING.format(alpha)), "mixup", NEARLY_ZERO)
    at = alpha / 2 if name == "fixed at the mean" else alpha
    return quantity.values(data.other(name), "mixup", at)


def less(data: ItemData, name: str, quantity: Quantity) -> pd.DataFrame:
    """A quantity where alpha falls, less the control's: seeds by alphas that both have."""
    table = {}
    for a in bank.alphas(data, "mixup"):
        with suppress(NoValues):
            table[a] = paired(*(values(data, n, quantity, a) for n in ("falling", name)))
    return pd.DataFrame(table).dropna()


def versus(data: ItemData, names: tuple[str, ...]) -> Iterator[Finding]:
    """Accuracy, from each alpha to zero less each control's; cross-entropy as detail."""
    for name in names:
        for q in (ACCURACY, NLL):
            part = f"{q.name}, falling - {name}"
            found = over_alphas(part, less(data, name, q), q.promised, q.least)
            yield from found if q is ACCURACY else map(bank.as_detail, found)


CLAIMS = (
    Claim(
        "anneal",
        "B18",
        "An alpha that falls to zero beats a fixed one.",
        partial(versus, names=("fixed", "fixed at the mean")),
    ),
    Claim(
        "anneal_order",
        "B18, our question",
        "An alpha that falls to zero beats one that rises from it.",
        partial(versus, names=("rising",)),
        ours=True,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Each quantity of ERM, of the falling alphas and of their controls."""
    erm: Row = (
        {"method": style.METHODS["erm"], "alpha": None, "which is": ""},
        {q.name: partial(q.values, data, "erm", None) for q in SHOWN},
    )
    mixing: list[Row] = [
        (
            {"method": style.METHODS["mixup"], "alpha": a, "which is": name},
            {q.name: partial(values, data, name, q, a) for q in SHOWN},
        )
        for a in bank.alphas(data, "mixup")
        for name in MARKERS
    ]
    return summarise([erm, *mixing])


def draw(data: ItemData) -> Figure:
    """A quantity a column. Above: all schedules by alpha; below: falling less each control."""
    figure, axes = style.panels(len(SHOWN), 2)
    places = bank.alphas(data, "mixup")
    for column, quantity in enumerate(SHOWN):
        above, below = axes[column], axes[len(SHOWN) + column]
        with suppress(NoValues):
            erm = interval(quantity.unit * quantity.values(data, "erm", None))
            style.level(above, erm, len(places), "ERM")
        _levels(above, data, quantity, places)
        _differences(below, data, quantity, places)
        for axis in (above, below):
            style.alpha_ticks(axis, places)
        above.set_xlabel("")
    note = (
        r"$\alpha$: where it falls from, stays, or rises to; its mean is half of that. Below: "
        "paired by seed; hollow: the interval includes zero. Blue ground: where the notes say that "
        f"it lies. Each panel has its own scale. {curves.note(data)}"
    )
    title = "Alpha that falls to zero, and its controls"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def _levels(axis: Axes, data: ItemData, quantity: Quantity, places: list[float]) -> None:
    """A quantity of each schedule, against alpha."""
    for k, name in enumerate(MARKERS):
        means = {}
        for place, alpha in enumerate(places):
            with suppress(NoValues):
                at = interval(quantity.unit * values(data, name, quantity, alpha))
                means[place + style.dodge(k, len(MARKERS), 0.15)] = at
        if means:
            title = rf"$\alpha$ {name}"
            look: dict[str, Any] = {"color": _colour(name), "linestyle": "-" if k == 0 else "--"}
            style.points(axis, [*means], [*means.values()], title, marker=MARKERS[name], **look)
    axis.set_title(quantity.title)


def _differences(axis: Axes, data: ItemData, quantity: Quantity, places: list[float]) -> None:
    """A quantity where alpha falls, less each control's."""
    for k, name in enumerate(CONTROLS):
        table = quantity.unit * less(data, name, quantity)
        for alpha in table:
            at = places.index(float(alpha)) + style.dodge(k, len(CONTROLS))
            marker = MARKERS[name]
            style.effect(axis, at, table[alpha], _colour(name), marker=marker, beside=0.06)
    style.zero_line(axis, better=quantity.promised)
    axis.set_title("Falling, minus each control")


def _colour(name: str) -> Any:
    """Mixup's where alpha falls; the controls are shades."""
    if name == "falling":
        return style.SERIES["Mixup"]["color"]
    return style.shade(CONTROLS.index(name), len(CONTROLS))


def _part(grid: str, only: str) -> Runs:
    return Runs(grid, only=dict.fromkeys(SCALES, only))


SHOWN = (ACCURACY, NLL, ECE)
BESIDE = {
    "fixed": _part("notes/bank_digits", "method=mixup"),
    "fixed at the mean": _part("notes/anneal_mean_digits", "method=mixup"),
} | {
    RISING.format(a): _part("notes/anneal_rising_digits", f"method=mixup method.alpha_end={a:g}")
    for a in STARTS
}
ITEM = Item(
    title="Alpha that falls to zero",
    paper="An alpha that falls from high to zero beats a fixed one (B18).",
    on=(
        On(
            "anneal_digits",
            Beside(Runs("notes/anneal_digits"), BESIDE),
            stands_in="an MLP on digits",
            differs=(
                f"{bank.RUNS} Alpha falls by equal steps from epoch to epoch. Its controls: alpha "
                "fixed at the start, or at half of it, which is the mean; and alpha that rises "
                f"from {NEARLY_ZERO:g} to it."
            ),
            code="the notes have none.",
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
