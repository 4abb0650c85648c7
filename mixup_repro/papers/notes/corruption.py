"""Networks on corrupted test pictures, by the family of the corruption."""

from __future__ import annotations

from functools import partial

import pandas as pd

from mixup_repro.papers.carratino2020 import fig5
from mixup_repro.papers.carratino2020.corruptions import family
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity
from mixup_repro.papers.notes.calibration import ACCURACY
from mixup_repro.papers.shared import ItemData, select
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import paired

FAMILIES = ("noise", "blur", "weather", "digital")


def accuracy(
    data: ItemData, method: str, alpha: float | None, families: tuple[str, ...]
) -> pd.Series:
    """Mean accuracy over the corruptions of these families and their severities, by seed.

    Seeds that lack a test set are left out.
    """
    rows = select(
        data.ood,
        benchmark=fig5.benchmark(data),
        method=method,
        alpha=alpha,
        evaluation="plain",
    )
    sets = rows.pivot(index="seed", columns=["severity", "corruption"], values="accuracy").dropna()
    chosen = [name for name in sets if family(name[1]) in families]
    return sets[chosen].mean(axis=1)


def lost(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """What all corruptions cost of the clean accuracy, by seed."""
    return paired(ACCURACY.values(data, method, alpha), accuracy(data, method, alpha, FAMILIES))


def of(families: tuple[str, ...], words: str) -> Quantity:
    """Accuracy on the corruptions of these families, in words."""
    return Quantity(
        f"accuracy, {words}",
        partial(accuracy, families=families),
        1,
        f"{words.capitalize()} (%)",
        100,
        SMALLEST["accuracy"],
    )


EACH = tuple(of((name,), name) for name in FAMILIES)
ALL = of(FAMILIES, "all corruptions")
LOST = Quantity(
    "clean accuracy less that on all corruptions",
    lost,
    -1,
    "Lost by all corruptions (%)",
    100,
    SMALLEST["accuracy"],
)
CLAIMS = (
    Claim(
        "corruption",
        "C71, C77, C100",
        "Mixup is robust to natural corruption.",
        partial(bank.versus_erm, quantities=EACH, detail=(ALL, LOST)),
    ),
)
SHOWN = (*EACH, LOST)
MEANS = (
    "Means over the corruptions of a family and five severities, generated from the test set with "
    "the published severities."
)
ITEM = Item(
    title="Corrupted pictures",
    paper="Mixup is more robust under natural corruption (C71, C77), as reliability asks (C100).",
    on=(
        bank.setting(
            "corruption_digits",
            Runs(
                "carratino2020/fig4_digits",
                ask="benchmark=generated",
                only=dict.fromkeys(SCALES, fig5.THREE) | {"smoke": "method.alpha=[8]"},
            ),
            stands_in="an MLP on digits",
            here=f"the MLP on scikit-learn's digits of Carratino et al.'s Figure 5. {MEANS}",
        ),
        bank.on_cifar10(
            "corruption",
            "benchmark=generated benchmark.examples=1000",
            f"{MEANS} Of 1,000 test pictures; clean accuracy is of all.",
        ),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Accuracy on corrupted test pictures"),
    table=partial(bank.table, quantities=(ACCURACY, *EACH, ALL, LOST)),
)
