"""The paper's theorems as numbers: what each says, and the worst that was found."""

from __future__ import annotations

import numpy as np

from mixup_repro.papers.claims import Check, Theorem
from mixup_repro.plan import PlanSpec, draw_block
from mixup_repro.theory import margins
from mixup_repro.theory.conditions import assumption_2_9, assumption_3_1
from mixup_repro.theory.midpoints import recover
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import (
    failing_alpha,
    failing_alpha_bound,
    mixup_optimal,
    mixup_optimal_limit,
)

LINE = np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0])  # X_3^2
CROSS = np.array([[0.0, 1], [0, -1], [1, 0], [-1, 0]]), np.array([0, 0, 1, 1])  # Proposition 2.5
ALPHAS = (0.5, 1.0, 32.0)
ROUNDING = 1e-9
DEGREES = 0.05  # what iterations leave of an angle that is zero


def scattered(seed: int, n: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """n points of the plane in three classes."""
    return np.random.default_rng(seed).normal(size=(n, 2)), np.arange(n) % 3


def lemma_2_3() -> list[Check]:
    """h_eps against a sum over a fine grid of lambda; and its largest jump between near queries."""
    eps, errors, jumps = 0.4, [], []
    lam = (np.arange(20_000) + 0.5)[:, None] / 20_000
    for seed, alpha in ((0, 1.0), (1, 4.0)):
        x, y = scattered(seed)
        query, weight = np.array([0.1, -0.2]), Beta(alpha, alpha).density(lam)
        score = np.zeros(3)
        for s, t in np.ndindex(len(x), len(x)):
            near = np.linalg.norm(lam * x[s] + (1 - lam) * x[t] - query, axis=1) < eps
            score[y[s]] += (lam * weight)[near].sum()
            score[y[t]] += ((1 - lam) * weight)[near].sum()
        h = mixup_optimal(x, y, Beta(alpha, alpha), eps, query[None])[0]
        errors.append(np.abs(h - score / score.sum()).max())
        at_edge = x[0] + np.array([[eps - 1e-9, 0], [eps + 1e-9, 0]])
        h = mixup_optimal(x, y, Beta(alpha, alpha), eps, at_edge)
        jumps.append(np.abs(h[1] - h[0]).max())
    return [
        Check("(1) against a sum over 20,000 lambda", len(errors), max(errors), 1e-3),
        Check("jump of h_eps at distance eps of a data point", len(jumps), max(jumps), 1e-3),
    ]


def proposition_2_5() -> list[Check]:
    """The limit at the origin, and on both lines beside it."""
    near = np.array([[0.0, 0.0], [0.0, 1e-6], [1e-6, 0.0]])
    h = mixup_optimal_limit(*CROSS, Beta(1, 1), near, tolerance=1e-12)
    error = np.abs(h - [[0.5, 0.5], [1, 0], [0, 1]]).max()
    return [Check("h at the origin is 1/2, and 1 beside it", 3, error, ROUNDING)]


def theorem_2_7() -> list[Check]:
    """An alpha exists for every eps; and whether it is below the one that the proof names."""
    wrong, small = [], (0.02, 0.05, 0.1, 0.2, 0.3)
    for eps in (*small, 0.5):
        alpha = 1.01 * failing_alpha(eps)
        h = mixup_optimal(*LINE, Beta(alpha, alpha), eps, np.array([1.0]))[0]
        wrong.append(h[1] - h[0])
    ratio = {e: failing_alpha(e) / failing_alpha_bound(e) - 1 for e in (*small, 0.5)}
    part = "alpha that is needed over the proof's, less 1, eps"
    return [
        Check("right class's lead just above that alpha", len(wrong), max(wrong), 0.0),
        Check(f"{part} <= 0.3", len(small), max(ratio[e] for e in small), 0.0),
        Check(f"{part} = 0.5", 1, ratio[0.5], 0.0),
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
    """Where Assumption 2.9 holds: the limit beside the data, on every line that leaves them."""
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


def theorem_3_2() -> list[Check]:
    """Random points of X_mix where Assumption 3.1 holds for a class: what h says there."""
    wrong = []
    for seed in range(40):
        (x, y), rng = scattered(seed), np.random.default_rng(seed)
        s, t = rng.choice(len(x), 2, replace=False)
        lam = rng.random()
        query = lam * x[s] + (1 - lam) * x[t]
        h = mixup_optimal_limit(x, y, Beta(1, 1), query[None])[0]
        wrong += [float(h.argmax() != k) for k in range(3) if assumption_3_1(x, y, k, query)]
    return [Check("misclassified where Assumption 3.1 holds", len(wrong), max(wrong), 0.0)]


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


def _gaussian(n: int, positive: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    d = int(margins.bound(n)) + 1
    return np.random.default_rng(seed).normal(size=(n, d)), np.where(np.arange(n) < positive, 1, -1)


def theorem_3_5() -> list[Check]:
    """Angles (degrees) of Mixup's solution to the maximum margin, above Lemma 3.7's bound."""
    angles: dict[str, list[float]] = {"equal classes": [], "3 of 10": [], "across": []}
    for seed in range(10):
        for name, positive, across in (
            ("equal classes", 5, False),
            ("3 of 10", 3, False),
            ("across", 3, True),
        ):
            x, y = _gaussian(10, positive, seed)
            if margins.interpolates(x, y):
                theta = margins.mixup_solution(x, y, 1.0, across_only=across)
                angles[name].append(margins.angle(theta, margins.max_margin(x, y)))
    names = {
        "equal classes": "angle to the maximum margin, equal classes (degrees)",
        "3 of 10": "the same, 3 points against 7",
        "across": "the same, without pairs of one class, as in the proof",
    }
    return [Check(names[k], len(v), max(v), DEGREES) for k, v in angles.items()]


def corollary_3_8() -> list[Check]:
    """Angles (degrees) of Mixup's solution to gradient descent's, equal classes."""
    angles = []
    for seed in range(10):
        x, y = _gaussian(10, 5, seed)
        if margins.interpolates(x, y):
            theta = margins.mixup_solution(x, y, 1.0)
            angles.append(margins.angle(theta, margins.gradient_descent(x, y)))
    return [Check("angle to gradient descent (degrees)", len(angles), max(angles), DEGREES)]


def one_true_point() -> list[Check]:
    """How many examples an epoch pairs with themselves, over 2,000 epochs of 100 examples."""
    spec = PlanSpec(n=100, batch_size=100, pairing="uniform", alpha=1.0)
    blocks = range(-(-2000 // spec.block))
    partners = np.concatenate([draw_block(spec, 0, k).partner for k in blocks])
    own = (partners == np.arange(100)).sum(1)
    error = abs(own.mean() - 1)
    return [Check("mean number less 1", len(own), error, 4 / np.sqrt(len(own)))]


THEOREMS = (
    Theorem(
        "lemma2_3",
        "Lemma 2.3, Cor. C.1",
        "The Mixup-optimal classifier h_eps is (1), and continuous.",
        lemma_2_3,
    ),
    Theorem("prop2_5", "Prop. 2.5", "Its limit h can be discontinuous.", proposition_2_5),
    Theorem("thm2_7", "Thm 2.7", "For every eps some alpha makes h_eps err on X_3^2.", theorem_2_7),
    Theorem("prop2_8", "Prop. 2.8", "h is right on finite data.", proposition_2_8),
    Theorem(
        "thm2_10", "Thm 2.10", "h is continuous on the data under Assumption 2.9.", theorem_2_10
    ),
    Theorem(
        "one_true_point",
        "sec. 2.5",
        "Mixup sees one true data point an epoch in expectation.",
        one_true_point,
    ),
    Theorem("thm2_11", "Thm 2.11", "Midpoints determine the points.", theorem_2_11),
    Theorem("thm3_2", "Thm 3.2", "h says class i where Assumption 3.1 holds for i.", theorem_3_2),
    Theorem(
        "thm3_5",
        "Thm 3.5",
        "Where the maximum margin solution interpolates, Mixup's linear solution points its way.",
        theorem_3_5,
    ),
    Theorem(
        "cor3_8",
        "Cor. 3.8",
        "In high dimension Mixup and ERM by gradient descent point the same way.",
        corollary_3_8,
    ),
)
