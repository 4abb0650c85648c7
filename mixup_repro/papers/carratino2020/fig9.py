"""Figure 9: confidence of predictions on two moons (appendix B.3)."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from mixup_repro.evaluation.metrics import BINS
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves, fig7, fig8
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs

CLAIMS = (
    Claim(
        "fig9_confidence",
        "Fig. 9",
        "On two moons Mixup and approximate Mixup are less confident than ERM.",
        partial(fig7.less_confident, pairs=(("erm", "mixup"), ("erm", "approx_mixup"))),
    ),
)


def draw(data: ItemData) -> Figure:
    """Left: ERM, Mixup, Mixup rescaled. Right: ERM, Mixup, approximate Mixup."""
    both = {style.METHODS[m]: (m, "plain") for m in ("erm", "mixup")}
    columns = (
        both | {"Mixup (rescaled)": ("mixup", "rescaled")},
        both | {"Approximate Mixup": ("approx_mixup", "plain")},
    )
    title = f"Two moons: confidence of predictions on the test set, {BINS} bins"
    figure = fig7.panels(data, columns)
    return style.finish(figure, title, curves.note(data), style.data_and_network(data.runs))


ITEM = Item(
    title="Figure 9: confidence of predictions on two moons",
    paper="On two moons, as for LeNet: Mixup and approximate Mixup are less confident than ERM.",
    on=(
        On(
            "fig9_moons",
            Runs("carratino2020/fig8_moons"),
            stands_in="",
            differs=fig8.MOONS,
            code=curves.NO_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=fig7.table,
)
