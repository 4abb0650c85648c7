"""Pictures of the theory: optimal classifiers, thresholds of alpha, angles between solutions."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from scipy.optimize import brentq

from mixup_repro.papers import style
from mixup_repro.papers.chidambaram2022.toy_sets import CROSS, LINE
from mixup_repro.theory import margins
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import (
    failing_alpha,
    failing_alpha_bound,
    mixup_optimal,
    safe_alpha,
)

COLOURS = (style.BLUE, style.ORANGE)  # of two classes
# Six points in two classes; the query, eps and distribution of lambda that Lemma 2.3 is drawn for.
POINTS = np.array([[-1.0, -0.2], [-0.6, 0.9], [0.1, 1.1], [1.0, 0.3], [0.7, -0.8], [-0.4, -0.9]])
LABELS, NAMES = np.array([0, 0, 0, 1, 1, 1]), [f"${c}_{k}$" for c in "st" for k in (1, 2, 3)]
QUERY, EPS, MIXING = np.array([-0.1, 0.45]), 0.3, Beta(4, 4)


def definitions() -> Figure:
    """Which pairs mix into a ball, for which lambda, and what each contributes to eq. (1)."""
    figure, (plane, intervals, weights) = style.panels(3, size=(2.9, 2.9))
    rows: list[str] = []
    for s, t in combinations(range(len(POINTS)), 2):
        plane.plot(*POINTS[[s, t]].T, color="0.8", linewidth=0.6, zorder=1)
        if (ends := _mixes_into_ball(s, t)) is not None:
            points = ends[:, None] * POINTS[s] + (1 - ends[:, None]) * POINTS[t]
            plane.plot(*points.T, color="black", linewidth=1.8, zorder=2)
            low, high = ends
            row, moment = len(rows), float(MIXING.moment(low, high))
            rows.append(NAMES[s] + NAMES[t])
            intervals.barh(row, high - low, 0.5, low, color="black")
            left = 0.0
            others = float(MIXING.mass(low, high)) - moment
            for label, part in ((LABELS[s], moment), (LABELS[t], others)):
                weights.barh(row, part, 0.5, left, color=COLOURS[label])
                left += part
    _plane(plane)
    _density(intervals, len(rows))
    share = mixup_optimal(POINTS, LABELS, MIXING, EPS, QUERY[None])[0]
    weights.set_xlabel(rf"weight; shares: $h_\epsilon(x) = ({share[0]:.2f}, {share[1]:.2f})$")
    weights.set_title("What they add to each class")
    for axis in (intervals, weights):
        axis.set_yticks(range(len(rows)), rows)
        axis.set_ylim(len(rows) - 0.5, -0.5)
    note = (
        r"Black: the set $A_{x,\epsilon}$. Grey: the density of $\lambda$, Beta(4, 4). Lemma 2.3."
    )
    title = r"What the Mixup-optimal classifier at $x$ is made of"
    return style.finish(figure, title, note, "Six points in two classes")


def _mixes_into_ball(s: int, t: int) -> np.ndarray | None:
    """The least and the largest lambda (2,) that mix two points into the ball; None for none."""
    span = POINTS[s] - POINTS[t]
    lam, length = (QUERY - POINTS[t]) @ span / (span @ span), np.linalg.norm(span)
    distance = np.linalg.norm(POINTS[t] + lam * span - QUERY)
    if distance >= EPS:
        return None
    half = np.sqrt(EPS**2 - distance**2) / length
    return np.clip([lam - half, lam + half], 0, 1)


def _plane(axis: Axes) -> None:
    """The points, the query and its ball."""
    axis.add_patch(Circle(tuple(QUERY), EPS, facecolor="0.92", edgecolor="0.5", linewidth=0.8))
    axis.plot(*QUERY, "k+", markersize=7, linestyle="", label="$x$")
    for label, marker, name in ((0, "s", "class 1"), (1, "o", "class 2")):
        look: dict[str, Any] = {"markersize": 6, "linestyle": "", "zorder": 3}
        points = POINTS[label == LABELS]
        axis.plot(*points.T, marker=marker, color=COLOURS[label], label=name, **look)
    for point, name in zip(POINTS, NAMES):
        axis.annotate(name, point, 1.25 * point, ha="center", va="center", fontsize=8.3)
    axis.set_aspect("equal")
    axis.margins(0.22)
    axis.grid(False)
    axis.set_title(rf"The ball $B_\epsilon(x)$, $\epsilon = {EPS:g}$")


def _density(axis: Axes, rows: int) -> None:
    """The density of lambda behind the pairs' intervals."""
    grid = np.linspace(0, 1, 201)
    density = MIXING.density(grid)
    top = rows - 0.5 - rows * density / density.max()
    axis.fill_between(grid, rows - 0.5, top, color="0.88", zorder=0)
    axis.set_xlim(0, 1)
    axis.set_xlabel(r"$\lambda$, the weight of the first point")
    axis.set_title(r"Pairs, and $\lambda$, that mix into it")


