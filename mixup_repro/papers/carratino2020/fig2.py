"""Figure 2: training with Mixup and with its second-order approximation."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs

COLUMNS = {
    "mixed_loss": "training loss",
    "test_cross_entropy": "test cross-entropy",
    "test_accuracy": "test accuracy",
}
IDS = {"mixed_loss": "fig2_train", "test_cross_entropy": "fig2_test", "test_accuracy": "fig2_acc"}
CLAIMS = tuple(
    Claim(
        IDS[column],
        "Fig. 2",
        f"Approximate Mixup follows Mixup in {name}, closer than ERM does.",
        partial(curves.follows, columns={column: name}),
    )
    for column, name in COLUMNS.items()
)


def table(data: ItemData) -> pd.DataFrame:
    """The three curves' last values."""
    return curves.last_values(data.curves, COLUMNS, ("erm", "mixup", "approx_mixup"))


def draw(data: ItemData) -> Figure:
    """Training loss, test cross-entropy and test accuracy against epochs."""
    figure, axes = style.panels(3, size=(3.0, 2.2))
    for method in ("mixup", "approx_mixup", "erm"):
        name = style.METHODS[method]
        curves.panel(axes[0], data.curves, method, "mixed_loss", name)
        curves.panel(axes[1], data.curves, method, "test_cross_entropy", name)
        curves.panel(axes[2], data.curves, method, "test_accuracy", name, unit=100)
    axes[0].set_title("Training loss, each its own (nats)")
    axes[1].set_title("Test cross-entropy (nats)")
    axes[2].set_title("Test accuracy (%)")
    style.name_lines(axes[2], *axes[:2])
    title = "Mixup and its second-order approximation along training"
    note = curves.note(data, along=True)
    return style.finish(figure, title, note, style.data_and_network(data.runs))


ITEM = Item(
    title="Figure 2: Mixup and approximate Mixup along training",
    paper=(
        "LeNet, CIFAR-10, 200 epochs, 10 repetitions: training by the approximate risk (12) "
        "without R2 mimics training by Mixup, in training loss, test loss and test accuracy."
    ),
    on=(
        On(
            "fig2_cifar10",
            Runs("carratino2020/fig2_cifar10"),
            stands_in="",
            differs="ERM is added as a yardstick.",
            code=curves.NO_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
    panel=1,
)
