"""Figure 5: Mixup on corrupted test sets, plain and rescaled, against alpha.

The paper averages over the 95 sets of CIFAR-10-C and CIFAR-100-C (19 corruptions, 5 severities) and
prints no numbers, so ours stand beside its claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves, fig4
from mixup_repro.papers.carratino2020.fig4 import LINES, METRICS
from mixup_repro.papers.claims import Claim, Finding, over_alphas
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, predicted, select
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.stats import NoValues, paired


def benchmark(data: ItemData) -> str:
    """The benchmark that an item is drawn from: the released one, or else the generated one.

    Raises:
        NoValues: its runs were evaluated on neither.
    """
    corrupted = data.ood[data.ood["corruption"].notna()]
    names = sorted(corrupted["benchmark"].unique(), key=lambda n: (len(n), n))
    if not names:
        raise NoValues("no corrupted test sets; type evaluate.py ... benchmark=generated")
    return str(names[0])


def sets(data: ItemData, metric: str, name: str, alpha: float) -> pd.DataFrame:
    """A metric of a line on every corrupted set: seeds (rows) by (severity, corruption).

    alpha: that of Mixup's runs, and of rescaling. Seeds that lack a set are left out.

    Raises:
        NoValues: there is none.
    """
    method, rescaled = LINES[name]
    about = {"method": method, "alpha": alpha if method == "mixup" else None}
    about |= predicted(alpha if rescaled else None)
    rows = select(data.ood, benchmark=benchmark(data), **about)
    return rows.pivot(index="seed", columns=["severity", "corruption"], values=metric).dropna()


def by_severity(data: ItemData, metric: str, name: str, alpha: float) -> pd.DataFrame:
    """`sets`, mean over corruptions: seeds (rows) by severities."""
    table = sets(data, metric, name, alpha)
    return table.T.groupby(level="severity").mean().T


def values(data: ItemData, metric: str, name: str, alpha: float) -> pd.Series:
    """A metric's mean over all sets, by seed; as Figure 4's `Values`."""
    return by_severity(data, metric, name, alpha).mean(axis=1)


def change(data: ItemData, metric: str, alpha: float) -> pd.DataFrame:
    """Rescaled minus plain Mixup: seeds (rows) by severities."""
    rescaled, plain = (
        by_severity(data, metric, name, alpha) for name in ("Mixup (rescaled)", "Mixup")
    )
    return pd.DataFrame({s: paired(rescaled[s], plain[s]) for s in plain})


def worsens(data: ItemData) -> Iterator[Finding]:
    """Rescaling worsens every metric of Mixup."""
    for metric, (_, better, _) in METRICS.items():
        changes = {a: change(data, metric, a).mean(axis=1) for a in data.alphas()}
        yield from over_alphas(metric, changes, -better, SMALLEST[metric])


CLAIMS = (
    Claim(
        "fig5_c",
        "sec. 5, Fig. 5",
        "On corrupted pictures rescaling worsens almost all of Mixup's metrics.",
        worsens,
    ),
)


def averaged(data: ItemData) -> str:
    """For a figure's note: how many test sets the means are over."""
    rows = select(data.ood, benchmark=benchmark(data))
    count = len(rows.drop_duplicates(["corruption", "severity"]))
    return f"Means over {count} corrupted test sets."


def draw(data: ItemData) -> Figure:
    """Accuracy, cross-entropy and ECE against alpha, and what rescaling changes."""
    figure = fig4.rows(data, values)
    note = f"{averaged(data)} {fig4.reading(data, values)} {curves.note(data, rows=data.ood)}"
    about = f"{style.data_and_network(data.runs)}, on {benchmark(data)}"
    return style.finish(figure, "Plain and rescaled prediction out of distribution", note, about)


GENERATED = "corrupted pictures are generated from the test set with the published severities"
LENET = (
    "LeNet in place of ResNet-34, as in fig4_cifar10_lenet, at scale short of three alphas; "
    f"{GENERATED}."
)
RESNET20 = (
    "ResNet-20 in place of ResNet-34, as in fig4_cifar10_resnet20, at scale short on 1,000 test "
    f"pictures; {GENERATED}."
)
DIGITS = f"digits and an MLP, as in fig4_digits; three alphas; 8 x 8 pixels; {GENERATED}."
THREE = "method.alpha=[0.25,1,4]"


def settings(item: str) -> tuple[On, ...]:
    """The settings of an item on corrupted test sets; all of them use the runs of Figure 4."""
    generated = partial(Runs, ask="benchmark=generated")
    sources = {
        "cifar10": (Runs("carratino2020/fig4_cifar10", ask="benchmark=cifar10_c"), "", ""),
        "cifar100": (Runs("carratino2020/fig4_cifar100", ask="benchmark=cifar100_c"), "", ""),
        "cifar10_lenet": (
            generated("carratino2020/fig4_cifar10_lenet", only={"short": "method.alpha=[0.5,2,8]"}),
            "LeNet",
            LENET,
        ),
        "cifar10_resnet20": (
            generated("carratino2020/fig4_cifar10_resnet20"),
            "ResNet-20",
            RESNET20,
        ),
        "digits": (
            generated(
                "carratino2020/fig4_digits",
                only={"paper": THREE, "short": THREE, "smoke": "method.alpha=[8]"},
            ),
            "an MLP on digits",
            DIGITS,
        ),
    }
    return tuple(
        On(f"{item}_{name}", source, stands_in, differs, code=curves.NO_CODE)
        for name, (source, stands_in, differs) in sources.items()
    )


ITEM = Item(
    title="Figure 5: rescaled prediction out of distribution",
    paper=(
        "ResNet-34, CIFAR-10-C and CIFAR-100-C, 10 repetitions, means over 95 corrupted test sets: "
        "rescaling worsens almost all metrics of Mixup."
    ),
    on=settings("fig5"),
    claims=CLAIMS,
    draw=draw,
    table=partial(fig4.table, values=values),
    panel=2,
)
