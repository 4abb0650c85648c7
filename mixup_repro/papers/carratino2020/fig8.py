"""Figure 8: two moons with random Fourier features, along training (appendix B.3)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.sources import Beside, Runs

COLUMNS = {
    "mixed_loss": "training loss",
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
}
# The paper does not say how the approximation is evaluated; by section 5 it would be rescaled.
RESCALED = {
    "train_accuracy_rescaled": "training accuracy, both rescaled",
    "test_accuracy_rescaled": "test accuracy, both rescaled",
}
ONE_LOGIT = "as one logit"


def follows(data: ItemData) -> Iterator[Finding]:
    """`curves.follows` of plain and rescaled curves, and of those rescaled as one logit."""
    yield from curves.follows(data, COLUMNS | RESCALED)
    if "one_logit" in data.beside:
        columns = {column: f"{name} {ONE_LOGIT}" for column, name in RESCALED.items()}
        yield from curves.follows(data.other("one_logit"), columns)


CLAIMS = (
    Claim(
        "fig8_follow",
        "Fig. 8",
        "On two moons approximate Mixup follows Mixup, closer than ERM does.",
        follows,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Losses and accuracies after the last epoch, rescaled ones too."""
    column, name = "test_accuracy_rescaled", "test accuracy, rescaled"
    shown = [(data.curves, *pair) for pair in (COLUMNS | {column: name}).items()]
    if "one_logit" in data.beside:
        shown.append((data.other("one_logit").curves, column, f"{name} {ONE_LOGIT}"))
    return summarise(
        (
            {"method": style.METHODS[method]},
            {name: partial(curves.last, rows, method, column) for rows, column, name in shown},
        )
        for method in ("erm", "mixup", "approx_mixup")
    )


def draw(data: ItemData) -> Figure:
    """Training loss, training accuracy (on the noisy labels) and test accuracy against epochs."""
    figure, axes = style.panels(3, size=(3.0, 2.4))
    for method in ("mixup", "approx_mixup", "erm"):
        name = style.METHODS[method]
        curves.panel(axes[0], data.curves, method, "mixed_loss", name)
        curves.panel(axes[1], data.curves, method, "train_accuracy", name, unit=100)
        curves.panel(axes[2], data.curves, method, "test_accuracy", name, unit=100)
    for method in ("mixup", "approx_mixup"):
        name = f"{style.METHODS[method]} (rescaled)"
        curves.panel(axes[1], data.curves, method, "train_accuracy_rescaled", name, unit=100)
        curves.panel(axes[2], data.curves, method, "test_accuracy_rescaled", name, unit=100)
    axes[0].set_title("Training loss, each its own (nats)")
    axes[1].set_title("Training accuracy (%)")
    axes[2].set_title("Test accuracy (%)")
    style.name_lines(axes[2], *axes[:2])
    title = "Two moons: Mixup and its second-order approximation along training"
    note = f"A fifth of the training labels is wrong. {curves.note(data, along=True)}"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


MOONS = (
    "the paper does not say how many epochs (here 500 of 3 steps), where the weights start (here "
    "at zero), whether each repetition draws features of its own (here it does), or how the "
    "approximation is evaluated (here plainly and rescaled, in parts of one verdict). Rescaling "
    "adds y_bar to two logits, which leaves the decision where it is, or to the one logit that the "
    "paper's f has, which moves it: both are here."
)
ITEM = Item(
    title="Figure 8: two moons with random Fourier features",
    paper=(
        "300 noisy points of two moons, half for training with 20 % of labels flipped, 1,000 "
        "random features, SGD with batch 50 and step 5, alpha 1, 30 data sets: the same as for "
        "LeNet, approximate Mixup follows Mixup."
    ),
    on=(
        On(
            "fig8_moons",
            Beside(
                Runs("carratino2020/fig8_moons"),
                {"one_logit": Runs("carratino2020/fig8_moons_one_logit")},
            ),
            stands_in="",
            differs=MOONS,
            code=curves.NO_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
