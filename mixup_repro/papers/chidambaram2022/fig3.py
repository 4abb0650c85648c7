"""Figures 3, 10 and 11: decision boundaries on two moons, separation 0.5."""

from functools import partial

from mixup_repro.papers.chidambaram2022 import boundaries
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.sources import Runs

CLAIMS = (
    Claim(
        "fig3_linear",
        "Fig. 3",
        "Separation 0.5: ERM's boundary is nearly a straight line.",
        partial(boundaries.nearly_linear, sign=1),
    ),
    Claim(
        "fig3_nonlinear",
        "Fig. 3",
        "Separation 0.5: Mixup's boundaries are less linear than ERM's.",
        boundaries.less_linear,
    ),
    boundaries.QUIRK,
)
ITEM = Item(
    title="Figures 3, 10, 11: decision boundaries on two moons, separation 0.5",
    paper=boundaries.PAPER,
    on=(
        On(
            "fig3_moons",
            Runs("chidambaram2022/fig3_moons"),
            stands_in="",
            differs=boundaries.DIFFERS,
            code=boundaries.CODE,
        ),
    ),
    claims=CLAIMS,
    draw=partial(boundaries.draw, separation=0.5),
    table=boundaries.table,
)
