"""Section 2.3: what h_eps and large alpha do on the alternating line."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import integrate, optimize, stats

from mixup_repro.papers.chidambaram2022.errata import direct
from mixup_repro.papers.chidambaram2022.toy_sets import LINE
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import (
    coefficients,
    failing_alpha,
    failing_alpha_bound,
    mixup_optimal,
    mixup_optimal_limit,
)


def _proof() -> list[Number]:
    eps, alpha = 0.5, 2.5
    lam = stats.beta(1, 1)
    variance = integrate.quad(lambda t: (t - 0.5) ** 2, 0, 1)[0]
    xi, xi_lambda = coefficients(*LINE, Beta(alpha, alpha), eps, np.ones(1))
    top = xi[0, 0] + 2 * xi_lambda[0, 1]
    printed = float(top / (xi[0, 0] + 4 * xi_lambda[0, 1] + xi[1, 1]))
    ours = mixup_optimal(*LINE, Beta(alpha, alpha), eps, np.ones(1))[0, 0]
    other = direct.h_eps(*LINE, alpha, alpha, eps, np.ones(1))[0]
    threshold = optimize.brentq(
        lambda a: direct.h_eps(*LINE, a, a, eps, np.ones(1))[0] - 0.5, 1.0, 10.0
    )
    within = stats.beta(alpha, alpha)
    return [
        Number("variance of Beta(1, 1)", 1 / 6, float(lam.var()), variance),
        Number(
            "xi^{1,1} at 1, eps = 0.5, alpha = 2.5",
            float(2 / 9 * (within.cdf(0.5 + eps) - within.cdf(0.5 - eps))),
            float(xi[0, 0]),
            float(2 / 9 * (within.cdf(0.5 + eps / 2) - within.cdf(0.5 - eps / 2))),
        ),
        Number("h_eps^1(1), eps = 0.5, alpha = 2.5", printed, float(ours), float(other), 1e-8),
        Number(
            "least alpha that errs, eps = 0.5",
            float(failing_alpha_bound(eps)),
            failing_alpha(eps),
            float(threshold),
            1e-5,
        ),
    ]


def h(z: np.ndarray, alpha: float) -> np.ndarray:
    """The Mixup-optimal classifier of X_3^2."""
    return mixup_optimal_limit(*LINE, Beta(alpha, alpha), z)


def undecided(z: np.ndarray, alpha: float) -> np.ndarray:
    """h, but 1/2 at the point 1."""
    return np.where(np.abs(z - 1) < 1e-12, 0.5, h(z, alpha))


def smooth(z: np.ndarray, alpha: float) -> np.ndarray:
    """h_eps, eps = 0.1."""
    return mixup_optimal(*LINE, Beta(alpha, alpha), 0.1, z)


def continuous(z: np.ndarray, alpha: float, r: float = 0.05) -> np.ndarray:
    """h, but from 1 - r to 1 and from 1 + r to 1 linear, with the label of 1 there."""
    away = np.abs(z - 1)
    outside = h(1 + np.maximum(away, r), alpha)
    wrong = outside[:, :1] * np.minimum(away / r, 1)
    return np.hstack([wrong, np.where(away < r, 1 - wrong, outside[:, 1:])])


def _price() -> list[Number]:
    numbers = []
    for what, g, alpha, printed in (
        ("the best classifier that errs at 1", undecided, 1.0, 0.0),
        ("h_eps, eps = 0.1, alpha = 128, which errs", smooth, 128.0, None),
        ("a continuous one that does not, alpha = 32", continuous, 32.0, None),
    ):
        losses = [direct.line_loss(partial(f, alpha=alpha), alpha) for f in (g, h)]
        other = direct.line_excess(partial(g, alpha=alpha), alpha)
        what = f"J_mix less its infimum: {what}"
        numbers.append(Number(what, printed, losses[0] - losses[1], other, 1e-4))
    return numbers


def _longer_lines() -> list[Number]:
    numbers = []
    for k in (2, 10):
        x, y = np.arange(10.0)[:, None], np.arange(10) % k
        grid = np.arange(1, 1000) / 1000
        wrong = [(mixup_optimal(x, y, Beta(1, 1), e, x).argmax(1) != y).any() for e in grid]

        def lead(eps: float, x: np.ndarray = x, y: np.ndarray = y) -> float:
            """Of the class of the point 1, over the best other one."""
            h = direct.h_eps(x, y, 1, 1, eps, x[1])
            return float(h[y[1]] - np.delete(h, y[1]).max())

        what = f"least eps at which h_eps errs, X_10^{k}, alpha = 1"
        first = float(optimize.brentq(lead, 0.5, 0.999, xtol=1e-6))
        numbers.append(Number(what, None, float(grid[np.argmax(wrong)]), first, 1e-3))
    return numbers


ERRATA = (
    Erratum(
        id="thm2_7_proof",
        where="Theorem 2.7, proof",
        kind=Kind.PROOF,
        printed="""
            `sigma^2 = 1/(4 alpha + 2)`; `alpha > (log 4 / eps^2 - 1)/2` is enough; `h_eps^1(1)` has
            the denominator `xi^{11} + 4 xi^{12}_lambda + xi^{22}`.
            """,
        right="""
            `sigma^2 = 1/(8 alpha + 4)`; for `xi^{11}` the radius is `eps/2`; the denominator is
            `xi^{11} + 2 xi^{12} + xi^{22}`. `alpha > max(7.5, log 8 / eps^2 - 1/2)` is enough; the
            printed alpha is so for `eps < 0.3991`, and is not between that and 1.
            """,
        derivation="""
            1. The segment from 0 to 2 has length 2: xi^{11} = (2/9) P(|Y - 1/2| < eps/2).
            2. Corollary C.1's denominator has xi^{12}_lambda + xi^{21}_lambda = xi^{12} twice. It
               is 4 xi^{12}_lambda only for eps >= 1; near 1 these pairs speak for class 2.
            3. So with w the outer point's weight 9 (c_1 - c_2) = 2 P(|Y - 1/2| < eps/2) - 1 - 4
               E[1 - 2 w; w < eps], for eps <= 1, and the last mean is at most E|1 - 2 Y|/2.
            4. P >= 1 - 2 exp(-eps^2 (2 alpha + 1)/2) and E|1 - 2 Y| <= (2 alpha + 1)^(-1/2).
            5. The sum is above 1 - 4 exp(..) - 2 (2 alpha + 1)^(-1/2), which is >= 0 for the
               alpha named above, as each of the two terms is at most 1/2.
            """,
        holds="The theorem: for every eps > 0 all alpha above some value misclassify the point 1.",
        witness=_proof,
    ),
    Erratum(
        id="near_minimisers",
        where="Abstract, introduction, section 2.3",
        kind=Kind.CONDITION,
        printed="Continuous approximate minimisers of the Mixup loss can err on the data.",
        right="""
            Not those whose loss comes near the infimum: on finite data a classifier that errs at a
            data point has at least `log 2 / n^2` more. It is true of classifiers of a fixed
            resolution, as `h_eps` for a fixed eps: for every eps there is such an alpha, and for
            every alpha an eps below which `h_eps` is right.
            """,
        derivation="""
            1. J_mix(g) - inf J_mix = integral of KL(eta || g) d mu (mu, eta: see prop2_2_proof).
            2. A data point x of class i has the mass 1/n^2 of its pair with itself, and eta^i(x)
               = 1.
            3. That point alone adds -log g^i(x) / n^2, and g^i(x) <= 1/2 where g errs at x.
            """,
        holds="""
            Theorem 2.7 and Table 1. For large n the price is tiny, so networks may well pay it.
            """,
        witness=_price,
    ),
    Erratum(
        id="d1_longer_lines",
        where="Appendix D.1",
        kind=Kind.CONDITION,
        printed="""
            On longer alternating lines Mixup fails even at alpha = 1, since a point's pair with
            itself, 1/m^2, is rarer than pairs of one class around it.
            """,
        right="""
            That is no reason for X_10^10, where no two points have one class. And at alpha = 1
            h_eps errs only for eps above about 0.70 on X_10^2, and 0.95 on X_10^10: almost the
            distance of neighbours.
            """,
        derivation="""
            1. In the ball a pair's measure is of the order of eps: each segment of length l
               through the point has lambda within eps/l.
            2. The self-pair has 1/m^2 for every eps, so h_eps is right for small eps at every
               alpha.
            3. At alpha = 1 the pairs' measures add up to that only near eps = 1, as the numbers
               say.
            """,
        holds="""
            The observation that the trained networks err; why they do is open: ERM errs on X_10^2
            too.
            """,
        witness=_longer_lines,
    ),
)
