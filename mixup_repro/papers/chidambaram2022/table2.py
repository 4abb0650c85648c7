"""Table 2: distances between Mixup points and points of other classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.claims import Claim, Finding, number, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import Cells, ItemData, by_seed, select, summarise
from mixup_repro.papers.sources import Distances

# (minimum, average): minima as in the paper, averages from the authors' logs.
REFERENCE = {
    "mnist": {"train": (11.433, 19.756), "test": (11.897, 19.776)},
    "cifar10": {"train": (17.716, 49.03), "test": (22.133, 49.04)},
    "cifar100": {"train": (12.936, 36.84), "test": (15.076, 37.13)},
}
SHARE = 0.2
COLUMNS = ("minimum", "average")
ORDER = ["share", "Mixup against"]
ORDER += ["paper's minimum", "n", "minimum", "minimum +-"]
ORDER += ["paper's average", "average", "average +-"]


def values(data: ItemData, column: str, part: str, share: float = SHARE) -> pd.Series:
    """`minimum` or `average` by draw, against a part ("train" or "test")."""
    return by_seed(select(data.runs, part=part, share=share), column)


def reference(data: ItemData) -> dict[str, tuple[float, float]]:
    """REFERENCE of the data set."""
    return REFERENCE[data.runs["dataset"].iloc[0]]


def numbers(data: ItemData) -> Iterator[Finding]:
    """The paper's minima, and the averages of the authors' logs."""
    for part, printed in reference(data).items():
        for column, theirs in zip(COLUMNS, printed):
            digits = len(str(theirs).split(".")[1])
            ours = values(data, column, part)
            yield number(f"{column}, Mixup against {part}", ours, theirs, 1, digits)


def not_small(data: ItemData) -> Iterator[Finding]:
    """The minimum is above a tenth of the average, which is our reading of "not small"."""
    for part in ("train", "test"):
        minimum, average = (values(data, column, part) for column in COLUMNS)
        yield signed(f"minimum less a tenth of the average, {part}", minimum - 0.1 * average, 1)


CLAIMS = (
    Claim("table2", "Table 2", "Minimum (and average) distances.", numbers),
    Claim(
        "table2_small",
        "sec. 2.4, Table 2",
        "The minimum distances are not so small that Mixup points conflict with data points (our "
        "reading: they are above a tenth of the mean).",
        not_small,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """The paper's numbers beside ours, for every share of the data that was measured."""
    measured = dict(list(data.runs.groupby(["share", "part"])))
    out = summarise(
        (
            {"share": share, "Mixup against": part} | _printed(data, part, share),
            {column: partial(values, data, column, part, share) for column in COLUMNS},
        )
        for share, part in measured
    )
    if out.empty:
        return out
    out = out[ORDER]
    smallest = [rows["minimum"].min() for rows in measured.values()]
    seconds = [rows["wall_s"].mean() for rows in measured.values()]
    out = out.assign(**{"smallest of all": smallest, "seconds": seconds})
    return out.replace(np.inf, np.nan)


def _printed(data: ItemData, part: str, share: float) -> Cells:
    """The paper's cells, for the share of the data that it used; empty for others."""
    known = reference(data)[part] if share == SHARE else (None, None)
    return {f"paper's {column}": value for column, value in zip(COLUMNS, known)}


def draw(data: ItemData) -> Figure:
    """Every draw's minimum and average, with the paper's minimum and the logs' average."""
    figure, axes = style.panels(2, size=(3.9, 1.6), sharey=True)
    theirs = ("paper", "authors' log")
    for axis, (k, column) in zip(axes, enumerate(COLUMNS)):
        for place, part in enumerate(("train", "test")):
            ours = values(data, column, part)
            label = "ours, a draw" if place == 0 else "_"
            axis.plot(ours, [place] * len(ours), "o", color=style.BLUE, alpha=0.5, label=label)
            look: dict[str, Any] = {"color": style.INK, "markerfacecolor": "none", "markersize": 6}
            label = theirs[k] if place == 0 else "_"
            axis.plot(reference(data)[part][k], place, "Ds"[k], label=label, **look)
        axis.set_ylim(1.5, -0.5)
        axis.margins(x=0.08)
        axis.grid(axis="x")
        axis.set_title(f"{column.capitalize()} distance")
    axes[0].set_yticks([0, 1], ["Mixup against training", "Mixup against test"])
    title = "Distance of points to the nearest Mixup point of two other classes"
    note = f"{data.seeds()} draws of {SHARE:.0%} of the data, alpha = 1024, normalised pixels."
    return style.finish(figure, title, note, str(data.runs["dataset"].iloc[0]))


ITEM = Item(
    title="Table 2: minimum distances",
    paper=(
        "20 % of the data, one epoch of Mixup points at alpha = 1024, normalised pixels, one draw: "
        "the smallest Euclidean distances between a Mixup point and a point of a class that was "
        "not mixed, which are not so small that both conflict. The averages of the points' "
        "smallest distances are from the authors' logs."
    ),
    on=tuple(
        On(
            f"table2_{label}",
            Distances(label),
            stands_in="",
            differs="10 draws.",
            code="draws once; share of the data, normalisation and partners here are the code's.",
        )
        for label in REFERENCE
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
