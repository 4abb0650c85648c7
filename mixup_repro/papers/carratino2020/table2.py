"""Table 2: Mixup, plain and rescaled, on ImageNet and its variants.

The paper prints means and standard errors over 10 repetitions, and each of its cells is judged with
both spreads, its own and ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.carratino2020.fig4 import CHANGES, IMAGENET_CODE
from mixup_repro.papers.claims import NOT_RUN, Claim, Finding, number, over_alphas, said
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import Cells, ItemData, predicted, select
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs
from mixup_repro.shifts.corruption_error import ALEXNET, mean_corruption_error
from mixup_repro.stats import NoValues, interval, paired

N = 10  # the paper's repetitions
IMAGENET = "imagenet"  # the standard test set, whose rows are in runs.csv
ACC, CE, ECE, MCE = "accuracy", "cross_entropy", "ece", "mce"
BETTER = {ACC: 1, CE: -1, MCE: -1, ECE: -1}
# For each set and metric the four cells of COLUMNS, each as (mean, standard error).
PRINTED = {
    IMAGENET: {
        ACC: [(0.7764, 0.0022), (0.7754, 0.0021), (0.7780, 0.0006), (0.7766, 0.0009)],
        CE: [(0.8820, 0.0092), (0.8964, 0.0113), (0.8852, 0.0046), (0.9482, 0.0188)],
        ECE: [(0.0291, 0.0031), (0.0236, 0.0058), (0.0280, 0.0040), (0.0707, 0.0127)],
    },
    "imagenet-a": {
        ACC: [(0.0165, 0.0011), (0.0165, 0.0011), (0.0229, 0.0004), (0.0225, 0.0005)],
        CE: [(7.3395, 0.0884), (6.8075, 0.0687), (7.1010, 0.0879), (6.3738, 0.0506)],
        ECE: [(0.4322, 0.0072), (0.3629, 0.0075), (0.4318, 0.0110), (0.3161, 0.0117)],
    },
    "imagenet-c": {
        ACC: [(0.4638, 0.0021), (0.4662, 0.0019), (0.4719, 0.0015), (0.4761, 0.0011)],
        CE: [(2.8050, 0.0140), (2.7374, 0.0094), (2.7842, 0.0164), (2.7206, 0.0136)],
        MCE: [(0.6824, 0.0025), (0.6795, 0.0022), (0.6735, 0.0018), (0.6685, 0.0014)],
        ECE: [(0.1040, 0.0046), (0.0652, 0.0019), (0.1096, 0.0054), (0.0793, 0.0061)],
    },
    "imagenet-v2": {
        ACC: [(0.6560, 0.0028), (0.6543, 0.0029), (0.6593, 0.0007), (0.6575, 0.0011)],
        CE: [(1.5208, 0.0118), (1.5048, 0.0122), (1.5130, 0.0057), (1.5295, 0.0170)],
        ECE: [(0.0746, 0.0053), (0.0344, 0.0030), (0.0715, 0.0079), (0.0417, 0.0096)],
    },
    "imagenet-vid-robust": {
        ACC: [(0.5254, 0.0043), (0.5244, 0.0036), (0.5224, 0.0023), (0.5216, 0.0035)],
    },
    "ytbb-robust": {
        ACC: [(0.4738, 0.0037), (0.4717, 0.0035), (0.4705, 0.0021), (0.4692, 0.0017)],
    },
    "objectnet": {
        ACC: [(0.2756, 0.0035), (0.2751, 0.0034), (0.2837, 0.0010), (0.2825, 0.0011)],
    },
}
COLUMNS = [(0.25, "rescaled"), (0.25, "plain"), (0.5, "rescaled"), (0.5, "plain")]
ALPHAS = (0.25, 0.5)
CORRUPTED = ("imagenet-c", "imagenet-c-resized")
PRINTED["imagenet-c-resized"] = PRINTED["imagenet-c"]
# The 200-way protocol of ImageNet-A, of which the paper has no numbers.
METRICS = {name: list(printed) for name, printed in PRINTED.items()}
METRICS |= {"imagenet-a-200": [ACC, CE, ECE]}
BENCHMARKS = [name.replace("-", "_") for name in METRICS if name != IMAGENET]  # their configs
IMPROVED = ("imagenet-v2", "imagenet-vid-robust", "ytbb-robust", "objectnet", "imagenet-a")


def values(data: ItemData, name: str, metric: str, alpha: float, evaluation: str) -> pd.Series:
    """A cell of the table by seed; the video sets' accuracy is that of whole sets of frames (pm-k).

    Raises:
        NoValues: the runs were not evaluated on this set, or not on all of ImageNet-C.
    """
    rows = data.runs if name == IMAGENET else select(data.ood, benchmark=name)
    rows = select(rows, alpha=alpha, **predicted(alpha if evaluation == "rescaled" else None))
    by_seed = {seed: own for seed, own in rows.groupby("seed")}
    if name in CORRUPTED:
        # Computed for every metric, as it refuses runs that lack some of the 75 sets.
        errors = {seed: mean_corruption_error(own) for seed, own in by_seed.items()}
        if metric == MCE:
            return pd.Series(errors)
        by_seed = {s: own[own["corruption"].isin(ALEXNET)] for s, own in by_seed.items()}
    return pd.Series({seed: own[metric].mean() for seed, own in by_seed.items()})


def gain(data: ItemData, name: str, metric: str, alpha: float) -> pd.Series:
    """Rescaled minus plain by seed."""
    return paired(*(values(data, name, metric, alpha, e) for e in ("rescaled", "plain")))


@dataclass(frozen=True)
class Cell:
    """A cell of the table. printed: the paper's (mean, standard error). ours: values by seed."""

    set: str
    metric: str
    alpha: float
    evaluation: str
    printed: tuple[float, float] | None
    ours: pd.Series | None

    @property
    def part(self) -> str:
        """Its name among the tested parts."""
        return f"{self.set}, {self.metric}, alpha = {self.alpha:g}, {self.evaluation}"


