"""How much to mix: accuracy on training and test examples against alpha."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from mixup_repro.papers.claims import Claim, Finding, signed, zero
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity
from mixup_repro.papers.notes.calibration import ACCURACY, NLL
from mixup_repro.papers.shared import ItemData, by_epoch, select
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.stats import NoValues, paired

LEAST = SMALLEST["accuracy"]


def in_training(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """Accuracy on the clean training examples after the last epoch, by seed."""
    rows = select(data.curves, method=method, alpha=alpha)
    return by_epoch(rows, "train_accuracy").iloc[-1].dropna()


def gap(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """Accuracy on training examples less that on test examples, by seed."""
    return paired(in_training(data, method, alpha), ACCURACY.values(data, method, alpha))


TRAINING = Quantity(
    "training accuracy",
    in_training,
    0,
    "Training accuracy (%)",
    100,
    SMALLEST["train_accuracy"],
)
GAP = Quantity("training less test accuracy", gap, -1, "Training less test (points)", 100, LEAST)


def at_best(data: ItemData) -> tuple[pd.Series, float]:
    """Test accuracy of Mixup at the best of all alphas but the largest; and that largest alpha.

    A seed's alpha is chosen by the mean of the other seeds, so that choosing gains nothing.

    Raises:
        NoValues: there are fewer than two alphas or seeds.
    """
    at = bank.alphas(data, "mixup")
    table = pd.DataFrame({a: ACCURACY.values(data, "mixup", a) for a in at}).dropna()
    if len(at) < 2 or len(table) < 2:
        raise NoValues("the best alpha of others needs two alphas and two seeds")
    inner = table[at[:-1]]
    chosen = {seed: inner.drop(seed).mean().idxmax() for seed in inner.index}
    return pd.Series({seed: inner.loc[seed, alpha] for seed, alpha in chosen.items()}), at[-1]


def intermediate(data: ItemData) -> Iterator[Finding]:
    """The best alpha beats none, and beats the largest."""
    best, largest = at_best(data)
    for name, method, alpha in (("ERM", "erm", None), (f"alpha {largest:g}", "mixup", largest)):
        difference = paired(best, ACCURACY.values(data, method, alpha))
        yield signed(f"accuracy, Mixup at the best alpha - {name}", difference, 1, least=LEAST)


def extremes(data: ItemData) -> Iterator[Finding]:
    """ERM fits all of its training examples and errs on others; the largest alpha errs on both."""
    _, largest = at_best(data)
    yield zero("ERM: training error", 1 - in_training(data, "erm", None))
    yield signed("ERM: training less test accuracy", gap(data, "erm", None), 1, least=LEAST)
    less = {
        "training accuracy": paired(
            in_training(data, "mixup", largest), in_training(data, "erm", None)
        ),
        "test accuracy": paired(
            ACCURACY.values(data, "mixup", largest), ACCURACY.values(data, "erm", None)
        ),
    }
    for name, difference in less.items():
        yield signed(f"alpha {largest:g}: {name} - ERM's", difference, -1, least=LEAST)


CLAIMS = (
    Claim("alpha_sweet_spot", "A9, B18", "The best alpha is intermediate.", intermediate),
    Claim(
        "underfit_overfit",
        "B17",
        "Without Mixup a network overfits, with too much it underfits.",
        extremes,
    ),
    Claim(
        "accuracy",
        "C70, C86, C90",
        "Mixup and CutMix are more accurate.",
        partial(bank.versus_erm, quantities=(ACCURACY,), methods=bank.BOTH),
    ),
)
SHOWN = (TRAINING, ACCURACY, GAP)
ITEM = Item(
    title="How much to mix",
    paper=(
        "without Mixup a network fits its training examples and errs on others, with a very large "
        "alpha it errs on both (B17); the best alpha lies between (A9, B18). Mixup and CutMix "
        "raise accuracy (C70)."
    ),
    on=(bank.on_digits("strength"),),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Accuracy against the strength of mixing"),
    table=partial(bank.table, quantities=(*SHOWN, NLL)),
)
