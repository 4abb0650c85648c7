"""Table 2: distances between Mixup points and points of other classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.claims import Claim, Finding, number, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import interval

TITLE = "Table 2: minimum distances"
PAPER = (
    "20 % of the data, one epoch of Mixup points at alpha = 1024, normalised pixels, one draw: the "
    "smallest Euclidean distances between a Mixup point and a point of a class that was not mixed, "
    "none of them small. The averages of the points' smallest distances are from the authors' logs."
)
DIFFERS = {f"table2_{label}": "10 draws." for label in ("mnist", "cifar10", "cifar100")}
# (minimum, average) of the paper and of the authors' logs.
REFERENCE = {
    "mnist": {"train": (11.433, 19.756), "test": (11.897, 19.776)},
    "cifar10": {"train": (17.716, 49.03), "test": (22.133, 49.04)},
    "cifar100": {"train": (12.936, 36.84), "test": (15.076, 37.13)},
}
SHARE = 0.2


def values(data: ItemData, column: str, part: str, share: float = SHARE) -> pd.Series:
    """`minimum` or `average` by draw."""
    rows = data.runs[(data.runs["part"] == part) & (data.runs["share"] == share)]
    return rows.set_index("seed")[column]


def _label(data: ItemData) -> str:
    return data.runs["dataset"].iloc[0]


def _numbers(data: ItemData) -> list[Finding]:
    findings = []
    for part, printed in REFERENCE[_label(data)].items():
        for column, reference in zip(("minimum", "average"), printed):
            digits = len(str(reference).split(".")[1])
            ours = values(data, column, part)
            findings.append(number(f"{column}, Mixup against {part}", ours, reference, 1, digits))
    return findings


def _not_small(data: ItemData) -> list[Finding]:
    """A tenth of the average is 'small' here; the paper names no number."""
    return [
        signed(
            f"minimum less a tenth of the average, {part}",
            values(data, "minimum", part) - 0.1 * values(data, "average", part),
            1,
        )
        for part in ("train", "test")
    ]


CLAIMS = [
    Claim("table2", "Table 2", "Minimum (and average) distances.", _numbers),
    Claim("table2_small", "Table 2", "None of the minimum distances is small.", _not_small),
]


def table(data: ItemData) -> pd.DataFrame:
    """The paper's numbers beside ours, for every share of the data that was measured."""
    out = []
    for (share, part), rows in data.runs.groupby(["share", "part"]):
        printed = dict(zip(("minimum", "average"), REFERENCE[_label(data)][part]))
        cells: dict = {"share": share, "Mixup against": part}
        for column, reference in printed.items():
            cells |= {f"paper's {column}": reference if share == SHARE else None}
            cells |= interval(rows[column]).cells(column)
        cells |= {"smallest of all": rows["minimum"].min(), "seconds": rows["wall_s"].mean()}
        out.append(cells)
    return pd.DataFrame(out).replace(np.inf, np.nan)


def draw(data: ItemData) -> Figure:
    """Every draw's minimum and average, with the paper's numbers."""
    figure, axes = style.panels(2)
    for axis, (k, column) in zip(axes, enumerate(("minimum", "average"))):
        for place, part in enumerate(("train", "test")):
            ours = values(data, column, part)
            spread = np.linspace(-0.15, 0.15, len(ours))
            axis.plot(place + spread, ours, "o", color=style.BLUE, label="ours, each draw")
            reference = REFERENCE[_label(data)][part][k]
            axis.plot([place], [reference], "D", color=style.ORANGE, label="paper")
        axis.set_xticks([0, 1], ["Mixup/Train", "Mixup/Test"])
        axis.set_xlim(-0.5, 1.5)
        axis.set_ylabel(f"{column.capitalize()} distance")
    title = f"{_label(data)}: nearest Mixup point of two other classes"
    note = f"{data.seeds()} draws of {SHARE:.0%} of the data, alpha = 1024, normalised pixels."
    return style.finish(figure, title, note)
