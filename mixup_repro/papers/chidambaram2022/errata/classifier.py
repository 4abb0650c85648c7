"""Sections 2.1 and 2.2: the Mixup-optimal classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import integrate, optimize

from mixup_repro.papers.chidambaram2022.errata import direct
from mixup_repro.papers.chidambaram2022.toy_sets import CROSS, LINE
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import coefficients, mixup_optimal

UNIFORM = Beta(1, 1)


def _simplex() -> list[Number]:
    eps = 0.5
    ours = mixup_optimal(*LINE, UNIFORM, eps, np.ones(1))[0]
    xi, xi_lambda = coefficients(*LINE, UNIFORM, eps, np.ones(1))
    weight = (xi_lambda + (xi - xi_lambda).T).sum(1)

    def loss(theta: float) -> float:
        return float(-weight @ np.log([theta, 1 - theta]))

    bounds, options = (1e-6, 1 - 1e-6), {"xatol": 1e-12}
    best = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options=options)
    what = "theta^1 that minimises J_mix in the ball about 1, eps = 1/2, alpha = 1, X_3^2"
    return [Number(what, 1.0, ours[0], best.x, 1e-6)]


def _infinite() -> list[Number]:
    delta = 0.1
    xi, xi_lambda = coefficients(*LINE, UNIFORM, delta, np.zeros(1))
    what = "coefficient of log h^2(0) in the ball about 0, delta = 0.1, alpha = 1, X_3^2"
    ours = xi_lambda[1, 0] + xi[0, 1] - xi_lambda[0, 1]
    return [Number(what, 0.0, float(ours), delta**2 / 9)]


def _jumps() -> list[Number]:
    eps = 0.4
    left, right = mixup_optimal(*LINE, UNIFORM, eps, np.array([eps - 1e-12, eps + 1e-12]))[:, 0]
    what = "fall of h_eps^1 at x = 0.4, eps = 0.4, alpha = 1, X_3^2"
    numbers = [Number(what, 0.0, left - right, 2.76 / 3.4 - 1.76 / 2.4)]
    eps = 1e-4
    places = 1 + eps * np.array([[1 - 1e-9], [1 + 1e-9]])
    inside, outside = mixup_optimal(*LINE, Beta(2, 2), eps, places)[:, 1]
    other = [direct.h_eps(*LINE, 2, 2, eps, place)[1] for place in places]
    what = "fall of h_eps^2 at x = 1 + eps, eps = 0.0001, alpha = 2, X_3^2"
    return [*numbers, Number(what, 0.0, inside - outside, other[0] - other[1], 1e-5)]


@dataclass(frozen=True)
class Oscillating:
    """Lambda with the density c (1 + sin(log t) / 2), t = |lambda - 1/2|: symmetric, on [0, 1]."""

    @property
    def c(self) -> float:
        return float(0.5 / self._below(0.5))

    @staticmethod
    def _below(t: np.ndarray | float) -> np.ndarray:
        """The integral of 1 + sin(log t) / 2 from 0 to t."""
        t = np.maximum(t, 1e-300)
        return np.asarray(t + t * (np.sin(np.log(t)) - np.cos(np.log(t))) / 4)

    def mass(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        ends = (np.sign(v - 0.5) * self._below(np.abs(v - 0.5)) for v in (low, high))
        return -self.c * np.subtract(*ends)

    def moment(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        def beside(v: np.ndarray) -> np.ndarray:
            """The integral of t (1 + sin(log t) / 2)."""
            t = np.maximum(np.abs(v - 0.5), 1e-300)
            return t**2 * (0.5 + (2 * np.sin(np.log(t)) - np.cos(np.log(t))) / 10)

        return self.mass(low, high) / 2 + self.c * (beside(high) - beside(low))

    def density(self, lam: np.ndarray) -> np.ndarray:
        return self.c * (1 + np.sin(np.log(np.maximum(np.abs(lam - 0.5), 1e-300))) / 2)


def _no_limit() -> list[Number]:
    mixing = Oscillating()
    points = np.array([[0.0, 1], [0, -1], [-1, 0], [3, 0]]), np.array([0, 0, 1, 1])

    def by_quadrature(eps: float) -> float:
        """In s = log t for the short segment; the long one has the weights 1/4 and 3/4."""
        top = np.log(eps / 2)
        short, _ = integrate.quad(
            lambda s: (1 + np.sin(s) / 2) * np.exp(s), top - 40, top, limit=200
        )
        long, _ = integrate.quad(mixing.density, 0.25 - eps / 4, 0.25 + eps / 4)
        return 2 * mixing.c * short / (2 * mixing.c * short + long)

    eps = 2 * np.exp(0.75 * np.pi - 4 * np.pi)  # and as often as eps is multiplied by exp(-2 pi)
    ours, other = [], []
    for e in (eps, eps * np.exp(-np.pi)):
        ours.append(float(mixup_optimal(*points, mixing, e, np.zeros((1, 2)))[0, 0]))
        other.append(by_quadrature(e))
    what = "h_eps^1(0) at eps = 2 exp(-13 pi / 4) less that at exp(-pi) times it"
    return [
        Number("h_eps^1(0) at eps = 2 exp(-13 pi / 4)", None, ours[0], other[0], 1e-6),
        Number(what, 0.0, ours[0] - ours[1], other[0] - other[1], 1e-6),
    ]


def _xi() -> list[Number]:
    eps = 0.5
    xi, _ = coefficients(*CROSS, UNIFORM, eps, np.zeros(2))
    other, _ = direct.coefficients(*CROSS, 1, 1, eps, np.zeros(2))
    what = "xi^{1,1} at the origin, eps = 0.5"
    return [Number(what, eps / 4, float(xi[0, 0]), float(other[0, 0]))]


ERRATA = (
    Erratum(
        id="def2_1_simplex",
        where="Definition 2.1",
        kind=Kind.MISPRINT,
        printed="The best constant theta in a ball is sought over all of [0, 1]^k.",
        right="Over the probability simplex: theta >= 0 with coordinates that add up to 1.",
        derivation="""
            1. In the ball J_mix(theta) = -sum_i c_i log theta^i, with c_i >= 0 the numerator of
               (1).
            2. Every term falls with its theta^i, so over [0, 1]^k theta = (1, ..., 1) is best,
               loss 0.
            3. On the simplex the multiplier of the sum gives theta^i = c_i / sum_q c_q, which is
               (1).
            """,
        holds="Everything: the proof of Lemma 2.3 uses that the coordinates add up to 1.",
        witness=_simplex,
    ),
    Erratum(
        id="prop2_2_proof",
        where="Proposition 2.2, proof",
        kind=Kind.PROOF,
        printed="""
            h(x) as a constant has a smaller loss than g on a small ball about x where g(x)
            differs.
            """,
        right="""
            Its loss there is infinite wherever a coordinate of h(x) is 0 and its class is mixed
            into the ball, as at every data point with another class around. Also J_mix(eps')|_B
            is negative, so that both comparisons have the wrong sign, and inequalities for
            constants on overlapping balls do not add up to one for h.
            """,
        derivation="""
            1. Let mu be the law of the mixed point, nu_i its part with label i, eta_i = d nu_i /
               d mu.
            2. (1) is nu_i(B) / mu(B), which tends to eta_i(x) for mu-almost every x
               (Besicovitch).
            3. So every h in C* equals eta almost everywhere, and all of them have one loss.
            4. J_mix(g) = -integral of sum_i eta_i log g^i d mu is least, point by point, at g =
               eta.
            """,
        holds="""
            The proposition, and more: h has the least loss of all measurable classifiers,
            continuous or not.
            """,
        witness=_infinite,
    ),
    Erratum(
        id="lemma2_3_atoms",
        where="Lemma 2.3, and section 2.2 below Remark 2.4",
        kind=Kind.CONDITION,
        printed="`h_eps` is continuous on `X_mix` for every `eps > 0`.",
        right="""
            So it is where P_X has no atoms. On finite data h_eps jumps at the points of X_mix
            whose distance from a data point is eps, unless h_eps is that point's label already.
            Its extension off X_mix is Dugundji's, with values in the simplex; Tietze's has them
            in [0, 1]^k.
            """,
        derivation="""
            1. x_m -> x gives xi_{x_m} -> xi_x if the sphere of radius eps about x has measure 0.
            2. A segment of two points meets it in two lambda at most, which have P_f-measure 0.
            3. The pair of a point with itself lies at that point: it brings 1/n^2 at once.
            4. With C the mass without it the point's class jumps by (1/n^2)(1 - h) / (C + 1/n^2).
            5. X_3^2, alpha = 1, eps = 0.4, x = 0.4, in units of 1/9: class 1 has 1.76 of 2.4
               without the self-pair of 0, and 2.76 of 3.4 with it.
            """,
        holds="""
            h_eps is well defined and is (1); X_mix is compact; h_eps is continuous elsewhere, as
            at the data unless eps is a distance of two data points, so Theorem 2.7 is not
            touched.
            """,
        witness=_jumps,
    ),
    Erratum(
        id="remark2_4_limit",
        where="Remark 2.4, and the proof of Theorem 3.2",
        kind=Kind.CONDITION,
        printed="On finite data the limit of h_eps exists for every P_f that has a density.",
        right="""
            Lebesgue's theorem gives it for almost every lambda, and a point x has finitely many
            lambda, which may be the exceptions. A density that is continuous and positive there
            is enough: Beta(alpha, alpha), for x not a data point.
            """,
        derivation="""
            1. X_1 = {(0, 1), (0, -1)}, X_2 = {(-1, 0), (3, 0)}: at the origin lambda is 1/2 on a
               segment of length 2, and 1/4 or 3/4 on one of length 4.
            2. Let f = c (1 + sin(log|lambda - 1/2|) / 2), which lies between c/2 and 3c/2.
            3. Its mean over |lambda - 1/2| < t is c (1 + (sin - cos)(log t) / 4): it never
               settles.
            4. At 1/4 and 3/4 f is continuous, so h_eps^1(0) swings between .7177 and .8418 for
               ever.
            """,
        holds="""
            The limit for Beta(alpha, alpha), and at data points for every P_f (Proposition 2.8).
            It is sum w share / sum w over the segments through x, w = (f(lambda) + f(1 - lambda))
            / length.
            """,
        witness=_no_limit,
    ),
    Erratum(
        id="prop2_5_xi",
        where="Proposition 2.5, proof",
        kind=Kind.MISPRINT,
        printed="`xi^{1,1} = xi^{2,2} = eps/4` at the origin.",
        right="`eps/8`, for `eps <= 1`.",
        derivation="""
            1. The points of a class are 2 apart: |2 lambda - 1| < eps has the P_f-measure eps,
               not 2 eps, as the ball about 1/2 has the radius eps/2.
            2. 2 of the 16 ordered pairs run through the origin: 2/16 of eps is eps/8.
            """,
        holds="Both are equal, so that h(0) = (1/2, 1/2), and the proposition.",
        witness=_xi,
    ),
)
