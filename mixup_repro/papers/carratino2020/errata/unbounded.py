"""Section 4 and 5: the approximate risk (10), which is not bounded below and looks elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from mixup_repro.papers.carratino2020.errata import direct, formulas
from mixup_repro.papers.carratino2020.errata.direct import Local
from mixup_repro.papers.errata import Erratum, Kind, Number

WIDTH = 0.02  # of the bumps
TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Features:
    """phi(x) = cos(S x + B) / sqrt(M) of appendix B.3, with sigma = 10 and M = 1000."""

    s: np.ndarray
    b: np.ndarray

    def local(self, x: np.ndarray, w: np.ndarray) -> Local:
        """f = w.phi with its derivatives, at points (n, 2)."""
        angle, root = x @ self.s.T + self.b, len(self.s) ** 0.5
        cos, sin = np.cos(angle) * w / root, np.sin(angle) * w / root
        return Local(cos.sum(1), -sin @ self.s, -np.einsum("nm,md,me->nde", cos, self.s, self.s))


def _moons() -> tuple[np.ndarray, np.ndarray, Features]:
    """Training points and labels of B.3, 30 of 150 labels flipped, and its features."""
    from sklearn.datasets import make_moons  # a second to import

    x, y = make_moons(300, noise=0.01, random_state=0)
    rng = np.random.default_rng(0)
    keep = rng.permutation(300)[:150]
    x, y = x[keep], y[keep].astype(float)
    y[:30] = 1 - y[:30]
    return x, y, Features(10 * rng.normal(size=(1000, 2)), rng.uniform(0, 2 * np.pi, 1000))


def descended(x: np.ndarray, y: np.ndarray, features: Features, steps: int = 30) -> np.ndarray:
    """w after gradient steps of length 5 on the approximate risk with R2, from w = 0."""
    s_xx, s_yx = formulas.covariances(x, y)
    targets, shrunk = formulas.modified(y), formulas.modified(x)
    s, root = features.s, len(features.s) ** 0.5
    angle = shrunk @ s.T + features.b
    cos, sin = np.cos(angle) / root, np.sin(angle) / root
    bent = -cos * np.einsum("md,nde,me->nm", s, s_xx, s)  # <Sigma_xx, Hessian> is this times w
    w = np.zeros(len(s))
    for _ in range(steps):
        share, g = expit(cos @ w), -(sin * w) @ s
        v = share * (1 - share)
        pulled = np.einsum("nde,ne->nd", s_xx, g)
        by_u = share - targets + v * (1 - 2 * share) * (g * pulled).sum(1) / 2 + v * (bent @ w) / 2
        by_g = v[:, None] * pulled - s_yx
        gradient = by_u @ cos - (sin * (by_g @ s.T)).sum(0) + (share - targets) @ bent / 2
        w = w - 5 * gradient / len(x)
    return w


def _ray() -> list[Number]:
    x, y, features = _moons()
    w = descended(x, y, features)
    shrunk = formulas.modified(x)
    numbers = []
    for factor in (1, 10, 100, 1000):
        at = features.local(shrunk, factor * w)
        ours, other = formulas.quadratic(x, y, at).total, direct.quadratic(x, y, at).total
        what = f"approximate risk of B.3 at {factor} w, w after 30 steps"
        numbers.append(Number(what, None, ours, other, 1e-9 * abs(other)))
    return numbers


def bumps(size: float) -> tuple[np.ndarray, np.ndarray]:
    """Values (4,) and slopes (4,) at the four modified points: logits of this size, best slopes."""
    s_xx, s_yx = formulas.covariances(formulas.POINTS, formulas.LABELS)
    u = size * (2 * formulas.LABELS - 1)
    return u, s_yx[:, 0] / (s_xx[:, 0, 0] * expit(u) * expit(-u))


def _bump(z: np.ndarray, u: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The sum of (u_k + g_k (z - x~_k)) exp(-((z - x~_k) / WIDTH)^2), for z (..., 1)."""
    away = z - formulas.modified(formulas.POINTS)[:, 0]
    return np.asarray(((u + g * away) * np.exp(-((away / WIDTH) ** 2))).sum(-1))


