"""Figure 1: what Mixup's classifier follows, in the plane."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import RegularGridInterpolator

from mixup_repro.beta import theta_bar
from mixup_repro.data.toy import GRID, REACH, gaussians_bayes, grid, sample_gaussians
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020 import curves
from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs

LAYOUTS = {
    "ring": "a class inside a ring of the other.",
    "arch": "a class above an arch of the other.",
}
ALPHA = 1.0
SHOWN = 600  # points in a panel
SAMPLE = 50_000  # points that stand for the distribution of inputs


def _layout(data: ItemData) -> str:
    return data.name.removeprefix("fig1_")


def bayes(layout: str, points: np.ndarray, shrunk: bool) -> np.ndarray:
    """Score of the Bayes classifier of the original data, or of the modified data (eq. 5).

    The modified data are the original shrunk to their mean, so a point is judged by what it was.
    Both classes are equally likely, so shrinking labels does not move the decision.
    """
    if shrunk:
        x_bar = _inputs(layout)[0].mean(0)
        points = x_bar + (points - x_bar) / theta_bar(ALPHA)
    return gaussians_bayes(layout, points)


@cache
def _inputs(layout: str) -> tuple[np.ndarray, np.ndarray]:
    """A large sample: of the original inputs, and of inputs mixed in pairs."""
    rng = np.random.default_rng(0)
    x, _ = sample_gaussians(layout, SAMPLE, rng)
    lam = rng.beta(ALPHA, ALPHA, (SAMPLE, 1))
    return x, lam * x + (1 - lam) * x[rng.permutation(SAMPLE)]


def disagreement(data: ItemData, method: str, shrunk: bool) -> pd.Series:
    """Share (%) of mixed inputs that a network and a Bayes classifier decide differently.

    Between grid points the network's probability is interpolated.
    """
    layout, axis = _layout(data), np.linspace(-REACH, REACH, GRID)
    points = _inputs(layout)[1]
    truth = bayes(layout, points, shrunk) > 0

    def differs(probability: pd.Series) -> float:
        rows = probability.to_numpy().reshape(GRID, GRID)
        at = RegularGridInterpolator((axis, axis), rows, bounds_error=False, fill_value=None)
        return 100 * float(((at(points[:, ::-1]) > 0.5) != truth).mean())

    return data.decision_map(method=method).apply(differs)


def follows(data: ItemData) -> Iterator[Finding]:
    """Mixup's decisions, and those of ERM on modified data, are nearer to the modified data's."""
    for method, closer_to_modified in (("mixup", True), ("erm_modified", True), ("erm", False)):
        difference = disagreement(data, method, True) - disagreement(data, method, False)
        name = style.METHODS[method]
        part = f"{name}: disagreement (%) with the modified data's Bayes, less the original's"
        sign = -1 if closer_to_modified else 1
        least = 100 * SMALLEST["disagreement"]
        yield signed(part, difference, sign, method == "mixup", least)


CLAIMS = (
    Claim(
        "fig1_boundary",
        "Fig. 1",
        "Mixup's boundary follows the modified data's Bayes classifier, not the original data's.",
        follows,
    ),
)


def table(data: ItemData) -> pd.DataFrame:
    """Disagreement (%) of each network with both Bayes classifiers."""
    return summarise(
        (
            {"method": style.METHODS[method]},
            {
                "from original": partial(disagreement, data, method, False),
                "from modified": partial(disagreement, data, method, True),
            },
        )
        for method in data.maps["method"].unique()
    )


def _points(axis: Axes, x: np.ndarray, weight: np.ndarray) -> None:
    """Points coloured by the weight of class 1."""
    across, up = x[:SHOWN].T
    axis.scatter(across, up, c=weight[:SHOWN], cmap="coolwarm", vmin=0, vmax=1, s=4, alpha=0.6)


def _boundary(axis: Axes, score: np.ndarray, level: float, label: str, **look: Any) -> None:
    ticks = np.linspace(-REACH, REACH, GRID)
    axis.contour(ticks, ticks, score.reshape(GRID, GRID), [level], **look)
    axis.plot([], [], label=label, color=look["colors"], linestyle=look["linestyles"])


def draw(data: ItemData) -> Figure:
    """Original, mixed and modified data with what is learned from them; all boundaries."""
    figure, axes = style.panels(4, sharex=True, sharey=True)
    figure.set_figheight(3.75)  # square panels, and what stands above and below
    _draw_points(axes, _layout(data))
    _draw_boundaries(axes, data)
    for axis, title in zip(axes, ("Original data", "Mixed data", "Modified data", "Boundaries")):
        axis.set_title(title)
        axis.set_box_aspect(1)
        axis.set_xlim(-REACH, REACH)
        axis.set_ylim(-REACH, REACH)
    note = (
        f"Learned boundaries: mean probability of {data.seeds()} networks, each with a data set of "
        f"its own. Colour: weight of class 1. Scale: {data.scale}."
    )
    return style.finish(figure, f"{curves.subtitle(data)}, $\\alpha = 1$", note)


def _draw_points(axes: list[Axes], layout: str) -> None:
    """A panel each: points of the original data, mixed in pairs, and modified (eq. 5)."""
    rng = np.random.default_rng(1)
    x, y = sample_gaussians(layout, 2000, rng)
    lam, partner = rng.beta(ALPHA, ALPHA, len(x)), rng.permutation(len(x))
    mixed_y = lam * y + (1 - lam) * y[partner]
    mixed_x = lam[:, None] * x + (1 - lam[:, None]) * x[partner]
    shrink = theta_bar(ALPHA)
    _points(axes[0], x, y)
    _points(axes[1], mixed_x, mixed_y)
    _points(axes[2], x.mean(0) + shrink * (x - x.mean(0)), y.mean() + shrink * (y - y.mean()))


def _draw_boundaries(axes: list[Axes], data: ItemData) -> None:
    """In the panel of the data that each belongs to, and some in the last."""
    bayes_of: tuple[tuple[str, bool, str, tuple[int, ...]], ...] = (
        ("original data's Bayes", False, "black", (0, 3)),
        ("modified data's Bayes", True, style.BLUE, (2, 3)),
    )
    for name, shrunk, color, places in bayes_of:
        score = bayes(_layout(data), grid().numpy(), shrunk)
        for place in places:
            _boundary(axes[place], score, 0, name, colors=color, linestyles="-")
    learned: tuple[tuple[str, str, tuple[int, ...]], ...] = (
        ("erm", style.GREY, (0,)),
        ("mixup", style.ORANGE, (1, 3)),
        ("erm_modified", style.GREEN, (2,)),
    )
    for method, color, places in learned:
        if method not in set(data.maps["method"]):
            continue
        mean, name = data.decision_map(method=method).mean(axis=1).to_numpy(), style.METHODS[method]
        for place in places:
            look = {"colors": color, "linestyles": "--"}
            _boundary(axes[place], mean, 0.5, f"{name}, learned", **look)


ITEM = Item(
    title="Figure 1: the classifier that Mixup learns",
    paper=(
        "an illustration in the plane: the classifier learned with Mixup matches the Bayes "
        "classifier of the modified data (5), up to regularisation, and not the one of the "
        "original data."
    ),
    on=tuple(
        On(
            f"fig1_{layout}",
            Runs(f"carratino2020/fig1_{layout}"),
            stands_in="data of our own",
            differs=(
                "the paper does not say what its data are. Here each class is a mixture of "
                "Gaussians, so that the Bayes classifiers are known: 2,000 training points, an MLP "
                f"2-128-128-2, alpha 1; {lies}"
            ),
            code=curves.NO_CODE,
        )
        for layout, lies in LAYOUTS.items()
    ),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
