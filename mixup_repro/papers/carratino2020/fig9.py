"""Figure 9: confidence of predictions on two moons (appendix B.3)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves, fig7, fig8
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.shared import ItemData

TITLE = "Figure 9: confidence of predictions on two moons"
PAPER = "On two moons, as for LeNet: Mixup and approximate Mixup are less confident than ERM."
DIFFERS = {"fig9_moons": fig8.MOONS}
CLAIMS = [
    Claim(
        "fig9_confidence",
        "Fig. 9",
        "On two moons Mixup and approximate Mixup are less confident than ERM.",
        lambda data: [fig7.less_confident(data, "erm", m) for m in ("mixup", "approx_mixup")],
    )
]


def table(data: ItemData) -> pd.DataFrame:
    """Mean confidence and accuracy of each method's plain predictions."""
    return fig7.table(data)


def draw(data: ItemData) -> Figure:
    """Left: ERM, Mixup, Mixup rescaled. Right: ERM, Mixup, approximate Mixup."""
    figure, axes = style.panels(2, sharey=True)
    plain = {style.METHODS[m]: (m, "plain") for m in ("erm", "mixup", "approx_mixup")}
    approximate = plain.pop("Approximate Mixup")
    fig7.panel(axes[0], data, plain | {"Mixup (rescaled)": ("mixup", "rescaled")})
    fig7.panel(axes[1], data, plain | {"Approximate Mixup": approximate})
    for axis in axes:
        axis.set_xlim(0.46, 1)
    title = "Two moons, random Fourier features: confidence on the test set, 15 bins"
    return style.finish(figure, title, curves.note(data))
