"""Checks of section 2: the Mixup-optimal classifier, its failure, and points from midpoints.

Each function checks a statement and returns the worst case of each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations, product

import numpy as np
from scipy.special import softmax

from mixup_repro.papers.chidambaram2022.toy_sets import CROSS, LINE, scattered
from mixup_repro.papers.claims import Check
from mixup_repro.plan import PlanSpec, draw_block
from mixup_repro.theory.conditions import assumption_2_9
from mixup_repro.theory.midpoints import mixup_matrix, permutes_columns, recover
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import (
    Classifier,
    coefficients,
    failing_alpha,
    failing_alpha_bound,
    mixup_loss,
    mixup_optimal,
    mixup_optimal_limit,
    safe_alpha,
)

ALPHAS = (0.5, 1.0, 32.0)
ROUNDING = 1e-9


def proposition_2_2() -> list[Check]:
    """J_mix of h less that of continuous classifiers; h is `mixup_optimal_limit`.

    These are finitely many on five data sets: the check could refute the proposition, but cannot
    prove it.
    """
    excess = []
    for (x, y), alpha in product((LINE, CROSS, *map(scattered, range(3))), ALPHAS):
        h = partial(mixup_optimal_limit, x, y, Beta(alpha, alpha))
        least = mixup_loss(x, y, alpha, h)
        excess += [least - mixup_loss(x, y, alpha, g) for g in _continuous(x, h(x))]
    return [Check("J_mix of h less that of a continuous g", len(excess), max(excess), 0.0)]


def _continuous(x: np.ndarray, labels: np.ndarray) -> Iterator[Classifier]:
    """Softmax networks with random weights, and means of the data's labels by nearness."""
    rng = np.random.default_rng(0)

    def network(z: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.asarray(softmax(np.tanh(z @ v) @ w, axis=1))

    def nearness(z: np.ndarray, sharpness: float) -> np.ndarray:
        distance = np.linalg.norm(z[:, None] - x, axis=2)
        return np.asarray(softmax(-sharpness * distance, axis=1) @ labels)

    for width in (1, 4, 16):
        weights = [rng.normal(size=s) for s in ((x.shape[1], width), (width, labels.shape[1]))]
        yield partial(network, v=weights[0], w=weights[1])
        yield partial(nearness, sharpness=width)


def lemma_2_3() -> list[Check]:
    """h_eps less a sum over a fine grid of lambda; and how far it jumps along X_mix.

    The lemma's proof holds where P_X has no atoms, since no pair of a point with itself has mass
    then; that case is not checked here.
    """
    eps, errors, steps, jumps = 0.4, [], [], []
    for seed, alpha in ((0, 1.0), (1, 4.0)):
        (x, y), mixing = scattered(seed), Beta(alpha, alpha)
        errors.append(_summed(x, y, mixing, eps))
        for other in x[1:]:
            length = np.linalg.norm(other - x[0])
            along = (other - x[0]) / length
            if length > eps:  # the place lies on their segment
                jumps.append(_move(x, y, mixing, eps, x[0] + eps * along, along))
            place = 0.382 * x[0] + 0.618 * other
            if np.abs(np.linalg.norm(x - place, axis=1) - eps).min() > 1e-6:
                steps.append(_move(x, y, mixing, eps, place, along))
    part = "step of h_eps along X_mix"
    leaves = "a data point's pair with itself, of mass 1/n^2, leaves the ball"
    return [
        Check("(1) against a sum over 20,000 lambda", len(errors), max(errors), 1e-3),
        Check(f"{part}, no data point at distance eps", len(steps), max(steps), 1e-3),
        Check(f"{part}, where {leaves}", len(jumps), max(jumps), 1e-3),
    ]


def _summed(x: np.ndarray, y: np.ndarray, mixing: Beta, eps: float) -> float:
    """The error of h_eps at one query, by a sum over a grid of lambda for every pair."""
    lam = (np.arange(20_000) + 0.5)[:, None] / 20_000
    query, weight, score = np.array([0.1, -0.2]), mixing.density(lam), np.zeros(3)
    for s, t in np.ndindex(len(x), len(x)):
        near = np.linalg.norm(lam * x[s] + (1 - lam) * x[t] - query, axis=1) < eps
        score[y[s]] += (lam * weight)[near].sum()
        score[y[t]] += ((1 - lam) * weight)[near].sum()
    h = mixup_optimal(x, y, mixing, eps, query[None])[0]
    return float(np.abs(h - score / score.sum()).max())


def _move(
    x: np.ndarray, y: np.ndarray, mixing: Beta, eps: float, place: np.ndarray, step: np.ndarray
) -> float:
    """How much h_eps changes between 1e-9 before a place and 1e-9 behind it, along `step`."""
    h = mixup_optimal(x, y, mixing, eps, place + np.array([[-1e-9], [1e-9]]) * step)
    return float(np.abs(h[1] - h[0]).max())


def proposition_2_5() -> list[Check]:
    """The limit at the origin, and on both lines beside it; and xi as its proof has it."""
    near = np.array([[0.0, 0.0], [0.0, 1e-6], [1e-6, 0.0]])
    h = mixup_optimal_limit(*CROSS, Beta(1, 1), near, tolerance=1e-12)
    error = np.abs(h - [[0.5, 0.5], [1, 0], [0, 1]]).max()
    xi = {eps: coefficients(*CROSS, Beta(1, 1), eps, [0.0, 0.0])[0][0, 0] for eps in (0.1, 0.5)}
    printed = max(abs(value - eps / 4) for eps, value in xi.items())
    return [
        Check("h at the origin is 1/2, and 1 beside it", 3, error, ROUNDING),
        Check("xi of each class at the origin, less eps / 4", len(xi), printed, ROUNDING, True),
    ]


def theorem_2_7() -> list[Check]:
    """Whether h_eps errs just above the least such alpha, at the proof's alpha, and at ours."""
    small = (0.02, 0.05, 0.1, 0.2, 0.3)

    def lead(eps: float, alpha: float) -> float:
        """Of the right class at the middle; < 0 where h_eps errs."""
        h = mixup_optimal(*LINE, Beta(alpha, alpha), eps, np.array([1.0]))[0]
        return float(h[1] - h[0])

    wrong = [lead(eps, 1.01 * failing_alpha(eps)) for eps in (*small, 0.5)]
    proof = {eps: lead(eps, failing_alpha_bound(eps)) for eps in (*small, 0.5, 0.9)}
    ours = [lead(eps, safe_alpha(eps)) for eps in (*small, 0.5, 0.9, 1.5)]
    part = "the same at the alpha of the proof"
    least = "lead of the right class at the middle, just above the least such alpha"
    return [
        Check(least, len(wrong), max(wrong), 0.0),
        Check(f"{part}, eps <= 0.3", len(small), max(proof[e] for e in small), 0.0, True),
        Check(f"{part}, eps = 0.5 and 0.9", 2, max(proof[0.5], proof[0.9]), 0.0, True),
        Check("the same at the alpha of the proof as mended", len(ours), max(ours), 0.0),
    ]


def proposition_2_8() -> list[Check]:
    """The limit on the data themselves, collinear or not."""
    errors = []
    for x, y in (LINE, CROSS, *map(scattered, range(3))):
        for alpha in ALPHAS:
            h = mixup_optimal_limit(x, y, Beta(alpha, alpha), x)
            errors.append(np.abs(h - np.eye(h.shape[1])[y]).max())
    return [Check("1 - h of the right class on the data", len(errors), max(errors), ROUNDING)]


def theorem_2_10() -> list[Check]:
    """The limit h just beside each data point, towards every other, under Assumption 2.9."""
    errors = []
    for seed, alpha in ((0, 1.0), (1, 32.0), (2, 0.5)):
        x, y = scattered(seed)
        assert assumption_2_9(x, y).holds(1e-3)
        for s in range(len(x)):
            beside = x[s] + 1e-7 * (np.delete(x, s, 0) - x[s])
            h = mixup_optimal_limit(x, y, Beta(alpha, alpha), beside, tolerance=1e-13)
            errors.append(1 - h[:, y[s]].min())
    part = "1 - h of the right class at 1e-7 of the way to another point"
    return [Check(part, len(errors), max(errors), 1e-6)]


def one_true_point() -> list[Check]:
    """The mean number of examples that an epoch pairs with themselves, in 2,000 epochs of 100."""
    spec = PlanSpec(n=100, batch_size=100, pairing="uniform", alpha=1.0)
    blocks = range(-(-2000 // spec.block))
    partners = np.concatenate([draw_block(spec, 0, k).partner for k in blocks])
    own = (partners == np.arange(100)).sum(1)
    error = abs(own.mean() - 1)
    return [Check("mean number less 1", len(own), error, 4 / np.sqrt(len(own)))]


def theorem_2_11() -> list[Check]:
    """Random points from their shuffled midpoints."""
    failures, errors = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        points = rng.normal(size=(6 + seed % 7, 1 + seed % 3))
        i, j = np.triu_indices(len(points), 1)
        found = recover(rng.permutation((points[i] + points[j]) / 2))
        failures.append(float(len(found) != 1))
        for one in found[:1]:
            distance = np.abs(one[:, None] - points).max(-1)
            errors.append(distance.min(1).max())
    return [
        Check("draws without exactly one solution", len(failures), max(failures), 0.0),
        Check("distance of the solution from the points", len(errors), max(errors), 1e-7),
    ]


def lemma_c_2() -> list[Check]:
    """The rank of [A, PA] for permutations P: all exchanges of two rows, and random ones.

    m = 6, which Theorem 2.11 needs and the lemma leaves out, is among them. Not all P are tried, as
    m = 7 alone has 21! of them.
    """
    lacking, same = [], []
    for m in (6, 7, 8):
        a, rng = mixup_matrix(m), np.random.default_rng(m)
        rows = np.arange(len(a))
        for i, j in combinations(rows, 2):  # no exchange is a permutation of the columns
            order = rows.copy()
            order[[i, j]] = j, i
            lacking.append(m + 1 - np.linalg.matrix_rank(np.hstack([a, a[order]])))
        for _ in range(200):
            order = rng.permutation(rows)
            if not permutes_columns(a, order):
                lacking.append(m + 1 - np.linalg.matrix_rank(np.hstack([a, a[order]])))
        columns = a[:, rng.permutation(m)]
        same.append(abs(np.linalg.matrix_rank(np.hstack([a, columns])) - m))
    return [
        Check("m + 1 less the rank of [A, PA], m = 6 to 8", len(lacking), max(lacking), 0.0),
        Check("rank less m where P permutes the columns", len(same), max(same), 0.0),
    ]
