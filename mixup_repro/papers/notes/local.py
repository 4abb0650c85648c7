"""Calibration by classes, groups and places, and what one temperature for all corrects of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig1 import LAYOUTS
from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.probes.groups import SURE
from mixup_repro.stats import NoValues, interval, paired

Pair = tuple[Quantity, Quantity]  # of predictions as they come, and with one temperature


def error(group: str, metric: str, name: str, least: float = SMALLEST["ece"]) -> Pair:
    """A calibration error that the probe `groups` measures, without and with a temperature."""

    def of(metric: str, name: str, title: str) -> Quantity:
        probe = probed("groups", group, metric)
        return Quantity(name, probe, -1, title, 100, least)

    title = f"{name} (points)"
    return of(metric, name, title), of(f"{metric}_temperature", f"{name}, with T", title)


PLACES = (
    error("overlap", "from_truth", "Off the truth, overlap"),
    error("apart", "from_truth", "Off the truth, apart"),
)
# The errors of each setting: by class, by group, or at places whose true probabilities are known.
ERRORS = {
    # A mean over the probabilities of ten classes, most of which are near 0: errors are smaller.
    "local_digits": (error("classes", "ece", "ECE by classes", SMALLEST["ece"] / 10),),
    "local_rare": (
        error("rare", "ece", "ECE, rare group"),
        error("common", "ece", "ECE, common group"),
    ),
    "local_ring": PLACES,
    "local_arch": PLACES,
}


def less(data: ItemData, quantity: Quantity, with_t: Quantity) -> pd.DataFrame:
    """A quantity of Mixup less ERM's with one temperature: seeds by alphas."""
    erm = with_t.values(data, "erm", None)
    at = bank.alphas(data, "mixup")
    return pd.DataFrame({a: paired(quantity.values(data, "mixup", a), erm) for a in at}).dropna()


def local(data: ItemData) -> Iterator[Finding]:
    """Mixup less ERM with one temperature: as Mixup comes, and with one of its own."""
    for plain, with_t in ERRORS[data.name]:
        for quantity, what in ((plain, "as it comes"), (with_t, "with one too")):
            part = f"{plain.name}, Mixup {what} - ERM with one temperature"
            yield from over_alphas(part, less(data, quantity, with_t), -1, plain.least)


CLAIMS = (
    Claim(
        "calibration_local",
        "A23",
        "Mixup corrects what one temperature cannot: errors that differ between inputs.",
        local,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Each error of each method and alpha, as predictions come and with one temperature."""
    return bank.table(data, [quantity for pair in ERRORS[data.name] for quantity in pair])


def draw(data: ItemData) -> Figure:
    """An error a column. Above: by alpha, without and with a temperature; below: the difference."""
    errors = ERRORS[data.name]
    figure, axes = style.panels(len(errors), 2, size=(3.4, 2.2))
    places = bank.alphas(data, "mixup")
    for column, pair in enumerate(errors):
        above, below = axes[column], axes[len(errors) + column]
        for k, (quantity, what) in enumerate(zip(pair, ("as it comes", "with T"))):
            _levels(above, data, quantity, places, what, k)
        above.set_title(pair[0].title)
        for k, quantity in enumerate(pair):
            _differences(below, data, quantity, pair[1], places, k)
        style.zero_line(below, better=-1)
        below.set_title("Minus ERM with T")
        for axis in (above, below):
            style.alpha_ticks(axis, places)
        above.set_xlabel("")
    note = (
        "T: one temperature for all examples, fitted on held-out ones. Below: paired by seed; "
        "hollow: the interval includes zero. Blue ground: where the notes say that it lies. "
        f"{curves.note(data)}"
    )
    title = "What one temperature corrects, and what Mixup does"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def _levels(
    axis: Axes, data: ItemData, quantity: Quantity, places: list[float], what: str, k: int
) -> None:
    """ERM's error as a line, and Mixup's by alpha."""
    lines: dict[str, Any] = {"linestyle": ("-", ":")[k]}
    with suppress(NoValues):
        at = interval(quantity.unit * quantity.values(data, "erm", None))
        colour = style.SERIES["ERM"]["color"]
        axis.axhspan(at.low, at.high, color=colour, alpha=0.15, linewidth=0)
        axis.axhline(at.mean, color=colour, label=f"ERM, {what}", **lines)
    means = {}
    for place, alpha in enumerate(places):
        with suppress(NoValues):
            values = quantity.unit * quantity.values(data, "mixup", alpha)
            means[place + style.dodge(k, 2)] = interval(values)
    if means:
        look = style.SERIES["Mixup"] | lines | {"marker": "os"[k]}
        style.points(axis, [*means], [*means.values()], f"Mixup, {what}", **look)


def _differences(
    axis: Axes, data: ItemData, quantity: Quantity, with_t: Quantity, places: list[float], k: int
) -> None:
    """Mixup less ERM with one temperature."""
    with suppress(NoValues):
        table = quantity.unit * less(data, quantity, with_t)
        for alpha in table:
            place = places.index(float(alpha)) + style.dodge(k, 2)
            colour = style.SERIES["Mixup"]["color"]
            style.effect(axis, place, table[alpha], colour, marker="os"[k], beside=0.06)


def on(name: str, grid: str, stands_in: str, here: str) -> On:
    """The setting of a grid whose runs the probe `groups` asks."""
    return bank.setting(
        f"local_{name}",
        Runs(grid, ask="probe=groups"),
        stands_in=stands_in,
        here=f"{here} The temperature is fitted on halves of all test examples.",
    )


ITEM = Item(
    title="Calibration, locally",
    paper=(
        "corrections afterwards are global and cannot address miscalibration that depends on the "
        "input; Mixup addresses it in training, at finer granularity (A23)."
    ),
    on=(
        on(
            "digits",
            "notes/bank_digits",
            "an MLP on digits",
            f"{bank.RUNS} ECE by classes: of each class's probability, the mean over classes.",
        ),
        on(
            "rare",
            "notes/rare_digits",
            "an MLP on digits",
            f"{bank.RUNS} 5 % of the training pictures are negatives, and half of the test "
            "pictures: the rare group.",
        ),
        *(
            on(
                layout,
                f"notes/plane_{layout}",
                "an MLP on data of our own",
                "each class is a mixture of Gaussians, so that "
                "true probabilities are known: 2,000 training points, an MLP 2-128-128-2; "
                f"{lies} Overlap: the likelier class has a probability below {SURE:g}.",
            )
            for layout, lies in LAYOUTS.items()
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
