"""Straight lines between examples, and what the second-order expansions say of them."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import torch
from scipy.integrate import quad
from torch import Tensor
from torch.func import grad, vmap

from mixup_repro.beta import lambda_quadrature
from mixup_repro.methods.modified import Function
from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.notes.theorems.direct import ALPHAS, ROUNDING, STRICTLY
from mixup_repro.theory import paths
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.moments import beta_moment
from mixup_repro.theory.optimal import mixup_optimal_limit
from mixup_repro.theory.perturbation import Loss, mixup_risk
from mixup_repro.theory.taylor import cross_entropy, logistic, quadratic_risk, squared_error


def line_error(t: float, *net: np.ndarray, ends: np.ndarray) -> float:
    """The squared distance of a ReLU network (w, b, v) from the line between its ends, at t."""
    w, b, v = net
    at = np.array([0, 1, t])[:, None]
    f = np.maximum((ends[0] + at * (ends[1] - ends[0])) @ w.T + b, 0) @ v
    return float((f[2] - (1 - t) * f[0] - t * f[1]) ** 2)


def path_error() -> list[Check]:
    """What Mixup's squared error adds on a segment whose ends are fitted, from the kinks."""
    errors = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        w, b, v = rng.normal(size=(8, 3)), rng.normal(size=8), rng.normal(size=8)
        ends = rng.normal(size=(2, 3))
        t, change = paths.kinks(w, b, v, *ends)
        square = partial(line_error, ends=ends)
        found = quad(square, 0, 1, (w, b, v), points=sorted(t), epsabs=1e-12)[0]
        errors.append(abs(paths.path_error(t, change) - found))
    said = "ReLU networks, both ends fitted: mean squared error less what the kinks make"
    return [Check(said, len(errors), max(errors), ROUNDING)]


def path_occam() -> list[Check]:
    """The optimum between two points, and where segments lie on each other."""
    alone: list[float] = []
    shared: list[float] = []
    for alpha in ALPHAS:
        for points, labels, errors in (([0, 1], [0, 1], alone), ([0, 1, 2], [0, 1, 0], shared)):
            h = mixup_optimal_limit(points, labels, Beta(alpha, alpha), [0.3])[0, 1]
            errors.append(abs(float(h) - 0.3))
    return [
        Check(
            "as it holds, one pair, at 0.3 of the way: optimum less the line's", 3, max(alone), 1e-9
        ),
        Check("as printed, classes 0, 1, 0 on a line, the same place", 3, max(shared), 1e-9),
    ]


