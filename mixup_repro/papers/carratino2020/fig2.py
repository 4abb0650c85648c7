"""Figure 2: training with Mixup and with its second-order approximation."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.shared import ItemData

TITLE = "Figure 2: Mixup and approximate Mixup along training"
PAPER = (
    "LeNet, CIFAR-10, 200 epochs, 10 repetitions: training by the approximate risk (12) without R2 "
    "mimics training by Mixup, in training loss, test loss and test accuracy."
)
DIFFERS = {"fig2_cifar10": "ERM is added as a yardstick."}
COLUMNS = {
    "mixed_loss": "training loss",
    "test_cross_entropy": "test cross-entropy",
    "test_accuracy": "test accuracy",
}


def _claim(name: str, column: str) -> Claim:
    sentence = f"Approximate Mixup follows Mixup in {COLUMNS[column]}, closer than ERM does."
    columns = {column: COLUMNS[column]}
    return Claim(name, "Fig. 2", sentence, lambda data: curves.follows(data, columns))


CLAIMS = [
    _claim("fig2_train", "mixed_loss"),
    _claim("fig2_test", "test_cross_entropy"),
    _claim("fig2_acc", "test_accuracy"),
]


def table(data: ItemData) -> pd.DataFrame:
    """The three curves' last values."""
    return curves.last(data, COLUMNS, ("erm", "mixup", "approx_mixup"))


def draw(data: ItemData) -> Figure:
    """Training loss, test cross-entropy and test accuracy against epochs."""
    figure, axes = style.panels(3)
    for method in ("mixup", "approx_mixup", "erm"):
        name = style.METHODS[method]
        curves.panel(axes[0], data.curves, method, "mixed_loss", name)
        curves.panel(axes[1], data.curves, method, "test_cross_entropy", name)
        curves.panel(axes[2], data.curves, method, "test_accuracy", name, unit=100)
    axes[0].set_ylabel("Training loss, each its own (nats)")
    axes[1].set_ylabel("Test cross-entropy (nats)")
    axes[2].set_ylabel("Test accuracy (%)")
    title = f"{curves.subtitle(data)}: Mixup and its approximation"
    return style.finish(figure, title, curves.note(data))
