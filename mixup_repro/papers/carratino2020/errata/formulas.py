"""The approximate risk of the logistic loss by Lemma 1's covariances, at any values of f."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit

from mixup_repro.papers.carratino2020.errata.direct import Local, Terms, logistic
from mixup_repro.theory.perturbation import covariance

# Four points of a line that several errata look at.
POINTS = np.array([[-1.5], [-0.5], [0.6], [1.4]])
LABELS = np.array([0.0, 0.0, 1.0, 1.0])


def covariances(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sigma_xx^(i) (n, d, d) and Sigma_yx^(i) (n, d), alpha = 1, of points (n, d), labels (n,)."""
    points, labels = torch.from_numpy(x), torch.from_numpy(y[:, None])
    s_xx, s_yx = covariance(points, points, 1.0), covariance(labels, points, 1.0)
    return s_xx.numpy(), s_yx.numpy()[:, 0]


def modified(z: np.ndarray) -> np.ndarray:
    """x~ or y~ of eq. (5) at alpha = 1."""
    return np.asarray(z.mean(0) + 0.75 * (z - z.mean(0)))


def quadratic(x: np.ndarray, y: np.ndarray, at: Local) -> Terms:
    """Corollary 2, R1 and R3 together by eq. (33): nothing is inverted."""
    s_xx, s_yx = covariances(x, y)
    share, targets = expit(at.u), modified(y)
    slope = np.einsum("nd,nde,ne->n", at.g, s_xx, at.g)
    r13 = share * (1 - share) * slope / 2 - (s_yx * at.g).sum(1)
    r2 = (share - targets) * (s_xx * at.q).sum((1, 2)) / 2
    return Terms(float(logistic(targets, at.u).mean()), float(r13.mean()), float(r2.mean()))
