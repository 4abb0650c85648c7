"""Figures 12 to 14: decision boundaries on two moons, separation 0.1."""

from dataclasses import replace
from functools import partial

from mixup_repro.papers.chidambaram2022 import boundaries
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.sources import Beside, Runs
from mixup_repro.schema import SCALES


def beside(grid: str, other: str) -> Beside:
    """The runs of a grid, with ERM's of the other separation."""
    erm = Runs(other, only=dict.fromkeys(SCALES, "method=erm"))
    return Beside(Runs(grid), {"other separation": erm})


CLAIMS = (
    Claim(
        "fig12_both",
        "Fig. 12",
        "Separation 0.1: ERM too captures more of the shape (its boundary is less linear than at "
        "0.5).",
        boundaries.captures_shape,
    ),
    Claim(
        "fig12_linearity",
        "Fig. 12 to 14, our question",
        "Separation 0.1: Mixup's boundaries are less linear than ERM's.",
        boundaries.less_linear,
        ours=True,
    ),
    replace(boundaries.QUIRK, on=("fig12_moons",)),
)
ITEM = Item(
    title="Figures 12 to 14: decision boundaries on two moons, separation 0.1",
    paper=boundaries.PAPER,
    on=(
        On(
            "fig12_moons",
            beside("chidambaram2022/fig12_moons", "chidambaram2022/fig3_moons"),
            stands_in="",
            differs=boundaries.DIFFERS,
            code=boundaries.CODE,
        ),
        On(
            "fig12_moons_code",
            beside("chidambaram2022/fig12_moons_code", "chidambaram2022/fig3_moons_code"),
            stands_in="",
            differs=boundaries.CODE_DIFFERS,
            code=boundaries.CODE,
        ),
    ),
    claims=CLAIMS,
    draw=partial(boundaries.draw, separation=0.1),
    table=boundaries.table,
    panel=2,
)
