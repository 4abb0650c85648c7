"""Two concentric circles: a curved boundary, across which Mixup mixes points of one class."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.data.toy import circles
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank, plane
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.notes.calibration import ACCURACY, NLL
from mixup_repro.papers.notes.strength import TRAINING
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.schema import DatasetConfig
from mixup_repro.stats import NoValues, paired

LEAST = SMALLEST["accuracy"]
DATA = DatasetConfig("circles", points=400, noise=0.05, ratio=0.5)
INNER, OUTER = (
    Quantity(
        f"accuracy, {name} circle",
        probed("groups", f"class {k}", "accuracy"),
        -1,
        f"Accuracy, {name} circle (%)",
        100,
        LEAST,
    )
    for k, name in ((1, "inner"), (0, "outer"))
)


def too_much(data: ItemData) -> Iterator[Finding]:
    """Accuracy falls: the largest alpha less ERM, and less the smallest; where it falls, as detail.

    Raises:
        NoValues: there are fewer than two alphas.
    """
    at = bank.alphas(data, "mixup")
    if len(at) < 2:
        raise NoValues("too much needs an alpha that is less")
    most = ACCURACY.values(data, "mixup", at[-1])
    others: dict[str, pd.Series] = {
        "ERM": ACCURACY.values(data, "erm", None),
        f"alpha {at[0]:g}": ACCURACY.values(data, "mixup", at[0]),
    }
    for name, other in others.items():
        part = f"accuracy, Mixup at alpha {at[-1]:g} - {name}"
        yield signed(part, paired(most, other), -1, least=LEAST)
    yield from map(bank.as_detail, bank.versus_erm(data, (INNER, OUTER)))


CLAIMS = (Claim("circles", "B17", "On concentric circles too much mixing harms.", too_much),)
SHOWN = (ACCURACY, INNER, OUTER, TRAINING)


def draw(data: ItemData) -> Figure:
    """Boundaries of the least, middle and largest alpha, and accuracies by alpha."""
    title = "Two circles: how much mixing they bear"
    return plane.draw(data, SHOWN, circles(DATA), title, reach=1.4)


ITEM = Item(
    title="Concentric circles",
    paper=(
        "where the true boundary is highly curved, as between two concentric circles, too much "
        "mixing gives ambiguous labels to points that are clearly in one class, and harms (B17)."
    ),
    on=(
        bank.setting(
            "circles",
            Runs("notes/circles", ask="probe=groups"),
            stands_in="an MLP on circles of our own",
            here=(
                "the inner circle has half of the outer one's "
                "radius, coordinates have noise of 0.05, and an MLP 2-64-64-2 has 200 points."
            ),
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=partial(bank.table, quantities=(*SHOWN, NLL)),
)
