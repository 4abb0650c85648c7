"""How straight networks are between training points, beyond them and beside them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.shared import ItemData


def deviation(setting: str, name: str, words: str, title: str, promised: int = 0) -> Quantity:
    """A deviation that the probe `segments` measures, in words."""
    return Quantity(words, probed("segments", setting, name), promised, title)


INSIDE = deviation(
    "inside", "probabilities", "probabilities, between two points", "Between: probabilities", -1
)
INSIDE_LOGITS = deviation(
    "inside", "logits", "logits over their distance, between two points", "Between: logits", -1
)
BEYOND = deviation(
    "outside", "probabilities", "probabilities, beyond them", "Beyond: probabilities"
)
BEYOND_LOGITS = deviation(
    "outside", "logits", "logits over their distance, beyond them", "Beyond: logits"
)
BESIDE = deviation("beside", "probabilities", "probabilities, beside them", "Beside: probabilities")
THREE = deviation(
    "three", "labels", "mixtures of three, probabilities from mixed labels", "Among three", -1
)


def selective(data: ItemData) -> Iterator[Finding]:
    """Mixup's deviation over ERM's is smaller inside of segments than beyond or beside them.

    By seed: the log of that ratio outside, less the log of the ratio inside.
    """
    pairs = ((BEYOND, INSIDE), (BESIDE, INSIDE), (BEYOND_LOGITS, INSIDE_LOGITS))
    for outer, inner in pairs:
        table = {}
        for alpha in bank.alphas(data, "mixup"):
            ratios = [
                np.log(q.values(data, "mixup", alpha) / q.values(data, "erm", None))
                for q in (outer, inner)
            ]
            table[alpha] = ratios[0] - ratios[1]
        part = f"log ratio to ERM: {outer.name}, less that between"
        yield from over_alphas(part, table, 1)


CLAIMS = (
    Claim(
        "path_linear",
        "C49, C58",
        "The network is nearly linear between training examples: more so than ERM's.",
        partial(bank.versus_erm, quantities=(INSIDE, INSIDE_LOGITS)),
    ),
    Claim(
        "hull_behaviour",
        "A8",
        "Off the data ERM is erratic, and Mixup constrains the network over the hull.",
        partial(bank.versus_erm, quantities=(THREE,)),
    ),
    Claim(
        "extrapolation",
        "A16",
        "The linearity is selective: along segments between examples, not beyond or beside them.",
        selective,
    ),
)
SHOWN = (INSIDE, INSIDE_LOGITS, BEYOND, BEYOND_LOGITS, THREE)
DEVIATIONS = (
    "Deviations are L1 distances of probabilities to the line between both ends' own, or distances "
    "of logits over the distance of both ends' logits; those of mixtures of three points are to "
    "their mixed labels."
)
ON = (
    bank.on_digits("linearity", "probe=segments", DEVIATIONS),
    bank.on_cifar10("linearity", "probe=segments", DEVIATIONS),
)
ITEM = Item(
    title="How linear networks are between training points",
    paper=(
        "Mixup makes a network nearly linear between examples, and only there (A16, C49, C58); "
        "where ERM is erratic away from the data, Mixup constrains it over their hull (A8)."
    ),
    on=ON,
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Deviations from straight lines"),
    table=partial(
        bank.table,
        quantities=(INSIDE, INSIDE_LOGITS, BEYOND, BEYOND_LOGITS, BESIDE, THREE),
    ),
)
