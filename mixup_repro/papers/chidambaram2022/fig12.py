"""Figures 12 to 14: decision boundaries on two moons, separation 0.1."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers.chidambaram2022 import boundaries, fig3
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.shared import ItemData

TITLE = "Figures 12 to 14: decision boundaries on two moons, separation 0.1"
PAPER = boundaries.PAPER
DIFFERS = {"fig12_moons": fig3.DIFFERS["fig3_moons"]}
CLAIMS = [
    Claim(
        "fig12_both",
        "Fig. 12",
        "Separation 0.1: ERM's boundary captures the shape too: it is not nearly a line.",
        lambda data: boundaries.nearly_linear(data, -1),
    ),
    boundaries.QUIRK,
]


def table(data: ItemData) -> pd.DataFrame:
    """Linearity and test accuracy."""
    return boundaries.table(data)


def draw(data: ItemData) -> Figure:
    """Decision maps, averaged over seeds."""
    return boundaries.draw(data, separation=0.1)
