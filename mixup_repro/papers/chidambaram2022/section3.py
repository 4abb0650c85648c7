"""Checks of section 3: the margin of the Mixup-optimal classifier, and linear models.

Each function checks a statement and returns the worst case of each part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product

import numpy as np
from scipy import stats

from mixup_repro.papers.chidambaram2022.toy_sets import CROSSING, scattered
from mixup_repro.papers.claims import Check
from mixup_repro.theory import margins
from mixup_repro.theory.conditions import assumption_3_1
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import mixup_optimal_limit

ALPHAS = (0.5, 1.0, 32.0)
ROUNDING = 1e-9
DEGREES = 0.05  # the angle up to which iterations find two equal directions


def theorem_3_2() -> list[Check]:
    """The class that h gives where Assumption 3.1 holds, and how much h changes there along X_mix.

    Random points of X_mix lie on one segment only. Continuity fails where two segments cross.
    """
    wrong, moves = [], []
    for seed in range(40):
        (x, y), rng = scattered(seed), np.random.default_rng(seed)
        s, t = rng.choice(len(x), 2, replace=False)
        lam = rng.random()
        query = lam * x[s] + (1 - lam) * x[t]
        near = query + np.array([[0], [-1e-7], [1e-7]]) * (x[s] - x[t])
        h = mixup_optimal_limit(x, y, Beta(1, 1), near)
        here = [k for k in range(3) if assumption_3_1(x, y, k, query)]
        wrong += [float(h[0].argmax() != k) for k in here]
        moves += [np.abs(h - h[0]).max() for _ in here]
    x, y = CROSSING
    origin = np.zeros(2)
    assert assumption_3_1(x, y, 0, origin)
    h = mixup_optimal_limit(x, y, Beta(1, 1), np.array([origin, [1e-6, 0], [0, 1e-6]]), 1e-12)
    wrong.append(float(h[0].argmax() != 0))
    part = "step of h along X_mix where Assumption 3.1 holds"
    return [
        Check("misclassified where Assumption 3.1 holds", len(wrong), max(wrong), 0.0),
        Check(f"{part}, one segment", len(moves), max(moves), 1e-6),
        Check(f"{part}, two segments cross", 2, np.abs(h - h[0]).max(), 1e-3),
    ]


def lemma_e_1() -> list[Check]:
    """The least over the largest curvature of J_mix on the span of two points, at random theta."""
    flat = []
    for seed, alpha in product(range(20), ALPHAS):
        rng = np.random.default_rng(seed)
        points, theta = rng.normal(size=(2, 5)), rng.normal(size=5)
        curvature = np.linalg.eigvalsh(margins.curvature(points, theta, alpha))
        flat.append(-curvature[0] / curvature[1])
    return [Check("less the least curvature over the largest", len(flat), max(flat), -ROUNDING)]


def _gaussian(n: int, positive: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    d = int(margins.bound(n)) + 1
    return np.random.default_rng(seed).normal(size=(n, d)), np.where(np.arange(n) < positive, 1, -1)


def lemma_3_7(draws: int = 300) -> list[Check]:
    """How often the maximum margin solution interpolates, just above the bound on d.

    The paper does not say how labels come about: here by coin, or by the sign of a coordinate. A
    draw whose labels are all the same is no case. The frequency counts as the lower end of its
    exact (Clopper-Pearson) interval, at 99.9 % on that side. n <= 2 is left out, where the rate
    1 - 2/n is no more than 0. Whether Muthukumar et al. state it so was not looked up.
    """
    lacks: dict[str, list[float]] = {"labels by coin": [], "labels by a coordinate's sign": []}
    cases = Counter[str]()
    for n, (name, lack) in product((4, 6, 10, 20), lacks.items()):
        hits = tries = 0
        for seed in range(draws):
            x, coin = _gaussian(n, 0, seed)[0], np.random.default_rng([seed, n]).random(n)
            y = np.where(coin < 0.5, 1, -1) if name == "labels by coin" else np.sign(x[:, 0])
            if abs(y.sum()) < n:  # both labels are there
                hits, tries = hits + margins.interpolates(x, y), tries + 1
        least = stats.binomtest(hits, tries).proportion_ci(0.998).low
        lack.append(1 - 2 / n - least)
        cases[name] += tries
    part = "1 - 2/n less the frequency"
    return [Check(f"{part}, {name}", cases[name], max(v), 0.0) for name, v in lacks.items()]


# How many of ten points are positive, and whether pairs of one class are left out.
CLASSES = {
    "equal classes": (5, False),
    "3 points against 7": (3, False),
    "3 against 7, without pairs of one class, as in the proof": (3, True),
}


def theorem_3_5() -> list[Check]:
    """Angles (degrees) of Mixup's solution to the maximum margin, above Lemma 3.7's bound."""
    return _angles("the maximum margin", margins.max_margin)


def corollary_3_8() -> list[Check]:
    """Angles (degrees) of Mixup's solution to gradient descent's, above Lemma 3.7's bound.

    Gradient descent has growing steps here, which bring it to the limit of its direction. With
    steps of one size it comes near the limit as 1 / log(steps): after any number of steps that one
    can train it is still about as far off as unequal classes move Mixup's solution.
    """
    return _angles("gradient descent", margins.gradient_descent)


def _angles(name: str, other: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> list[Check]:
    checks = []
    for classes, (positive, across) in CLASSES.items():
        found = []
        for seed in range(10):
            x, y = _gaussian(10, positive, seed)
            if margins.interpolates(x, y):
                theta = margins.mixup_solution(x, y, 1.0, across_only=across)
                found.append(margins.angle(theta, other(x, y)))
        part = f"angle to {name} (degrees), {classes}"
        checks.append(Check(part, len(found), max(found), DEGREES))
    return checks
