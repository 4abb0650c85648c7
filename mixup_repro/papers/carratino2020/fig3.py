"""Figure 3: the terms of the approximate Mixup risk along training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import CONTRADICTED, SUPPORTED, Claim, Finding, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues

OTHERS = ("erm", "erm_modified")
METHODS = ("mixup", *OTHERS)
LABELS = {
    "regularisation": r"Regularisation $R_1 + R_3$ (nats)",
    "modified_loss": "Loss on modified data (nats)",
}


def difference(data: ItemData, column: str, other: str) -> pd.DataFrame:
    """Mixup's value minus the other's: epochs by the seeds that have both.

    Raises:
        NoValues: no seed has.
    """
    both = curves.curve(data.terms, "mixup", column) - curves.curve(data.terms, other, column)
    if (paired := both.dropna(axis=1)).empty:
        raise NoValues(f"no seed has the terms of both Mixup and {other}")
    return paired


def smallest_regularisation(data: ItemData) -> Iterator[Finding]:
    """Mixup's regularisation terms are below each other method's."""
    for other in OTHERS:
        less, name = difference(data, "regularisation", other), style.METHODS[other]
        at_end = f"R1 + R3 at the end, Mixup - {name}"
        yield signed(at_end, less.iloc[-1], -1, least=SMALLEST["regularisation"])
        yield signed(f"mean along training, Mixup - {name}", less.mean(), -1, headline=False)


def not_smallest_loss(data: ItemData) -> Iterator[Finding]:
    """Mixup's loss on modified data is above the other's; one smaller than Mixup's is enough."""
    for other in OTHERS:
        less = difference(data, "modified_loss", other).iloc[-1]
        part = f"modified-data loss at the end, Mixup - {style.METHODS[other]}"
        yield signed(part, less, 1, other == "erm_modified", SMALLEST["modified_loss"])


CLAIMS = (
    Claim(
        "fig3_reg",
        "Fig. 3, left",
        "Mixup-trained networks have the smallest regularisation terms.",
        smallest_regularisation,
    ),
    Claim(
        "fig3_loss",
        "Fig. 3, right",
        "Mixup does not have the smallest loss on modified data.",
        not_smallest_loss,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Both terms after the last epoch."""
    return curves.last_values(data.terms, {column: column for column in LABELS}, METHODS)


def finding(data: ItemData) -> str:
    """The figure's title, by the findings that decide the first claim."""
    found = [f for f in CLAIMS[0].findings(data) if f.headline]
    kinds = {f.verdict for f in found}
    if kinds == {SUPPORTED}:
        return "Mixup ends with the smallest regularisation terms"
    if CONTRADICTED in kinds:  # one that is smaller is enough
        return "Mixup does not end with the smallest regularisation terms"
    return "Whether Mixup ends with the smallest regularisation terms is not decided"


def draw(data: ItemData) -> Figure:
    """Both terms against epochs, and beside each Mixup's value less the others' at the end."""
    widths = {"gridspec_kw": {"width_ratios": (1.6, 1)}}
    figure, axes = style.panels(2, rows=2, size=(3.6, 2.2), **widths)
    for (curved, ended), (column, label) in zip((axes[:2], axes[2:]), LABELS.items()):
        for method in METHODS:
            curves.panel(curved, data.terms, method, column, style.METHODS[method])
        curved.set_title(label)
        curved.set_xlim(left=0)
        style.name_lines(curved)
        for place, other in enumerate(OTHERS):
            with suppress(NoValues):
                less, colour = difference(data, column, other), style.SERIES[style.METHODS[other]]
                style.effect(ended, place, less.iloc[-1], colour["color"])
        style.zero_line(ended)
        ended.set_title("At the end, Mixup minus")
        ended.set_xticks(range(len(OTHERS)), ["ERM", "ERM,\nmodified data"])
        ended.set_xlim(-0.5, len(OTHERS) - 0.5)
    note = (
        f"{curves.note(data, along=True, rows=data.terms)} Right: paired by seed, mean and 95 % t "
        "interval; hollow where that includes zero."
    )
    return style.finish(figure, finding(data), note, style.data_and_network(data.runs))


ITEM = Item(
    title="Figure 3: regularisation terms, and loss on modified data",
    paper=(
        "LeNet, CIFAR-10: networks trained with Mixup have the smallest regularisation terms of "
        "(12), and not the smallest loss on modified data (20), beside ERM and ERM on modified "
        "data."
    ),
    on=(
        On(
            "fig3_cifar10",
            Runs("carratino2020/fig3_cifar10", ask="evaluation.terms=1"),
            stands_in="",
            differs=(
                "the terms are exact for a fixed thousand of training pictures, without "
                "augmentation, R1 + R3 (R2 is left out as in Figure 2, R4 is zero)."
            ),
            code=curves.NO_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
