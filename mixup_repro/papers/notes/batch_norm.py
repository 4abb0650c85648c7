"""What BatchNorm sees of mixed pictures, and whether its statistics then fit clean ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from mixup_repro.papers.claims import Claim, Finding, changes
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.notes.calibration import ACCURACY, ECE
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import paired
from mixup_repro.theory.moments import beta_moment, shrink

BATCH = 50  # examples in a batch of the grid
LAYERS = tuple(
    Quantity(
        f"variance in layer {k}, of training over clean",
        probed("batch_norm", f"layer {k}", "ratio"),
        -1,
        f"Variance, layer {k}",
    )
    for k in (1, 2, 3)
)
WITHIN, MEANS = (
    Quantity(f"{words}, share of the variance", probed("batch_norm", "layer 1", name), 0, "")
    for name, words in (("within", "examples"), ("means", "their means over pixels"))
)
CLEAN_ACCURACY, CLEAN_ECE = (
    Quantity(
        f"{name} with clean statistics", probed("batch_norm", "clean", name), 0, f"Clean: {title}"
    )
    for name, title in (("accuracy", "accuracy"), ("ece", "ECE"))
)


def expected(data: ItemData, alpha: float) -> pd.Series:
    """By theory: the variance in the first layer, a convolution, over that of clean pictures.

    It is (c W + M) / (W + M) in large batches: mixing multiplies W, the variance over examples, by
    c, and leaves M, the variance of the mean picture over its pixels. In a batch of B examples one
    in B is mixed with itself. The variance U / B of the batch's own mean is lost too, with U the
    variance of the examples' means over pixels, and more of it by v, the variance of lambda.
    """
    c, v = shrink(alpha), beta_moment(alpha, 2) - 0.25
    lost = (1 - c) * (1 - 1 / BATCH) * WITHIN.values(data, "mixup", alpha)
    moved = (1 + 2 * v * (1 - 1 / BATCH)) / BATCH * MEANS.values(data, "mixup", alpha)
    return 1 - lost - moved


def by_formula(data: ItemData) -> Iterator[Finding]:
    """The first layer's variance under Mixup, less what theory expects."""
    for alpha in bank.alphas(data, "mixup"):
        found = LAYERS[0].values(data, "mixup", alpha)
        yield changes(
            "variance in layer 1, less by the formula",
            paired(found, expected(data, alpha)),
            alpha,
        )


def estimated_anew(data: ItemData) -> Iterator[Finding]:
    """Accuracy and ECE with statistics of clean examples, less with those kept from training."""
    for name in ("accuracy", "ece"):
        for alpha in bank.alphas(data, "mixup"):
            clean, kept = (
                data.probed("batch_norm", setting, name, "mixup", alpha)
                for setting in ("clean", "kept")
            )
            yield changes(f"{name} with clean statistics - as trained", paired(clean, kept), alpha)


CLAIMS = (
    Claim(
        "bn_statistics",
        "B27",
        "Mixup lowers the variances that BatchNorm sees.",
        partial(bank.versus_erm, quantities=LAYERS),
    ),
    Claim(
        "bn_formula",
        "B27, our question",
        "In the first layer the variance is what theory predicts: smaller for examples, but not "
        "for their mean.",
        by_formula,
        ours=True,
    ),
    Claim(
        "bn_clean",
        "B27, our question",
        "Accuracy and ECE are the same with BatchNorm's statistics of clean examples.",
        estimated_anew,
        ours=True,
    ),
)
SHOWN = (*LAYERS, ACCURACY, ECE)
ITEM = Item(
    title="BatchNorm's statistics",
    paper=(
        "BatchNorm standardises activations by a batch's statistics; Mixup reduces the covariance "
        "of features within a batch (B27)."
    ),
    on=(
        bank.setting(
            "batch_norm_digits",
            Runs("notes/batch_norm_digits", ask="probe=batch_norm"),
            stands_in="a small CNN on digits",
            here=(
                "three convolutions with BatchNorm on "
                "scikit-learn's digits. Variances that training left are divided by those of all "
                "clean training examples, mean over channels; CutMix, of which the note says "
                "nothing here, keeps the variance of every pixel."
            ),
        ),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Variances that BatchNorm saw in training"),
    table=partial(
        bank.table, quantities=(*LAYERS, WITHIN, MEANS, ACCURACY, CLEAN_ACCURACY, ECE, CLEAN_ECE)
    ),
)