def optimal_line() -> Figure:
    """h_eps over X_3^2 (Theorem 2.7): for large alpha the middle goes to its neighbours' class."""
    figure, axes = style.panels(2, size=(3.5, 2.4), sharey=True)
    for axis, eps in zip(axes, (0.1, 0.4)):
        jumps = np.concatenate([LINE[0][:, 0] - eps, LINE[0][:, 0] + eps])
        jumps = jumps[(jumps > 0) & (jumps < 2)]
        beside = [np.linspace(0, 2, 801), jumps - 1e-9, jumps, jumps + 1e-9]
        queries = np.sort(np.concatenate(beside))
        for k, (alpha, line) in enumerate(zip((1, 32, 128), style.LINES)):
            h = mixup_optimal(*LINE, Beta(alpha, alpha), eps, queries)[:, 0]
            h[np.isin(queries, jumps)] = np.nan  # a line that jumps has a gap there
            axis.plot(queries, h, line, color=style.shade(k, 3), label=rf"$\alpha = {alpha}$")
        for label, marker in ((0, "s"), (1, "o")):
            points, name = LINE[0][LINE[1] == label], f"of class {label + 1}"
            look: dict[str, Any] = {"color": COLOURS[label], "markersize": 6, "clip_on": False}
            axis.plot(points, [1 - label] * len(points), marker, label=f"point {name}", **look)
        axis.axhline(0.5, color=style.INK, linewidth=0.6)
        axis.set_title(rf"Probability of class 1, $\epsilon = {eps:g}$")
        axis.set_xlabel("$x$")
    note = "Gaps: jumps, where a data point enters or leaves the ball of radius eps."
    return style.finish(figure, r"The Mixup-optimal classifier on $X_3^2$", note, style.EXACT)


def optimal_plane() -> Figure:
    """h_eps around the cross of Proposition 2.5, whose limit is discontinuous at the origin."""
    figure, axes = style.panels(3)
    axis_values = np.linspace(-1.1, 1.1, 121)
    queries = np.stack(np.meshgrid(axis_values, axis_values), -1).reshape(-1, 2)
    for axis, eps in zip(axes[1:], (0.3, 0.1)):
        h = mixup_optimal(*CROSS, Beta(1, 1), eps, queries)[:, 0].reshape(121, 121)
        shown = axis.imshow(
            h,
            origin="lower",
            extent=(-1.1, 1.1, -1.1, 1.1),
            cmap=style.classes().reversed(),
            vmin=0,
            vmax=1,
            interpolation="none",
        )
        for label, marker, name in ((0, "s", "points of class 1"), (1, "o", "points of class 2")):
            axis.plot(*CROSS[0][CROSS[1] == label].T, f"k{marker}", markersize=5, label=name)
        axis.set_title(rf"$\epsilon = {eps:g}$")
        axis.set_facecolor(style.LINE)
        axis.grid(False)
    style.colour_bar(axes[2], shown, "Probability of class 1", [0, 0.5, 1])
    section = np.linspace(-0.5, 0.5, 2001)
    for k, (eps, line) in enumerate(zip((0.3, 0.1, 0.01), style.LINES)):
        points = np.c_[np.zeros_like(section), section]
        h = mixup_optimal(*CROSS, Beta(1, 1), eps, points)[:, 0]
        axes[0].plot(section, h, line, color=style.shade(k, 3), label=rf"$\epsilon = {eps:g}$")
    axes[0].set_title("Along class 1's line")
    axes[0].set_box_aspect(1)
    axes[0].set_xlabel("$x_2$, at $x_1 = 0$")
    note = "Grey: no mixture within eps."
    title = "The Mixup-optimal classifier of Proposition 2.5"
    return style.finish(figure, title, note, style.EXACT)


