"""Other routes to the numbers of `theory.optimal`: roots and quadrature pair by pair, and sums."""

from __future__ import annotations

import numpy as np
from scipy import integrate, stats
from scipy.special import rel_entr

from mixup_repro.theory.optimal import Classifier


def coefficients(
    x: np.ndarray, y: np.ndarray, a: float, b: float, eps: float, query: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """xi and xi_lambda (k, k) for Beta(a, b), by the roots of |lam s + (1 - lam) t - x| = eps."""
    lam, k = stats.beta(a, b), int(y.max()) + 1
    xi, xi_lambda = np.zeros((k, k)), np.zeros((k, k))
    for p, q in np.ndindex(len(x), len(x)):
        span, away = x[p] - x[q], x[q] - query
        ends = np.array([0.0, 1.0])
        if p == q:
            if away @ away >= eps**2:
                continue
        else:
            ends = np.roots([span @ span, 2 * span @ away, away @ away - eps**2])
            if np.iscomplex(ends).any():
                continue
            ends = np.sort(ends.real.clip(0, 1))
        xi[y[p], y[q]] += lam.cdf(ends[1]) - lam.cdf(ends[0])
        xi_lambda[y[p], y[q]] += integrate.quad(lambda t: t * lam.pdf(t), *ends)[0]
    return xi / len(x) ** 2, xi_lambda / len(x) ** 2


def h_eps(
    x: np.ndarray, y: np.ndarray, a: float, b: float, eps: float, query: np.ndarray
) -> np.ndarray:
    """Equation (1), (k,), of the coefficients above."""
    xi, xi_lambda = coefficients(x, y, a, b, eps, query)
    score = (xi_lambda + (xi - xi_lambda).T).sum(1)
    return np.asarray(score / score.sum())


def line_loss(g: Classifier, alpha: float, cells: int = 20_000) -> float:
    """J_mix on X_3^2 of a classifier, from places (q, 1) to shares (q, 2), that is even about 1.

    A sum over cells of lambda, each with its probability; cells of none to speak of are left out.
    """
    edges = np.linspace(0, 1, cells + 1)
    w, weight = (edges[1:] + edges[:-1]) / 2, np.diff(stats.beta(alpha, alpha).cdf(edges))
    w, weight = w[weight > 1e-40], weight[weight > 1e-40]
    own = -2 * np.log(g(np.zeros((1, 1)))[0, 0]) - np.log(g(np.ones((1, 1)))[0, 1])
    near = np.log(g(1 - w[:, None]))  # 0 has the weight w, 1 the rest; 1 and 2 alike
    across = -w * near[:, 0] - (1 - w) * near[:, 1]
    return float(own + weight @ (4 * across - 2 * np.log(g(2 * w[:, None])[:, 0]))) / 9


def line_excess(g: Classifier, alpha: float, cells: int = 20_000) -> float:
    """The same less the infimum, as the mean of KL(eta || g) over mixed points.

    At z in (0, 1) they have the density 2 f(z) from the pairs of 0 and 1, and f(z / 2) from 0 and
    2, in units of 1/9; eta is the mean of these pairs' labels.
    """
    z, f = (np.arange(cells) + 0.5) / cells, stats.beta(alpha, alpha).pdf
    near, far = 2 * f(z), f(z / 2)
    z, near, far = (v[near + far > 1e-40] for v in (z, near, far))
    eta = (near * (1 - z) + far) / (near + far), near * z / (near + far)
    shares = g(z[:, None]).T
    divergence = sum(rel_entr(p, q) for p, q in zip(eta, shares))
    own = -2 * np.log(g(np.zeros((1, 1)))[0, 0]) - np.log(g(np.ones((1, 1)))[0, 1])
    return float(own + 2 * ((near + far) @ divergence) / cells) / 9
