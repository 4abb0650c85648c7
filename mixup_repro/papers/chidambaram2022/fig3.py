"""Figures 3, 10 and 11: decision boundaries on two moons, separation 0.5."""

from dataclasses import replace
from functools import partial

from mixup_repro.papers.chidambaram2022 import boundaries
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.sources import Runs

CLAIMS = (
    Claim(
        "fig3_linear",
        "Fig. 3",
        "Separation 0.5: ERM decides essentially by one coordinate (our reading: a straight line "
        "decides more than 99 % of the square alike).",
        boundaries.nearly_linear,
    ),
    Claim(
        "fig3_nonlinear",
        "Fig. 3",
        "Separation 0.5: Mixup's boundaries are highly nonlinear (our reading: the best line "
        "decides less than 95 % of the square alike).",
        boundaries.highly_nonlinear,
    ),
    replace(boundaries.QUIRK, on=("fig3_moons",)),
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
        On(
            "fig3_moons_code",
            Runs("chidambaram2022/fig3_moons_code"),
            stands_in="",
            differs=boundaries.CODE_DIFFERS,
            code=boundaries.CODE,
        ),
    ),
    claims=CLAIMS,
    draw=partial(boundaries.draw, separation=0.5),
    table=boundaries.table,
    panel=2,
)
