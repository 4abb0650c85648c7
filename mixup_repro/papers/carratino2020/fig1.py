"""Figure 1: what Mixup's classifier follows, in the plane."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.interpolate import RegularGridInterpolator

from mixup_repro.beta import theta_bar, theta_quadrature
from mixup_repro.data.toy import GRID, REACH, gaussians_bayes, sample_gaussians
from mixup_repro.data.toy import LAYOUTS as GAUSSIANS
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
ZOOM = {"ring": (0.6, 0.0, 0.5), "arch": (1.3, 0.7, 0.5)}  # centre and reach of the last panel
FINE = 100  # points a side at which exact classifiers are drawn
SHOWN = 600  # points in a panel
SAMPLE = 50_000  # points that stand for the distribution of inputs


def _layout(data: ItemData) -> str:
    return data.name.removeprefix("fig1_")


def bayes(layout: str, points: np.ndarray, shrunk: bool) -> np.ndarray:
    """Score of the Bayes classifier at points (n, 2): above 0 is class 1.

    shrunk: of the modified data (eq. 5), otherwise of the original data. The modified data are the
    original ones shrunk towards their mean, so a point has the score of the point that it was
    before. Both classes are equally likely, so that shrinking labels does not move the decision.
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


def mixup_bayes(layout: str, points: np.ndarray, nodes: int = 24) -> np.ndarray:
    """Sign of the mixed data's Bayes classifier at points (n, 2): above 0 is class 1.

    The mean of (label - 1/2) times density over pairs of the classes' Gaussians. With both orders
    of a pair, theta = max(lambda, 1 - lambda) is all of lambda.
    """
    *classes, sd = GAUSSIANS[layout]
    parts = [(np.array(c), y, 0.5 / len(of)) for y, of in enumerate(classes) for c in of]
    score = np.zeros(len(points))
    for theta, weight in zip(*theta_quadrature(ALPHA, nodes)):
        variance = sd**2 * (theta**2 + (1 - theta) ** 2)
        for (a, y, p), (b, z, q) in product(parts, parts):
            square = np.square(points - theta * a - (1 - theta) * b).sum(1)
            label = theta * y + (1 - theta) * z - 0.5
            score += weight * p * q * label / variance * np.exp(-square / (2 * variance))
    return score


def draw(data: ItemData) -> Figure:
    """Original, mixed and modified data, each with its boundaries; and all boundaries, nearer."""
    figure, axes = style.panels(4, size=(2.35, 2.25))
    shown = _draw_points(axes, _layout(data))
    titles = ("Original data", "Mixed data", "Modified data", "Boundaries, nearer")
    for k, (axis, title) in enumerate(zip(axes, titles)):
        _draw_boundaries(axis, data, k)
        axis.set_title(title)
        axis.set_box_aspect(1)
        axis.grid(False)
        x, y, reach = ZOOM[_layout(data)] if k == 3 else (0.0, 0.0, REACH)
        axis.set_xlim(x - reach, x + reach)
        axis.set_ylim(y - reach, y + reach)
        axis.locator_params(nbins=4)
    x, y, reach = ZOOM[_layout(data)]
    box = Rectangle((x - reach, y - reach), 2 * reach, 2 * reach, fill=False, edgecolor=style.SOFT)
    axes[0].add_patch(box)
    style.colour_bar(axes[3], shown, "Weight of class 1", [0, 0.5, 1])
    note = (
        f"Learned boundaries: mean probability of {data.seeds()} networks, each with a data set of "
        f"its own; Bayes classifiers are exact. Square: what the last panel shows. Scale: "
        f"{data.scale}."
    )
    title = "The classifier that Mixup learns, and what it follows, $\\alpha = 1$"
    return style.finish(figure, title, note, style.data_and_network(data.runs))


def _draw_points(axes: list[Axes], layout: str) -> PathCollection:
    """A panel each: points of the original data, mixed in pairs, and modified (eq. 5)."""
    rng = np.random.default_rng(1)
    x, y = sample_gaussians(layout, 2000, rng)
    lam, partner = rng.beta(ALPHA, ALPHA, len(x)), rng.permutation(len(x))
    mixed_y = lam * y + (1 - lam) * y[partner]
    mixed_x = lam[:, None] * x + (1 - lam[:, None]) * x[partner]
    shrink = theta_bar(ALPHA)
    modified = x.mean(0) + shrink * (x - x.mean(0)), y.mean() + shrink * (y - y.mean())
    for axis, (at, weight) in zip(axes, ((x, y), (mixed_x, mixed_y), modified)):
        by_weight = np.argsort(weight[:SHOWN], kind="stable")  # so one path a shade in an SVG
        look: dict[str, Any] = {"cmap": style.ramp().resampled(20), "norm": Normalize(0, 1)}
        across, up = at[by_weight].T
        shown = axis.scatter(across, up, 4, weight[by_weight], linewidths=0, **look)
    return shown


def _draw_boundaries(axis: Axes, data: ItemData, panel: int) -> None:
    """Boundaries in a panel: those of its data, and the original data's; all in the last panel."""
    layout, ticks = _layout(data), np.linspace(-REACH, REACH, FINE)
    points = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    exact = (
        ("original data's Bayes", style.INK, bayes(layout, points, shrunk=False), (0, 1, 2, 3)),
        ("mixed data's Bayes", style.BLUE, mixup_bayes(layout, points), (1, 3)),
        ("modified data's Bayes", style.GREEN, bayes(layout, points, shrunk=True), (2, 3)),
    )
    for name, colour, score, places in exact:
        if panel in places:
            _boundary(axis, score, 0, name, colors=colour, linestyles="-", linewidths=1.2)
    for method, own in (("erm", 0), ("mixup", 1), ("erm_modified", 2)):
        if panel in (own, 3) and method in set(data.maps["method"]):
            mean, name = data.decision_map(method=method).mean(axis=1), style.METHODS[method]
            look: dict[str, Any] = {"colors": style.SERIES[name]["color"], "linestyles": "--"}
            _boundary(axis, mean.to_numpy(), 0.5, f"{name}, learned", linewidths=1.6, **look)


def _boundary(axis: Axes, score: np.ndarray, level: float, label: str, **look: Any) -> None:
    side = round(len(score) ** 0.5)
    ticks = np.linspace(-REACH, REACH, side)
    axis.contour(ticks, ticks, score.reshape(side, side), [level], **look)
    axis.plot([], [], label=label, color=look["colors"], linestyle=look["linestyles"])


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
    panel=3,
)
