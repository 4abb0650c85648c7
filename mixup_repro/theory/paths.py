"""How far a ReLU network's output is from a straight line between two examples (notes, B11)."""

from __future__ import annotations

import numpy as np


def kinks(
    w: np.ndarray, b: np.ndarray, v: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where f(x) = v . relu(W x + b) has kinks on a segment, and by how much its slope changes.

    w (h, d), b (h,), v (h,), start and stop (d,). Returns places t in (0, 1) of
    start + t (stop - start), and the changes of the slope there: unit k changes it by
    v_k |w_k . (stop - start)|, whether it becomes active or inactive.
    """
    at, rate = w @ start + b, w @ (stop - start)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -at / rate
    inside = (t > 0) & (t < 1)
    return t[inside], (v * np.abs(rate))[inside]


def stray(t: np.ndarray, change: np.ndarray, at: np.ndarray) -> np.ndarray:
    """f less the line between its ends at places `at`: -sum_k change_k G(at, t_k).

    G(s, t) = min(s, t) (1 - max(s, t)) solves -G'' = delta with zeros at both ends.
    """
    s, k = np.asarray(at)[:, None], np.asarray(t)[None]
    return -(np.minimum(s, k) * (1 - np.maximum(s, k))) @ change


def path_error(t: np.ndarray, change: np.ndarray) -> float:
    """The integral over the segment of `stray` squared: change' M change.

    M_kl = int G(., t_k) G(., t_l) = a (1 - b) (2 b - a^2 - b^2) / 6 with a <= b of both places,
    which is the bending of a beam. One kink of 1 in the middle costs 1/48:

    >>> import numpy as np
    >>> from mixup_repro.theory.paths import path_error
    >>> round(1 / path_error(np.array([0.5]), np.array([1.0])))
    48
    """
    a, b = np.minimum.outer(t, t), np.maximum.outer(t, t)
    m = a * (1 - b) * (2 * b - a**2 - b**2) / 6
    return float(change @ m @ change)
