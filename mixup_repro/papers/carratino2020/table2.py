"""Table 2: Mixup, plain and rescaled, on ImageNet and its variants.

The paper prints means and standard errors over 10 repetitions, and each of its cells is judged with
both spreads, its own and ours.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import NOT_RUN, Claim, Finding, number, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.shifts.corruption_error import ALEXNET, mean_corruption_error
from mixup_repro.stats import NoValues, interval, paired

TITLE = "Table 2: Mixup out of ImageNet's distribution"
PAPER = (
    "ResNet-50, ImageNet, alpha 0.25 and 0.5, 10 repetitions. For most of the sets rescaling "
    "improves accuracy; on ImageNet-C it worsens almost all metrics."
)
DIFFERS = {
    "table2_imagenet": "5 seeds. ImageNet-C is read in two ways: as released, and resized as in "
    "the authors' code. ImageNet-A is scored among 1000 classes, which the paper's numbers fit; "
    "its 200-way protocol stands below without a number of the paper's.",
}
N = 10  # the paper's repetitions
IMAGENET = "imagenet"  # the standard test set, whose rows are in runs.csv
ACC, CE, ECE, MCE = "accuracy", "cross_entropy", "ece", "mce"
BETTER = {ACC: 1, CE: -1, MCE: -1, ECE: -1}
# For each set and metric: rescaled and plain at alpha = 0.25, rescaled and plain at 0.5, each as
# (mean, standard error).
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
IMPROVED = ("imagenet-v2", "imagenet-vid-robust", "ytbb-robust", "objectnet", "imagenet-a")


def values(data: ItemData, name: str, metric: str, alpha: float, evaluation: str) -> pd.Series:
    """A cell of the table by seed; the video sets' accuracy is that of whole sets of frames (pm-k).

    Raises:
        NoValues: the runs were not evaluated on this set, or not on all of ImageNet-C.
    """
    table = data.runs if name == IMAGENET else data.ood[data.ood["benchmark"] == name]
    rows = table[(table["alpha"] == alpha) & (table["evaluation"] == evaluation)]
    if evaluation == "rescaled":
        rows = rows[rows["eval_alpha"] == alpha]
    if rows.empty:
        raise NoValues(f"no {evaluation} rows of {name} at alpha = {alpha:g}")
    by_seed = {seed: own for seed, own in rows.groupby("seed")}
    if name in CORRUPTED:
        # For every metric: it is what refuses a part of the 75 sets.
        errors = {seed: mean_corruption_error(own) for seed, own in by_seed.items()}
        if metric == MCE:
            return pd.Series(errors)
        by_seed = {s: own[own["corruption"].isin(ALEXNET)] for s, own in by_seed.items()}
    return pd.Series({seed: own[metric].mean() for seed, own in by_seed.items()})


def gain(data: ItemData, name: str, metric: str, alpha: float) -> pd.Series:
    """Rescaled minus plain by seed."""
    return paired(*(values(data, name, metric, alpha, e) for e in ("rescaled", "plain")))


def _cells(data: ItemData) -> Iterator[tuple[str, str, float, str, tuple | None, pd.Series | None]]:
    """Set, metric, alpha, evaluation, the paper's (mean, standard error) and ours by seed."""
    for name, metrics in METRICS.items():
        for metric in metrics:
            printed = PRINTED.get(name, {}).get(metric, [None] * 4)
            for (alpha, evaluation), reference in zip(COLUMNS, printed):
                try:
                    ours = values(data, name, metric, alpha, evaluation)
                except NoValues:
                    ours = None
                yield name, metric, alpha, evaluation, reference, ours


def _numbers(data: ItemData) -> list[Finding]:
    findings = []
    for name, metric, alpha, evaluation, reference, ours in _cells(data):
        if reference is None:
            continue
        part = f"{name}, {metric}, alpha = {alpha:g}, {evaluation}"
        if ours is None:
            findings.append(Finding(part, None, f"{reference[0]:.4f}", NOT_RUN))
        else:
            findings.append(number(part, ours, reference[0], N, 4, reference_se=reference[1]))
    return findings


