"""Table 1: which regulariser has which effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, changes, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Beside, Runs
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues, paired

OTHERS = 1.0  # the alpha at which networks trained without Mixup are rescaled


@dataclass(frozen=True)
class Regulariser:
    """A row of the table: the method of its runs, and the effects that the paper ticks.

    beside: the name of its runs in ItemData.beside; "" where they are the item's own.
    """

    title: str
    method: str
    beside: str
    ticks: tuple[str, ...]


ROWS = {
    "smoothing": Regulariser("Label smoothing", "label_smoothing", "", ("calibration",)),
    "spectral": Regulariser("Spectral reg.", "erm", "spectral", ("Jacobian",)),
    "dropout": Regulariser("Dropout", "erm", "dropout", ("calibration", "Jacobian", "label noise")),
    "temperature": Regulariser("Temperature", "erm", "", ("calibration",)),
    "mixup": Regulariser(
        "Mixup", "mixup", "", ("calibration", "Jacobian", "label noise", "input normalisation")
    ),
}
# Of each effect: the sign of the change, the smallest that matters, the panel's title, its unit.
EFFECTS = {
    "calibration": (-1, SMALLEST["ece"], "Calibration: ECE (points)", 100),
    "Jacobian": (-1, 0.0, "Jacobian of logits", 1),
    "label noise": (1, SMALLEST["accuracy"], "Label noise: accuracy (points)", 100),
    "input normalisation": (1, SMALLEST["accuracy"], "Rescaled less plain (points)", 100),
}


def effect(data: ItemData, row: str, name: str, alpha: float | None) -> pd.Series:
    """What a regulariser changes, by seed: its value less ERM's.

    For input normalisation it is what rescaling changes of the regulariser's own prediction.

    Raises:
        NoValues: there are no runs; or the effect is on decisions, and the regulariser is a
            temperature, which is fitted after training and changes no decision.
    """
    kind = ROWS[row]
    if row == "temperature" and name in ("label noise", "input normalisation"):
        raise NoValues("a temperature changes no decision")
    if name == "label noise":
        erm = data.other("wrong").metric("accuracy", "erm")
        runs = data.other(f"{kind.beside} wrong".strip())
        return paired(runs.metric("accuracy", kind.method, alpha), erm)
    runs = data.other(kind.beside) if kind.beside else data
    if name == "input normalisation":
        at = OTHERS if alpha is None else alpha
        rescaled = runs.metric("accuracy", kind.method, alpha, at)
        return paired(rescaled, runs.metric("accuracy", kind.method, alpha))
    if name == "calibration":
        evaluation = "temperature" if row == "temperature" else ""
        ece = runs.metric("ece", kind.method, alpha, evaluation=evaluation)
        return paired(ece, data.metric("ece", "erm"))
    erm = data.probed("jacobian", "test", "logits", "erm")
    if row == "temperature":
        t = data.metric("temperature", "erm", evaluation="temperature").dropna()
        return paired(erm / t, erm)
    return paired(runs.probed("jacobian", "test", "logits", kind.method, alpha), erm)


def alphas(data: ItemData, row: str) -> list[float | None]:
    """The alphas of a row: Mixup's, or none."""
    return [*data.alphas()] if row == "mixup" else [None]


def ticked(data: ItemData, row: str) -> Iterator[Finding]:
    """The effects that the paper ticks."""
    for name in ROWS[row].ticks:
        sign, least, _, _ = EFFECTS[name]
        for alpha in alphas(data, row):
            yield signed(name, effect(data, row, name, alpha), sign, least=least, alpha=alpha)


def unticked(data: ItemData) -> Iterator[Finding]:
    """The effects that the paper does not tick: whether the value differs from ERM's."""
    for row, kind in ROWS.items():
        for name in EFFECTS:
            fixed = row == "temperature" and name != "Jacobian"
            if name not in kind.ticks and not fixed:
                yield changes(f"{kind.title}: {name}", effect(data, row, name, None))


