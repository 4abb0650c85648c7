"""What the notes' items share: settings, quantities with their change from ERM, figure and table.

The bank is the grid notes/bank_digits, whose runs many items are drawn from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import NOT_RUN, Finding, over_alphas
from mixup_repro.papers.items import On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.sources import Runs, Source
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues, interval, paired

# A value by seed of the runs of a method and alpha.
Values = Callable[[ItemData, str, float | None], pd.Series]
BOTH = ("mixup", "cutmix")


@dataclass(frozen=True)
class Quantity:
    """A quantity that is compared between methods.

    name: in findings and tables. values: gives it by seed for a method and alpha. promised: the
    sign of the change from ERM that the notes promise; 0 where they say nothing. title: of its
    panel. unit: the panel's factor, such as 100 for per cent. least: the smallest change that
    matters.
    """

    name: str
    values: Values
    promised: int
    title: str
    unit: float = 1.0
    least: float = 0.0


def metric(name: str, evaluation: str = "") -> Values:
    """A metric on the test set, of the plain prediction or of another evaluation."""
    return partial(_metric, name=name, evaluation=evaluation)


def _metric(
    data: ItemData, method: str, alpha: float | None, name: str, evaluation: str
) -> pd.Series:
    return data.metric(name, method, alpha, evaluation=evaluation).dropna()


def probed(probe: str, setting: str, name: str) -> Values:
    """A metric that a probe measured."""
    return partial(_probed, probe=probe, setting=setting, name=name)


def _probed(
    data: ItemData, method: str, alpha: float | None, probe: str, setting: str, name: str
) -> pd.Series:
    return data.probed(probe, setting, name, method, alpha)


def shown(data: ItemData, mixing: bool) -> list[str]:
    """The methods of the runs that have an alpha (mixing) or have none, in the figures' order."""
    there = {name for name, alpha in data.methods() if (alpha is not None) == mixing}
    return [name for name in style.METHODS if name in there]


def alphas(data: ItemData, method: str) -> list[float]:
    """The alphas of a method's runs."""
    return sorted(a for name, a in data.methods() if name == method and a is not None)


def change(data: ItemData, quantity: Quantity, method: str, alpha: float | None) -> pd.Series:
    """A quantity of a method's runs minus ERM's, by seed."""
    return paired(quantity.values(data, method, alpha), quantity.values(data, "erm", None))


def by_seed(
    data: ItemData, quantity: Quantity, pairs: Sequence[tuple[str, float | None]]
) -> pd.DataFrame:
    """A quantity of methods and alphas (rows) by seed (columns); seeds without one are left out."""
    return pd.concat([quantity.values(data, *pair) for pair in pairs], axis=1).dropna().T


def versus_erm(
    data: ItemData,
    quantities: Sequence[Quantity],
    methods: Sequence[str] = ("mixup",),
    detail: Sequence[Quantity] = (),
    says: str = "",
) -> Iterator[Finding]:
    """Each quantity of each method changes from ERM's as promised, at each alpha.

    A method without runs gives a part that is not run. detail: quantities whose findings decide
    nothing. says: what the names of the parts begin with.
    """
    for quantity in (*quantities, *detail):
        for method in methods:
            part = f"{says}{quantity.name}, {style.METHODS[method]} - ERM"
            at = alphas(data, method)
            if not at:
                yield Finding(part, None, "", NOT_RUN, headline=quantity in quantities)
                continue
            changes = {a: change(data, quantity, method, a) for a in at}
            found = over_alphas(part, changes, quantity.promised, quantity.least)
            yield from found if quantity in quantities else map(as_detail, found)


def as_detail(finding: Finding) -> Finding:
    """The finding as a detail, which decides nothing."""
    return replace(finding, headline=False)


def table(data: ItemData, quantities: Sequence[Quantity]) -> pd.DataFrame:
    """Each quantity of each method and alpha."""
    names = [*style.METHODS]
    order = sorted(data.methods(), key=lambda pair: (names.index(pair[0]), pair[1] or 0.0))
    return summarise(
        (
            {"method": style.METHODS[method], "alpha": alpha},
            {q.name: partial(q.values, data, method, alpha) for q in quantities},
        )
        for method, alpha in order
    )


