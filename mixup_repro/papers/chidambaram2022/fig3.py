"""Figures 3, 10 and 11: decision boundaries on two moons, separation 0.5."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers.chidambaram2022 import boundaries
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.shared import ItemData

TITLE = "Figures 3, 10, 11: decision boundaries on two moons, separation 0.5"
PAPER = boundaries.PAPER
DIFFERS = {
    "fig3_moons": "zeroed gradients, as the paper's text implies; the published code never zeroes "
    "Mixup's and trains 1,000 epochs. Both variants are here, for 1,500 epochs."
}
CLAIMS = [
    Claim(
        "fig3_linear",
        "Fig. 3",
        "Separation 0.5: ERM's boundary is nearly a straight line.",
        lambda data: boundaries.nearly_linear(data, 1),
    ),
    Claim(
        "fig3_nonlinear",
        "Fig. 3",
        "Separation 0.5: Mixup's boundaries are less linear than ERM's.",
        boundaries.less_linear,
    ),
    boundaries.QUIRK,
]


def table(data: ItemData) -> pd.DataFrame:
    """Linearity and test accuracy."""
    return boundaries.table(data)


def draw(data: ItemData) -> Figure:
    """Decision maps, averaged over seeds."""
    return boundaries.draw(data, separation=0.5)
