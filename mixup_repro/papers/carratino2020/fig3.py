"""Figure 3: the terms of the approximate Mixup risk along training."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import interval

TITLE = "Figure 3: regularisation terms, and loss on modified data"
PAPER = (
    "LeNet, CIFAR-10: networks trained with Mixup have the smallest regularisation terms of (12), "
    "and not the smallest loss on modified data (20), beside ERM and ERM on modified data."
)
SUBSET = (
    "the terms are exact for a fixed thousand of training pictures, without augmentation, R1 + R3 "
    "(R2 is left out as in Figure 2, R4 is zero)"
)
DIFFERS = {"fig3_cifar10": f"{SUBSET}."}
METHODS = ("mixup", "erm", "erm_modified")
OTHERS = {"erm": "ERM", "erm_modified": "ERM on modified data"}


def _difference(data: ItemData, column: str, other: str) -> pd.DataFrame:
    """Mixup's value minus the other's: epochs by seeds."""
    return curves.curve(data.terms, "mixup", column) - curves.curve(data.terms, other, column)


def _smallest_regularisation(data: ItemData) -> list[Finding]:
    findings = []
    for other, name in OTHERS.items():
        difference = _difference(data, "regularisation", other)
        findings += [
            signed(f"R1 + R3 at the end, Mixup - {name}", difference.iloc[-1], -1),
            signed(f"mean along training, Mixup - {name}", difference.mean(), -1, False),
        ]
    return findings


def _not_smallest_loss(data: ItemData) -> list[Finding]:
    return [
        signed(
            f"modified-data loss at the end, Mixup - {name}",
            _difference(data, "modified_loss", other).iloc[-1],
            1,
            headline=other == "erm_modified",  # one smaller than Mixup's is enough
        )
        for other, name in OTHERS.items()
    ]


CLAIMS = [
    Claim(
        "fig3_reg",
        "Fig. 3, left",
        "Mixup-trained networks have the smallest regularisation terms.",
        _smallest_regularisation,
    ),
    Claim(
        "fig3_loss",
        "Fig. 3, right",
        "Mixup does not have the smallest loss on modified data.",
        _not_smallest_loss,
    ),
]


def table(data: ItemData) -> pd.DataFrame:
    """Both terms after the last epoch."""
    out = []
    for method in METHODS:
        rows = data.terms[data.terms["method"] == method]
        if len(rows):
            cells: dict = {"method": style.METHODS[method]}
            for column in ("regularisation", "modified_loss"):
                cells |= interval(curves.curve(rows, method, column).iloc[-1]).cells(column)
            out.append(cells)
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """Regularisation terms and modified-data loss against epochs."""
    figure, axes = style.panels(2)
    labels = {
        "regularisation": r"Regularisation $R_1 + R_3$ (nats)",
        "modified_loss": "Loss on modified data (nats)",
    }
    for axis, (column, label) in zip(axes, labels.items()):
        for method in METHODS:
            curves.panel(axis, data.terms, method, column, style.METHODS[method])
        axis.set_ylabel(label)
    title = f"{curves.subtitle(data)}: the approximate Mixup risk's parts"
    return style.finish(figure, title, curves.note(data))
