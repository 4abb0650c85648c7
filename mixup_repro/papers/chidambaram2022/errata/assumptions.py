"""Sections 2.4 and 3.1: the assumptions, what follows from them, and how they are measured."""

from __future__ import annotations

import numpy as np
import torch

from mixup_repro.papers.chidambaram2022.distances import nearest
from mixup_repro.papers.chidambaram2022.errata import direct
from mixup_repro.papers.chidambaram2022.toy_sets import CROSSING, scattered
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.theory.conditions import assumption_2_9, assumption_3_1
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import coefficients, mixup_optimal_limit

UNIFORM = Beta(1, 1)


def _satisfying(x: np.ndarray, y: np.ndarray, as_printed: bool) -> int:
    """Points of the plane that are no lam u + (1 - lam) v, v of another class, lam > 0 (or < 1)."""
    count = 0
    for k, point in enumerate(x):
        free = True
        for u in range(len(x)):
            for v in np.flatnonzero(y != y[k]):
                span, away = x[u] - x[v], point - x[v]
                if u == v or abs(span[0] * away[1] - span[1] * away[0]) > 1e-12:
                    continue  # they do not lie on one line
                lam = span @ away / (span @ span)
                free &= not (lam > 0 if as_printed else 1e-12 < lam < 1 - 1e-12)
        count += free
    return count


def _any_set() -> list[Number]:
    x, y = scattered(0)
    ours = len(x) if assumption_2_9(x, y).holds() else 0
    what = "of eight scattered points, those that satisfy Assumption 2.9"
    return [Number(what, _satisfying(x, y, True), ours, _satisfying(x, y, False))]


def _beside() -> list[Number]:
    x, y = scattered(0)
    step, length = 0.01, float(np.linalg.norm(x[1] - x[0]))
    place = x[0] + step * (x[1] - x[0]) / length
    ours = mixup_optimal_limit(x, y, Beta(2, 5), place[None])[0, y[0]]
    what = "h of x's class at 0.01 from x on the segment to a point of another class, Beta(2, 5)"
    return [Number(what, None, float(ours), 1 - step / length)]


def _table2() -> list[Number]:
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0, 0, 1])
    s, t = np.indices((3, 3)).reshape(2, -1)  # every pair once, at lambda = 1/2
    mixed, labels = (x[s] + x[t])[:, None] / 2, np.stack([y[s], y[t]], 1)
    arrays = (torch.from_numpy(a) for a in (x[:, None], y, mixed, labels))
    printed = float(nearest(*arrays).min())
    lam = np.linspace(0, 1, 1001)[1:-1]
    of_the_assumption = min(
        np.abs(lam * x[u] + (1 - lam) * x[v] - x[k]).min()
        for k, u, v in np.ndindex(3, 3, 3)
        if len({k, u, v}) == 3 and not y[u] == y[v] == y[k]
    )
    what = "distance that Assumption 2.9 is about, X_1 = {0, 1}, X_2 = {2}, midpoints"
    return [Number(what, printed, assumption_2_9(x, y).distance, float(of_the_assumption))]


def _orders() -> list[Number]:
    x, y, eps = np.array([0.0, 1.0]), np.array([0, 1]), 0.1
    xi, _ = coefficients(x, y, Beta(1, 2), eps, np.zeros(1))
    # Of four ordered pairs; the density is 2 (1 - lambda).
    return [
        Number("measure of A^{1,2} at 0, eps = 0.1", None, float(xi[0, 1]), eps**2 / 4),
        Number("measure of A^{2,1} there", None, float(xi[1, 0]), (1 - (1 - eps) ** 2) / 4),
    ]