def table(data: ItemData) -> pd.DataFrame:
    """Each effect of each regulariser, beside the paper's ticks."""
    return summarise(
        (
            {"regulariser": kind.title, "alpha": alpha, "the paper's ticks": ", ".join(kind.ticks)},
            {name: partial(effect, data, row, name, alpha) for name in EFFECTS},
        )
        for row, kind in ROWS.items()
        for alpha in alphas(data, row)
    )


def draw(data: ItemData) -> Figure:
    """A panel an effect, a line a regulariser."""
    lines = [(row, alpha) for row in ROWS for alpha in alphas(data, row)]
    figure, axes = style.panels(len(EFFECTS), size=(2.4, 3.0))
    for axis, (name, (sign, _, title, unit)) in zip(axes, EFFECTS.items()):
        for place, (row, alpha) in enumerate(lines):
            with suppress(NoValues):
                values = unit * effect(data, row, name, alpha)
                known = name in ROWS[row].ticks
                colour = style.BLUE if known else style.GREY
                mark = "o" if known else "s"
                style.effect(axis, place, values, colour, across=True, marker=mark)
        style.zero_line(axis, across=True, better=sign)
        axis.set_title(title)
        axis.set_ylim(len(lines) - 0.5, -0.5)
        axis.set_yticks([])
    names = [ROWS[r].title + ("" if a is None else rf", $\alpha$ = {a:g}") for r, a in lines]
    axes[0].set_yticks(range(len(lines)), names)
    note = (
        "Change of ERM's value, paired by seed. Blue circles: effects that the paper ticks; grey "
        "squares: those that it does not know. Hollow: the interval includes zero. Blue ground: "
        f"where the effect lies. {curves.note(data)}"
    )
    return style.finish(figure, "What regularisers change", note, style.data_and_network(data.runs))


def _grid(name: str, only: str, ask: str = "") -> Runs:
    return Runs(name, ask=ask, only=dict.fromkeys(SCALES, only))


THREE = "method=erm,label_smoothing,mixup"
ASKED = "probe=jacobian evaluation.alphas="
SOURCE = Beside(
    _grid("notes/bank_digits", THREE, f"{ASKED}[0.2,1,8,32] evaluation.temperature=true"),
    {
        "wrong": _grid("notes/label_noise_digits", THREE),
        "dropout": _grid("notes/bank_digits_dropout", "method=erm", f"{ASKED}[1]"),
        "dropout wrong": _grid("notes/label_noise_digits_dropout", "method=erm"),
        "spectral": _grid("carratino2020/table1_digits", "method=erm", f"{ASKED}[1]"),
        "spectral wrong": _grid("carratino2020/table1_digits_wrong", "method=erm"),
    },
)
CLAIMS = (
    *(
        Claim(
            f"t1_{row}",
            "Table 1",
            f"{kind.title}: {', '.join(kind.ticks)}.",
            partial(ticked, row=row),
        )
        for row, kind in ROWS.items()
    ),
    Claim(
        "t1_unticked",
        "Table 1, our question",
        "Effects without a tick are none: regularisers leave them as ERM has them.",
        unticked,
        ours=True,
    ),
)
ITEM = Item(
    title="Table 1: effects of regularisers",
    paper=(
        "a tick for each known effect: calibration of label smoothing, dropout, temperature "
        "scaling and Mixup; Jacobian regularisation of spectral regularisation, dropout and Mixup; "
        "robustness to label noise of dropout and Mixup; input normalisation of Mixup. No tick: "
        "not known."
    ),
    on=(
        On(
            "table1_digits",
            SOURCE,
            stands_in="an MLP on digits",
            differs=(
                "the paper gathers its ticks from the literature; here an MLP on scikit-learn's "
                "digits. Label noise: 40 % wrong labels. Input normalisation: accuracy of the "
                "prediction rescaled (eq. 22) at the run's alpha, or at 1, less the plain one's. "
                "Spectral regularisation is Yoshida and Miyato's, with singular values by powers."
            ),
            code=curves.NO_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
