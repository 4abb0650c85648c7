"""Figures 2 and 9: clean training error of Mixup and ERM on pictures."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from mixup_repro.papers import style
from mixup_repro.papers.claims import Claim, Finding, number, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, interval, paired

TITLE = "Figures 2 and 9: clean training error on pictures"
PAPER = (
    "ResNet-18, MNIST, CIFAR-10 and CIFAR-100, Adam, 50 epochs, 5 runs: Mixup's clean training "
    "error is within 1 % of ERM's even at alpha = 1024, smaller alphas are closer, and it falls at "
    "nearly the same rate."
)
NARROW = "width 16 in place of 64"
DIFFERS = {
    "fig2_mnist_lenet": "LeNet in place of ResNet-18, and 25 epochs.",
    "fig2_mnist_resnet18w16": f"{NARROW}; at scale short 20 epochs, alpha 1, 32 and 1024, and 2 "
    f"seeds.",
    "fig2_cifar10_resnet18w16": f"{NARROW}; at scale short 25 epochs, alpha 1024, and 2 seeds.",
}
RUNS, WORST = 5, 1024.0
MARGIN = 0.01  # "within 1 %" of accuracy
# Mean final test error (%) in the authors' logs, (Mixup, ERM) by alpha; ERM ran beside each alpha.
LOGS = {
    "fig2_mnist": {1: (0.59, 0.55), 32: (0.76, 0.61), 128: (0.69, 0.66), 1024: (0.92, 0.63)},
    "fig2_cifar10": {
        **{1: (13.24, 16.45), 32: (16.34, 15.95), 128: (16.91, 15.79), 1024: (17.11, 16.63)},
    },
    "fig2_cifar100": {
        **{1: (45.22, 48.54), 32: (48.66, 47.99), 128: (48.42, 47.54), 1024: (48.29, 47.96)},
    },
}
LEVELS = (0.5, 0.9)  # shares of ERM's final progress at which the rates are compared


def train_error(data: ItemData, method: str, alpha: float | None = None) -> pd.DataFrame:
    """Clean training error: epochs by seeds.

    Raises:
        NoValues: there are no such runs.
    """
    rows = data.curves[data.curves["method"] == method]
    rows = rows[rows["alpha"].isna() if alpha is None else rows["alpha"] == alpha]
    if rows.empty:
        raise NoValues(f"no curves of {method}")
    return 1 - rows.pivot(index="epoch", columns="seed", values="train_accuracy")


def excess(data: ItemData, alpha: float) -> pd.Series:
    """Final clean training error of Mixup minus ERM's, by seed."""
    final = (train_error(data, *m).iloc[-1] for m in (("mixup", alpha), ("erm", None)))
    return paired(*final)


def _near(data: ItemData) -> list[Finding]:
    return [
        signed(f"error - ERM's - 1 point, alpha = {a:g}", excess(data, a) - MARGIN, -1, a == WORST)
        for a in data.alphas()
    ]


def _closer(data: ItemData) -> list[Finding]:
    worst = excess(data, WORST).abs()
    smaller = [a for a in data.alphas() if a < WORST]
    if not smaller:
        raise NoValues("no alpha is smaller than 1024")
    return [
        signed(
            f"|error - ERM's|, alpha = {a:g} less 1024", paired(excess(data, a).abs(), worst), -1
        )
        for a in smaller
    ]


def epochs_to(data: ItemData, method: str, alpha: float | None, level: pd.Series) -> pd.Series:
    """The first epoch at which the training error is at most `level`, by seed; NaN if never."""
    reached = train_error(data, method, alpha).le(level, axis=1)
    return reached.idxmax().where(reached.any()).astype(float)


def _rate(data: ItemData) -> list[Finding]:
    erm, findings = train_error(data, "erm"), []
    for share in LEVELS:
        level = erm.iloc[0] - share * (erm.iloc[0] - erm.iloc[-1])
        ours = epochs_to(data, "mixup", WORST, level).fillna(2 * erm.index[-1])
        twice = paired(ours, 2 * epochs_to(data, "erm", None, level))
        part = f"epochs to {share:.0%} of ERM's progress, alpha = 1024, less twice ERM's"
        findings.append(signed(part, twice, -1))
    return findings


def _test_errors(data: ItemData) -> list[Finding]:
    findings = []
    for alpha, (mixup, _) in LOGS[data.name.split("/")[1]].items():
        errors = 100 * (1 - data.metric("accuracy", "mixup", alpha))
        findings.append(number(f"test error (%), alpha = {alpha}", errors, mixup, RUNS, 2))
    return findings


CLAIMS = [
    Claim(
        "fig2_near",
        "Fig. 2",
        "Mixup's clean training accuracy is within 1 % of ERM's, even at alpha 1024.",
        _near,
    ),
    Claim("fig2_closer", "Fig. 9", "Smaller alphas are closer to ERM than 1024.", _closer),
    Claim(
        "fig2_rate",
        "sec. 2.5",
        "Mixup minimises the empirical risk at nearly ERM's rate (here: in less than twice the "
        "epochs).",
        _rate,
    ),
    Claim("fig2_test", "authors' logs", "Final test errors.", _test_errors, tuple(LOGS)),
]


def table(data: ItemData) -> pd.DataFrame:
    """Final clean training error and test error (%), of ERM and Mixup at each alpha."""
    out = []
    for method, alpha in (("erm", None), *(("mixup", a) for a in data.alphas())):
        tested = data.metric("accuracy", method, alpha)
        if len(tested):
            training = interval(100 * train_error(data, method, alpha).iloc[-1])
            cells = {"method": style.METHODS[method], "alpha": alpha}
            cells |= training.cells("training error (%)")
            out.append(cells | interval(100 * (1 - tested)).cells("test error (%)"))
    return pd.DataFrame(out)


def draw(data: ItemData) -> Figure:
    """One panel an alpha: mean and one standard deviation, as in the paper."""
    alphas = data.alphas()
    figure, axes = style.panels(len(alphas), sharey=True)
    for axis, alpha in zip(axes, alphas):
        for name, method, own in (("ERM", "erm", None), ("Mixup", "mixup", alpha)):
            try:
                error = 100 * train_error(data, method, own)
            except NoValues:
                continue
            mean, sd = error.mean(axis=1), error.std(axis=1, ddof=1).fillna(0)
            style.band(axis, error.index, mean, (mean - sd).clip(lower=0), mean + sd, name)
        axis.set_title(rf"$\alpha = {alpha:g}$")
        axis.set_xlabel("Epoch")
        axis.set_yscale("log")
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("Clean training error (%)")
    about = data.runs.iloc[0]
    title = f"{about['dataset']}, {style.network(about['architecture'])}: clean training error"
    note = f"Mean and one standard deviation of {data.seeds()} runs. Scale: {data.scale}."
    return style.finish(figure, title, note)
