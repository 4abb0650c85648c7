"""What straying from the line between two examples costs."""

from __future__ import annotations

import numpy as np

from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.papers.notes.theorems.direct import ROUNDING
from mixup_repro.theory.paths import kinks, path_error


def path_error_of_kinks() -> list[Check]:
    """Random ReLU networks on random segments: change' M change against quadrature."""
    errors, none = [], []
    node, weight = np.polynomial.legendre.leggauss(3)  # exact for squares of a linear piece
    for seed in range(20):
        rng = np.random.default_rng(seed)
        w, b, v = rng.normal(size=(16, 3)), rng.normal(size=16), rng.normal(size=16)
        ends = rng.normal(size=(2, 3))
        t, change = kinks(w, b, v, *ends)
        cuts = np.r_[0, np.sort(t), 1]
        width = np.diff(cuts)[:, None]
        at = cuts[:-1, None] + width * (node + 1) / 2
        points = (1 - at)[..., None] * ends[0] + at[..., None] * ends[1]
        f, (f0, f1) = (np.maximum(z @ w.T + b, 0) @ v for z in (points, ends))
        cost = (width * weight / 2 * (f - (1 - at) * f0 - at * f1) ** 2).sum()
        errors.append(abs(path_error(t, change) - cost))
        none.append(path_error(*kinks(w, 100 + b, v, *ends)))
    return [
        Check("change' M change of the kinks against quadrature", 20, max(errors), ROUNDING),
        Check("the cost of a path without kinks", 20, max(none), 0),
    ]


THEOREMS = (
    Theorem(
        "path_error",
        "B11",
        "A network that strays from the straight path pays, and its kinks make the cost.",
        path_error_of_kinks,
    ),
)
