"""Linear models on data of high dimension (Chidambaram et al., section 3.2).

Data are x (n, d) with n <= d, linearly independent, and labels y (n,) in {-1, 1}; a model is a
direction theta (d,) in their span, with outputs u = x theta.
Functions of labels raise ValueError as `check_labels` does.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize, nnls
from scipy.special import expit, softmax

from mixup_repro.beta import lambda_quadrature


def check_labels(x: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError for labels that are not both of -1 and 1, or dependent points."""
    if set(np.unique(y)) != {-1, 1}:
        raise ValueError(f"labels {np.unique(y)}: both of -1 and 1 are needed, and nothing else")
    if np.linalg.matrix_rank(x) < len(x):
        raise ValueError(f"{len(x)} points in {x.shape[1]} dimensions are linearly dependent")


def with_outputs(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The theta in the span of x with x theta = u; for u = y the interpolating solution."""
    return x.T @ np.linalg.solve(x @ x.T, u)


def max_margin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The maximum margin solution through the origin (Definition 3.4), as weights >= 0 by NNLS.

    theta = sum a_i y_i x_i with a >= 0 minimising |theta|^2 / 2 - sum a_i.
    """
    check_labels(x, y)
    z = y[:, None] * x
    factor = cholesky(z @ z.T, lower=True)
    weights, _ = nnls(factor.T, solve_triangular(factor, np.ones(len(x)), lower=True))
    return z.T @ weights


def interpolates(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the maximum margin solution interpolates (Definition 3.3, Lemma 3.7).

    It does where the interpolating solution gives every point a positive weight: then all of them
    are support vectors.
    """
    check_labels(x, y)
    z = y[:, None] * x
    return bool((cho_solve((cholesky(z @ z.T, lower=True), True), np.ones(len(x))) > 0).all())


def gradient_descent(x: np.ndarray, y: np.ndarray, steps: int = 20_000) -> np.ndarray:
    """ERM with the logistic loss by gradient descent from zero, long enough to have a direction.

    The gradient is divided by the loss, so that steps keep their length as the loss falls. This
    brings the direction to its limit at a rate of 1 / steps instead of 1 / log(steps).
    """
    check_labels(x, y)
    z = y[:, None] * x
    gram = z @ z.T
    step = 1 / np.linalg.eigvalsh(gram)[-1]
    weights = np.zeros(len(x))
    for _ in range(steps):
        margins = gram @ weights
        # Gradient over loss; by softmax where both have left the range of floats.
        loss = np.logaddexp(0, -margins).sum()
        share = expit(-margins) / loss if loss > 1e-200 else softmax(-margins)
        weights += step * share
    return z.T @ weights


def mixup_solution(
    x: np.ndarray, y: np.ndarray, alpha: float, across_only: bool = False, nodes: int = 20
) -> np.ndarray:
    """The theta in the span of x that minimises the Mixup loss of all n^2 pairs, to optimality.

    across_only: leave out pairs of one class, as the proof of Theorem 3.5 does, which argues that
    an interpolating solution minimises their loss too. In fact their loss falls with every margin,
    so that with these pairs classes of different sizes get outputs of different sizes.
    """
    check_labels(x, y)
    s, t = (index.ravel() for index in np.indices((len(y), len(y))))
    if across_only:
        s, t = s[y[s] != y[t]], t[y[s] != y[t]]
    lam, weight = (v[:, None] for v in lambda_quadrature(alpha, nodes))
    target = lam * (y[s] > 0) + (1 - lam) * (y[t] > 0)

    def value_and_gradient(u: np.ndarray) -> tuple[float, np.ndarray]:
        z = lam * u[s] + (1 - lam) * u[t]
        value = (weight * (np.logaddexp(0, z) - target * z)).sum() / len(s)
        slope = weight * (expit(z) - target) / len(s)
        own, other = (lam * slope).sum(0), ((1 - lam) * slope).sum(0)
        return value, np.bincount(s, own, len(u)) + np.bincount(t, other, len(u))

    options = {"gtol": 1e-12, "ftol": 1e-16, "maxiter": 2000}
    found = minimize(value_and_gradient, 0.1 * y, jac=True, method="L-BFGS-B", options=options)
    return with_outputs(x, found.x)


def curvature(points: np.ndarray, theta: np.ndarray, alpha: float, nodes: int = 40) -> np.ndarray:
    """The Hessian (2, 2) of two points' J_mix on their span, in an orthonormal basis (Lemma E.1).

    points: (2, d), of opposite labels, mixed with each other; the pairs of a point with itself only
    add to it. With m = lam x + (1 - lam) z and u = theta^T m it is E[s(u) s(-u) m m^T], s the
    logistic function.
    """
    lam, weight = lambda_quadrature(alpha, nodes)
    mix = np.stack([lam, 1 - lam], 1)
    u = mix @ (points @ theta)
    of_outputs = (mix * (weight * expit(u) * expit(-u))[:, None]).T @ mix
    _, factor = np.linalg.qr(points.T)
    return factor @ of_outputs @ factor.T


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """The angle between two directions (d,), in degrees; accurate for small ones too."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))


def bound(n: int) -> float:
    """The dimension above which Lemma 3.7 holds with probability 1 - 2/n: 10 n ln n + n - 1."""
    return 10 * n * np.log(n) + n - 1
