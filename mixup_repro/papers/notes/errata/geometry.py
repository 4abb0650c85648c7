"""Where mixed inputs lie (A8), how far they spread (B13), and what CutMix pastes (C30)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.papers.notes.theorems.direct import mixed_batches
from mixup_repro.theory.moments import (
    Pairing,
    batch_factor,
    mean_pasted_share,
    pasted_share,
    second_moment_factor,
    shrink,
)

TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])  # sides of 1
NEAR = 0.01


def _from_segments(points: np.ndarray) -> np.ndarray:
    """How far points (q, 2) of the triangle are from its nearest side, by the sides' normals."""
    away = []
    for a, b in combinations(TRIANGLE, 2):
        normal = np.array([a[1] - b[1], b[0] - a[0]]) / np.linalg.norm(b - a)
        away.append(np.abs((points - a) @ normal))
    return np.min(away, 0)


def _hull() -> list[Number]:
    centre, inradius = TRIANGLE.mean(0), 1 / np.sqrt(12)
    found = [
        minimize_scalar(
            lambda t, a=a, b=b: float(np.linalg.norm(t * a + (1 - t) * b - centre)),
            bounds=(0, 1),
            options={"xatol": 1e-10},
        ).fun
        for a, b in combinations(TRIANGLE, 2)
    ]
    k = (np.arange(1000) + 0.5) / 1000
    first, second = (v.ravel() for v in np.meshgrid(k, k))
    inside = first + second < 1
    grid = first[inside, None] * TRIANGLE[1] + second[inside, None] * TRIANGLE[2]
    counted = float((_from_segments(grid) < NEAR).mean())
    share = 1 - (1 - NEAR / inradius) ** 2
    what = f"share of a triangle's area within {NEAR:g} of a mixture, sides 1"
    return [
        Number("distance of its centre from the nearest mixture", 0.0, inradius, min(found)),
        Number(what, 1.0, share, counted, 1e-3),
    ]


def _pairs() -> list[Number]:
    x, alpha, b = np.random.default_rng(0).normal(size=(4, 1)), 1.0, 4
    own = x.var()
    never, inside = 0.0, 0.0
    for p, mixed in mixed_batches(x, alpha, Pairing.NEVER_SELF, per_example=False):
        never += p * float(((mixed - x.mean()) ** 2).mean()) / own
    for p, mixed in mixed_batches(x, alpha, Pairing.PERMUTATION, per_example=True):
        inside += p * float(mixed.var()) / own
    c = shrink(alpha)
    return [
        Number(
            "factor for a partner that is never oneself, 4 examples, alpha = 1",
            c,
            second_moment_factor(alpha, Pairing.NEVER_SELF, b),
            never,
        ),
        Number(
            "factor inside of mixed batches of 4, a permutation, lambda for each example",
            c,
            batch_factor(alpha, Pairing.PERMUTATION, b, per_example=True),
            inside,
        ),
    ]


def _covered(r: float) -> float:
    """The mean length that an interval of length r, its centre uniform in [0, 1], has inside."""

    def length(centre: float) -> float:
        return min(1.0, centre + r / 2) - max(0.0, centre - r / 2)

    return float(quad(length, 0, 1, points=[r / 2, 1 - r / 2], epsabs=1e-12)[0])


def _edges() -> list[Number]:
    mean = quad(lambda r: 2 * r * _covered(r) ** 2, 0, 1, epsabs=1e-10)[0]  # lambda = 1 - r^2
    return [
        Number(
            "mean pasted share where lambda = 3/4", 0.25, pasted_share(0.75), _covered(0.5) ** 2
        ),
        Number("mean pasted share, alpha = 1", 0.5, mean_pasted_share(1.0), float(mean)),
    ]


ERRATA = (
    Erratum(
        id="hull_segments",
        where="A8",
        kind=Kind.FALSE,
        printed="What Mixup trains on covers the whole convex hull of the data.",
        right="""
            It covers the segments between two examples and nothing else. In two dimensions or more
            these have no area, however many there are.
            """,
        derivation="""
            1. A mixed input lam x_i + (1 - lam) x_j is on the segment between x_i and x_j. There
               are n (n - 1) / 2 segments, and their union is closed: it is the support.
            2. Three points that are on no line have a hull with area, and three segments without.
            3. The centre of a triangle with sides 1 is 1 / sqrt(12) from each side.
            """,
        holds="""
            On a line the hull is a segment between two examples. And of a population in the plane
            whose support is connected two points make every point of the hull (Fenchel and Bunt).
            """,
        witness=_hull,
    ),
    Erratum(
        id="pairs_shrink",
        where="B13",
        kind=Kind.CONDITION,
        printed="Mixing multiplies the data's covariance by a factor of alpha.",
        right="""
            By `c = (alpha + 1) / (2 alpha + 1)` where partners are independent, or a uniform
            permutation of the batch. A partner that is never oneself, as by reversal of a batch of
            `b`, makes it `c - (1 - c) / (b - 1)`. A batch's own covariance loses another term in
            `1/b` where each example has its lambda.
            """,
        derivation="""
            1. E (x~ - m)(x~ - m)' = E[lam^2 + (1 - lam)^2] S + 2 E[lam (1 - lam)] C, with C the
               covariance of an example and its partner, and 2 E[lam (1 - lam)] = 1 - c.
            2. Independent partners have C = 0. So has a permutation: it pairs an example with
               itself as often as with any other.
            3. Deviations from the batch's mean add up to zero, so a partner that is another one has
               C = -S / (b - 1).
            4. The mixed batch's mean moves by lambda: its variance is 2 v S / b, v = Var lam.
            """,
        holds="The mean is kept, and the factor is c for a large batch.",
        witness=_pairs,
    ),
    Erratum(
        id="cutmix_edges",
        where="C30",
        kind=Kind.CONDITION,
        printed="CutMix's lambda is the share of the picture's area that remains.",
        right="""
            So is the label's lambda, which is computed afterwards. The lambda that is drawn is not:
            the box is cut at the picture's edges, so less is pasted, 0.32 on average at alpha = 1.
            """,
        derivation="""
            1. A box of side r = sqrt(1 - lam), its centre uniform, loses r^2 / 8 of its length at
               either edge on average: r - r^2 / 4 is left along each axis.
            2. Both axes are independent, so given lambda the mean pasted share is (r - r^2 / 4)^2.
            3. For uniform lambda: 1/2 - (1/2) (2/5) + (1/16) (1/3) = 0.3208.
            """,
        holds="The statement for the label's lambda.",
        witness=_edges,
    ),
)