def cells(data: ItemData) -> Iterator[Cell]:
    """Every cell in the paper's order, whether or not the paper and our runs have a number."""
    for name, metrics in METRICS.items():
        for metric in metrics:
            printed = PRINTED.get(name, {}).get(metric, [None] * 4)
            for (alpha, evaluation), reference in zip(COLUMNS, printed):
                ours = None
                with suppress(NoValues):
                    ours = values(data, name, metric, alpha, evaluation)
                yield Cell(name, metric, alpha, evaluation, reference, ours)


def numbers(data: ItemData) -> Iterator[Finding]:
    """Each cell that the paper prints, with both standard errors."""
    for cell in cells(data):
        if cell.printed is None:
            continue
        mean, error = cell.printed
        if cell.ours is None:
            yield Finding(cell.part, None, f"{mean:.4f}", NOT_RUN)
        else:
            yield number(cell.part, cell.ours, mean, N, 4, reference_se=error)


def moves(data: ItemData, name: str, metric: str, sign: int) -> Iterator[Finding]:
    """A metric's gain by rescaling, at both alphas."""
    part = f"{name}, {metric}"
    try:
        gains = {a: gain(data, name, metric, a) for a in ALPHAS}
        yield from over_alphas(part, gains, sign, SMALLEST[metric])
    except NoValues:
        yield Finding(part, None, said(sign), NOT_RUN)


def improves(data: ItemData) -> Iterator[Finding]:
    """Rescaling raises the accuracy on the sets of which the paper says so."""
    for name in IMPROVED:
        yield from moves(data, name, ACC, 1)


def worsens(data: ItemData) -> Iterator[Finding]:
    """Rescaling worsens every metric on corrupted pictures."""
    for name in CORRUPTED:
        for metric in PRINTED[name]:
            yield from moves(data, name, metric, -BETTER[metric])


