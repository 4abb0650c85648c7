"""Neighbourhoods of a graph, embedded and then mixed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mixup_repro.papers.claims import Claim, Finding
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.calibration import ACCURACY, ECE, NLL
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Beside, Runs
from mixup_repro.schema import SCALES

PIXELS = "pixels"  # runs on the scans themselves


def helps(data: ItemData) -> Iterator[Finding]:
    """Accuracy, Mixup of embedded neighbourhoods less ERM; the same of pixels as detail."""
    yield from bank.versus_erm(data, (ACCURACY,), detail=(NLL,))
    of_pixels = bank.versus_erm(data.other(PIXELS), (ACCURACY,), says="pixels: ")
    yield from map(bank.as_detail, of_pixels)


def labelled(each: int) -> On:
    """A setting with this many labels of each class."""

    def runs(hops: int) -> Runs:
        only = f"dataset.points={10 * each} dataset.hops={hops}"
        return Runs("notes/graph_digits", only=dict.fromkeys(SCALES, only))

    return bank.setting(
        f"graph_digits{each}",
        Beside(runs(2), {PIXELS: runs(0)}),
        stands_in="a graph of digits",
        here=(
            "scikit-learn's digits are nodes of a graph, each "
            "joined to the five nearest, and their pixels are averaged twice over neighbours, of "
            f"test scans as well; an MLP of 10,000 weights learns from {each} of each class, drawn "
            "for each seed."
        ),
    )


CLAIMS = (Claim("graph_embed", "B33", "On graphs, mixing embedded neighbourhoods helps.", helps),)
SHOWN = (ACCURACY, NLL, ECE)
ITEM = Item(
    title="Neighbourhoods of a graph, mixed",
    paper=(
        "Graphs cannot be averaged, so embeddings of neighbourhoods are mixed: linear behaviour in "
        "a space that has a meaning (B33)."
    ),
    on=tuple(labelled(each) for each in (1, 3, 10)),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Embedded neighbourhoods of a graph, mixed"),
    table=partial(bank.table, quantities=SHOWN),
)
