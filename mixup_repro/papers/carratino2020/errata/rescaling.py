"""Section 5: the rescaled prediction (22) and Algorithm 1."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import betainc, expit, softmax

from mixup_repro.evaluation.rescaling import rescaled
from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.errata import Erratum, Kind, Number


def algorithm_1(f_x: np.ndarray, y_bar: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Its last line, for f's output at the shrunk input, as printed."""
    theta_bar = 1.0 - betainc(alpha + 1.0, alpha, 0.5)
    return np.asarray(y_bar * (1.0 - 1.0 / theta_bar) + f_x / theta_bar)


def ours(f_x: np.ndarray, y_bar: np.ndarray) -> np.ndarray:
    """The library's rescaled prediction of a network with this output, alpha = 1."""
    output = torch.from_numpy(np.asarray(f_x, dtype=float))
    origin = torch.zeros(1, dtype=torch.float64)
    mean = torch.from_numpy(np.asarray(y_bar, dtype=float))
    return rescaled(lambda _: output, origin, 1.0, origin, mean).numpy()


def _inverse() -> list[Number]:
    numbers = []
    for c in (2, 10, 100):
        y_bar = np.full(c, 1 / c)
        label = y_bar + direct.THETA_BAR * (np.eye(c)[0] - y_bar)
        power = label ** (1 / direct.THETA_BAR)
        by_library = float(softmax(ours(np.log(label), y_bar))[0])
        what = f"probability of the label's class after (22), {c} balanced classes, S(f(x~)) = y~"
        numbers.append(Number(what, 1.0, by_library, float(power[0] / power.sum())))
    prior = np.array([0.9, 0.1])
    rare = float(softmax(ours(np.log(prior), prior))[0])
    return [
        *numbers,
        Number(
            "the larger class after (22), f = log y_bar, y_bar = (.9, .1)",
            0.9,
            rare,
            float(softmax(algorithm_1(np.log(prior), prior))[0]),
        ),
        Number(
            "the same with log y_bar in place of y_bar",
            None,
            float(prior[0]),
            float(softmax(algorithm_1(np.log(prior), np.log(prior)))[0]),
        ),
        Number(
            "(22) of a probability of .95, 3 balanced classes",
            None,
            float(ours(np.array([0.95, 0.03, 0.02]), np.full(3, 1 / 3))[0]),
            0.95 / direct.THETA_BAR - (1 / direct.THETA_BAR - 1) / 3,
        ),
    ]


def _one_logit() -> list[Number]:
    half, u = np.array([0.5]), np.array([0.1])
    two = float(softmax(algorithm_1(np.array([0.0, 0.1]), np.array([0.5, 0.5])))[1])
    one, mended = (float(expit(ours(u, shift))[0]) for shift in (half, 2 * half - 1))
    by_hand = float(expit(0.5 * (1 - 4 / 3) + 0.1 * 4 / 3))
    threshold = brentq(lambda z: float(algorithm_1(np.array([z]), half)[0]), -1, 1, xtol=1e-13)
    return [
        Number("probability of class 1, logit .1; printed: with two logits", two, one, by_hand),
        Number("the same with 2 y_bar - 1 for y_bar", None, mended, two),
        Number(
            "f(x~) from which on class 1 is predicted, y_bar = 1/2",
            0.0,
            0.5 * (1 - direct.THETA_BAR),
            float(threshold),
        ),
    ]


def _least_squares() -> list[Number]:
    """f* = E[y | mixed x] for x = -1, 0, 1, y = 1, 0, 1, at 0, 3/4 (the shrunk 0 and 1)."""
    x, y = np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0])
    y_bar = np.array([2 / 3])

    def fitted(z: float, width: float = 1e-4) -> float:
        """By counting mixtures within the width, on a fine grid of lambda and all pairs."""
        lam = (np.arange(200_000) + 0.5) / 200_000
        weight = total = 0.0
        for i, j in np.ndindex(3, 3):
            near = np.abs(lam * x[i] + (1 - lam) * x[j] - z) < width
            weight += near.mean()
            total += (near * (lam * y[i] + (1 - lam) * y[j])).mean()
        return total / weight

    # At z = 3/4 mixtures of 0 and 1 (density 2 of 9) have y = 3/4, of -1 and 1 (1 of 9) y = 1.
    at = (2 * 0.75 + 1 * 1.0) / 3
    numbers = []
    for place, truth, shrunk in ((0.0, 0.0, 0.0), (1.0, 1.0, at)):
        printed = float(ours(np.array([shrunk]), y_bar)[0])
        other = float(algorithm_1(np.array([fitted(0.75 * place)]), y_bar)[0])
        what = (
            f"(22) of the exact minimiser at x = {place:g}; printed: better than plain, {truth:g}"
        )
        numbers.append(Number(what, truth, printed, other, 1e-3))
    return numbers


