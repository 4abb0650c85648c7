"""Pictures of the theory for a lecture: theta, the shrinking, the covariances, the regularisers."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from mixup_repro.beta import density, gamma2, sample, sigma2, theta_bar
from mixup_repro.data.toy import sample_gaussians
from mixup_repro.methods.modified import modified
from mixup_repro.papers import style
from mixup_repro.theory.perturbation import covariance, mixup_risk
from mixup_repro.theory.taylor import logistic, quadratic_risk

ALPHAS = (0.2, 1.0, 8.0)
COLOURS = tuple(style.shade(k, len(ALPHAS)) for k in range(len(ALPHAS)))


def _plane(n: int) -> tuple[torch.Tensor, np.ndarray]:
    x, y = sample_gaussians("arch", n, np.random.default_rng(3))
    return torch.from_numpy(x), y


def theta() -> Figure:
    """The density of theta, and its moments against alpha (Theorem 1, Lemma 1)."""
    figure, axes = style.panels(2, size=(3.2, 2.2))
    grid = np.linspace(0.5, 0.999, 400)
    for alpha, colour, line in zip(ALPHAS, COLOURS, style.LINES):
        label = rf"$\alpha = {alpha:g}$"
        axes[0].plot(grid, density(grid, alpha), line, color=colour, label=label)
        axes[0].axvline(theta_bar(alpha), color=colour, linestyle=":", linewidth=1)
    axes[0].set_ylim(0, 8)
    axes[0].set_xlabel(r"$\theta$")
    axes[0].set_title("Density")
    alphas = np.geomspace(0.01, 100, 200)
    for moment, name, line in (
        (theta_bar, r"$\bar\theta$", "-"),
        (sigma2, r"$\sigma^2$", "--"),
        (gamma2, r"$\gamma^2$", "-."),
    ):
        axes[1].plot(alphas, [moment(a) for a in alphas], line, color=style.INK, label=name)
    axes[1].set_title("Moments")
    style.name_lines(axes[1])
    axes[1].set_xscale("log")
    axes[1].set_xlabel(r"$\alpha$")
    about = r"$\theta = \max(\lambda, 1 - \lambda)$, $\lambda \sim \mathrm{Beta}(\alpha, \alpha)$"
    title = r"The weight $\theta$ of an example in its mixture"
    return style.finish(figure, title, "Dotted: the means.", about)


def shrinking() -> Figure:
    """Original and modified inputs for three alphas (eq. 5)."""
    x, y = _plane(80)
    figure, axes = style.panels(3, sharex=True, sharey=True)
    for axis, alpha in zip(axes, ALPHAS):
        shrunk = modified(x, alpha)
        steps = (shrunk - x).T.numpy()
        axis.quiver(*x.T, *steps, angles="xy", scale_units="xy", scale=1, color="0.75", width=0.004)
        for label, marker, colour in ((0, "o", COLOURS[0]), (1, "s", COLOURS[2])):
            across, up = shrunk[torch.from_numpy(y == label)].T
            axis.scatter(across, up, s=8, marker=marker, color=colour, label=f"class {label}")
        axis.plot(*x.mean(0), "k+", markersize=9, label=r"$\bar x$", linestyle="")
        axis.set_title(rf"$\alpha = {alpha:g}$, $\bar\theta = {theta_bar(alpha):.2f}$")
    title = r"Modified inputs $\tilde x_i = \bar x + \bar\theta (x_i - \bar x)$"
    note = "Grey: from each input to its modified input."
    return style.finish(figure, title, note, "80 points of two classes")


def covariances() -> Figure:
    """Mixed points of three examples, and the ellipses that Lemma 1 says they fill (eq. 8)."""
    x, _ = _plane(80)
    rng = np.random.default_rng(0)
    figure, axes = style.panels(3, sharex=True, sharey=True)
    for axis, alpha in zip(axes, ALPHAS):
        axis.scatter(x[:, 0], x[:, 1], s=3, color="0.7", label="original inputs")
        centres, spread = modified(x, alpha), covariance(x, x, alpha)
        for i, colour in zip((x[:, 0].argmin(), x[:, 0].argmax(), x[:, 1].argmax()), COLOURS):
            t = torch.from_numpy(sample(alpha, (150, 1), rng))
            mixed = t * x[i] + (1 - t) * x[rng.integers(len(x), size=150)]
            axis.scatter(mixed[:, 0], mixed[:, 1], s=3, color=colour, alpha=0.5)
            values, vectors = np.linalg.eigh(spread[i].numpy())
            width, height = 4 * np.sqrt(values)  # two standard deviations each way
            angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
            ellipse = Ellipse(tuple(centres[i].tolist()), width, height, angle=angle, fill=False)
            ellipse.set(edgecolor=colour, linewidth=1.5)
            axis.add_patch(ellipse)
            axis.plot(*centres[i], "D", color=colour, markeredgecolor="black", markersize=5)
        axis.set_title(rf"$\alpha = {alpha:g}$")
    title = r"Where three examples go: $\tilde x_i + \delta_i$, with covariance (8)"
    note = "Diamonds: modified inputs. Ellipses: two standard deviations of the perturbations."
    return style.finish(figure, title, note, "80 points of two classes, mixed in pairs")


@cache  # it is drawn in several sizes
def _risks(alpha: float) -> tuple[torch.Tensor, ...]:
    """Weights w of models f(x) = w x, and their ERM, Mixup, approximate and modified risks."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(40, 1, generator=g, dtype=torch.float64)
    y = (x + 0.5 * torch.randn(40, 1, generator=g, dtype=torch.float64) > 0).double()
    weights = torch.linspace(-1, 8, 46, dtype=torch.float64)
    rows = []
    for w in weights:
        model = partial(torch.mul, w)
        terms = quadratic_risk(logistic, model, x, y, alpha)
        exact = mixup_risk(logistic, model, x, y, alpha)
        erm = logistic(y, w * x).mean()
        rows.append(torch.stack([erm, exact, terms.total, terms.modified_loss]))
    return weights, *torch.stack(rows, 1)


