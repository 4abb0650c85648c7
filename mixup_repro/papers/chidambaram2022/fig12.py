"""Figures 12 to 14: decision boundaries on two moons, separation 0.1."""

from functools import partial

from mixup_repro.papers.chidambaram2022 import boundaries
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.sources import Runs

CLAIMS = (
    Claim(
        "fig12_both",
        "Fig. 12",
        "Separation 0.1: ERM's boundary captures the shape too: it is not nearly a line.",
        partial(boundaries.nearly_linear, sign=-1),
    ),
    boundaries.QUIRK,
)
ITEM = Item(
    title="Figures 12 to 14: decision boundaries on two moons, separation 0.1",
    paper=boundaries.PAPER,
    on=(
        On(
            "fig12_moons",
            Runs("chidambaram2022/fig12_moons"),
            stands_in="",
            differs=boundaries.DIFFERS,
            code=boundaries.CODE,
        ),
    ),
    claims=CLAIMS,
    draw=partial(boundaries.draw, separation=0.1),
    table=boundaries.table,
)
