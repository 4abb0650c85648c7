"""Shortcuts: a cue that is right in training only, and pictures of a kind that is rare there."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity
from mixup_repro.papers.notes.calibration import ACCURACY, NLL
from mixup_repro.papers.shared import ItemData, select
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs


def worst(data: ItemData, method: str, alpha: float | None, groups: str) -> pd.Series:
    """The least accuracy of any group by seed; groups: a pattern of their names in the probe."""
    asked = {"probe": "groups", "metric": "accuracy", "method": method, "alpha": alpha}
    rows = select(data.probes, **asked)
    rows = rows[rows["setting"].str.fullmatch(groups)]
    least: pd.Series = rows.groupby("seed")["value"].min()
    return least


def of_groups(groups: str, name: str) -> Quantity:
    """Accuracy of the worst group, or of one."""
    values = partial(worst, groups=groups)
    title = f"{name[0].upper()}{name[1:]} (%)"
    return Quantity(name, values, 1, title, 100, SMALLEST["accuracy"])


WORST = of_groups("rare|common", "accuracy, worst group")
CLASS = of_groups(r"class \d+", "accuracy, worst class")
RARE, COMMON = (of_groups(g, f"accuracy, {g} group") for g in ("rare", "common"))
SHORTCUT = partial(bank.versus_erm, quantities=(ACCURACY,), methods=bank.BOTH)
CLAIMS = (
    Claim(
        "shortcut",
        "C93",
        "Mixup and CutMix learn fewer shortcuts.",
        SHORTCUT,
        on=("shortcuts_digits",),
    ),
    Claim(
        "spurious",
        "C95",
        "Mixup and CutMix rely less on spurious correlations.",
        SHORTCUT,
        on=("shortcuts_digits",),
    ),
    Claim(
        "fairness",
        "C102",
        "Mixup and CutMix are fairer: the group that fares worst fares better.",
        partial(
            bank.versus_erm,
            quantities=(WORST, CLASS),
            methods=bank.BOTH,
            detail=(RARE, COMMON, ACCURACY),
        ),
        on=("rare_digits",),
    ),
)


def on(grid: str, here: str, ask: str = "") -> On:
    """The setting of a grid."""
    return bank.setting(
        grid,
        Runs(f"notes/{grid}", ask=ask),
        stands_in="an MLP on digits",
        here=f"{bank.RUNS} {here}",
    )


# What a setting shows.
SHOWN = {
    "shortcuts_digits": (ACCURACY, NLL),
    "rare_digits": (WORST, COMMON, CLASS),
}


def table(data: ItemData) -> pd.DataFrame:
    """Accuracy and cross-entropy, or accuracies of groups."""
    return bank.table(data, SHOWN[data.name])


def draw(data: ItemData) -> Figure:
    """The same against alpha, and less ERM's."""
    return bank.draw(data, SHOWN[data.name], "Where a shortcut or a majority misleads")


ITEM = Item(
    title="Shortcuts and rare groups",
    paper=(
        "Mixup and CutMix make shortcuts (C93) and spurious correlations (C95) less attractive, "
        "and are fairer by smoothing (C102)."
    ),
    on=(
        on(
            "shortcuts_digits",
            "A white pixel below each picture names its class, rightly in 90 % of the training "
            "pictures, and any class in test pictures: who follows it errs there.",
        ),
        on(
            "rare_digits",
            "5 % of the training pictures are negatives, the rare group, and half of the test "
            "pictures. The worst of both groups, and the worst of ten classes, is each run's own.",
            ask="probe=groups",
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
