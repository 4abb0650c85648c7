"""An alpha that falls to zero along training, against one that stays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.calibration import ACCURACY, ECE, NLL
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Beside, Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import paired

FIXED = Runs("notes/bank_digits", only=dict.fromkeys(SCALES, "method=mixup"))


def versus_fixed(data: ItemData) -> Iterator[Finding]:
    """Accuracy, from each alpha to zero less with that alpha fixed; cross-entropy as detail."""
    fixed = data.other("fixed")
    for q in (ACCURACY, NLL):
        table = {
            a: paired(q.values(data, "mixup", a), q.values(fixed, "mixup", a))
            for a in bank.alphas(data, "mixup")
        }
        part = f"{q.name}, alpha to zero - fixed"
        found = over_alphas(part, pd.DataFrame(table).dropna(), q.promised, q.least)
        yield from found if q is ACCURACY else map(bank.as_detail, found)


CLAIMS = (Claim("anneal", "B18", "An alpha that falls to zero beats a fixed one.", versus_fixed),)
SHOWN = (ACCURACY, NLL, ECE)
ITEM = Item(
    title="Alpha that falls to zero",
    paper="An alpha that falls from high to zero beats a fixed one (B18).",
    on=(
        On(
            "anneal_digits",
            Beside(Runs("notes/anneal_digits"), {"fixed": FIXED}),
            stands_in="an MLP on digits",
            differs=f"{bank.RUNS} Alpha falls by equal steps from epoch to epoch.",
            code="the notes have none.",
        ),
    ),
    claims=CLAIMS,
    draw=partial(
        bank.draw,
        quantities=SHOWN,
        title="Alpha that falls to zero, by its start",
        decides="while verdicts are about falling less fixed alpha",
    ),
    table=partial(bank.table, quantities=SHOWN),
)
