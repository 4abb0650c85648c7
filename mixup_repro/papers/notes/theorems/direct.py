"""What the checks share: alphas, data, and batches mixed in every way that can be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import permutations, product

import numpy as np

from mixup_repro.beta import lambda_quadrature
from mixup_repro.theory.moments import Pairing

ALPHAS = (0.2, 1.0, 8.0)
ROUNDING = 1e-10
STRICTLY = 1 - 1e-6  # what a share must not exceed to be below 1

Mixed = tuple[float, np.ndarray]  # probability, mixed batch (b, d)


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Scikit-learn's digits: pixels (1797, 64) in [0, 1], and classes."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    return scans.data / 16, scans.target


def pairs(pairing: Pairing, b: int) -> Iterator[tuple[list[int], list[int]]]:
    """Who is mixed with whom: every equally likely outcome, as examples and their partners."""
    own = list(range(b))
    if pairing == Pairing.UNIFORM:
        yield from ((own, list(partner)) for partner in product(own, repeat=b))
    elif pairing == Pairing.PERMUTATION:
        yield from ((own, list(partner)) for partner in permutations(own))
    elif pairing == Pairing.NEVER_SELF:
        for order, shift in product(permutations(own), range(1, b)):
            yield list(order), [order[(k + shift) % b] for k in own]
    else:
        yield from ((list(order), list(order[::-1])) for order in permutations(own))


def mixed_batches(
    x: np.ndarray, alpha: float, pairing: Pairing, per_example: bool
) -> Iterator[Mixed]:
    """Every mixed batch of x (b, d): all pairings, and two nodes for every lambda.

    Two nodes of Gauss-Jacobi are exact for polynomials in a lambda of degree up to 3.
    """
    b = len(x)
    node, weight = lambda_quadrature(alpha, 2)
    drawn = np.array(list(product((0, 1), repeat=b)) if per_example else [[0] * b, [1] * b])
    chance = weight[drawn].prod(1) if per_example else weight
    outcomes = list(pairs(pairing, b))
    for p, choice in zip(chance, drawn):
        lam = node[choice][:, None]
        for own, partner in outcomes:
            yield p / len(outcomes), lam * x[own] + (1 - lam) * x[partner]
