"""Hidden values mixed in place of inputs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity
from mixup_repro.papers.notes.calibration import ACCURACY, NLL
from mixup_repro.papers.notes.linearity import INSIDE, INSIDE_LOGITS
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import paired


def versus_mixup(data: ItemData, quantities: tuple[Quantity, ...]) -> Iterator[Finding]:
    """Each quantity of Manifold Mixup less Mixup's, at each alpha."""
    for q in quantities:
        table = {
            a: paired(q.values(data, "manifold_mixup", a), q.values(data, "mixup", a))
            for a in bank.alphas(data, "manifold_mixup")
        }
        part = f"{q.name}, Manifold Mixup - Mixup"
        yield from over_alphas(part, table, q.promised, q.least)


CLAIMS = (
    Claim(
        "manifold_acc",
        "B21",
        "Mixing hidden values regularises more than mixing inputs: better on test examples.",
        partial(versus_mixup, quantities=(ACCURACY, NLL)),
    ),
)
SHOWN = (ACCURACY, NLL, INSIDE, INSIDE_LOGITS)
ITEM = Item(
    title="Hidden values mixed",
    paper="Manifold Mixup mixes hidden values in place of inputs, which regularises more (B21).",
    on=(
        bank.setting(
            "hidden_digits",
            Runs("notes/hidden_digits", ask="probe=segments"),
            stands_in="an MLP on digits",
            here=f"{bank.RUNS} Inputs or the values after either hidden layer are mixed.",
        ),
    ),
    claims=CLAIMS,
    draw=partial(
        bank.draw,
        quantities=SHOWN,
        title="Hidden values mixed in place of inputs",
        decides="while verdicts are about Manifold Mixup less Mixup",
    ),
    table=partial(bank.table, quantities=SHOWN),
)
