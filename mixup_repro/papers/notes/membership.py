"""Whether an attacker can tell training examples from others, by their losses."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from mixup_repro.beta import theta_bar
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.notes.calibration import ACCURACY
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues

MEAN_GAP = Quantity(
    "mean loss, others less members",
    probed("membership", "own", "gap_mean"),
    -1,
    "Mean loss, others less members",
)
MEDIAN_GAP = Quantity(
    "median loss, others less members",
    probed("membership", "own", "gap_median"),
    -1,
    "Median loss, others less members",
)
AUC = Quantity("AUC", probed("membership", "own", "auc"), -1, "AUC of the attack")
TPR = Quantity(
    "members found at 1 % false alarms",
    probed("membership", "own", "tpr"),
    -1,
    "Members found (%)",
    100,
)
MIXED_AUC = Quantity("AUC by mixtures", probed("membership", "mixed", "auc"), -1, "AUC by mixtures")


def tuned(data: ItemData) -> Iterator[Finding]:
    """The gap and the AUC fall with alpha: slope in 1 - theta_bar(alpha), one line a seed."""
    at = bank.alphas(data, "mixup")
    if len(at) < 2:
        raise NoValues("a slope needs two alphas")
    shrink = [1 - theta_bar(a) for a in at]
    for quantity in (MEAN_GAP, AUC):
        table = pd.DataFrame({a: quantity.values(data, "mixup", a) for a in at}).dropna()
        slopes = [np.polyfit(shrink, row, 1)[0] for row in table.to_numpy()]
        yield signed(f"{quantity.name}: slope in 1 - theta_bar", slopes, -1)


FEW = ("membership_digits200", "membership_digits200_wrong")
CLAIMS = (
    Claim(
        "mia_gap",
        "B38",
        "The gap between losses of members of the training set and of others shrinks.",
        partial(bank.versus_erm, quantities=(MEAN_GAP, MEDIAN_GAP)),
    ),
    Claim(
        "mia_auc",
        "B38",
        "Members of the training set are harder to tell from others.",
        partial(bank.versus_erm, quantities=(AUC, TPR), detail=(MIXED_AUC,)),
    ),
    Claim(
        "mia_alpha",
        "B38",
        "Alpha tunes how hard it is to tell members from others.",
        tuned,
        on=("membership_digits", *FEW),
    ),
    Claim(
        "manifold_private",
        "B21",
        "Mixing hidden states resists attacks on privacy.",
        partial(bank.versus_erm, quantities=(AUC, TPR), methods=("manifold_mixup",)),
        on=FEW,
    ),
)
ATTACK = (
    "The attack calls an example a member where its loss is below a threshold; members are found "
    "where 1 % of test examples are taken for them."
)


def few(name: str, flipped: str, words: str) -> On:
    """A setting with 200 training examples; flipped: share of wrong labels, as Hydra has it."""
    return bank.setting(
        name,
        Runs(
            "notes/membership_digits",
            ask="probe=membership",
            only=dict.fromkeys(SCALES, f"dataset.flipped={flipped}"),
        ),
        stands_in="an MLP on 200 digits",
        here=f"{bank.RUNS} 200 training examples, {words}. {ATTACK}",
    )


SHOWN = (MEAN_GAP, MEDIAN_GAP, AUC, TPR)
ITEM = Item(
    title="Membership of the training set, attacked",
    paper=(
        "Mixup reduces the gap between the losses of members and others, so that an attacker "
        "cannot tell them as well; alpha tunes how strongly (B38)."
    ),
    on=(
        bank.on_digits("membership", "probe=membership", ATTACK),
        few(FEW[0], "null", "right labels"),
        few(FEW[1], "0.2", "a fifth of the labels wrong"),
        bank.on_cifar10("membership", "probe=membership", ATTACK),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Attacks on membership, by the loss"),
    table=partial(bank.table, quantities=(*SHOWN, MIXED_AUC, ACCURACY)),
)
