"""Section 5: label smoothing and entropy (Proposition 1), and Figure 1."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, softmax

from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.entropy import entropy, proposition_1, softmax_regression

X = np.array([1.0, 1.0, 1.0, 3.0])
Y = np.array([1.0, 1.0, 1.0, 0.0])


def _mean_entropy(targets: np.ndarray, x: np.ndarray = X) -> float:
    """Of the logistic model without intercept, by the root of its gradient in one slope."""
    slope = brentq(lambda w: float((expit(w * x) - targets) @ x), -9, 9, xtol=1e-15)
    p = expit(slope * x)
    return float(np.mean(-p * np.log(p) - (1 - p) * np.log1p(-p)))


def _intercept() -> list[Number]:
    y = np.stack([1 - Y, Y], 1)
    found = proposition_1(X[:, None], y, 1.0)
    smoothed = _mean_entropy(direct.THETA_BAR * Y + (1 - direct.THETA_BAR) * Y.mean())
    uniform = _mean_entropy(direct.THETA_BAR * Y + (1 - direct.THETA_BAR) / 2)
    plain = _mean_entropy(Y)
    return [
        Number("mean entropy without smoothing", None, found.plain, plain, 1e-8),
        Number(
            "mean entropy with smoothing; printed: no less than without",
            found.plain,
            found.smoothed,
            smoothed,
            1e-8,
        ),
        Number("entropy of y_bar", None, found.prior, float(entropy(y.mean(0)))),
        Number(
            "bound of the proposition",
            None,
            found.bound,
            0.75 * plain + 0.25 * float(entropy(y.mean(0))),
            1e-8,
        ),
        Number(
            "mean entropy, smoothing to the uniform distribution", None, float(np.log(2)), uniform
        ),
    ]


def _separable() -> list[Number]:
    x, y = np.array([-1.0, 1.0]), np.array([0.0, 1.0])
    numbers = []
    for slope in (10.0, 20.0):
        ours = float(((expit(slope * x) - y) * x).mean())
        other = -1 / (1 + float(np.exp(slope)))
        what = f"gradient of (23) at slope {slope:g}, x = -1, 1; printed: 0 at a solution"
        numbers.append(Number(what, 0.0, ours, other, 1e-15))
    targets = direct.THETA_BAR * y + (1 - direct.THETA_BAR) / 2
    w = softmax_regression(x[:, None], np.stack([1 - targets, targets], 1))
    smoothed = float(entropy(softmax(x[:, None] @ w.T, axis=1)).mean())
    what = "mean entropy with smoothing, at least (1 - theta_bar) log 2"
    return [*numbers, Number(what, None, smoothed, _mean_entropy(targets, x), 1e-8)]


def _boundary(p: float, width: float = 0.02) -> tuple[float, float]:
    """Where E[y | mixed x] = 1/2 between clusters at 0 and 1: in the limit, and for this width.

    Clusters at -1, 0, 1 of classes 1, 0, 1 and masses p, q, p.
    """
    q = 1 - 2 * p

    def excess(z: float) -> float:
        """Of class 1 over class 0 among mixtures at z, normal clusters."""
        total = 0.0
        for (a, b), mass, labels in (
            ((0, 1), 2 * p * q, (0, 1)),
            ((-1, 0), 2 * p * q, (1, 0)),
            ((-1, 1), 2 * p * p, (1, 1)),
            ((0, 0), q * q, (0, 0)),
            ((1, 1), p * p, (1, 1)),
        ):

            def at(lam: float, a: int = a, b: int = b, labels: tuple[int, int] = labels) -> float:
                sd = width * (lam**2 + (1 - lam) ** 2) ** 0.5
                mean = lam * b + (1 - lam) * a
                share = lam * labels[1] + (1 - lam) * labels[0]
                return float(np.exp(-(((z - mean) / sd) ** 2) / 2) / sd * (share - 0.5))

            middle = [(z - a) / (b - a)] if a != b else [0.5]
            inside = [m for m in middle if 0 < m < 1] or None
            total += mass * quad(at, 0, 1, points=inside, limit=200)[0]
        return total

    return 0.5 - p / (4 * q), float(brentq(excess, 0.05, 0.7, xtol=1e-6))


def _figure_1() -> list[Number]:
    numbers = []
    for p in (0.25, 1 / 3, 0.36):
        limit, found = _boundary(p)
        what = f"boundary between 0 and 1, outer clusters of mass {p:.3g}; printed: theta_bar / 2"
        printed = None if p == 0.25 else 0.375
        numbers.append(Number(what, printed, limit, found, 1e-3))
    return numbers


ERRATA = (
    Erratum(
        id="prop1_intercept",
        where="Section 5, label smoothing, before Proposition 1",
        kind=Kind.CONDITION,
        printed="Label smoothing increases the mean entropy of a linear model's predictions.",
        right="""
            Under the condition of the proposition's second part, which the sentence leaves out and
            which fails without an intercept. With an intercept, or balanced classes, it holds by
            itself.
            """,
        derivation="""
            1. Without intercept take x = 1, 1, 1, 3 and y = 1, 1, 1, 0: the gradient 3 (p_1 - 1) +
               3 p_4 is 0 at slope 0, where p = 1/2 everywhere and the entropy is log 2, its
               maximum.
            2. Smoothing moves the slope away from 0, so the entropy falls. Z(y_bar) is less than
               log 2: the condition fails.
            3. A constant feature makes the mean of p_i equal y_bar; as Z is concave, mean Z(p_i) <=
               Z(y_bar). For balanced classes Z(y_bar) = log c, the maximum.
            4. Smoothed to the uniform distribution, the same proof has log c for Z(y_bar): no
               condition is needed.
            """,
        holds="The proposition, both parts.",
        witness=_intercept,
    ),
    Erratum(
        id="prop1_exists",
        where="Proposition 1, eq. (23)",
        kind=Kind.CONDITION,
        printed="W* is a solution of (23).",
        right="""
            There is none where a linear model separates the classes. The p_i must then be read as
            the maximiser of the dual (39): the labels.
            """,
        derivation="""
            1. On separable data the loss falls along every separating direction, so the gradient
               only tends to 0.
            2. (24) has a solution as soon as every class occurs: smoothed labels are inside the
               simplex.
            3. With p_i = y_i the bound reads (1 - theta_bar) Z(y_bar) <= mean Z(p~_i).
            """,
        holds="The proposition where the classes overlap, and the bound with p_i = y_i elsewhere.",
        witness=_separable,
    ),
    Erratum(
        id="fig1_bayes",
        where="Section 5, data modification at test time, on Figure 1",
        kind=Kind.CONDITION,
        printed="""
            Figure 1 shows that the Bayes classifier of Mixup's distribution matches that of the
            modified data, up to regularisation.
            """,
        right="""
            Not in general. Narrow clusters at -1, 0, 1 of classes 1, 0, 1 and masses `p, q, p` have
            Mixup's boundary at `1/2 - p / (4q)`, `alpha = 1`, and the modified data's at `theta_bar
            / 2`.
            """,
        derivation="""
            1. At z in (0, 1) mixtures of 0 and 1 have density 2 p q and label z; those of -1 and 1
               have 2 p^2 over a length of 2, so p^2, and label 1.
            2. E[y | z] = (2 p q z + p^2) / (2 p q + p^2) = 1/2 at z = 1/2 - p / (4q).
            3. The modified data's clusters are at 0 and theta_bar, in the limit; their boundary is
               half way.
            """,
        holds="They agree at p = 1/4. What data the figure has is not told.",
        witness=_figure_1,
    ),
)