CLAIMS = (
    Claim("table2", "Table 2", "Each cell: a mean over 10 repetitions.", numbers),
    Claim(
        "table2_gain",
        "sec. 5",
        "For most sets rescaling improves accuracy (tested: ImageNetV2, Vid-Robust, YTBB-Robust, "
        "ObjectNet and A).",
        improves,
    ),
    Claim(
        "fig5_c",
        "sec. 5, Table 2",
        "On corrupted pictures rescaling worsens almost all of Mixup's metrics.",
        worsens,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """The paper's cells and ours, in the paper's order; n is 0 where we have no runs."""
    judged = {f.part: f.verdict for f in numbers(data)}
    out = []
    for cell in cells(data):
        mean, error = cell.printed or (np.nan, np.nan)
        row: Cells = {"set": cell.set, "metric": cell.metric, "alpha": cell.alpha}
        row |= {"prediction": cell.evaluation, "paper": mean, "paper's s.e.": error}
        row |= {"n": 0} if cell.ours is None else interval(cell.ours).cells("ours")
        out.append(row | {"verdict": judged.get(cell.part, "")})
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """What rescaling changes, set by set: the paper's two means, and ours paired by seed."""
    figure, axes = style.panels(3, size=(2.9, 0.6 + 0.5 * len(METRICS)), sharey=True)
    for axis, metric, unit in zip(axes, (ACC, CE, ECE), (100, 1, 100)):
        for row, name in enumerate(METRICS):
            if metric in METRICS[name]:
                for k, alpha in enumerate(ALPHAS):
                    place = row + style.dodge(k, len(ALPHAS), 0.36)
                    _draw_gain(axis, data, place, name, metric, alpha, unit)
        style.zero_line(axis, across=True, better=BETTER[metric])
        axis.set_title(f"Change in {CHANGES[metric]}")
        axis.grid(axis="x")
    axes[0].set_yticks(range(len(METRICS)), [name.removeprefix("imagenet-") for name in METRICS])
    axes[0].set_ylim(len(METRICS) - 0.5, -0.5)
    note = f"Hollow dots: the interval includes zero. Blue ground: better. {curves.note(data)}"
    about = style.data_and_network(data.runs)
    return style.finish(figure, "What rescaling changes of Mixup, set by set", note, about)


def _draw_gain(
    axis: Axes, data: ItemData, place: float, name: str, metric: str, alpha: float, unit: int
) -> None:
    """Rescaled minus plain at a place: a diamond is the paper's, a point with its interval ours."""
    k = ALPHAS.index(alpha)
    colour = style.shade(k, len(ALPHAS))
    if printed := PRINTED.get(name, {}).get(metric):
        rescaled, plain = (mean for mean, _ in printed[2 * k : 2 * k + 2])
        theirs, label = unit * (rescaled - plain), rf"paper, $\alpha$ = {alpha:g}"
        axis.plot(theirs, place + 0.1, "D", color=colour, markerfacecolor="none", label=label)
    axis.plot([], [], "os"[k], color=colour, label=rf"ours, $\alpha$ = {alpha:g}")
    with suppress(NoValues):
        ours = unit * gain(data, name, metric, alpha)
        look: dict[str, Any] = {"marker": "os"[k], "size": 4.5, "beside": 0.06}
        style.effect(axis, place - 0.1, ours, colour, across=True, **look)


ITEM = Item(
    title="Table 2: Mixup out of ImageNet's distribution",
    paper=(
        "ResNet-50, ImageNet, alpha 0.25 and 0.5, 10 repetitions. For most of the sets rescaling "
        "improves accuracy; on ImageNet-C it worsens almost all metrics."
    ),
    on=(
        On(
            "table2_imagenet",
            Runs("carratino2020/table2_imagenet", ask="benchmark=" + ",".join(BENCHMARKS)),
            stands_in="",
            differs=(
                "ImageNet-C is read in two ways: as released, and resized as in the "
                "authors' code. ImageNet-A is scored among 1000 classes, which the paper's numbers "
                "fit; its 200-way protocol stands below without a number of the paper's."
            ),
            code=IMAGENET_CODE,
        ),
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
