"""Section 2.5 and appendix C.2: how often true points are seen, and points from midpoints."""

from __future__ import annotations

from itertools import permutations
from math import comb, factorial, floor, sqrt

import numpy as np

from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.plan import PlanSpec, draw_block
from mixup_repro.theory.midpoints import mixup_matrix, permutes_columns, recover

N, BATCH, EPOCHS = 1000, 100, 400


def _self_pairs() -> list[Number]:
    numbers = []
    for pairing, about, expected in (
        ("uniform", "partners uniform over the data set", 1),
        ("permutation", "partners permuted in batches of 100", N // BATCH),
    ):
        spec = PlanSpec(n=N, batch_size=BATCH, pairing=pairing, alpha=1.0)
        blocks = range(-(-EPOCHS // spec.block))
        partner = np.concatenate([draw_block(spec, 0, k).partner for k in blocks])  # positions
        own = (partner == np.arange(N)).sum(1)
        what = f"self-pairs in an epoch of 1,000 examples, {about}"
        allowed = 4 * sqrt(expected / len(own))  # four standard errors: their number is Poisson's
        printed = None if pairing == "uniform" else 1.0
        numbers.append(Number(what, printed, float(own.mean()), float(expected), allowed))
    return numbers


def _coordinates() -> list[Number]:
    points = np.random.default_rng(0).normal(size=(6, 2))
    i, j = np.triu_indices(6, 1)

    def sums(z: np.ndarray) -> np.ndarray:
        s = z[i] + z[j]
        return s[np.lexsort(s.T[::-1])]

    paired = [np.c_[points[:, 0], points[list(p), 1]] for p in permutations(range(6))]
    each = [
        all(np.allclose(np.sort(sums(z)[:, k]), np.sort(sums(points)[:, k])) for k in (0, 1))
        for z in paired
    ]
    both = [np.allclose(sums(z), sums(points)) for z in paired]
    solutions = recover(sums(points) / 2)
    return [
        Number(
            "sets with six points' midpoints in each coordinate by itself",
            1.0,
            float(sum(each)),
            float(factorial(6)),
        ),
        Number("of these, sets with the midpoints", None, float(len(solutions)), float(sum(both))),
    ]


def _least_m() -> list[Number]:
    a = mixup_matrix(4)
    shared, bad, automorphisms = a @ a.T, 0, 0
    for order in permutations(range(6)):
        rows = np.array(order)
        rank = np.linalg.matrix_rank(np.hstack([a, a[rows]]))
        bad += rank == 4 and not permutes_columns(a, rows)
        automorphisms += (shared[np.ix_(rows, rows)] == shared).all()
    enough = [comb(m, 2) - (m - 1) > m * m / 4 for m in range(30)]
    least = max(m for m in range(30) if not enough[m]) + 1
    return [
        Number(
            "least m for which the proof's count of edges works",
            7.0,
            float(least),
            float(floor(3 + sqrt(5)) + 1),
        ),
        Number(
            "m = 4: permutations P that refute the lemma",
            None,
            float(bad),
            float(automorphisms - factorial(4)),
        ),
    ]


ERRATA = (
    Erratum(
        id="self_pairs",
        where="Section 2.5",
        kind=Kind.UNSAID,
        printed="Mixup sees one true data point an epoch in expectation.",
        right="""
            One where partners are drawn from the whole data set. Where they are a permutation of
            the mini-batch, as in most code, it is one a batch: 469 for MNIST in batches of 128.
            """,
        derivation="""
            1. m pairs of probability 1/m^2 each, m of which are a point with itself: m m / m^2 =
               1 in expectation.
            2. A permutation of b positions has one fixed point in expectation: m/b in an epoch.
            3. Neither counts lambda near 0 or 1, where a mixture is almost a data point.
            """,
        holds="The statement for pairs drawn as the paper says.",
        witness=_self_pairs,
    ),
    Erratum(
        id="thm2_11_coordinates",
        where="Theorem 2.11, proof",
        kind=Kind.PROOF,
        printed="It is enough to show that the points' first coordinates are determined.",
        right="""
            Each coordinate by itself gives its values, and not which of them belong to one point.
            """,
        derivation="""
            1. m first and m second coordinates can be paired in m! ways, with the same sums in
               each.
            2. But almost surely the first coordinates tell, up to the points' names, which
               midpoint is of which pair.
            3. The other coordinates then solve A x = 2 midpoints, and A has rank m: they are
               unique.
            """,
        holds="""
            The theorem, for every dimension; and the labels, if the midpoints' labels are given.
            """,
        witness=_coordinates,
    ),
    Erratum(
        id="lemmaC_2_m",
        where="Lemma C.2",
        kind=Kind.MISPRINT,
        printed="m > 6; Theorem 2.11, which rests on it, says m >= 6.",
        right="m >= 6. The lemma holds for m = 3 and every m >= 5, and fails for m = 4.",
        derivation="""
            1. The proof asks for C(m, 2) - (m - 1) > m^2 / 4, so for m^2 - 6 m + 4 > 0: m > 3 +
               sqrt 5.
            2. [A, PA] has rank m if and only if P commutes with the projection onto A's span.
            3. Its entry for two pairs depends on how many points they share, with three values: P
               is an automorphism of the line graph of K_m.
            4. Those are the points' permutations, for which PA permutes the columns, unless m is
               2 or 4 (Whitney). m = 4 has 48 automorphisms, 24 more: a pair goes to its
               complement.
            """,
        holds="The lemma for m >= 6 with the printed proof, and so Theorem 2.11.",
        witness=_least_m,
    ),
)
