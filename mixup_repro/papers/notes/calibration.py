"""How sure networks are, and whether rightly, as they come and with a temperature."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from mixup_repro.evaluation.metrics import BINS
from mixup_repro.papers.claims import Claim, Finding, changes, over_alphas, signed
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, metric, probed
from mixup_repro.papers.shared import ItemData, select
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.stats import paired

TOP = f"{BINS - 1}/{BINS}"  # the lower end of the last bin


def in_bins(data: ItemData, method: str, alpha: float | None, first: int = 0) -> pd.Series:
    """Mean confidence less accuracy by seed, of test examples in bins from `first` on."""
    rows = select(data.bins, method=method, alpha=alpha, evaluation="plain")
    total = rows[rows["bin"] >= first].groupby("seed")[["confidence", "correct", "count"]].sum()
    return ((total["confidence"] - total["correct"]) / total["count"]).dropna()


def in_top(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """How far confidence and accuracy differ in the last bin, by seed."""
    return in_bins(data, method, alpha, BINS - 1).abs()


ECE = Quantity("ECE", metric("ece"), -1, "ECE, 15 bins (%)", 100, SMALLEST["ece"])
TOP_GAP = Quantity(
    f"error of confidences above {TOP}", in_top, -1, f"Above {TOP} (%)", 100, SMALLEST["ece"]
)
OVER = Quantity(
    "confidence less accuracy",
    in_bins,
    -1,
    "Confidence less accuracy (%)",
    100,
    SMALLEST["confidence"],
)
WRONG = Quantity(
    "confidence of errors",
    probed("held_out", "errors", "confidence"),
    -1,
    "Confidence of errors (%)",
    100,
    SMALLEST["confidence"],
)
NLL = Quantity(
    "cross-entropy",
    metric("cross_entropy"),
    -1,
    "Cross-entropy (nats)",
    least=SMALLEST["cross_entropy"],
)
BRIER = Quantity("Brier score", metric("brier"), -1, "Brier score")
AUROC = Quantity(
    "AUROC of errors by confidence",
    probed("held_out", "all", "auroc"),
    1,
    "AUROC of errors",
)
ACCURACY = Quantity("accuracy", metric("accuracy"), 1, "Accuracy (%)", 100, SMALLEST["accuracy"])
ECE_T = Quantity(
    "ECE with a temperature",
    metric("ece", "temperature"),
    0,
    "ECE, with temperature (%)",
    100,
    SMALLEST["ece"],
)
NLL_T = Quantity(
    "cross-entropy with a temperature",
    metric("cross_entropy", "temperature"),
    0,
    "Cross-entropy, with temperature",
    least=SMALLEST["cross_entropy"],
)
T = Quantity("temperature", metric("temperature", "temperature"), 0, "Temperature")


def between(
    data: ItemData, part: str, one: Quantity, other: Quantity, erm: bool, sign: int
) -> Iterator[Finding]:
    """Quantity `one` of Mixup less `other`, at each alpha; `other` is ERM's (erm) or Mixup's."""
    table = {
        alpha: paired(
            one.values(data, "mixup", alpha),
            other.values(data, "erm", None) if erm else other.values(data, "mixup", alpha),
        )
        for alpha in bank.alphas(data, "mixup")
    }
    yield from over_alphas(part, table, sign, one.least)


def posthoc(data: ItemData) -> Iterator[Finding]:
    """Mixup without a temperature less ERM with one, and less Mixup itself with one."""
    for one, with_t in ((ECE, ECE_T), (NLL, NLL_T)):
        name = f"{one.name}, Mixup as it comes"
        yield from between(data, f"{name} - ERM with a temperature", one, with_t, True, -1)
    for one, with_t in ((ECE, ECE_T), (NLL, NLL_T)):
        name = f"{one.name}, Mixup as it comes"
        yield from between(data, f"{name} - Mixup with a temperature", one, with_t, False, -1)


def corrected(data: ItemData) -> Iterator[Finding]:
    """Mixup with a temperature less ERM with a temperature."""
    for quantity in (ECE_T, NLL_T):
        for alpha in bank.alphas(data, "mixup"):
            difference = bank.change(data, quantity, "mixup", alpha)
            yield changes(f"{quantity.name}, Mixup - ERM", difference, alpha)


def one_hot(data: ItemData) -> Iterator[Finding]:
    """ERM's confidence exceeds its accuracy."""
    yield signed("ERM", in_bins(data, "erm", None), 1, least=SMALLEST["confidence"])


def matched(data: ItemData) -> Iterator[Finding]:
    """Mixup at alpha 1 against label smoothing whose labels have the same mean entropy."""
    for q in (ECE, NLL, ACCURACY):
        pair = (q.values(data, "mixup", 1.0), q.values(data, "label_smoothing", None))
        part = f"{q.name}, Mixup (alpha 1) - Label smoothing"
        yield signed(part, paired(*pair), q.promised, least=q.least)


CLAIMS = (
    Claim(
        "label_overconfidence",
        "A19, B28",
        "Training on one-hot labels makes networks overconfident.",
        one_hot,
    ),
    Claim(
        "overconfidence",
        "C63, C97",
        "Mixup and CutMix are less overconfident, also where they are wrong.",
        partial(bank.versus_erm, quantities=(OVER, WRONG), methods=bank.BOTH),
    ),
    Claim(
        "calibration_ece",
        "A22, B29, C64, C73, C74",
        "Mixup and CutMix improve the ECE.",
        partial(bank.versus_erm, quantities=(ECE,), methods=bank.BOTH),
    ),
    Claim(
        "calibration_top",
        "A22",
        "Mixup's confidences follow frequencies more closely where they are high.",
        partial(bank.versus_erm, quantities=(TOP_GAP,)),
    ),
    Claim(
        "calibration_posthoc",
        "A23",
        "Mixup needs no correction afterwards, and beats one that ERM gets.",
        posthoc,
    ),
    Claim(
        "calibratable",
        "A23, our question",
        "With a temperature each, Mixup and ERM are as well calibrated.",
        corrected,
        ours=True,
    ),
    Claim(
        "uncertainty",
        "C96",
        "Mixup and CutMix estimate uncertainty better.",
        partial(bank.versus_erm, quantities=(NLL, BRIER, AUROC), methods=bank.BOTH),
    ),
    Claim(
        "ls_matched",
        "A21, B30",
        "Mixup's soft labels, which depend on the data, are better than uniform smoothing.",
        matched,
    ),
)
SHOWN = (ECE, OVER, WRONG, NLL, ECE_T)
ASK = "probe=held_out evaluation.temperature=true"
HALVES = (
    "Temperatures are fitted on one half of the test set and metrics read on the other, both ways."
)
ENTROPY = "labels have the mean entropy of Mixup's at alpha 1"
ON = bank.on_digits("calibration", ASK, f"{HALVES} Label smoothing is at 0.0878, where {ENTROPY}.")
ON_CIFAR10 = bank.on_cifar10("calibration", ASK, f"{HALVES} At 0.0878 smoothed {ENTROPY}.")
ITEM = Item(
    title="Calibration",
    paper=(
        "One-hot labels make networks overconfident (A19, B28); Mixup's soft labels make them less "
        "so (C63), improve the ECE (A22, B29, C64), most at high confidence, and need no "
        "temperature afterwards (A23)."
    ),
    on=(ON, ON_CIFAR10),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Confidence and calibration on the test set"),
    table=partial(
        bank.table,
        quantities=(ECE, TOP_GAP, OVER, WRONG, NLL, BRIER, AUROC, T, ECE_T, NLL_T),
    ),
)