def _moves(data: ItemData, name: str, metric: str, sign: int) -> list[Finding]:
    """A metric's gain by rescaling: mean over the two alphas, and each as detail."""
    part = f"{name}, {metric}"
    try:
        table = pd.DataFrame({a: gain(data, name, metric, a) for a in ALPHAS}).dropna()
        detail = [signed(f"{part}, alpha = {a:g}", table[a], sign, False) for a in table]
        return [signed(f"{part}, mean over alphas", table.mean(axis=1), sign), *detail]
    except NoValues:
        return [Finding(part, None, "> 0" if sign > 0 else "< 0", NOT_RUN)]


def _improves(data: ItemData) -> list[Finding]:
    return [finding for name in IMPROVED for finding in _moves(data, name, ACC, 1)]


def _worsens(data: ItemData) -> list[Finding]:
    return [
        finding
        for name in CORRUPTED
        for metric in PRINTED[name]
        for finding in _moves(data, name, metric, -BETTER[metric])
    ]


CLAIMS = [
    Claim("table2", "Table 2", "Each cell: a mean over 10 repetitions.", _numbers),
    Claim(
        "table2_gain",
        "sec. 5",
        "Rescaling improves accuracy on ImageNetV2, Vid-Robust, YTBB-Robust, ObjectNet and A.",
        _improves,
    ),
    Claim("fig5_c", "sec. 5", "On corrupted pictures rescaling worsens Mixup's metrics.", _worsens),
]


def table(data: ItemData) -> pd.DataFrame:
    """The paper's cells beside ours, in the paper's order."""
    judged = {f.part: f.verdict for f in _numbers(data)}
    out = []
    for name, metric, alpha, evaluation, reference, ours in _cells(data):
        mean, error = reference or (np.nan, np.nan)
        cells: dict = {"set": name, "metric": metric, "alpha": alpha, "prediction": evaluation}
        cells |= {"paper": mean, "paper's s.e.": error}
        cells |= {"n": 0} if ours is None else interval(ours).cells("ours")
        part = f"{name}, {metric}, alpha = {alpha:g}, {evaluation}"
        out.append(cells | {"verdict": judged.get(part, "")})
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """What rescaling changes, set by set: the paper's two means, and ours paired by seed."""
    figure, axes = style.panels(3, sharey=True)
    figure.set_figheight(4.2)
    labels = ("Accuracy (%)", "Cross-entropy (nats)", "ECE, 15 bins (%)")
    for axis, metric, label, unit in zip(axes, (ACC, CE, ECE), labels, (100, 1, 100)):
        for row, name in enumerate(METRICS):
            if metric not in METRICS[name]:
                continue
            printed = PRINTED.get(name, {}).get(metric)
            for k, alpha in enumerate(ALPHAS):
                place, color = row + 0.36 * (k - 0.5), (style.BLUE, style.ORANGE)[k]
                if printed:
                    rescaled, plain = (mean for mean, _ in printed[2 * k : 2 * k + 2])
                    axis.plot(
                        unit * (rescaled - plain),
                        place + 0.1,
                        "D",
                        color=color,
                        markerfacecolor="white",
                        label=rf"paper, $\alpha$ = {alpha:g}",
                    )
                try:
                    ours = interval(unit * gain(data, name, metric, alpha))
                except NoValues:
                    continue
                half = ours.half if ours.n > 1 else 0.0
                axis.errorbar(
                    ours.mean,
                    place - 0.1,
                    xerr=half,
                    fmt="os"[k],
                    color=color,
                    capsize=2,
                    label=rf"ours, $\alpha$ = {alpha:g}",
                )
        axis.axvline(0, color="black", linewidth=0.6)
        axis.set_xlabel(f"{label},\nrescaled minus plain")
    axes[0].set_yticks(range(len(METRICS)), [name.removeprefix("imagenet-") for name in METRICS])
    axes[0].set_ylim(len(METRICS) - 0.5, -0.5)
    title = f"{curves.subtitle(data)}: what rescaling changes, set by set"
    return style.finish(figure, title, curves.note(data))
