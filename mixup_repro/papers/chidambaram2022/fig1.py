"""Figure 1 and Table 1: Mixup on three points of a line fails once alpha is large."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers.chidambaram2022 import line
from mixup_repro.papers.claims import Claim, Finding, number, signed, zero
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import interval

TITLE = "Figure 1 and Table 1: training error on X_3^2"
PAPER = (
    "10 runs of 5,000 full-batch Adam steps, MLP 1-512-2: Mixup classifies 0, 1, 2 correctly at "
    "alpha = 1 and fails at alpha = 32 and 128, giving the middle point class 1; ERM never fails."
)
DIFFERS = {
    "fig1": "Our runs are independent; the authors' code keeps one Adam optimiser across its ten "
    "runs and resets only the weights.",
}
TABLE_1 = {  # probability of class 1 at the points 0, 1, 2
    1: (0.995, 0.156, 0.979),
    32: (1.000, 0.603, 0.997),
    128: (1.000, 0.650, 0.997),
}
# Final training error (%) in the authors' logs.
LOGS = {
    ("mixup", 1): 0.00,
    ("mixup", 32): 33.33,
    ("mixup", 128): 33.33,
    ("erm", None): 0.00,
}


def probabilities(data: ItemData, alpha: float, point: int) -> pd.Series:
    """Mixup's probability of class 1 (the paper's name for label 0) at a point, by seed."""
    p = data.predictions
    chosen = p[(p["method"] == "mixup") & (p["alpha"] == alpha) & (p["example"] == point)]
    return chosen.set_index("seed")["p0"]


def _fails(data: ItemData) -> list[Finding]:
    return [
        signed(f"error (%) of Mixup, alpha = {a}", line.final_error(data, "mixup", a), 1)
        for a in (32, 128)
    ]


def _works(data: ItemData) -> list[Finding]:
    return [
        zero("error (%) of Mixup, alpha = 1", line.final_error(data, "mixup", 1)),
        zero("error (%) of ERM", line.final_error(data, "erm")),
    ]


def _table1(data: ItemData) -> list[Finding]:
    return [
        number(
            f"alpha = {alpha}, point {point}",
            probabilities(data, alpha, point),
            reference,
            line.RUNS,
            digits=3,
        )
        for alpha, row in TABLE_1.items()
        for point, reference in enumerate(row)
    ]


CLAIMS = [
    Claim("fig1_fails", "Fig. 1", "Mixup errs on X_3^2 at alpha 32 and 128.", _fails),
    Claim("fig1_works", "Fig. 1", "Mixup at alpha 1 and ERM classify X_3^2 correctly.", _works),
    Claim("table1", "Table 1", "Nine probabilities of class 1.", _table1),
    Claim(
        "fig1_numbers",
        "authors' logs",
        "Final training errors.",
        lambda data: line.error_numbers(data, LOGS),
    ),
]


def table(data: ItemData) -> pd.DataFrame:
    """Table 1: the paper's probabilities of class 1 beside ours."""
    out = []
    for alpha, row in TABLE_1.items():
        for point, reference in enumerate(row):
            if len(values := probabilities(data, alpha, point)):
                i = interval(values)
                cells = {"alpha": alpha, "point": point, "paper": reference}
                out.append(cells | {"ours": i.mean, "+-": i.half, "n": i.n})
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """The paper's three panels."""
    return line.draw(data, r"Training error on $X_3^2$ (points 0, 1, 2)")