def _bumps() -> list[Number]:
    x, y, step, numbers = formulas.POINTS, formulas.LABELS, 1e-5, []
    none = np.zeros((len(x), 1, 1))
    for size in (0, 4, 8):
        u, g = bumps(float(size))
        ours = formulas.quadratic(x, y, Local(u, g[:, None], none))
        shrunk = formulas.modified(x)
        slope = (_bump(shrunk + step, u, g) - _bump(shrunk - step, u, g)) / (2 * step)
        other = direct.quadratic(x, y, Local(_bump(shrunk, u, g), slope[:, None], none))
        what = f"approximate risk without R2, logits of size {size}, best slopes"
        numbers.append(Number(what, None, ours.total, other.total, 1e-4))
    return numbers


def _on_triangle(c: float) -> Local:
    """27 c x1 x2 (1 - x1 - x2), 0 on the three edges, at the modified points."""
    a, b = formulas.modified(TRIANGLE[0]).T
    g = np.stack([b * (1 - 2 * a - b), a * (1 - a - 2 * b)], 1)
    cross = 1 - 2 * a - 2 * b
    q = np.stack([-2 * b, cross, cross, -2 * a], 1).reshape(-1, 2, 2)
    return Local(27 * c * a * b * (1 - a - b), 27 * c * g, 27 * c * q)


def _differences(c: float, step: float = 1e-4) -> Local:
    """The same by central differences, exact up to rounding for a cubic in each direction."""

    def f(z: np.ndarray) -> np.ndarray:
        return np.asarray(27 * c * z[:, 0] * z[:, 1] * (1 - z[:, 0] - z[:, 1]))

    z, e = formulas.modified(TRIANGLE[0]), step * np.eye(2)
    g = np.stack([(f(z + d) - f(z - d)) / (2 * step) for d in e], 1)
    q = [[f(z + d + h) - f(z + d - h) - f(z - d + h) + f(z - d - h) for d in e] for h in e]
    return Local(f(z), g, np.array(q).transpose(2, 0, 1) / (4 * step**2))


def _elsewhere() -> list[Number]:
    x, y = TRIANGLE

    def exact(c: float) -> float:
        return direct.mixup(
            direct.logistic, lambda z: 27 * c * z[0] * z[1] * (1 - z[0] - z[1]), x, y
        )

    numbers = [Number("Mixup risk (4), c = 20", None, float(np.log(2)), exact(20.0))]
    for c in (8.0, -8.0, 20.0):
        ours = formulas.quadratic(x, y, _on_triangle(c)).total
        other = direct.quadratic(x, y, _differences(c)).total
        what = f"approximate risk (10), c = {c:g}; printed: (4), which it approximates"
        numbers.append(Number(what, exact(c), ours, other, 1e-6))
    return numbers


def _one_point(u: float, slope: float) -> float:
    """The parts of (12) of one point that are not linear in its value and slope; variance 1."""
    return float(np.logaddexp(0, u) + expit(u) * expit(-u) * slope**2 / 2)


def _hessian(u: float, slope: float, step: float = 1e-4) -> np.ndarray:
    """Of it, (2, 2), by differences."""
    at, axes = np.array([u, slope]), step * np.eye(2)
    signs = [(a, b) for a in (1, -1) for b in (1, -1)]

    def second(d: np.ndarray, e: np.ndarray) -> float:
        return sum(a * b * _one_point(*(at + a * d + b * e)) for a, b in signs)

    return np.array([[second(d, e) for e in axes] for d in axes]) / (4 * step**2)


def _convex() -> list[Number]:
    numbers = []
    for steep in (3.61, 4.41):
        least = min(1 / 4 - steep / 16, 1 / 4)  # u = 0: v = 1/4, v' = 0, v'' = -1/8
        what = f"least eigenvalue of (12)'s Hessian in u and g, u = 0, g' Sigma g = {steep:g}"
        other = float(np.linalg.eigvalsh(_hessian(0.0, steep**0.5))[0])
        numbers.append(Number(what, None, least, other, 1e-6))
    return numbers


