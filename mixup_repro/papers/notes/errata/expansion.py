"""The expansion of the Mixup risk: around what, and what its terms want (A12, A13)."""

from __future__ import annotations

import numpy as np
import torch

from mixup_repro.papers.carratino2020.errata import direct, formulas
from mixup_repro.papers.carratino2020.errata.direct import Local
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.taylor import quadratic_risk, squared_error

X, Y = formulas.POINTS, formulas.LABELS
SLOPE = 2.0  # of the labels of `_jacobian`, and of the logits of the others


def _r1(slope: float) -> tuple[float, float]:
    """R1 of f(x) = slope x on labels SLOPE x, squared error: by its formula, and enumerated."""
    x = torch.from_numpy(X)
    ours = quadratic_risk(squared_error, lambda z: slope * z, x, SLOPE * x, 1.0).r1
    weight = direct.probabilities(len(X))
    square = [weight @ direct.noise(X, i)[:, 0] ** 2 for i in range(len(X))]
    return float(ours), float((SLOPE - slope) ** 2 * np.mean(square) / 2)


def _jacobian() -> list[Number]:
    at_zero = _r1(0.0)
    numbers = [Number("R1 at slope 0, labels y = 2 x", None, *at_zero)]
    for slope in (1.0, SLOPE):
        what = f"R1 at slope {slope:g}; printed: no less than at slope 0"
        numbers.append(Number(what, at_zero[0], *_r1(slope)))
    return numbers


def _at(bend: float) -> Local:
    """f(x) = SLOPE x at the modified points, with a curvature against the sign of l_u."""
    u = SLOPE * formulas.modified(X)[:, 0]
    against = -np.sign(1 / (1 + np.exp(-u)) - formulas.modified(Y))
    return Local(u, np.full((len(X), 1), SLOPE), bend * against[:, None, None])


def _hessian() -> list[Number]:
    numbers = []
    for bend in (0.0, 1.0, 10.0):
        ours, other = (route.quadratic(X, Y, _at(bend)).r2 for route in (formulas, direct))
        what = f"R2 at curvatures of size {bend:g}"
        printed = f"{what}; printed: a penalty, no less than without curvature"
        numbers.append(Number(printed if bend else what, 0.0 if bend else None, ours, other))
    return numbers


def _centre() -> list[Number]:
    ours, other = (route.quadratic(X, Y, _at(0.0)).loss for route in (formulas, direct))
    own = float(np.logaddexp(0, SLOPE * X[:, 0]).mean() - (Y * SLOPE * X[:, 0]).mean())
    shift = np.mean([direct.probabilities(4) @ _moved(i) for i in range(4)])
    return [
        Number("first term of the expansion of Carratino et al., f = 2 x", own, ours, other),
        Number(
            "mean step from x_i towards its mixtures, in size; printed: 0",
            0.0,
            float(0.25 * np.abs(X - X.mean(0)).mean()),
            float(shift),
        ),
    ]


def _moved(i: int) -> np.ndarray:
    """Steps from x_i to its mixtures in the direction of the data's mean, as in `direct.noise`."""
    centre = direct.THETA_BAR * X[i] + (1 - direct.THETA_BAR) * X.mean(0)
    towards = np.sign(X.mean(0) - X[i])
    return np.asarray((direct.noise(X, i) + centre - X[i]) @ towards)


ERRATA = (
    Erratum(
        id="other_centre",
        where="A12",
        kind=Kind.CONDITION,
        printed="""
            Carratino et al. expand the loss around the original examples, which gives the standard
            cross-entropy and regularisers.
            """,
        right="""
            They expand around modified data, `x~_i = x_bar + theta_bar (x_i - x_bar)` and `y~_i`,
            and the first term is the loss of these. Around the originals there is an expansion of
            Zhang et al. (2021), with other terms and a term of first order.
            """,
        derivation="""
            1. Given example i the mean mixture is x~_i, not x_i: E theta = theta_bar, and the
               partner's mean is x_bar.
            2. So steps from x~_i have mean zero and the first order vanishes. Steps from x_i have
               the mean (1 - theta_bar)(x_bar - x_i).
            3. The first terms are l(y~_i, f(x~_i)) and l(y_i, f(x_i)).
            """,
        holds="Each expansion, with its own centre and terms (`taylor_centre`).",
        witness=_centre,
    ),
    Erratum(
        id="jacobian_target",
        where="A13",
        kind=Kind.FALSE,
        printed="The second-order term in the Jacobian discourages large input gradients.",
        right="""
            R1 is a distance of the Jacobian from J^(i), a slope of the labels by the inputs, and
            not from zero. Where labels change quickly a large gradient is what it asks for.
            """,
        derivation="""
            1. The terms in J of second order are <Sigma_xx, J' H J> / 2 - <Sigma_yx, J>.
            2. Completing the square makes them a squared distance from J^(i) = H^-1 Sigma_yx
               Sigma_xx^-1, and a term R3 without J.
            3. For squared error H is the identity; labels y = a x have Sigma_yx = a Sigma_xx, so
               J^(i) = a and R1 = (J - a)^2 Sigma_xx / 2.
            """,
        holds="""
            Networks trained with Mixup can have smaller Jacobians for other reasons, such as
            smaller logits: a question to runs (`jacobian_norm`).
            """,
        witness=_jacobian,
    ),
    Erratum(
        id="hessian_sign",
        where="A13",
        kind=Kind.FALSE,
        printed="The second-order term in the Hessian is a penalty that discourages curvature.",
        right="""
            R2 is linear in the Hessian: of either sign, without a minimum. Bending f the right way
            lowers it as far as one likes. Carratino et al. leave it out.
            """,
        derivation="""
            1. Of l(y~ + epsilon, f(x~ + delta)) the term in f_xx is l_u . (delta' f_xx delta) / 2.
            2. Its mean <l_u f_xx, Sigma_xx> / 2 changes sign with f_xx, and with l_u = S(f) - y~.
            3. For curvatures of size k against the sign of l_u it is -k times a positive number.
            """,
        holds="""
            The Mixup risk itself penalises a path between examples that is not straight, where its
            ends are fitted (`path_error`).
            """,
        witness=_hessian,
    ),
)
