"""Abstract, section 5 and appendix B.3: slopes, where the expansion holds, the feature map."""

from __future__ import annotations

import numpy as np
import torch
from scipy.integrate import quad
from scipy.optimize import minimize, root
from scipy.special import expit

from mixup_repro.beta import lambda_quadrature
from mixup_repro.methods.modified import modified
from mixup_repro.papers.carratino2020.errata import direct, formulas
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.perturbation import covariance, mixup_risk
from mixup_repro.theory.taylor import logistic

X = np.array([-0.443, 0.711, -1.686, 0.478, 1.1, 0.359, 1.238, -0.348])
Y = (np.arange(8) == 7).astype(float)  # only the last is of class 1: not separable


def _mixed(lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mixed points and labels (l, 8, 8) of the eight points."""
    weights = lam[:, None, None]
    x, y = (weights * z[:, None] + (1 - weights) * z for z in (X, Y))
    return x, y


def _fitted(lam: np.ndarray, weight: np.ndarray) -> float:
    """Slope of the logistic model with intercept that minimises the Mixup risk."""
    x, y = _mixed(lam)

    def risk(at: np.ndarray) -> float:
        return float(weight @ direct.logistic(y, at[0] * x + at[1]).mean((1, 2)))

    def gradient(at: np.ndarray) -> np.ndarray:
        off = expit(at[0] * x + at[1]) - y
        return np.array([weight @ (off * x).mean((1, 2)), weight @ off.mean((1, 2))])

    found = minimize(risk, np.zeros(2), jac=gradient, method="BFGS", options={"gtol": 1e-11})
    return float(found.x[0])


def _root(lam: np.ndarray) -> float:
    """The same as the root of the gradient, for these equally likely values of lambda."""
    x, y = _mixed(lam)

    def gradient(at: np.ndarray) -> list[float]:
        off = expit(at[0] * x + at[1]) - y
        return [float((off * x).mean()), float(off.mean())]

    return float(root(gradient, np.zeros(2), tol=1e-13).x[0])


def _steeper() -> list[Number]:
    erm = abs(_root(np.ones(1)))
    ours = abs(_fitted(*lambda_quadrature(1.0)))
    other = abs(_root((np.arange(2000) + 0.5) / 2000))
    what = "steepness of a logistic fit of eight points with Mixup"
    return [
        Number("steepness of ERM's fit", None, abs(_fitted(np.ones(1), np.ones(1))), erm, 1e-6),
        Number(f"{what}; printed: no more than ERM's", erm, ours, other, 1e-6),
    ]


def _expansion_error(alpha: float, scale: float = 1.0) -> float:
    """(4) less (12), in units of |R1 + R3|: the logistic loss, f(x) = x, the four points."""
    x, y = torch.from_numpy(scale * formulas.POINTS), torch.from_numpy(formulas.LABELS[:, None])
    p = torch.sigmoid(modified(x, alpha))
    curved = (p * (1 - p) * covariance(x, x, alpha)[:, 0]).mean() / 2
    r13 = float(curved - covariance(y, x, alpha).mean())
    plain = float(logistic(modified(y, alpha), modified(x, alpha)).mean())
    return (float(mixup_risk(logistic, lambda z: z, x, y, alpha)) - plain - r13) / abs(r13)


def _first_order() -> float:
    """Its limit for alpha -> 0: all that is of the order of alpha in (4) and in (12).

    Beta(alpha, alpha) has mass 1/2 at 0 and 1 and the density (alpha/2) / (lambda (1 - lambda));
    1 - theta_bar is alpha log 2, and sigma^2 and gamma^2 are alpha (log 2 - 1/2).
    """
    x, y = formulas.POINTS[:, 0], formulas.LABELS
    shrink, spread, total = float(np.log(2)), float(np.log(2)) - 0.5, 0.0
    for i, j in np.ndindex(4, 4):

        def rate(lam: float, i: int = i, j: int = j) -> float:
            shares = np.array([lam, 0.0, 1.0])
            mixed, target = (shares * z[i] + (1 - shares) * z[j] for z in (x, y))
            loss = direct.logistic(target, mixed)
            chord = (1 - lam) * loss[1] + lam * loss[2]
            return float((loss[0] - chord) / (2 * lam * (1 - lam)))

        total += quad(rate, 0, 1)[0] / 16
    a, b, p = x - x.mean(), y - y.mean(), expit(x)
    moved = -shrink * ((p - y) * a - x * b)
    curved = p * (1 - p) * (a**2 + (a**2).mean()) / 2 - a * b - (a * b).mean()
    r13 = spread * float(curved.mean())
    return (total - float(moved.mean()) - r13) / abs(r13)


def _small_alpha() -> list[Number]:
    limit = _first_order()
    about = "(4) less (12), over |R1 + R3|"
    return [
        Number(
            f"{about}, alpha = 1e-4; printed: vanishes", 0.0, _expansion_error(1e-4), limit, 1e-4
        ),
        Number(
            f"{about}, alpha = 1e-6; printed: vanishes", 0.0, _expansion_error(1e-6), limit, 1e-4
        ),
    ]


def _kink() -> list[Number]:
    at, step, sharp = 0.1, 0.5, 2000.0

    def smooth(z: float) -> float:
        return float(np.logaddexp(0, sharp * z) / sharp)

    moved = float(torch.relu(torch.tensor([at + step, at - step], dtype=torch.float64)).mean())
    other = (smooth(at + step) + smooth(at - step)) / 2 - smooth(at)
    what = "mean change of relu at .1 under +-.5; printed: to second order, with R2's f'' = 0"
    return [Number(what, 0.0, moved - at, other, 1e-9)]


def _kernel() -> list[Number]:
    sigma, distance = 10.0, 0.05

    def integrand(s: float) -> float:
        density = np.exp(-(s**2) / 2) / np.sqrt(2 * np.pi)
        return float(density * np.cos(sigma * s * distance) / 2)  # the mean over B of both cosines

    kernel = float(np.exp(-((sigma * distance) ** 2) / 2))
    what = "E phi(x).phi(x') at distance .05; printed: the kernel of [31]"
    return [Number(what, kernel, kernel / 2, quad(integrand, -12, 12)[0])]


ERRATA = (
    Erratum(
        id="lipschitz",
        where="Abstract and introduction",
        kind=Kind.CONDITION,
        printed="Mixup reduces the Lipschitz constant of the estimator.",
        right="""
            No statement of the paper bounds one. R1 penalises the distance from J^(i), not the norm
            of the Jacobian, and R1 + R3 rewards slope along Sigma_yx. A fit can become steeper.
            """,
        derivation="""
            1. By Corollary 3 linear least squares keeps its slope exactly.
            2. Mixup's logistic fit of these eight points, one of class 1 between the others, is
               steeper than ERM's: modified labels flatten it, and modified inputs make it steeper
               by up to 1 / theta_bar.
            """,
        holds="In most cases that one draws, the fit is less steep.",
        witness=_steeper,
    ),
    Erratum(
        id="small_alpha",
        where="Section 5, validity of the Taylor approximation",
        kind=Kind.CONDITION,
        printed="(10) is a good approximation of (4) for small perturbations.",
        right="""
            Small means small against the scale on which f and the loss bend. A small alpha does not
            make them so: it makes large perturbations rare.
            """,
        derivation="""
            1. For alpha -> 0, lambda is 0 or 1 but with a probability of the order of alpha, where
               it is spread over the whole of (0, 1).
            2. So the regularisers and the error of (10) are both of the order of alpha, and their
               quotient has a limit that is not 0.
            3. With data of scale h the error is O(h^3), the regularisers O(h^2).
            """,
        holds="The statement, if it is read of the data's scale. Here the error is 3 % of R1 + R3.",
        witness=_small_alpha,
    ),
    Erratum(
        id="relu_hessian",
        where="Theorem 2 and section 5, on LeNet",
        kind=Kind.UNSAID,
        printed="R2 is dropped for LeNet, as its non-convexity makes training unstable.",
        right="""
            With ReLU or max-pooling f is piecewise linear: R2 is 0 wherever it is defined, and
            there is nothing to drop. The theorem wants f twice differentiable; the activation is
            not told.
            """,
        derivation="""
            1. The Hessian of a piecewise linear f is 0 almost everywhere, so R2 = 0.
            2. The curvature is in the kinks, which no Taylor expansion at x~ sees: (relu(.6) +
               relu(-.4)) / 2 - relu(.1) = .3 - .1 = .2.
            """,
        holds="The argument for smooth activations.",
        witness=_kink,
    ),
    Erratum(
        id="b3_features",
        where="Appendix B.3, feature map",
        kind=Kind.UNSAID,
        printed="The random features of [31] are `cos(S x + B) / sqrt(M)`.",
        right="[31] has `sqrt(2 / M)`: this is half of its kernel, and a step of 5 is 2.5 there.",
        derivation="""
            1. cos(a + B) cos(b + B) = (cos(a - b) + cos(a + b + 2 B)) / 2, and the mean of the
               second over B is 0.
            2. The mean over S of cos(S (x - x')) is the Gaussian kernel k: E phi.phi = k / 2.
            3. With sqrt 2 phi and w / sqrt 2 the function is the same, and a gradient step on the
               new weights is twice as long in f.
            """,
        holds="It is a legitimate choice; the runs here use it as printed.",
        witness=_kernel,
    ),
)