def draw(
    data: ItemData,
    quantities: Sequence[Quantity],
    title: str,
    decides: str = "whose intervals decide the verdicts",
) -> Figure:
    """A column for each quantity. Above: all methods by alpha; below: their change from ERM's.

    decides: what the figure's note says of the changes and the verdicts.
    """
    figure, axes = style.panels(len(quantities), 2)
    places = alphas(data, "mixup")
    for column, quantity in enumerate(quantities):
        above, below = axes[column], axes[len(quantities) + column]
        _levels(above, data, quantity, places)
        _changes(below, data, quantity, places)
        for axis in (above, below):
            style.alpha_ticks(axis, places)
        above.set_xlabel("")
    note = (
        f"Below: minus ERM's, paired by seed, {decides}. Hollow: the "
        "interval includes zero. Blue ground: where the notes say that it lies. Each panel has its "
        f"own scale. {curves.note(data, rows=_drawn(data, quantities))}"
    )
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def _drawn(data: ItemData, quantities: Sequence[Quantity]) -> pd.DataFrame:
    """Seeds of all values that are drawn, for `curves.note`; the runs where nothing is drawn.

    A probe needs weights, which not every run has kept.
    """
    parts = []
    for q, (method, alpha) in product(quantities, data.methods()):
        with suppress(NoValues):
            seeds = q.values(data, method, alpha).index
            parts.append(pd.DataFrame({"run_id": f"{q.name} {method} {alpha}", "seed": seeds}))
    return pd.concat(parts) if parts else data.runs


def _levels(axis: Axes, data: ItemData, quantity: Quantity, places: list[float]) -> None:
    """A quantity against alpha; of methods without alpha a line and a band."""
    for method in shown(data, mixing=False):
        with suppress(NoValues):
            at = interval(quantity.unit * quantity.values(data, method, None))
            style.level(axis, at, len(places), style.METHODS[method])
    mixing = shown(data, mixing=True)
    for k, method in enumerate(mixing):
        means = {}
        for place, alpha in enumerate(places):
            with suppress(NoValues):
                values = quantity.unit * quantity.values(data, method, alpha)
                means[place + style.dodge(k, len(mixing))] = interval(values)
        if means:
            name = style.METHODS[method]
            style.points(axis, [*means], [*means.values()], name, **style.SERIES[name])
    axis.set_title(quantity.title)


def _changes(axis: Axes, data: ItemData, quantity: Quantity, places: list[float]) -> None:
    """What methods that mix change of ERM's, against alpha."""
    mixing = shown(data, mixing=True)
    for k, method in enumerate(mixing):
        look = style.SERIES[style.METHODS[method]]
        for place, alpha in enumerate(places):
            with suppress(NoValues):
                values = quantity.unit * change(data, quantity, method, alpha)
                at = place + style.dodge(k, len(mixing))
                style.effect(axis, at, values, look["color"], marker=look["marker"], beside=0.06)
    style.zero_line(axis, better=quantity.promised)
    axis.set_title("Minus ERM's")


RUNS = "an MLP of 26,000 weights on scikit-learn's digits."


def setting(name: str, source: Source, stands_in: str, here: str) -> On:
    """A setting of an item of the notes, which describe no runs and have no code.

    here: what the runs are here, in words that end in a full stop.
    """
    differs = f"the notes describe no runs; here {here}"
    return On(name, source, stands_in, differs, code="the notes have none.")


def on_digits(name: str, ask: str = "", differs: str = "") -> On:
    """The bank's runs as a setting of an item; ask: what `evaluate` is to ask them besides."""
    source = Runs("notes/bank_digits", ask=ask)
    return setting(f"{name}_digits", source, "an MLP on digits", f"{RUNS} {differs}".strip())


def on_cifar10(name: str, ask: str, differs: str = "") -> On:
    """The runs of Carratino et al.'s Figure 7 as a setting of an item."""
    own = "method=erm,label_smoothing,mixup,approx_mixup method.epsilon=0.1"
    about = (
        "LeNet on CIFAR-10, trained for 200 epochs as for Figure 7 of Carratino et al.: alpha = 1, "
        "label smoothing at 0.1, no CutMix."
    )
    source = Runs("carratino2020/fig7_cifar10", ask=ask, only=dict.fromkeys(SCALES, own))
    return setting(f"{name}_cifar10", source, "LeNet on CIFAR-10", f"{about} {differs}".strip())
