"""Shortcuts: a cue that is right in training only, and pictures of a kind that is rare there."""

from __future__ import annotations

from functools import partial

from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.calibration import ACCURACY, NLL
from mixup_repro.papers.sources import Runs

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
        "They rely less on spurious correlations.",
        SHORTCUT,
        on=("shortcuts_digits",),
    ),
    Claim(
        "fairness",
        "C102",
        "They are fairer: better where half are of a group that is rare in training.",
        SHORTCUT,
        on=("rare_digits",),
    ),
)


def on(grid: str, differs: str) -> On:
    """The setting of a grid."""
    return On(
        grid,
        Runs(f"notes/{grid}"),
        stands_in="an MLP on digits",
        differs=f"{bank.RUNS} {differs}",
        code="the notes have none.",
    )


SHOWN = (ACCURACY, NLL)
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
            "5 % of the training pictures are negatives, and half of the test pictures, so "
            "accuracy is the mean of both groups'.",
        ),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Where a shortcut or a majority misleads"),
    table=partial(bank.table, quantities=SHOWN),
)