ERRATA = (
    Erratum(
        id="r2_unbounded",
        where="Section 5, validity of the Taylor approximation; appendix B.3",
        kind=Kind.UNSAID,
        printed="""
            R2 is dropped because it is not convex, which makes the minimisation of (12) unstable.
            """,
        right="""
            With R2 the approximate risk has no lower bound, on the paper's own two moons: there is
            no minimum to be found. The Mixup risk (4) is never negative.
            """,
        derivation="""
            1. For fixed f(x~_i) and grad f(x~_i), R2 is linear in the Hessian of f at x~_i, with a
               coefficient that is 0 only where S(f(x~_i)) = y~_i.
            2. So whatever can bend f at one x~_i takes (12) to minus infinity.
            3. With f = w.phi and k times w: loss, linear terms and R2 grow like k, and R1's
               quadratic part vanishes. Where their sum is negative, (12) falls like k.
            """,
        holds="R2 must be left out; gradient steps without R2, from w = 0, stay where they should.",
        witness=_ray,
    ),
    Erratum(
        id="eq12_unbounded",
        where="Section 4, eq. (10) and (12)",
        kind=Kind.CONDITION,
        printed="Without R2, (12) is a risk that can be minimised.",
        right="""
            For a class in which value and slope at each x~_i are free it has no lower bound either:
            the best slope gains more than the loss costs.
            """,
        derivation="""
            1. At a fixed logit u the best slope gives R1 + R3 = - q / (2 v(u)), with q > 0.
            2. 1 / v = e^u + 2 + e^-u, and the loss grows like |u|: the sum tends to minus infinity.
            3. A bump of any width at each x~_i has any value and slope there.
            """,
        holds="For affine f it is bounded: it is at least (theta_bar - k) |w.Sigma_xy| >= 0.",
        witness=_bumps,
    ),
    Erratum(
        id="disjoint_points",
        where="Sections 4 and 5, eq. (10), (21) and (22)",
        kind=Kind.CONDITION,
        printed="""
            Mixup learns a function of the modified inputs; (10) approximates its risk where
            perturbations are small.
            """,
        right="""
            (4) sees f on segments between data points only, and (10) sees it at the x~_i only. From
            three points in a plane on, these have nothing in common in general: each can be changed
            at will while the other stays.
            """,
        derivation="""
            1. x~_i = (t + (1 - t)/n) x_i + (1 - t)/n times the other points: it is inside of their
               hull, and on a segment only if a polynomial of the coordinates is zero.
            2. Take (0,0), (1,0), (0,1), labels 0, 1, 0, and f_c = 27 c x1 x2 (1 - x1 - x2): 0 on
               all edges, 0.1562 c at each x~_i.
            3. (4) is log 2 for every c, and (10) is not.
            """,
        holds="""
            For one smooth f and data of scale h both differ by O(h^3). That a trained network can
            be asked at x~ rests on its smoothness, not on Theorem 1.
            """,
        witness=_elsewhere,
    ),
    Erratum(
        id="b3_convexity",
        where="Appendix B.3",
        kind=Kind.CONDITION,
        printed="A model that is linear in w has no trouble with convergence: its risk is convex.",
        right="""
            True for ERM and Mixup. Approximate Mixup, without R2, is convex in value and slope only
            where `g^T Sigma g <= 4 / (1 + m^2)`, with `m = 1 - 2 s(u)`: between 2 and 4.
            """,
        derivation="""
            1. Of one point it is l(u) + v(u) g^2 S / 2 and linear terms. v' = v m and v'' = v
               (m^2 - 2 v), with m^2 = 1 - 4 v.
            2. The Hessian's determinant is S v^2 (1 - g^2 S (1 + m^2) / 4).
            """,
        holds="The statement for ERM and Mixup.",
        witness=_convex,
    ),
)
