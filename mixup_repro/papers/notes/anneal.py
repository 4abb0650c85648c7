"""An alpha that falls to zero along training, against one that stays and one that rises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

STARTS = (0.2, 1.0, 8.0, 32.0)  # alphas from which alpha falls to zero, or to which it rises
NEARLY_ZERO = 0.001  # where alpha rises from
RISING = "rising to {:g}"  # the name of a grid's part
OFF = "off at the end"  # fixed, but nothing is mixed in the last tenth of the epochs
# Each schedule of alpha, with its marker.
MARKERS = {"falling": "o", "fixed": "s", "fixed at the mean": "D", "rising": "^", OFF: "v"}
# Which schedules are compared: the first less the second.
PAIRS = [*(("falling", name) for name in ("fixed", "fixed at the mean", "rising")), (OFF, "fixed")]


def values(data: ItemData, name: str, quantity: Quantity, alpha: float) -> pd.Series:
    """A quantity by seed of the runs whose alpha falls to zero from `alpha`, or of a control."""
    if name == "falling":
        return quantity.values(data, "mixup", alpha)
    if name == "rising":
        return quantity.values(data.other(RISING.format(alpha)), "mixup", NEARLY_ZERO)
    at = alpha / 2 if name == "fixed at the mean" else alpha
    return quantity.values(data.other(name), "mixup", at)


def less(data: ItemData, names: tuple[str, str], quantity: Quantity) -> pd.DataFrame:
    """A quantity of the first schedule less the second's: seeds by alphas that both have."""
    table = {}
    for a in bank.alphas(data, "mixup"):
        with suppress(NoValues):
            table[a] = paired(*(values(data, name, quantity, a) for name in names))
    return pd.DataFrame(table).dropna()


def versus(data: ItemData, pairs: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """Accuracy at each alpha, of the first of a pair less the second's; cross-entropy as detail."""
    for names in pairs:
        for q in (ACCURACY, NLL):
            part = f"{q.name}, {' - '.join(names)}"
            found = over_alphas(part, less(data, names, q), q.promised, q.least)
            yield from found if q is ACCURACY else map(bank.as_detail, found)


CLAIMS = (
    Claim(
        "anneal",
        "B18",
        "An alpha that falls to zero beats a fixed one.",
        partial(versus, pairs=PAIRS[:2]),
    ),
    Claim(
        "anneal_order",
        "B18, our question",
        "An alpha that falls to zero beats one that rises from it.",
        partial(versus, pairs=PAIRS[2:3]),
        on=("anneal_digits",),
        ours=True,
    ),
    Claim(
        "anneal_off",
        "B18, our question",
        "Mixup that is switched off for the last epochs beats Mixup to the end.",
        partial(versus, pairs=PAIRS[3:]),
        on=("anneal_cifar10", "anneal_cifar10_resnet20"),
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
    off = f", {OFF} minus fixed" if OFF in data.beside else ""
    note = (
        r"$\alpha$: where it falls from, stays, or rises to; its mean is half of that. Below: "
        f"falling minus each control{off}, by seed; hollow: the interval includes zero. Blue "
        f"ground: where the notes say that it lies. Each panel has its own scale. "
        f"{curves.note(data)}"
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
    """A quantity of each pair, the first less the second."""
    shown = {pair: quantity.unit * less(data, pair, quantity) for pair in PAIRS}
    shown = {pair: table for pair, table in shown.items() if len(table)}
    for k, (pair, table) in enumerate(shown.items()):
        name = OFF if OFF in pair else pair[1]
        for alpha in table:
            at = places.index(float(alpha)) + style.dodge(k, len(shown))
            marker = MARKERS[name]
            style.effect(axis, at, table[alpha], _colour(name), marker=marker, beside=0.06)
    style.zero_line(axis, better=quantity.promised)
    axis.set_title("Minus its control")


def _colour(name: str) -> Any:
    """Mixup's where alpha falls; the others are shades."""
    if name == "falling":
        return style.SERIES["Mixup"]["color"]
    return style.shade([*MARKERS].index(name) - 1, len(MARKERS) - 1)


def _part(grid: str, only: str, smoke: str = "") -> Runs:
    """A part of a grid, in all scales; smoke: more words for that one."""
    words = dict.fromkeys(SCALES, only)
    return Runs(grid, only=words | {"smoke": f"{only} {smoke}".strip()})


def _on_cifar10(network: str, suffix: str, fixed: str) -> On:
    """The setting of a network on CIFAR-10. fixed: the grid whose Mixup is its control."""
    beside = {
        name: _part(fixed, f"method=mixup method.alpha=[{a}]", "recipe.epochs=2")
        for name, a in (("fixed", 1), ("fixed at the mean", 0.5))
    } | {OFF: _part(f"notes/anneal_off_cifar10{suffix}", "method=mixup")}
    return bank.setting(
        f"anneal_cifar10{suffix}",
        Beside(Runs(f"notes/anneal_cifar10{suffix}"), beside),
        stands_in=f"{network} on CIFAR-10",
        here=(
            f"{network} on CIFAR-10. Alpha falls from 1 by equal "
            "steps from epoch to epoch. Its controls: alpha fixed at 1, or at 0.5, which is the "
            "mean. A third schedule is Mixup at alpha 1, off for the last tenth of the epochs, as "
            "in GluonCV's logs, whose networks gained 0.28 to 0.71 points of accuracy when it was "
            "switched off for the last 20 of 220."
        ),
    )


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
        bank.setting(
            "anneal_digits",
            Beside(Runs("notes/anneal_digits"), BESIDE),
            stands_in="an MLP on digits",
            here=(
                f"{bank.RUNS} Alpha falls by equal steps from epoch to epoch. Its controls: alpha "
                "fixed at the start, or at half of it, which is the mean; and alpha that rises "
                f"from {NEARLY_ZERO:g} to it."
            ),
        ),
        _on_cifar10("LeNet", "", "carratino2020/fig4_cifar10_lenet"),
        _on_cifar10("ResNet-20", "_resnet20", "carratino2020/fig4_cifar10_resnet20"),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