def _homogeneous() -> list[Number]:
    rng = np.random.default_rng(0)
    w, v, x = rng.normal(size=(8, 3)), rng.normal(size=(3, 8)) / 8, rng.normal(size=3)

    def f(z: np.ndarray) -> np.ndarray:
        return np.asarray(v @ np.maximum(w @ z, 0))

    relu = float(torch.relu(torch.tensor(-1.0)))
    plain, shrunk = float(softmax(f(x))[0]), f(direct.THETA_BAR * x)
    balanced, uneven = np.full(3, 1 / 3), np.array([0.1, 0.2, 0.7])
    about = "softmax after (22) of a ReLU network without biases, x_bar = 0"
    by_hand = float(softmax(f(x) + uneven * (1 - 1 / direct.THETA_BAR))[0])
    return [
        Number("relu(-1); printed: - relu(1)", -1.0, relu, float(np.maximum(-1.0, 0))),
        Number(
            f"{about}, balanced classes; other: without (22)",
            None,
            float(softmax(ours(shrunk, balanced))[0]),
            plain,
        ),
        Number(
            f"{about}, classes 1 : 2 : 7; printed: without (22)",
            plain,
            float(softmax(ours(shrunk, uneven))[0]),
            by_hand,
        ),
    ]


ERRATA = (
    Erratum(
        id="rescaling_inverse",
        where="Section 5, eq. (21) and (22), with the cross-entropy",
        kind=Kind.FALSE,
        printed="(22) maps a prediction, which is a modified label, back to the space of labels.",
        right="""
            For the squared error it does. With the cross-entropy f is a vector of logits, and (22)
            adds probabilities to logits: it neither inverts the label map nor keeps the prior.
            """,
        derivation="""
            1. The map to invert, y~ = y_bar + theta_bar (y - y_bar), acts on probabilities.
            2. For balanced classes and S(f(x~)) = y~, (22) gives probabilities that are
               proportional to y~^(1/theta_bar), which is no one-hot label.
            3. A prediction S(f) = y_bar is the label map's fixed point. (22) makes it proportional
               to exp(y_bar (1 - 1/theta_bar)) y_bar^(1/theta_bar).
            """,
        holds="""
            (22) inverts (5) for the squared error, and for balanced classes it is a temperature of
            theta_bar, at the shrunk input: a heuristic on logits. (Fed with probabilities,
            Algorithm 1 gives what is none.)
            """,
        witness=_inverse,
    ),
    Erratum(
        id="one_logit",
        where="Section 5, eq. (22), with the logistic loss (15) of appendix B.3",
        kind=Kind.CONDITION,
        printed="One logit with labels 0 and 1 is the same as two logits with one-hot labels.",
        right="""
            Not under (22), which moves the threshold of one logit from 0 to `y_bar (1 -
            theta_bar)`. One logit needs `2 y_bar - 1` in place of y_bar.
            """,
        derivation="""
            1. The difference of two logits after (22) is shifted by (y_bar_1 - y_bar_0) (1 - 1/t) =
               (2 y_bar - 1) (1 - 1/t), which is 0 for balanced classes.
            2. One logit is shifted by y_bar (1 - 1/t): it is positive where f(x~) > y_bar (1 - t).
            """,
        holds="Both are the same without (22). The paper does not say which one Figure 8 shows.",
        witness=_one_logit,
    ),
    Erratum(
        id="rescaling_better",
        where="Section 5, before eq. (22)",
        kind=Kind.CONDITION,
        printed="Ideally a function that Mixup learned is applied to modified data, by (22).",
        right="""
            Not in general, even for the squared error with an exact minimiser: the plain one can be
            right at every data point where (22) is not.
            """,
        derivation="""
            1. The minimiser is f*(z) = E[y | mixed x = z]. For x = -1, 0, 1 and y = 1, 0, 1 the
               data points have mass of their own, so f*(0) = 0 and f*(1) = 1.
            2. (22) asks f* at 0 and 3/4. There f*(3/4) = (2 (3/4) + 1) / 3 = 5/6, as mixtures of 0
               and 1 are twice as dense as those of -1 and 1.
            3. (22) gives (2/3)(1 - 4/3) = -2/9 for 0, and 10/9 - 2/9 = 8/9 for 1.
            """,
        holds="The paper finds it better on CIFAR and ImageNet: by experiment, not by Theorem 1.",
        witness=_least_squares,
    ),
    Erratum(
        id="homogeneous",
        where="Section 5, after eq. (22)",
        kind=Kind.CONDITION,
        printed="""
            (22) changes nothing for centred data, `x_bar = y_bar = 0`, and `f(u x) = u f(x)` for
            any real `u`, as for ReLU networks with linear layers.
            """,
        right="""
            ReLU networks without biases have it for u >= 0, which is enough. y_bar = 0 is
            impossible for one-hot labels, which sum to 1. For balanced classes f changes, its
            softmax does not.
            """,
        derivation="""
            1. relu(-1) = 0, not -1. But theta_bar > 0.
            2. With x_bar = 0 (22) is f(x) + y_bar (1 - 1/theta_bar): the same constant in every
               logit if y_bar = 1/c, another one in each if not.
            """,
        holds="The softmax is unchanged for balanced classes.",
        witness=_homogeneous,
    ),
)
