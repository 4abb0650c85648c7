"""The other route to the errata's numbers: expectations by enumeration. alpha = 1 everywhere.

lambda is then uniform on [0, 1] and theta on [1/2, 1], so Gauss-Legendre nodes integrate them.
Nothing here knows Lemma 1 or the closed forms of `beta`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

THETA_BAR = 0.75

Array = np.ndarray


def uniform(low: float, high: float, nodes: int = 60) -> tuple[Array, Array]:
    """Values and weights of the uniform distribution on an interval."""
    t, weight = np.polynomial.legendre.leggauss(nodes)
    return low + (high - low) * (1 + t) / 2, weight / 2


def logistic(y: Array, u: Array) -> Array:
    """l^LR(y, u) (eq. 15)."""
    return np.logaddexp(0, u) - y * u


def squared(y: Array, u: Array) -> Array:
    """l^SE(y, u) (eq. 3), for y and u (..., c)."""
    return np.square(y - u).sum(-1) / 2


def mixup(
    loss: Callable[[Array, Array], Array],
    f: Callable[[Array], Array],
    x: Array,
    y: Array,
    nodes: int = 60,
) -> float:
    """The Mixup risk (4) of f, which maps points (..., d), on x (n, d) and y (n, ...)."""
    total = 0.0
    for lam, weight in zip(*uniform(0, 1, nodes)):
        for i, j in np.ndindex(len(x), len(x)):
            mixed, target = (lam * z[i] + (1 - lam) * z[j] for z in (x, y))
            total += weight * float(loss(target, f(mixed)))
    return total / len(x) ** 2


def noise(z: Array, i: int, nodes: int = 4) -> Array:
    """delta_i (or epsilon_i) of eq. (6) for every theta and partner, (nodes * n, ...)."""
    theta, _ = uniform(0.5, 1, nodes)
    mixed = [t * z[i] + (1 - t) * other for t in theta for other in z]
    return np.array(mixed) - (THETA_BAR * z[i] + (1 - THETA_BAR) * z.mean(0))


def probabilities(n: int, nodes: int = 4) -> Array:
    """Of the perturbations in the order of `noise`."""
    return np.repeat(uniform(0.5, 1, nodes)[1], n) / n


@dataclass(frozen=True)
class Local:
    """A scalar f at the n modified inputs: values (n,), gradients (n, d), Hessians (n, d, d)."""

    u: Array
    g: Array
    q: Array


@dataclass(frozen=True)
class Terms:
    """Of the approximate risk of the logistic loss: modified loss, R1 + R3, R2."""

    loss: float
    r13: float
    r2: float

    @property
    def total(self) -> float:
        return self.loss + self.r13 + self.r2


def quadratic(x: Array, y: Array, at: Local) -> Terms:
    """The mean of (11) with the logistic loss over every theta, partner and point."""
    targets = y.mean() + THETA_BAR * (y - y.mean())
    weight, r13, r2 = probabilities(len(x)), 0.0, 0.0
    for i, target in enumerate(targets):
        delta, epsilon = noise(x, i), noise(y, i)
        share = expit(at.u[i])
        du = delta @ at.g[i]
        r13 += weight @ (share * (1 - share) * du**2 / 2 - epsilon * du)
        r2 += weight @ ((share - target) * ((delta @ at.q[i]) * delta).sum(1) / 2)
    return Terms(float(logistic(targets, at.u).mean()), r13 / len(x), r2 / len(x))
