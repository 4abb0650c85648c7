"""Mixup and CutMix beside weight decay and label smoothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

import pandas as pd

from mixup_repro.papers import style
from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity
from mixup_repro.papers.notes.calibration import ACCURACY, ECE, NLL
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Beside, Runs
from mixup_repro.stats import paired

UNDECAYED = "undecayed"  # runs without weight decay


Levels = dict[float, pd.Series]  # by alpha


def with_smoothing(data: ItemData) -> Iterator[Finding]:
    """Each method with label smoothing, less the method alone and less label smoothing alone."""
    for q, method in product(SHOWN, bank.BOTH):
        both = f"{method}_smoothed"
        at = {a: q.values(data, both, a) for a in bank.alphas(data, both)}
        alone = {
            style.METHODS[method]: {a: q.values(data, method, a) for a in at},
            "Label smoothing": dict.fromkeys(at, q.values(data, "label_smoothing", None)),
        }
        yield from against(style.METHODS[both], q, at, alone)


def with_decay(data: ItemData) -> Iterator[Finding]:
    """Each method with weight decay, less the method without it and less weight decay alone."""
    plain = data.other(UNDECAYED)
    for q, method in product(SHOWN, bank.BOTH):
        at = {a: q.values(data, method, a) for a in bank.alphas(data, method)}
        alone = {
            style.METHODS[method]: {a: q.values(plain, method, a) for a in at},
            "Weight decay": dict.fromkeys(at, q.values(data, "erm", None)),
        }
        yield from against(f"{style.METHODS[method]} and decay", q, at, alone)


def against(both: str, q: Quantity, at: Levels, alone: dict[str, Levels]) -> Iterator[Finding]:
    """A quantity of both at once less that of either alone; only of accuracy does it decide."""
    for name, other in alone.items():
        less = {a: paired(at[a], other[a]) for a in at}
        found = over_alphas(f"{q.name}, {both} - {name} alone", less, q.promised, q.least)
        yield from found if q is ACCURACY else map(bank.as_detail, found)


SHOWN = (ACCURACY, NLL, ECE)
CLAIMS = (
    Claim(
        "combined_smoothing",
        "C113",
        "Mixup and CutMix work with label smoothing (here: better than either alone).",
        with_smoothing,
    ),
    Claim(
        "combined_decay",
        "C113",
        "Mixup and CutMix work with weight decay (here: better than either alone).",
        with_decay,
    ),
)
ITEM = Item(
    title="Beside weight decay and label smoothing",
    paper="Both are often combined with weight decay and label smoothing (C113).",
    on=(
        bank.setting(
            "combined_digits",
            Beside(
                Runs("notes/combined_digits"),
                {UNDECAYED: Runs("notes/combined_digits_undecayed")},
            ),
            stands_in="an MLP on digits",
            here=(
                f"{bank.RUNS} The note says that it is often done: that it helps is what is tested "
                "here. Weight decay is 0.0005 or none, smoothing 0.0878; labels are smoothed and "
                "then mixed."
            ),
        ),
    ),
    claims=CLAIMS,
    draw=partial(
        bank.draw,
        quantities=SHOWN,
        title="Mixup and CutMix with label smoothing, and each alone",
        decides="while verdicts are about both at once less either alone",
    ),
    table=partial(bank.table, quantities=SHOWN),
)