def _crossing() -> list[Number]:
    x, y = CROSSING
    origin = np.zeros(2)
    shares = np.array([1 / 1.3, 1 / 1.45])
    at = float(mixup_optimal_limit(x, y, UNIFORM, origin[None])[0, 0])
    other = direct.h_eps(x, y, 1, 1, 1e-3, origin)[0]
    numbers = [Number("h^1(0); printed: by the proof's xi", shares.mean(), at, float(other), 1e-6)]
    for name, place in (("first", (1e-3, 0.0)), ("second", (0.0, 1e-3))):
        ours = float(mixup_optimal_limit(x, y, UNIFORM, np.array([place]))[0, 0])
        other = direct.h_eps(x, y, 1, 1, 1e-5, np.array(place))[0]
        what = f"h^1 at 0.001 from 0 on the {name} segment; printed: h^1(0), the limit"
        numbers.append(Number(what, at, ours, float(other), 1e-5))
    return numbers


def _far() -> list[Number]:
    x, y = np.array([[0.0, 0], [0, 10], [1, 10], [20, 0]]), np.array([0, 0, 1, 1])
    half = min(np.linalg.norm(a - b) for a in x[:2] for b in x[2:]) / 2
    place = np.array([9.5, 0.0])
    distance = min(float(np.linalg.norm(place - a)) for a in x[:2])
    says = direct.h_eps(x, y, 1, 1, 1e-4, place)[0]
    what = "distance from X_1 of a point where Assumption 3.1 holds for class 1 (0 if it does not)"
    holds = assumption_3_1(x, y, 0, place)
    ours = mixup_optimal_limit(x, y, UNIFORM, place[None])[0, 0]
    return [
        Number(what, float(half), distance * holds, distance * bool(says > 0.5)),
        Number("h^1 there", None, float(ours), float(says), 1e-6),
    ]