def thresholds() -> Figure:
    """The alpha above which h_eps errs on X_3^2, and the one that Theorem 2.7's proof names."""
    figure, (axis,) = style.panels(1, size=(4.6, 2.6))
    eps = np.geomspace(0.01, 0.9, 40)
    for f, colour, line, name in (
        (failing_alpha, style.BLUE, "-", "needed"),
        (failing_alpha_bound, style.ORANGE, "--", "proof's"),
        (safe_alpha, style.GREEN, "-.", "mended"),
    ):
        axis.loglog(eps, [f(e) for e in eps], line, color=colour, label=name)
    too_little = brentq(lambda e: failing_alpha(e) / failing_alpha_bound(e) - 1, 0.3, 0.5)
    axis.axvline(too_little, color=style.SOFT, linestyle=":", linewidth=1)
    place: dict[str, Any] = {"transform": axis.get_xaxis_transform(), "ha": "right", "va": "top"}
    text = rf"$\epsilon = {too_little:.2f}$ "
    axis.text(too_little, 0.97, text, color=style.SOFT, fontsize=8.3, **place)
    axis.set_xlabel(r"$\epsilon$")
    axis.set_title(r"$\alpha$ above which $h_\epsilon$ errs")
    style.name_lines(axis)
    note = "Theorem 2.7. Dotted: from here on the proof's alpha is too small."
    title = r"How large $\alpha$ must be for $h_\epsilon$ to err"
    return style.finish(figure, title, note, rf"$X_3^2$. {style.EXACT}")


@cache  # it is drawn in several sizes
def _angles(n: int, draws: int, positive: int, dimensions: tuple[int, ...]) -> np.ndarray:
    """Degrees between three solutions and the maximum margin's: (dimensions, draws, 3)."""
    y = np.where(np.arange(n) < positive, 1, -1)
    found = np.empty((len(dimensions), draws, 3))
    for i, d in enumerate(dimensions):
        for seed in range(draws):
            x = np.random.default_rng([seed, d]).normal(size=(n, d))
            best = margins.max_margin(x, y)
            for k, theta in enumerate(
                (
                    margins.mixup_solution(x, y, 1.0),
                    margins.mixup_solution(x, y, 1.0, across_only=True),
                    margins.gradient_descent(x, y, steps=3000),
                )
            ):
                found[i, seed, k] = margins.angle(theta, best)
    return found


def angles(n: int = 20, draws: int = 10) -> Figure:
    """Angles to the maximum margin direction, as the dimension falls below Lemma 3.7's bound."""
    figure, axes = style.panels(2, size=(3.5, 2.4), sharey=True)
    dimensions = np.unique(np.geomspace(n, 1.5 * margins.bound(n), 10).astype(int))
    for axis, positive in zip(axes, (n // 2, n // 4)):
        found = _angles(n, draws, positive, tuple(dimensions))
        names = ("Mixup", "Mixup across classes only", "ERM, gradient descent")
        colours = (style.BLUE, style.PURPLE, style.GREY)
        for k, (name, colour, line) in enumerate(zip(names, colours, style.LINES)):
            mean, low, high = (f(found[..., k], axis=1) for f in (np.mean, np.min, np.max))
            axis.fill_between(dimensions, low, high, color=colour, alpha=0.15, linewidth=0)
            axis.plot(dimensions, mean, line, color=colour, label=name)
        axis.axvline(margins.bound(n), color="black", linewidth=0.8, linestyle=":")
        axis.set_xscale("log")
        axis.set_yscale("symlog", linthresh=0.1)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("dimension $d$")
        axis.set_title(f"{positive} points against {n - positive}: angle (degrees)")
    note = f"Mean and range of {draws} draws. Dotted: Lemma 3.7's bound on the dimension."
    title = "Angle of solutions to the maximum margin direction"
    about = f"{n} Gaussian points, linear models"
    return style.finish(figure, title, note, about)


PICTURES = {
    "definitions": (definitions, "Section 2.2 and Figure 4: the sets A_{x,eps} and Lemma 2.3."),
    "optimal_line": (optimal_line, "Theorem 2.7: h_eps over X_3^2."),
    "optimal_plane": (optimal_plane, "Proposition 2.5: h_eps around a cross of two classes."),
    "thresholds": (thresholds, "Theorem 2.7: the alpha that is needed, and the proof's."),
    "angles": (angles, "Theorem 3.5: directions as the dimension falls below the bound (ours)."),
}
