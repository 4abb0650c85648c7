"""Hidden values: how straight layers map segments, and how spread a class's values are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mixup_repro.papers.claims import Claim, Finding
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.notes.hidden import versus_mixup
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs


def layer(k: int, metric: str, words: str, title: str) -> Quantity:
    """What the probe `representation` measures of a hidden layer, in words."""
    values = probed("representation", f"layer {k}", metric)
    return Quantity(f"{words}, layer {k}", values, -1, f"{title}, layer {k}")


BENDS = tuple(layer(k, "bend", "bend at the middle of a segment", "Bend") for k in (1, 2))
SPREADS = tuple(layer(k, "spread", "singular values of a class", "Spread") for k in (1, 2))
SIZES = tuple(layer(k, "dimension", "directions that a class fills", "Directions") for k in (1, 2))


def smooth(data: ItemData) -> Iterator[Finding]:
    """Manifold Mixup less ERM; less Mixup, as detail."""
    yield from bank.versus_erm(data, (*BENDS, *SPREADS), ("manifold_mixup",), detail=SIZES)
    yield from map(bank.as_detail, versus_mixup(data, (*BENDS, *SPREADS)))


CLAIMS = (
    Claim(
        "manifold_flat",
        "B21",
        "Mixing hidden states makes the representation smooth and well-behaved.",
        smooth,
    ),
)
SHOWN = (*BENDS, *SPREADS)
ITEM = Item(
    title="The representation, where hidden values are mixed",
    paper=(
        "mixing hidden values encourages the manifold of representations to be smooth and "
        "well-behaved (B21)."
    ),
    on=(
        bank.setting(
            "representation_digits",
            Runs("notes/hidden_digits", ask="probe=representation"),
            stands_in="an MLP on digits",
            here=(
                f"{bank.RUNS} Our readings of smooth: hidden values at the middle of two training "
                "points of different classes lie near the middle of both's, by their distance "
                "(bend); of well-behaved: the singular values of a class's test points are small, "
                "which is what the authors of Manifold Mixup report (spread)."
            ),
        ),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Hidden values: bends and spreads"),
    table=partial(bank.table, quantities=(*SHOWN, *SIZES)),
)