ERRATA = (
    Erratum(
        id="asm2_9_lambda",
        where="Assumption 2.9",
        kind=Kind.MISPRINT,
        printed="""
            No `x` of `X_i` is `lambda u + (1 - lambda) v` with `lambda > 0`, `u` in `X`, `v` in
            `X_j`.
            """,
        right="With `0 < lambda < 1`. As printed no data set with two classes satisfies it.",
        derivation="""
            1. Take u = x and lambda = 1: x = 1 x + 0 v, for every x and every v of another class.
            2. lambda > 1 would also forbid every third point of a line, x beyond u as seen from
               v.
            3. No eps occurs in it, though section 2.4 estimates one.
            """,
        holds="""
            What is meant, in Figure 6 and in the proofs: no x on an open segment that ends in
            X_j.
            """,
        witness=_any_set,
    ),
    Erratum(
        id="thm2_10_proof",
        where="Theorem 2.10, proof",
        kind=Kind.PROOF,
        printed="A corollary of Theorem 3.2.",
        right="""
            Theorem 3.2 speaks of the class only, its continuity is false (thm3_2_continuity), and
            at a data point what its proof divides by eps has no finite limit. The proof is
            direct.
            """,
        derivation="""
            1. h^i = 1 on X_i is Proposition 2.8.
            2. By Assumption 2.9 a segment near x in X_i starts at x or joins two points of X_i,
               and no two segments that end in other classes leave x in one direction.
            3. So at distance r from x on the segment to t in X_j both orders of this pair have
               the share 1 - r/|x - t|, and nothing else of another class counts:
               h^i >= 1 - r/|x - t|.
            4. That tends to 1 with r, for every P_f with a density; no symmetry is needed.
            """,
        holds="The theorem, of h restricted to X_mix: elsewhere h is arbitrary.",
        witness=_beside,
    ),
    Erratum(
        id="table2_rule",
        where="Section 2.4, Table 2",
        kind=Kind.CONDITION,
        printed="""
            The least distance from a mixed point to data of classes other than the two that were
            mixed estimates how far Assumption 2.9 is from failing.
            """,
        right="""
            The assumption is about x of X_i and mixtures of any point with one of another class:
            mixtures that contain class i belong to it, and the rule leaves them out.
            """,
        derivation="""
            1. X_1 = {0, 1}, X_2 = {2}: 1 is the midpoint of 0 and 2, so the assumption fails, at
               distance 0.
            2. The rule compares 1 with mixtures of class 2 with itself only, and 2 with those of
               class 1: the least distance is 1, from the pairs of a point with itself.
            3. With two classes no mixture of both is ever compared.
            4. A least distance over one epoch's pairs bounds that over all pairs from above only.
            """,
        holds="""
            No mixture of the sample coincides with a point of a third class. Distances are in
            normalised pixels, so that the data sets' columns have different units.
            """,
        witness=_table2,
    ),
    Erratum(
        id="asm3_1_order",
        where="Assumption 3.1, and the sentence below Theorem 3.2",
        kind=Kind.CONDITION,
        printed="Assumption 2.9 implies Assumption 3.1 with respect to each class.",
        right="""
            For a symmetric P_f. If P_f has more mass near 0 than near 1 the last clause, A^{i,j}
            at least as large as A^{j,i}, fails at every data point. It can be deleted.
            """,
        derivation="""
            1. At x in X_i, eps small, A^{i,j} needs lambda > 1 - eps/|x - t|, A^{j,i} lambda <
               eps/|x - s|.
            2. X_1 = {0}, X_2 = {1}, Beta(1, 2): they measure eps^2 / 4 and (2 eps - eps^2) / 4 of
               all triples.
            3. (s, t, lambda) -> (t, s, 1 - lambda) leaves J_mix and h as they are, so P_f may
               always be replaced by its mean with its mirror image, for which both measures are
               equal.
            """,
        holds="""
            Theorems 2.10 and 3.2 need no symmetry, nor does Theorem 3.5; only the formula of
            Corollary C.1 does.
            """,
        witness=_orders,
    ),
    Erratum(
        id="thm3_2_continuity",
        where="Theorem 3.2",
        kind=Kind.FALSE,
        printed="Where Assumption 3.1 holds for class i, h says i and is continuous.",
        right="""
            h says i there, and nearby on X_mix. It is continuous on X_mix only if h tends to h(x)
            along every segment through x, as where one passes, or where all of them give x the
            same share.
            """,
        derivation="""
            1. On one segment beside x h is the pair's share, which tends to the share s_pq at x.
            2. At x h is the mean of the shares of all segments, with weights (f(lambda) + f(1 -
               lambda)) / |p - q|: the ball holds the lambda within eps/|p - q|, not eps.
            3. Class 1 {(-.3, 0), (0, -.45)}, class 2 {(1, 0), (0, 1)}: at the origin the shares
               are 1/1.3 and 1/1.45, and uniform lambda weighs them by 1/1.3 and 1/1.45: .7316.
            4. So h tends to .7692 on one segment and to .6897 on the other: no value at 0 mends
               it.
            5. The proof shows h^i >= 1/2 near x, which is not continuity.
            """,
        holds="""
            The classification: h^i(x) >= 1 - delta > 1/2 wherever the limit exists, as every
            share of class i at x is at least that; the clause on A^{i,j} is not needed.
            """,
        witness=_crossing,
    ),
    Erratum(
        id="sec3_1_distance",
        where="Section 3.1, below Theorem 3.2",
        kind=Kind.FALSE,
        printed="""
            A point where Assumption 3.1 holds is up to min_j d(X_i, X_j)/2 away from class i.
            """,
        right="""
            Up to half the length of the longest segment to another class on which it holds, not
            of the shortest.
            """,
        derivation="""
            1. On a segment from p in X_i to q the assumption asks for |x - p| < |p - q|/2.
            2. The least distance of two classes is about their shortest segment only.
            3. X_1 = {(0, 0), (0, 10)}, X_2 = {(1, 10), (20, 0)}: half the least distance is 0.5,
               and (9.5, 0), 9.5 away, has the share 10.5/20 on its only segment.
            """,
        holds="The comparison with a linear separator, which is closer still: such points exist.",
        witness=_far,
    ),
)
