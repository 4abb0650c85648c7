"""Section 3.2: Mixup with linear models."""

from __future__ import annotations

from math import comb

import numpy as np
from scipy import optimize, stats
from scipy.special import expit

from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory import margins


def _gaussian(positive: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten points above Lemma 3.7's bound, of which the maximum margin solution interpolates."""
    d = int(margins.bound(10)) + 1
    x, y = np.random.default_rng(0).normal(size=(10, d)), np.where(np.arange(10) < positive, 1, -1)
    assert margins.interpolates(x, y)
    return x, y


def _slopes(a: float, b: float) -> tuple[float, float]:
    """Of the mean loss over pairs of two classes (eq. 2), at margins a and b; alpha = 1."""
    t, weight = np.polynomial.legendre.leggauss(100)
    lam, weight = (t + 1) / 2, weight / 2
    slope = expit(lam * a - (1 - lam) * b) - lam
    return float(weight @ (lam * slope)), float(-weight @ ((1 - lam) * slope))


def two_margins(share: float) -> np.ndarray:
    """The margins (2,) that minimise J_mix, alpha = 1, a class having this share of the points."""

    def gradient(at: np.ndarray) -> list[float]:
        a, b = at
        d_a, d_b = _slopes(a, b)
        p, q = share, 1 - share
        return [2 * p * q * d_a - p * p * expit(-a), 2 * p * q * d_b - q * q * expit(-b)]

    return np.asarray(optimize.root(gradient, [3.0, 3.0], tol=1e-13).x)


def _two_margins() -> list[Number]:
    across = float(optimize.brentq(lambda k: _slopes(k, k)[0], 1.0, 9.0))
    numbers = []
    for positive in (3, 5):
        x, y = _gaussian(positive)
        outputs = y * (x @ margins.mixup_solution(x, y, 1.0))
        ours, other = (outputs[0], outputs[-1]), two_margins(positive / 10)
        if positive == 5:
            what = "margin, 5 points against 5; printed: k(P_f), of pairs of two classes only"
            numbers.append(Number(what, across, float(ours[0]), float(other[0]), 1e-4))
        else:
            what = "margin of the smaller class less the other's, 3 points against 7"
            gap = float(other[0] - other[1])
            numbers.append(Number(what, 0.0, float(ours[0] - ours[1]), gap, 1e-4))
    return numbers


def _angles() -> list[Number]:
    x, y = _gaussian(3)
    ours = margins.angle(margins.mixup_solution(x, y, 1.0), margins.gradient_descent(x, y))
    a, b = two_margins(0.3)
    inverse = np.linalg.pinv(x)
    other = margins.angle(inverse @ (y * np.where(y > 0, a, b)), inverse @ y)
    numbers = [Number("angle of both directions (degrees), 3 against 7", 0.0, ours, other, 0.05)]
    for n in (10, 100):
        equal = float(stats.binom(n, 0.5).pmf(n // 2))
        what = f"probability of equal classes, labels by coin, n = {n}; printed: 1 - 2/n"
        numbers.append(Number(what, 1 - 2 / n, equal, comb(n, n // 2) / 2**n))
    return numbers


ERRATA = (
    Erratum(
        id="thm3_5_classes",
        where="Theorem 3.5",
        kind=Kind.CONDITION,
        printed="""
            If the maximum margin solution interpolates, every minimiser of J_mix in the span is a
            multiple of it: interpolating solutions minimise the same-class part of the loss too.
            """,
        right="""
            If both classes have the same mass, as many points each; or if pairs of one class are
            left out. Same-class pairs have no minimiser: their loss `log(1 + e^{-k})` falls with
            the margin.
            """,
        derivation="""
            1. The points are independent, so their margins are free. By strict convexity and
               symmetry inside a class the minimiser has one margin a on X_1 and one, b, on
               X_{-1}.
            2. It minimises p^2 l(a) + q^2 l(b) + 2 p q J_c(a, b), with p + q = 1 the classes'
               masses, l(k) = log(1 + e^(-k)) and J_c the loss (2) of two classes.
            3. If a = b = k, then d_a J_c = d_b J_c = g by symmetry, and p l' + 2 q g = 0 = q l' +
               2 p g.
            4. The sum gives g = -l'/2, the difference 2 (p - q) l' = 0: p = q, as l' < 0.
            """,
        holds="""
            The theorem for pairs of two classes, of any sizes; for all pairs, with equal classes,
            the direction, at another margin than the proof's k(P_f).
            """,
        witness=_two_margins,
    ),
    Erratum(
        id="cor3_8_classes",
        where="Corollary 3.8",
        kind=Kind.CONDITION,
        printed="""
            Under Lemma 3.7's condition Mixup and ERM by gradient descent have one direction with
            high probability.
            """,
        right="""
            With as many points in each class, which labels by coin rarely give; and in the limit
            of gradient descent, whose direction comes near its own as 1/log of the steps.
            """,
        derivation="""
            1. Above the bound the maximum margin solution interpolates: all margins are equal,
               and gradient descent tends to its direction.
            2. Mixup's margins a and b differ for classes of different sizes (thm3_5_classes), so
               its direction is another one.
            3. P(n_1 = n_2) = C(n, n/2) / 2^n, about sqrt(2 / (pi n)): it falls with n.
            """,
        holds="""
            For 10 points both directions differ by about 1 degree at 4 against 6, and 2 at 3
            against 7: they are near each other, not one.
            """,
        witness=_angles,
    ),
)
