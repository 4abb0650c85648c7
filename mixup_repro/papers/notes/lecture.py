"""Pictures of the notes' exact claims: where mixtures lie, who is less sure, what shrinks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixup_repro.papers import style
from mixup_repro.theory import gaussians
from mixup_repro.theory.entropy import entropy
from mixup_repro.theory.moments import Pairing, batch_factor, shrink

ALPHAS = (0.2, 1.0, 8.0)
SHADES = tuple(style.shade(k, len(ALPHAS)) for k in range(len(ALPHAS)))
TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.1], [0.35, 0.9]])
NAMES = ("$x_1$", "$x_2$", "$x_3$")


def segments() -> Figure:
    """Three points: what Mixup draws beside the convex hull (A6, A8, A16)."""
    figure, axes = style.panels(2, size=(2.9, 2.7), sharex=True, sharey=True)
    rng, n = np.random.default_rng(0), 400
    lam, pair = rng.beta(1, 1, (n, 1)), rng.integers(3, size=(2, n))
    drawn = lam * TRIANGLE[pair[0]] + (1 - lam) * TRIANGLE[pair[1]]
    spread = rng.dirichlet(np.ones(3), n) @ TRIANGLE
    shown = ((drawn, "What Mixup draws: segments"), (spread, "The convex hull"))
    for axis, (points, title) in zip(axes, shown):
        for one, other in combinations(TRIANGLE, 2):
            axis.plot(*zip(one, other), color=style.LINE, linewidth=0.8, zorder=1)
        axis.plot(*points.T, "o", color=style.BLUE, markersize=2, markeredgewidth=0)
        axis.plot(*TRIANGLE.T, "o", color=style.INK, markersize=6)
        for name, at in zip(NAMES, TRIANGLE):
            outwards = 0.12 * (at - TRIANGLE.mean(0)) / np.linalg.norm(at - TRIANGLE.mean(0))
            axis.annotate(name, at + outwards, ha="center", va="center")
        axis.set_title(title)
        axis.set_aspect("equal")
        axis.grid(False)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.margins(0.2)
        axis.spines["bottom"].set_visible(False)
    note = f"{n} draws each. Left: $\\alpha = 1$, uniform partners. Right: uniform over the hull."
    return style.finish(figure, "Mixtures of pairs do not fill the hull", note, "Three points")


def _uncertain(axis: Axes, x: np.ndarray, bayes: np.ndarray, ours: list[np.ndarray]) -> None:
    """Entropies of Bayes' prediction and of the optimum under three alphas."""
    axis.plot(x, _nats(bayes), color=style.BLUE, linewidth=2.4, label="Bayes")
    for p, alpha, colour, line in zip(ours, ALPHAS, SHADES, style.LINES):
        label = rf"Mixup, $\alpha = {alpha:g}$"
        axis.plot(x, _nats(p), line, color=colour, label=label)
    axis.set_ylim(0, 0.73)
    axis.set_xlabel("$x$")


def _nats(p: np.ndarray) -> np.ndarray:
    """The entropy of shares p of two classes."""
    return entropy(np.stack([p, 1 - p], -1))


def uncertainty() -> Figure:
    """The entropy of the optimal prediction between two classes, beside Bayes' (B40)."""
    figure, axes = style.panels(3, size=(2.6, 2.4), sharey=True)
    for axis, m in zip(axes, (0.5, 1.5)):
        x = np.linspace(0, 2, 81) * m
        ours = [gaussians.mixup_gaussians(x, m, alpha) for alpha in ALPHAS]
        _uncertain(axis, x, gaussians.bayes_gaussians(x, m), ours)
        axis.set_title(rf"Normal, means $\pm${m:g}")
    x = np.r_[0.025:1:0.05, 0.999, 1.001, 1.025:2:0.05]
    ours = [np.array([gaussians.mixup_uniforms(at, alpha) for at in x]) for alpha in ALPHAS]
    _uncertain(axes[2], x, np.where(x < 1, 0.5, 1.0), ours)
    axes[2].set_title("Uniform, shared up to 1")
    axes[0].set_ylabel("Entropy (nats)")
    note = (
        "Predictions that minimise the cross-entropy. Classes: equally likely, of variance 1; "
        "or uniform on [-2, 1] and [-1, 2]. For x < 0: the mirror image."
    )
    title = "Less sure than Bayes, or more: it depends on the classes"
    return style.finish(figure, title, note, style.EXACT)


def covariance_factor() -> Figure:
    """The factor of the covariance by alpha: of one example, and inside of small batches (B13)."""
    figure, axes = style.panels(2, size=(3.2, 2.4), sharey=True)
    alphas = np.geomspace(0.02, 50, 100)
    looks = zip(Pairing, (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE), (*style.LINES, ":"))
    for pairing, colour, line in looks:
        for axis, per_example in zip(axes, (False, True)):
            b = 5 if pairing == Pairing.ODD_REVERSAL else 4
            factors = [batch_factor(alpha, pairing, b, per_example) for alpha in alphas]
            axis.plot(alphas, factors, line, color=colour, label=str(pairing).capitalize())
    for axis, title in zip(axes, ("One lambda for the batch", "A lambda for each example")):
        axis.plot(
            alphas,
            [shrink(a) for a in alphas],
            color=style.GREY,
            linewidth=3,
            alpha=0.5,
            zorder=1,
            label="Large batches",
        )
        axis.set_title(title)
        axis.set_xscale("log")
        axis.set_xlabel(r"$\alpha$")
        axis.set_ylim(0, 1.02)
    axes[0].set_ylabel("Factor of the covariance")
    note = (
        "Expected covariance inside of a mixed batch of 4 (the odd one: 5), over that of the "
        r"batch. Large batches: $(\alpha + 1) / (2 \alpha + 1)$."
    )
    return style.finish(
        figure, "How much Mixup shrinks a batch, by who is paired", note, style.EXACT
    )


PICTURES = {
    "segments": (segments, "A6, A8: mixtures of pairs beside the convex hull."),
    "uncertainty": (uncertainty, "B40: entropies of optimal predictions between two classes."),
    "covariance_factor": (covariance_factor, "B13: the factor of the covariance, by pairing."),
}
