"""Label smoothing raises the entropy of linear predictions (Carratino et al., Proposition 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax, xlogy

from mixup_repro.beta import theta_bar


def entropy(p: np.ndarray) -> np.ndarray:
    """Z(p) = -sum_j p_j log p_j over the last axis, in nats."""
    return -xlogy(p, p).sum(-1)


def softmax_regression(x: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """W (c, d) that minimises the mean cross-entropy of W x_i to optimality (eq. 23, 24).

    x (n, d) are inputs, targets (n, c) sum to 1.

    Raises:
        ValueError: one class only; or the minimum is not attained (the data are separable, so W
            grows without bound) and the gradient does not vanish.
    """
    n, d = x.shape
    c = targets.shape[1]
    if c < 2:
        raise ValueError("classification needs at least two classes")

    def value(w: np.ndarray) -> float:
        return -(targets * log_softmax(x @ w.reshape(c, d).T, axis=1)).sum() / n

    def gradient(w: np.ndarray) -> np.ndarray:
        return ((softmax(x @ w.reshape(c, d).T, axis=1) - targets).T @ x / n).ravel()

    def curvature(w: np.ndarray) -> np.ndarray:
        p = softmax(x @ w.reshape(c, d).T, axis=1)
        h = np.einsum("ni,ij->nij", p, np.eye(c)) - np.einsum("ni,nj->nij", p, p)
        return np.einsum("nij,na,nb->iajb", h, x, x).reshape(c * d, c * d) / n

    options = {"gtol": 1e-12, "maxiter": 500}
    start = np.zeros(c * d)
    found = minimize(
        value, start, jac=gradient, hess=curvature, method="trust-exact", options=options
    )
    # On separable data every longer W is better, and the gradient only tends to zero.
    if np.abs(gradient(found.x)).max() > 1e-8 or value(1.5 * found.x) < value(found.x):
        raise ValueError("no finite minimum: the classes are linearly separable")
    return found.x.reshape(c, d)


@dataclass(frozen=True)
class Entropies:
    """Mean entropies in nats of the predictions without and with smoothing, and their bound."""

    plain: float  # mean Z(p_i)
    smoothed: float  # mean Z(p~_i)
    bound: float  # theta_bar mean Z(p_i) + (1 - theta_bar) Z(y_bar)
    prior: float  # Z(y_bar)


def proposition_1(x: np.ndarray, y: np.ndarray, alpha: float) -> Entropies:
    """Both sides of Proposition 1 for data x (n, d) and one-hot y (n, c), without intercept.

    It says that bound <= smoothed; and that plain <= smoothed where plain <= prior.

    Raises:
        ValueError: as `softmax_regression`, or alpha <= 0.
    """
    shrunk = y.mean(0) + theta_bar(alpha) * (y - y.mean(0))
    plain, smoothed = (
        float(entropy(softmax(x @ softmax_regression(x, t).T, axis=1)).mean()) for t in (y, shrunk)
    )
    prior = float(entropy(y.mean(0)))
    bound = theta_bar(alpha) * plain + (1 - theta_bar(alpha)) * prior
    return Entropies(plain, smoothed, bound, prior)
