"""The small data sets of the theorems, as points (n, d) and classes (n,)."""

from __future__ import annotations

import numpy as np

LINE = np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0])  # X_3^2
CROSS = np.array([[0.0, 1], [0, -1], [1, 0], [-1, 0]]), np.array([0, 0, 1, 1])  # Proposition 2.5
# Two segments between the classes cross at the origin, which lies nearer to class 0 on both.
CROSSING = np.array([[-0.3, 0], [0, -0.45], [1.0, 0], [0, 1.0]]), np.array([0, 0, 1, 1])


def scattered(seed: int, n: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """n points of the plane in three classes."""
    return np.random.default_rng(seed).normal(size=(n, 2)), np.arange(n) % 3
