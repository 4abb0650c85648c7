"""Figure 1 and Table 1: Mixup on three points of a line fails once alpha is large."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.chidambaram2022 import line
from mixup_repro.papers.claims import Claim, Finding, number, signed, zero
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, by_seed, select, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues

TABLE_1 = {  # probability of class 1 at the points 0, 1, 2
    1: (0.995, 0.156, 0.979),
    32: (1.000, 0.603, 0.997),
    128: (1.000, 0.650, 0.997),
}
# Final training error (%) in the authors' logs.
LOGS: dict[str, line.Errors] = {
    "fig1": {("mixup", 1): 0.00, ("mixup", 32): 33.33, ("mixup", 128): 33.33, ("erm", None): 0.00}
}


def probabilities(
    data: ItemData, alpha: float | None, point: int, method: str = "mixup"
) -> pd.Series:
    """The probability of class 1 at a point by seed; class 1 is the paper's name of our label 0."""
    return by_seed(select(data.predictions, method=method, alpha=alpha, example=point), "p0")


def fails(data: ItemData) -> Iterator[Finding]:
    """Mixup errs at large alphas."""
    for a in (32, 128):
        error, least = line.final_error(data, "mixup", a), 100 * SMALLEST["error"]
        yield signed("error (%) of Mixup", error, 1, least=least, alpha=a)


def works(data: ItemData) -> Iterator[Finding]:
    """Mixup at alpha 1 and ERM do not err."""
    yield zero("error (%) of Mixup, alpha = 1", line.final_error(data, "mixup", 1))
    yield zero("error (%) of ERM", line.final_error(data, "erm"))


def table_1(data: ItemData) -> Iterator[Finding]:
    """Every cell of Table 1."""
    for alpha, row in TABLE_1.items():
        for point, reference in enumerate(row):
            ours = probabilities(data, alpha, point)
            yield number(f"alpha = {alpha}, point {point}", ours, reference, line.RUNS, digits=3)


CLAIMS = (
    Claim("fig1_fails", "Fig. 1", "Mixup errs on X_3^2 at alpha 32 and 128.", fails),
    Claim("fig1_works", "Fig. 1", "Mixup at alpha 1 and ERM classify X_3^2 correctly.", works),
    Claim("table1", "Table 1", "Nine probabilities of class 1.", table_1),
    Claim(
        "fig1_numbers",
        "authors' logs",
        "Final training errors.",
        partial(line.error_numbers, logs=LOGS),
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Table 1: the paper's probabilities of class 1 beside ours."""
    ours = summarise(
        (
            {"alpha": alpha, "point": point, "paper": reference},
            {"ours": partial(probabilities, data, alpha, point)},
        )
        for alpha, row in TABLE_1.items()
        for point, reference in enumerate(row)
    )
    order = ["alpha", "point", "paper", "ours", "ours +-", "n"]
    return ours.reindex(columns=order if len(ours) else []).rename(columns={"ours +-": "+-"})


def draw(data: ItemData) -> Figure:
    """Above: the probability of class 1 at each point. Below: every run's error along training."""
    shown = line.columns(data)
    figure, axes = style.panels(len(shown), 2, size=(2.3, 2.0), height_ratios=(3, 2))
    for k, (name, method, alpha) in enumerate(shown):
        above, below = axes[k], axes[k + len(shown)]
        colour = style.SERIES[style.METHODS[method]]["color"]
        for point in range(3):
            side = (0, 0.5) if point == 1 else (0.5, 1)
            above.fill_between((point - 0.42, point + 0.42), *side, color=style.WASH, zorder=0)
            with suppress(NoValues):
                at = probabilities(data, alpha, point, method)
                style.effect(above, point, at, colour, against=0.5)
            if alpha in TABLE_1:
                look: dict[str, Any] = {
                    "markerfacecolor": "none",
                    "markersize": 5,
                    "color": style.INK,
                }
                label = "paper, Table 1" if point == 0 else "_"
                printed = TABLE_1[int(alpha)][point]
                above.plot(point + 0.33, printed, "D", label=label, clip_on=False, **look)
        above.axhline(0.5, color=style.SOFT, linewidth=0.7)
        above.set_title(name, color=style.text_colour(colour))
        above.set_xticks(range(3), [f"{x}\nclass {1 + x % 2}" for x in range(3)])
        above.set_yticks([0, 0.5, 1], ["0", "½", "1"] if k == 0 else [""] * 3)
        above.set_ylim(-0.05, 1.05)
        above.grid(False)
        line.rows(below, data, method, alpha)
    axes[0].set_ylabel("Probability of class 1")
    note = (
        "Above: small dots are runs, large ones their mean with a 95 % t interval, hollow where it "
        "includes 1/2; grey ground: the right side of 1/2. "
        f"{line.note(data)}"
    )
    title = "Probability of class 1, and training error, on the points 0, 1, 2"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


ITEM = Item(
    title="Figure 1 and Table 1: training error on X_3^2",
    paper=(
        "10 runs of 5,000 full-batch Adam steps, MLP 1-512-2: Mixup classifies 0, 1, 2 correctly "
        "at alpha = 1 and fails at alpha = 32 and 128, giving the middle point class 1; ERM never "
        "fails."
    ),
    on=(
        On(
            "fig1",
            Runs("chidambaram2022/fig1"),
            stands_in="",
            differs=line.SAME,
            code=line.CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
    panel=2,
)
