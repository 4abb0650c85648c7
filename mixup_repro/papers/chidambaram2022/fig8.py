"""Figure 8: on ten points of a line Mixup fails already at alpha = 1."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers.chidambaram2022 import line
from mixup_repro.papers.claims import Claim, Finding, signed, zero
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs

# Final training error (%) in the authors' logs. They have two sets of ten runs of ERM, of which
# this is the mean; on X_10^2 these had errors of 7 and 9 %.
LOGS: dict[str, line.Errors] = {
    "fig8_x10_2": {("mixup", 1): 33.0, ("mixup", 32): 47.0, ("erm", None): 8.0},
    "fig8_x10_10": {("mixup", 1): 18.0, ("mixup", 32): 63.0, ("erm", None): 0.0},
}


def fails(data: ItemData, erm_fails: bool) -> Iterator[Finding]:
    """Mixup errs at alpha 1, and ERM errs too (`erm_fails`) or never errs."""
    least = 100 * SMALLEST["error"]
    error = line.final_error(data, "mixup", 1)
    yield signed("error (%) of Mixup, alpha = 1", error, 1, least=least)
    part, errors = "error (%) of ERM", line.final_error(data, "erm")
    yield signed(part, errors, 1, least=least) if erm_fails else zero(part, errors)


CLAIMS = (
    Claim(
        "fig8_two",
        "Fig. 8",
        "X_10^2: Mixup fails at alpha 1, and ERM does not fit all points.",
        partial(fails, erm_fails=True),
        on=("fig8_x10_2",),
    ),
    Claim(
        "fig8_ten",
        "Fig. 8",
        "X_10^10: Mixup fails at alpha 1, and ERM fits all points.",
        partial(fails, erm_fails=False),
        on=("fig8_x10_10",),
    ),
    Claim(
        "fig8_numbers",
        "authors' logs",
        "Final training errors.",
        partial(line.error_numbers, logs=LOGS),
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Final training error (%) for each method and alpha, and how many runs err."""
    by_method = sorted(data.methods(), key=lambda m: (m[0], m[1] or 0.0))
    errors = summarise(
        (
            {"method": method, "alpha": alpha},
            {"final error (%)": partial(line.final_error, data, method, alpha)},
        )
        for method, alpha in by_method
    )
    wrong = [int((line.final_error(data, *about) > 0).sum()) for about in by_method]
    return errors.rename(columns={"final error (%) +-": "+-"}).assign(**{"runs that err": wrong})


def draw(data: ItemData) -> Figure:
    """The training error of every run, with a panel for ERM and for each alpha."""
    m, k = data.name.removeprefix("fig8_x").split("_")
    return line.draw(data, rf"Training error on $X_{{{m}}}^{{{k}}}$")


ITEM = Item(
    title="Figure 8: training error on X_10^2 and X_10^10",
    paper=(
        "The same network and optimiser as Figure 1: on X_10^2 and X_10^10 Mixup fails to classify "
        "the points already at alpha = 1; on X_10^2 even ERM does not fit all of them."
    ),
    on=tuple(
        On(name, Runs(f"chidambaram2022/{name}"), stands_in="", differs=line.SAME, code=line.CODE)
        for name in LOGS
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
    panel=1,
)