def data(seed: int, d: int = 2) -> tuple[Tensor, Tensor]:
    """Six inputs in d dimensions and one-hot labels of three classes."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(6, d, generator=g, dtype=torch.float64)
    return x, torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0, 1, 0]]


def network(seed: int, d: int = 2) -> Function:
    """A smooth network of three outputs."""
    g = torch.Generator().manual_seed(100 + seed)
    v, w = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((8, d), (3, 8)))
    return lambda x: torch.tanh(x @ v.T) @ w.T


def own_label_risk(loss: Loss, f: Function, x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """E l(y_i, f(x_i + s (x_j - x_i))) with 1 - s ~ Beta(alpha + 1, alpha), all pairs.

    For losses affine in the label it is the Mixup risk: lambda's share of the label is its weight.
    """
    risk = torch.zeros((), dtype=x.dtype)
    for lam, weight in zip(*lambda_quadrature(alpha)):
        inputs = lam * x[:, None] + (1 - lam) * x
        risk = risk + 2 * lam * weight * loss(y[:, None], f(inputs)).mean()
    return risk


def around_originals(loss: Loss, f: Function, x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """The same to second order in s: around the originals (Zhang et al. 2021)."""
    first, second = 2 * beta_moment(alpha, 1, 1), 2 * beta_moment(alpha, 1, 2)

    def one(own: Tensor, label: Tensor, other: Tensor) -> Tensor:
        def along(s: Tensor) -> Tensor:
            return loss(label, f(own + s * (other - own)))

        at = torch.zeros((), dtype=x.dtype)
        return along(at) + first * grad(along)(at) + second * grad(grad(along))(at) / 2

    pairs = vmap(vmap(one, (None, None, 0)), (0, 0, None))
    return pairs(x, y, x).mean()


def taylor_centre() -> list[Check]:
    """Around which points the expansions are, and how far off they are."""
    identity, apart, ratio = [], [], []
    for seed, alpha in product(range(3), ALPHAS):
        (x, y), f = data(seed), network(seed)
        exact = mixup_risk(cross_entropy, f, x, y, alpha)
        identity.append(abs(float(own_label_risk(cross_entropy, f, x, y, alpha) - exact)))
        terms = quadratic_risk(cross_entropy, f, x, y, alpha)
        apart.append(abs(float(terms.modified_loss - cross_entropy(y, f(x)).mean())))
        if alpha > 1:
            errors = (terms.total, around_originals(cross_entropy, f, x, y, alpha))
            modified_error, own_error = (abs(float(e - exact)) for e in errors)
            ratio.append(modified_error / own_error)
    return [
        Check(
            "as it holds, own labels, lambda ~ Beta(alpha + 1, alpha): less Mixup's risk",
            len(identity),
            max(identity),
            ROUNDING,
        ),
        Check(
            "as printed, Carratino et al.: first term less the cross-entropy of the data",
            len(apart),
            max(apart),
            ROUNDING,
        ),
        Check(
            "alpha = 8: error around modified data over that around originals, below 1",
            len(ratio),
            max(ratio),
            STRICTLY,
        ),
    ]


def linear(a: Tensor) -> Function:
    """x -> A x."""
    return lambda x: x @ a.T


def taylor_jacobian() -> list[Check]:
    """R1 of linear models: where it is least."""
    at_zero, at_best = [], []
    for seed, alpha in product(range(5), ALPHAS):
        g = torch.Generator().manual_seed(seed)
        x, a = (torch.randn(s, 2, generator=g, dtype=torch.float64) for s in (6, 3))
        small, best = (
            quadratic_risk(squared_error, linear(w), x, x @ a.T, alpha).r1 for w in (0 * a, a)
        )
        at_zero.append(float(small))
        at_best.append(abs(float(best)))
    return [
        Check("as it holds, R1 at J^(i), here y = A x and J = A", 15, max(at_best), ROUNDING),
        Check(
            "as printed, least at a zero Jacobian: R1 there less R1 at J^(i)",
            15,
            max(at_zero),
            ROUNDING,
        ),
    ]


def taylor_hessian() -> list[Check]:
    """The sign of R2 over random networks."""
    r2 = [
        float(quadratic_risk(cross_entropy, network(seed), *data(seed), alpha).r2)
        for seed, alpha in product(range(8), ALPHAS)
    ]
    return [
        Check("as printed, a penalty R2 >= 0: how far it is below", len(r2), -min(r2), ROUNDING)
    ]


def taylor_span() -> list[Check]:
    """The terms, with slope and curvature added to f across the plane that holds the inputs."""
    errors = []
    for seed, alpha in product(range(3), ALPHAS):
        (x, y), f = data(seed), network(seed)
        x = torch.nn.functional.pad(x, (0, 1), value=0.7)  # all inputs have the same third entry

        def flat(z: Tensor, f: Function = f) -> Tensor:
            return f(z[..., :2])

        def bent(z: Tensor, f: Function = f) -> Tensor:
            off = z[..., 2:] - 0.7
            return f(z[..., :2]) + 3 * off - 5 * off * f(z[..., :2]) + 4 * off**2

        one, other = (quadratic_risk(cross_entropy, g, x, y, alpha) for g in (flat, bent))
        errors += [abs(float(one.r1 - other.r1)), abs(float(one.r2 - other.r2))]
    said = "R1 and R2, less what they are with derivatives across the inputs' span added"
    return [Check(said, len(errors), max(errors), ROUNDING)]


def separable(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Centred inputs (10, 3), weights (1, 3), and the classes (10, 1) that these tell apart."""
    g = torch.Generator().manual_seed(seed)
    x, w = (torch.randn(n, 3, generator=g, dtype=torch.float64) for n in (10, 1))
    x = x - x.mean(0)
    return x, 3 * torch.rand(1, generator=g, dtype=torch.float64) * w, (x @ w.T > 0).double()


def adversarial(x: Tensor, y: Tensor, w: Tensor, radius: Tensor) -> Tensor:
    """The logistic loss under the worst step of length `radius` (n, 1), to second order in it."""
    u, size = x @ w.T, w.norm()
    p = u.sigmoid()
    first, second = radius * size * (p - y).abs(), (radius * size) ** 2 * p * (1 - p) / 2
    return (logistic(y, u)[:, None] + first + second).mean()


def adv_certified() -> list[Check]:
    """Zhang et al. 2021, logistic regression: the bound on a loss, and how far its radius reaches.

    The radius of example i is E[1 - lam] |cos(w, x_i)| times the least norm of an input.
    """
    over, useful = [], []
    for seed, alpha in product(range(20), ALPHAS):
        x, w, y = separable(seed)
        margin = (x @ w.T).abs() / w.norm()
        norm = x.norm(dim=1, keepdim=True)
        radius = 2 * beta_moment(alpha, 1, 1) * margin / norm * norm.min()
        mixed = around_originals(logistic, linear(w), x, y, alpha)
        over.append(float(adversarial(x, y, w, radius) - mixed))
        useful.append(float((margin / radius).min()))
    return [
        Check(
            "as it holds, to second order: adversarial loss less Mixup's, at most 0",
            len(over),
            max(over),
            0.0,
        ),
        Check(
            "as printed, a margin: distance from the boundary over the radius, below 1",
            len(useful),
            min(useful),
            STRICTLY,
        ),
    ]


THEOREMS = (
    Theorem("path_error", "B11", "Straying from the straight line is penalised.", path_error),
    Theorem("path_occam", "B11", "So the simplest function, a straight line, wins.", path_occam),
    Theorem(
        "taylor_centre",
        "A12",
        "The expansion around the original examples is the cross-entropy and penalties.",
        taylor_centre,
    ),
    Theorem(
        "taylor_jacobian",
        "A13",
        "The Jacobian term penalises large input gradients.",
        taylor_jacobian,
    ),
    Theorem("taylor_hessian", "A13", "The Hessian term penalises curvature.", taylor_hessian),
    Theorem(
        "taylor_span", "A13, A16", "Penalties act along directions between examples.", taylor_span
    ),
    Theorem("adv_certified", "A15, B36", "Mixup is provably robust to attacks.", adv_certified),
)
