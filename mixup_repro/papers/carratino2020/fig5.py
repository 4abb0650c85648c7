"""Figure 5: Mixup on corrupted test sets, plain and rescaled, against alpha.

The paper averages over the 95 sets of CIFAR-10-C and CIFAR-100-C (19 corruptions, 5 severities) and
prints no numbers, so ours stand beside its claims.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves, fig4
from mixup_repro.papers.carratino2020.fig4 import METRICS
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, interval, paired

TITLE = "Figure 5: rescaled prediction out of distribution"
PAPER = (
    "ResNet-34, CIFAR-10-C and CIFAR-100-C, 10 repetitions, means over 95 corrupted test sets: "
    "rescaling worsens almost all metrics of Mixup."
)
GENERATED = "corrupted pictures are generated from the test set with the published severities"
SETTINGS = {
    "cifar10_lenet": f"LeNet in place of ResNet-34, as in fig4_cifar10_lenet, at scale short of "
    f"three alphas; {GENERATED}.",
    "cifar10_resnet20": f"ResNet-20 in place of ResNet-34, as in fig4_cifar10_resnet20, at scale "
    f"short on 1,000 test pictures; {GENERATED}.",
    "digits": f"digits and an MLP, as in fig4_digits; three alphas; 8 x 8 pixels; {GENERATED}.",
}
DIFFERS = {f"fig5_{name}": text for name, text in SETTINGS.items()}
LINES = {  # name: method, rescaled
    "ERM": ("erm", False),
    "ERM (rescaled)": ("erm", True),
    "Mixup": ("mixup", False),
    "Mixup (rescaled)": ("mixup", True),
}


def benchmark(data: ItemData) -> str:
    """The benchmark an item is drawn from: the released one where it has both.

    Raises:
        NoValues: its runs were evaluated on none.
    """
    names = sorted(data.ood["benchmark"].dropna().unique(), key=lambda n: (len(n), n))
    if not names:
        raise NoValues("no corrupted test sets; type evaluate.py ... benchmark=generated")
    return names[0]


def sets(
    data: ItemData, metric: str, method: str, alpha: float | None, rescaled: bool
) -> pd.DataFrame:
    """A metric on every corrupted set: seeds (rows) by (severity, corruption).

    alpha: that of Mixup's runs, and of rescaling. Seeds that lack a set are left out.

    Raises:
        NoValues: there is none.
    """
    rows = data.ood[data.ood["benchmark"] == benchmark(data)]
    rows = rows[rows["method"] == method]
    rows = rows[rows["alpha"].isna() if method == "erm" else rows["alpha"] == alpha]
    at = rows["eval_alpha"] == alpha if rescaled else rows["evaluation"] == "plain"
    if not at.any():
        raise NoValues(f"no corrupted test sets of {method}")
    return rows[at].pivot(index="seed", columns=["severity", "corruption"], values=metric).dropna()


def by_severity(
    data: ItemData, metric: str, method: str, alpha: float | None, rescaled: bool
) -> pd.DataFrame:
    """`sets`, mean over corruptions: seeds (rows) by severities."""
    table = sets(data, metric, method, alpha, rescaled)
    return table.T.groupby(level="severity").mean().T


def change(data: ItemData, metric: str, alpha: float) -> pd.DataFrame:
    """Rescaled minus plain Mixup: seeds (rows) by severities."""
    rescaled, plain = (by_severity(data, metric, "mixup", alpha, r) for r in (True, False))
    return pd.DataFrame({s: paired(rescaled[s], plain[s]) for s in plain})


def _worsens(data: ItemData) -> list[Finding]:
    findings = []
    for metric, (_, better, _) in METRICS.items():
        table = pd.DataFrame({a: change(data, metric, a).mean(axis=1) for a in data.alphas()})
        table = table.dropna()
        findings.append(signed(f"{metric}, mean over alphas", table.mean(axis=1), -better))
        findings += [
            signed(f"{metric}, alpha = {a:g}", table[a], -better, headline=False) for a in table
        ]
    return findings


CLAIMS = [
    Claim("fig5_c", "Fig. 5", "On corrupted pictures rescaling worsens Mixup's metrics.", _worsens)
]


def means(data: ItemData, metric: str, name: str) -> list[tuple[float, pd.Series]]:
    """(alpha, mean over all sets by seed) of a line of the figure; empty without runs."""
    method, rescaled = LINES[name]
    try:
        return [(a, by_severity(data, metric, method, a, rescaled)) for a in data.alphas()]
    except NoValues:
        return []


def averaged(data: ItemData) -> str:
    """How many sets the means are over, for the foot of a figure."""
    rows = data.ood[data.ood["benchmark"] == benchmark(data)]
    count = len(rows.drop_duplicates(["corruption", "severity"]))
    return f"Means over {count} corrupted test sets."


def table(data: ItemData) -> pd.DataFrame:
    """Mean over all sets of each metric, for each line and alpha."""
    out = []
    for name in LINES:
        columns = {m: dict(means(data, m, name)) for m in METRICS}
        alphas = list(columns["accuracy"])[: 1 if name == "ERM" else None]
        for alpha in alphas:
            cells: dict = {"prediction": name, "alpha": None if name == "ERM" else alpha}
            for metric in METRICS:
                cells |= interval(columns[metric][alpha].mean(axis=1)).cells(metric)
            out.append(cells)
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """Accuracy, cross-entropy and ECE against alpha."""
    figure, axes = style.panels(3)
    for axis, (metric, (label, _, unit)) in zip(axes, METRICS.items()):
        for name in LINES:
            points = [(a, interval(t.mean(axis=1) * unit)) for a, t in means(data, metric, name)]
            fig4.line(axis, name, points)
        fig4.label(axis, data, label)
    title = f"{curves.subtitle(data)}: plain and rescaled prediction on {benchmark(data)}"
    return style.finish(figure, title, f"{averaged(data)} {curves.note(data)}")