def regularisers() -> Figure:
    """Exact and approximate Mixup risk of logistic models f(x) = w x, and their parts (Cor. 2)."""
    figure, axes = style.panels(3, sharey=True)
    for axis, alpha in zip(axes, ALPHAS):
        weights, erm, exact, total, shrunk = _risks(alpha)
        for values, name, colour, line in (
            (erm, "ERM", style.GREY, "-"),
            (exact, "Mixup", style.BLUE, "-"),
            (total, "Approximate Mixup", style.PURPLE, "--"),
            (shrunk, "Loss on modified data", style.GREEN, "-."),
            (total - shrunk, "$R_1 + R_3$", style.ORANGE, ":"),
        ):
            axis.plot(weights, values, line, color=colour, label=name)
            if name != "$R_1 + R_3$":
                axis.plot(weights[values.argmin()], values.min(), "o", color=colour, markersize=4)
        axis.set_title(rf"Risk (nats), $\alpha = {alpha:g}$")
        axis.set_xlabel("weight $w$ of $f(x) = wx$")
    style.name_lines(axes[2], *axes[:2])
    note = "Dots: minima. $R_2$ and $R_4$ are zero here."
    about = "Logistic regression on 40 points"
    return style.finish(figure, "The Mixup risk and its parts", note, about)


PICTURES = {
    "theta": (theta, "Theorem 1: theta, and its moments against alpha."),
    "shrinking": (shrinking, "Eq. (5): modified inputs."),
    "covariances": (covariances, "Lemma 1: the perturbations and their covariances."),
    "regularisers": (
        regularisers,
        "Corollary 2: the Mixup risk of a logistic model.",
    ),
}
