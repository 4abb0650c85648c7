"""Pictures in place of Figures 5 to 7 of appendix B: sandwiched points, and both assumptions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.papers.chidambaram2022.toy_sets import CROSSING, LINE
from mixup_repro.theory.conditions import assumption_2_9, assumption_3_1
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import mixup_optimal, mixup_optimal_limit

# Two classes; the first point lies on a segment of one of its class and one of the other.
COLLINEAR = np.array([[0.0, 0.0], [-1.0, -0.4], [-0.5, 0.9], [1.5, 0.6], [0.9, -0.7], [0.6, 1.1]])
LABELS = np.array([0, 0, 0, 1, 1, 1])
ASIDE = np.array([0.15, -0.3])  # the step that moves it off that segment and onto no other


def sandwich() -> Figure:
    """Figure 5: on X_3^2 mixtures of 0 and 2, of class 1, come to lie on the point of class 2."""
    figure, axes = style.panels(2, size=(3.4, 2.3), sharey=True)
    z, eps = np.linspace(0, 2, 801)[1:-1], 0.1
    for axis, alpha in zip(axes, (1.0, 32.0)):
        for name, density, colour, line in _densities(z, Beta(alpha, alpha)):
            axis.plot(z, density, line, color=colour, label=name)
        axis.axvspan(1 - eps, 1 + eps, color=style.WASH, zorder=0)
        h = mixup_optimal(*LINE, Beta(alpha, alpha), eps, np.ones(1))[0]
        shown = rf"$\alpha = {alpha:g}$; $h_\epsilon^1(1) = {h[0]:.2f}$"
        axis.set_title(f"Density of mixed points, {shown}")
        axis.plot([0, 2], [0, 0], "s", color=style.BLUE, markersize=6, clip_on=False)
        axis.plot([1], [0], "o", color=style.ORANGE, markersize=6, clip_on=False)
        axis.set_xlabel("$x$")
    note = f"Squares: class 1; circle: class 2. Grey: the ball about 1, eps = {eps:g}."
    title = r"Mixtures of 0 and 2 come to lie on 1 as $\alpha$ grows"
    return style.finish(figure, title, note, rf"$X_3^2$. {style.EXACT}")


def _densities(z: np.ndarray, mixing: Beta) -> Iterator[tuple[str, np.ndarray, str, str]]:
    """Name, density at places z, colour and line of the mixtures of each two of the points 0, 1, 2.

    Densities are shares of all nine ordered pairs, so that both orders of two points add up. On a
    segment of length 2 the density of lambda is halved.
    """
    f, inside = mixing.density, z.clip(1e-9, 2 - 1e-9)
    near = np.where(z < 1, f(inside.clip(max=1 - 1e-9)), 0.0)
    far = np.where(z > 1, f((inside - 1).clip(min=1e-9)), 0.0)
    yield "0 with 1", 2 * near / 9, style.GREY, "--"
    yield "1 with 2", 2 * far / 9, style.GREY, ":"
    yield "0 with 2", f(inside / 2) / 9, style.BLUE, "-"


def collinear() -> Figure:
    """Figure 6: a point on a segment that ends in another class, and the same one beside it."""
    figure, axes = style.panels(2, size=(3.4, 2.6), sharey=True)
    for axis, shift in zip(axes, (np.zeros(2), ASIDE)):
        x = COLLINEAR.copy()
        x[0] += shift
        found = assumption_2_9(x, LABELS)
        k, u, v = found.witness
        for a, b in np.argwhere(np.triu(np.ones((6, 6)), 1)):
            if k not in (a, b) and not LABELS[a] == LABELS[b] == LABELS[k]:
                axis.plot(*x[[a, b]].T, color="0.8", linewidth=0.6, zorder=1)
        axis.plot(*x[[u, v]].T, color="black", linewidth=1.8, zorder=2)
        _classes(axis, x, LABELS)
        axis.plot(*x[k], "k+", markersize=9, linestyle="", label="$x$, nearest to a segment")
        holds = "holds" if found.holds(1e-9) else "fails"
        axis.set_title(f"It {holds}: distance {found.distance:.2f}")
    note = "Grey: segments with an end in another class than x's. Black: the one that is nearest."
    title = "Assumption 2.9: no point on a segment to another class"
    return style.finish(figure, title, note, "Six points in two classes")


def _classes(axis: Axes, x: np.ndarray, y: np.ndarray) -> None:
    for label, marker, colour in ((0, "s", style.BLUE), (1, "o", style.ORANGE)):
        axis.plot(
            *x[y == label].T,
            marker=marker,
            color=colour,
            linestyle="",
            markersize=6,
            zorder=3,
            label=f"class {label + 1}",
        )
    axis.set_aspect("equal")
    axis.margins(0.15)
    axis.grid(False)


def closer() -> Figure:
    """Figure 7: a point nearer to class 1 on both its segments, and what h does along them."""
    figure, (plane, values) = style.panels(2, size=(3.6, 2.6))
    (x, y), origin = CROSSING, np.zeros(2)
    at = mixup_optimal_limit(x, y, Beta(1, 1), origin[None])[0, 0]
    steps = np.linspace(-0.2, 0.2, 82)  # an even number: none of them is 0
    for (s, t), line, name in (((0, 2), "-", "first"), ((1, 3), "--", "second")):
        plane.plot(*x[[s, t]].T, line, color="black", linewidth=1.2, label=f"the {name} segment")
        plane.plot(*x[[s, t]].mean(0), "kx", markersize=5, linestyle="")
        along = steps[:, None] * (x[t] - x[s]) / np.linalg.norm(x[t] - x[s])
        h = mixup_optimal_limit(x, y, Beta(1, 1), along)[:, 0]
        values.plot(steps, h, line, color="black", linewidth=1.2)
    _classes(plane, x, y)
    holds = "holds" if assumption_3_1(x, y, 0, origin) else "fails"
    plane.set_title(f"It {holds} where they cross")
    values.plot(0, at, "D", color=style.PURPLE, linestyle="", label="where they cross")
    values.axhline(0.5, color="black", linewidth=0.5)
    values.set_xlabel("distance from the crossing")
    values.set_title("$h$ of class 1: above 1/2, but no limit")
    note = r"Crosses: the segments' middles. Uniform $\lambda$. Theorem 3.2 says continuous."
    title = "Assumption 3.1: nearer to class 1 on every segment"
    return style.finish(figure, title, note, f"Four points in two classes. {style.EXACT}")


PICTURES = {
    "sandwich": (sandwich, "Figure 5: where mixtures on X_3^2 lie, and h_eps at the point 1."),
    "collinear": (collinear, "Figure 6: Assumption 2.9."),
    "closer": (
        closer,
        "Figure 7: Assumption 3.1, and h there, which Theorem 3.2 says is continuous.",
    ),
}
