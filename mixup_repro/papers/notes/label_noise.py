"""Training on wrong labels: what is learnt in spite of them, and what is learnt by heart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from mixup_repro.papers.claims import Claim, Finding, changes
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.notes.calibration import ACCURACY
from mixup_repro.papers.shared import ItemData, by_epoch, select
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Beside, Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import paired


def best(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """The largest test accuracy of all epochs that were measured, by seed."""
    rows = select(data.curves, method=method, alpha=alpha)
    return by_epoch(rows, "test_accuracy").dropna(how="all").max()


LAST = Quantity(
    "accuracy, last epoch", ACCURACY.values, 1, "Accuracy, last epoch (%)", 100, ACCURACY.least
)
BEST = Quantity(
    "accuracy, best epoch", best, 1, "Accuracy, best epoch (%)", 100, SMALLEST["test_accuracy"]
)
LEARNT = Quantity(
    "wrong labels learnt by heart",
    probed("memorised", "wrong", "as_labelled"),
    -1,
    "Wrong labels learnt (%)",
    100,
)
CORRECTED = Quantity(
    "wrong labels corrected",
    probed("memorised", "wrong", "as_true"),
    1,
    "Wrong labels corrected (%)",
    100,
)


def dropped(data: ItemData) -> Iterator[Finding]:
    """ERM with dropout less ERM."""
    for quantity in (LAST, LEARNT):
        with_dropout = quantity.values(data.other("dropout"), "erm", None)
        difference = paired(with_dropout, quantity.values(data, "erm", None))
        yield changes(f"{quantity.name}, Dropout - ERM", difference)


DROPOUT = Runs(
    "notes/label_noise_digits_dropout",
    ask="probe=memorised",
    only=dict.fromkeys(SCALES, "method=erm"),
)
CLAIMS = (
    Claim(
        "label_noise",
        "C72",
        "Mixup and CutMix are robust to wrong labels.",
        partial(bank.versus_erm, quantities=(LAST,), methods=bank.BOTH, detail=(BEST,)),
    ),
    Claim(
        "memorisation",
        "C51",
        "Mixup memorises fewer wrong labels.",
        partial(bank.versus_erm, quantities=(LEARNT,), detail=(CORRECTED,)),
    ),
    Claim(
        "label_noise_dropout",
        "C72, our question",
        "Dropout changes neither the accuracy nor how many wrong labels are learnt by heart.",
        dropped,
        on=("label_noise_digits",),
        ours=True,
    ),
)
SHOWN = (LAST, BEST, LEARNT, CORRECTED)
ITEM = Item(
    title="Wrong labels",
    paper=(
        "Mixup and CutMix reduce how sensitive a network is to wrong labels (C72), and Mixup how "
        "much it memorises (C51)."
    ),
    on=(
        bank.setting(
            "label_noise_digits",
            Beside(Runs("notes/label_noise_digits", ask="probe=memorised"), {"dropout": DROPOUT}),
            stands_in="an MLP on digits",
            here=f"{bank.RUNS} 40 % of the training labels are wrong, uniform over others.",
        ),
        bank.setting(
            "label_noise_cifar10",
            Runs("notes/label_noise_cifar10", ask="probe=memorised"),
            stands_in="LeNet on CIFAR-10",
            here="LeNet on CIFAR-10 with people's labels, the worst of CIFAR-10N, and no CutMix.",
        ),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Training on wrong labels"),
    table=partial(bank.table, quantities=SHOWN),
)
