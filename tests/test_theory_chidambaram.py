"""Every numbered statement of `Data Dependency of Mixup-style Training`, by brute force."""

from __future__ import annotations

import re
from functools import partial
from itertools import permutations

import mpmath
import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, linalg, stats
from scipy.optimize import minimize
from sklearn.svm import SVC
from sympy import Matrix
from torch.nn.functional import softplus

from mixup_repro import beta
from mixup_repro.papers.chidambaram2022 import lecture, lecture_assumptions, section3
from mixup_repro.papers.chidambaram2022.theorems import THEOREMS
from mixup_repro.papers.claims import CONTRADICTED, ERRATUM
from mixup_repro.theory import margins
from mixup_repro.theory.conditions import assumption_2_9, assumption_3_1
from mixup_repro.theory.midpoints import mixup_matrix, permutes_columns, recover
from mixup_repro.theory.mixing import Beta, FromDensity
from mixup_repro.theory.optimal import (
    coefficients,
    failing_alpha,
    failing_alpha_bound,
    mixup_loss,
    mixup_optimal,
    mixup_optimal_limit,
    safe_alpha,
)

LINE = np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0])  # X_3^2
CROSS = np.array([[0.0, 1], [0, -1], [1, 0], [-1, 0]]), np.array([0, 0, 1, 1])
ALPHAS = [0.3, 1.0, 32.0]


def scattered(n: int = 7, d: int = 2, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), np.arange(n) % k


# --- the Mixup-optimal classifier ----------------------------------------------------------------


@pytest.mark.parametrize("mixing", [Beta(0.3, 0.3), Beta(1, 1), Beta(5, 2)])
def test_masses_and_moments_equal_quadrature(mixing):
    frozen = stats.beta(mixing.a, mixing.b)
    for low, high in ((0.0, 1.0), (0.1, 0.4), (0.5, 0.9), (0.7, 0.7001)):
        mass, _ = integrate.quad(frozen.pdf, low, high, epsrel=1e-10)
        moment, _ = integrate.quad(lambda t: t * frozen.pdf(t), low, high, epsrel=1e-10)
        assert mixing.mass(low, high) == pytest.approx(mass, rel=1e-6)
        assert mixing.moment(low, high) == pytest.approx(moment, rel=1e-6)


@pytest.mark.parametrize("alpha, low, high", [(64.0, 0.9, 0.95), (1024.0, 0.6, 0.62)])
def test_tails_keep_their_digits(alpha, low, high):
    mixing = Beta(alpha, alpha)
    low, high = np.array([low]), np.array([high])
    reflected = mixing.mass(1 - high, 1 - low)
    assert 0 < reflected[0] < 1e-12
    assert mixing.mass(low, high) == pytest.approx(reflected, rel=1e-9, abs=0)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_lemma_2_3_equals_monte_carlo(alpha):
    x, y = scattered()
    query, eps, draws = np.array([[0.2, 0.1], [-0.3, 0.2]]), 0.4, 2_000_000
    rng = np.random.default_rng(1)
    s, t = rng.integers(len(x), size=(2, draws))
    lam = rng.beta(alpha, alpha, (draws, 1))
    mixed = lam * x[s] + (1 - lam) * x[t]
    weight = lam * np.eye(3)[y[s]] + (1 - lam) * np.eye(3)[y[t]]
    h = mixup_optimal(x, y, Beta(alpha, alpha), eps, query)
    for k in range(len(query)):
        near = np.linalg.norm(mixed - query[k], axis=1) < eps
        error = weight[near].std(0) / near.sum() ** 0.5
        assert (np.abs(weight[near].mean(0) - h[k]) < 5 * error + 1e-6).all()


def test_the_bars_of_the_definitions_picture_add_up_to_h_eps():
    weights = lecture.definitions().axes[2]
    share = np.zeros(2)
    for bar in weights.patches:
        share[int(bar.get_facecolor()[0] > 0.5)] += bar.get_width()  # blue, then orange
    printed = [float(word) for word in re.findall(r"\d\.\d\d", weights.get_xlabel())]
    np.testing.assert_allclose(share / share.sum(), printed, atol=0.0051)


def test_the_sandwich_picture_has_the_mass_of_all_pairs_of_two_points():
    """6 of 9 ordered pairs; in the ball they are xi of the library, less the self-pair of 1."""
    for axis, alpha in zip(lecture_assumptions.sandwich().axes, (1.0, 32.0)):
        curves = [line.get_xydata() for line in axis.lines if len(line.get_xydata()) > 2]
        step = curves[0][1, 0] - curves[0][0, 0]
        assert sum(c[:, 1].sum() * step for c in curves) == pytest.approx(6 / 9, abs=2e-3)
        xi, _ = coefficients(*LINE, Beta(alpha, alpha), 0.1, np.ones(1))
        ball = sum((c[:, 1] * (abs(c[:, 0] - 1) < 0.1)).sum() * step for c in curves)
        assert ball == pytest.approx(xi.sum() - 1 / 9, abs=5e-3)


def test_the_pictures_of_the_assumptions_show_where_they_hold_and_fail():
    left, right = (axis.get_title(loc="left") for axis in lecture_assumptions.collinear().axes)
    assert left == "It fails: distance 0.00" and "It holds" in right
    plane, values = lecture_assumptions.closer().axes
    assert "It holds" in plane.get_title(loc="left")
    first, second, crossing, _ = (line.get_ydata() for line in values.lines)
    ends = [np.interp(0, values.lines[0].get_xdata(), h) for h in (first, second)]
    np.testing.assert_allclose(ends, [1 / 1.3, 1 / 1.45], atol=1e-3)
    assert ends[1] + 0.03 < crossing[0] < ends[0] - 0.03


def test_lemma_2_3_minimises_the_local_mixup_loss():
    """h_eps(x) is the constant prediction with the smallest Mixup loss inside the ball."""
    x, y = scattered()
    query, eps, mixing = np.array([0.1, -0.2]), 0.5, Beta(2, 2)
    ours = mixup_optimal(x, y, mixing, eps, query[None])[0]

    frozen, weights = stats.beta(2, 2), np.zeros(3)  # of -log theta_k in the loss, by quadrature
    for s in range(len(x)):
        for t in range(len(x)):

            def inside(lam, s=s, t=t):
                return np.linalg.norm(lam * x[s] + (1 - lam) * x[t] - query) < eps

            grid = (np.arange(20_000) + 0.5) / 20_000
            near = np.array([inside(lam) for lam in grid[::20]])
            if not near.any():
                continue
            grid = grid[::20][near]
            density = frozen.pdf(grid) / 1000
            weights[y[s]] += (grid * density).sum()
            weights[y[t]] += ((1 - grid) * density).sum()

    def loss(free):
        theta = np.append(free, 1 - free.sum())
        return -(weights * np.log(theta)).sum() if (theta > 0).all() else np.inf

    found = minimize(loss, [1 / 3, 1 / 3], method="Nelder-Mead", options={"xatol": 1e-8}).x
    np.testing.assert_allclose(ours[:2], found, atol=5e-3)
    assert ours.sum() == pytest.approx(1)


LEFT = FromDensity(stats.truncnorm(-1, 4, 0.2, 0.2).pdf)  # on [0, 1], mean about 0.26
RIGHT = FromDensity(lambda lam: LEFT.density(1 - lam))
UNIFORM = FromDensity(stats.uniform(0.1, 0.3).pdf, (0.1, 0.4))


@settings(max_examples=25)
@given(st.floats(1, 60), st.floats(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_any_density_gives_what_beta_gives_in_closed_form(a, b, one, other):
    low, high = np.array([min(one, other), 0.0]), np.array([max(one, other), 1.0])
    ours, closed = FromDensity(stats.beta(a, b).pdf), Beta(a, b)
    np.testing.assert_allclose(ours.mass(low, high), closed.mass(low, high), rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours.moment(low, high), closed.moment(low, high), rtol=0, atol=1e-8)


@given(st.floats(0, 1), st.floats(0, 1))
def test_uniform_mixing_is_exact(one, other):
    low, high = sorted((one, other))
    a, b = np.clip([low, high], 0.1, 0.4)
    assert UNIFORM.mass(low, high) == pytest.approx((b - a) / 0.3, abs=1e-12)
    assert UNIFORM.moment(low, high) == pytest.approx((b**2 - a**2) / 0.6, abs=1e-12)


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (0.1, 0.4), (0.5, 0.9), (0.7, 0.7001)])
def test_masses_and_moments_of_a_density_equal_quadrature(low, high):
    mass, _ = integrate.quad(LEFT.density, low, high, epsrel=1e-10)
    moment, _ = integrate.quad(lambda t: t * LEFT.density(t), low, high, epsrel=1e-10)
    assert LEFT.mass(low, high) == pytest.approx(mass, rel=1e-6)
    assert LEFT.moment(low, high) == pytest.approx(moment, rel=1e-6)


@pytest.mark.parametrize(
    "mixing, frozen",
    [
        (Beta(5, 2), stats.beta(5, 2)),
        (LEFT, stats.truncnorm(-1, 4, 0.2, 0.2)),
        (UNIFORM, stats.uniform(0.1, 0.3)),
    ],
)
def test_lemma_2_3_equals_monte_carlo_where_the_mixing_is_not_symmetric(mixing, frozen):
    x, y = scattered()
    query, eps, draws = np.array([0.2, 0.1]), 0.4, 1_000_000
    rng = np.random.default_rng(1)
    s, t = rng.integers(len(x), size=(2, draws))
    lam = frozen.rvs((draws, 1), random_state=rng)
    near = np.linalg.norm(lam * x[s] + (1 - lam) * x[t] - query, axis=1) < eps
    weight = (lam * np.eye(3)[y[s]] + (1 - lam) * np.eye(3)[y[t]])[near]
    h = mixup_optimal(x, y, mixing, eps, query[None])[0]
    assert (np.abs(weight.mean(0) - h) < 5 * weight.std(0) / near.sum() ** 0.5 + 1e-6).all()


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([LEFT, UNIFORM, Beta(5, 2)]), st.floats(0.1, 1))
def test_h_eps_sums_to_one_and_moves_with_the_classes(seed, mixing, eps):
    x, y = scattered(seed=seed)
    queries = np.random.default_rng(seed).normal(size=(20, 2))
    h = mixup_optimal(x, y, mixing, eps, queries)
    inside = np.isfinite(h[:, 0])
    np.testing.assert_allclose(h[inside].sum(1), 1)
    renamed = mixup_optimal(x, (y + 1) % 3, mixing, eps, queries)
    np.testing.assert_allclose(np.roll(renamed, -1, axis=1), h, atol=1e-8)


@pytest.mark.parametrize("eps", [0.3, None])
def test_a_mirrored_or_folded_mixing_distribution_gives_the_same_classifier(eps):
    """Every pair is drawn in both orders: only the symmetric part of the density counts."""
    x, y = scattered()
    folded = FromDensity(lambda lam: beta.density(lam, 2.0), (0.5,))
    even = FromDensity(lambda lam: (LEFT.density(lam) + RIGHT.density(lam)) / 2)
    queries = 0.3 * x[:3] + 0.7 * x[3:6]
    for one, other in ((LEFT, RIGHT), (LEFT, even), (folded, Beta(2, 2))):
        a, b = (
            mixup_optimal(x, y, m, eps, queries) if eps else mixup_optimal_limit(x, y, m, queries)
            for m in (one, other)
        )
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, atol=1e-8)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_corollary_c1_symmetric_form(alpha):
    """(xi_ii + 2 sum_j xi_ij_lambda) over its sum, with xi summed pair by pair by hand."""
    x, y = LINE
    eps, q = 0.3, 0.9
    frozen = stats.beta(alpha, alpha)
    xi, xi_lambda = np.zeros((2, 2)), np.zeros((2, 2))
    for s in range(3):
        for t in range(3):
            if s == t:
                low, high = (0.0, 1.0) if abs(x[s, 0] - q) < eps else (0.0, 0.0)
            else:
                ends = sorted(
                    [
                        (q - eps - x[t, 0]) / (x[s, 0] - x[t, 0]),
                        (q + eps - x[t, 0]) / (x[s, 0] - x[t, 0]),
                    ]
                )
                low, high = np.clip(ends, 0, 1)
            xi[y[s], y[t]] += frozen.cdf(high) - frozen.cdf(low)
            moment, _ = integrate.quad(lambda z: z * frozen.pdf(z), low, high)
            xi_lambda[y[s], y[t]] += moment
    score = [xi[0, 0] + 2 * xi_lambda[0, 1], xi[1, 1] + 2 * xi_lambda[1, 0]]
    h = mixup_optimal(x, y, Beta(alpha, alpha), eps, np.array([q]))[0]
    np.testing.assert_allclose(h, np.array(score) / sum(score), rtol=1e-6)


def test_lemma_2_3_h_eps_is_continuous_but_where_the_ball_meets_a_point():
    """A point mixed with itself has positive mass in one place: h_eps jumps at distance eps."""
    (x, y), eps = scattered(), 0.3
    smooth = []
    for n in (1000, 16_000):
        steps = np.linspace([-0.5, -0.5], [0.5, 0.5], n + 1)
        jumps = np.abs(np.diff(mixup_optimal(x, y, Beta(1, 1), eps, steps), axis=0)).max(1)
        distance = np.linalg.norm(steps[:, None] - x, axis=2)
        crossed = ((distance[1:] < eps) != (distance[:-1] < eps)).any(1)
        assert crossed.any() and (jumps[crossed] > 0.02).all()
        smooth.append(jumps[~crossed].max())
    # Where the ball first touches a line h_eps grows as a square root: steps 16 times finer.
    assert smooth[1] < smooth[0] / 3 < 0.02


@pytest.mark.parametrize(
    "query, after",
    [(0.4, 11 / 15), (0.6, None)],
)
def test_lemma_2_3_the_jump_on_the_line_is_that_of_one_self_pair(query, after):
    """X_3^2, eps = 0.4: query 0.4 leaves the point 0, query 0.6 meets the point 1.

    With C the mass of the ball without the self-pair, the share of its class jumps by
    (1/9) (1 - h) / (C + 1/9).
    """
    (x, y), eps = LINE, 0.4
    left, right = mixup_optimal(x, y, Beta(1, 1), eps, np.array([query - 1e-10, query + 1e-10]))
    own = 0 if query == 0.4 else 1
    without, beside = (right, left) if own == 0 else (left, right)
    grid = (np.arange(1_000_000) + 0.5) / 1_000_000  # of lambda, for each pair of two points
    mass = sum(
        np.mean(np.abs(grid * a + (1 - grid) * b - query) < eps)
        for a, b in ((0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0))
    )
    jump = (1 - without[own]) / (mass + 1)
    assert beside[own] - without[own] == pytest.approx(jump, abs=1e-5) and jump > 0.05
    if after:
        assert right[0] == pytest.approx(after, abs=1e-8)


def test_lemma_2_3_the_jumps_vanish_as_the_atoms_do():
    """n points of a law without atoms: a self-pair has 1 / n^2 of the mass in an unchanged ball."""
    largest = []
    for n in (10, 40, 160):
        rng = np.random.default_rng(0)
        x, y, eps, jumps = rng.random((n, 2)), np.arange(n) % 2, 0.3, []
        x[:, 0] += y  # two squares, side by side
        for other in x[1:10]:
            along = (other - x[0]) / np.linalg.norm(other - x[0])
            edge = x[0] + eps * along + np.array([[-1e-9], [1e-9]]) * along
            if np.linalg.norm(other - x[0]) > eps:
                h = mixup_optimal(x, y, Beta(1, 1), eps, edge)
                jumps.append(np.abs(h[1] - h[0]).max())
        largest.append(max(jumps))
    assert largest[0] > 4 * largest[1] > 16 * largest[2] > 0


def test_coefficients_equal_monte_carlo():
    x, y = scattered()
    query, eps, n = np.array([0.2, 0.1]), 0.4, 2_000_000
    rng = np.random.default_rng(2)
    s, t = rng.integers(len(x), size=(2, n))
    lam = rng.beta(5, 2, n)
    near = np.linalg.norm(lam[:, None] * x[s] + (1 - lam[:, None]) * x[t] - query, axis=1) < eps
    xi, xi_lambda = coefficients(x, y, Beta(5, 2), eps, query)
    for i, j in np.ndindex(3, 3):
        hit = near & (y[s] == i) & (y[t] == j)
        assert abs(xi[i, j] - hit.mean()) <= 5 * (hit.mean() / n) ** 0.5
        assert abs(xi_lambda[i, j] - (hit * lam).mean()) <= 5 * (hit.mean() / n) ** 0.5
    ours = xi_lambda + (xi - xi_lambda).T  # Lemma 2.3: of both orders, what class i gets
    score = ours.sum(1)
    np.testing.assert_allclose(
        mixup_optimal(x, y, Beta(5, 2), eps, query[None])[0], score / score.sum(), rtol=1e-12
    )


@pytest.mark.parametrize("eps", [0.05, 0.5, 0.7])
def test_proposition_2_5_xi_is_an_eighth_of_eps_not_a_quarter(eps):
    """Segments of length 2: |2 lambda - 1| < eps has the measure eps; 2 of 16 ordered pairs."""
    xi, _ = coefficients(*CROSS, Beta(1, 1), eps, [0.0, 0.0])
    lam = (np.arange(100_000) + 0.5) / 100_000
    pairs = sum(
        np.mean(np.linalg.norm(np.outer(lam, a) + np.outer(1 - lam, b), axis=1) < eps)
        for a in CROSS[0][:2]
        for b in CROSS[0][:2]
    )
    assert xi[0, 0] == pytest.approx(pairs / 16, abs=1e-5) == pytest.approx(eps / 8, abs=1e-5)
    assert xi[0, 0] == xi[1, 1] and xi[0, 1] == (0 if eps < 0.5**0.5 else pytest.approx(0))


def test_the_mixup_loss_equals_monte_carlo():
    (x, y), rng = scattered(), np.random.default_rng(0)
    v, draws = rng.normal(size=(2, 3)), 1_000_000
    s, t = rng.integers(len(x), size=(2, draws))
    lam = rng.beta(2, 2, (draws, 1))

    def g(z):
        return np.exp(z @ v) / np.exp(z @ v).sum(1, keepdims=True)

    targets = lam * np.eye(3)[y[s]] + (1 - lam) * np.eye(3)[y[t]]
    losses = -(targets * np.log(g(lam * x[s] + (1 - lam) * x[t]))).sum(1)
    assert abs(mixup_loss(x, y, 2.0, g) - losses.mean()) < 5 * losses.std() / draws**0.5


@pytest.mark.parametrize("alpha", [0.5, 1.0, 32.0])
def test_proposition_2_2_the_least_mixup_loss_is_the_entropy_of_the_mixtures_labels(alpha):
    """In general position by mpmath; on the alternating line over the line's own density."""
    x, y = scattered()
    h = mixup_loss(x, y, alpha, lambda z: mixup_optimal_limit(x, y, Beta(alpha, alpha), z), 400)
    with mpmath.workdps(20):
        power = (alpha - 1, mpmath.beta(alpha, alpha))

        def term(t):  # -t log t by the density; twice, by symmetry
            return -2 * t * mpmath.log(t) * (t * (1 - t)) ** power[0] / power[1]

        entropy = float(mpmath.quad(term, [0, 0.1, 0.5, 0.9, 1]))
    expected = entropy * np.mean(y[:, None] != y)
    assert h == pytest.approx(expected, rel=1e-4)


def test_proposition_2_2_on_the_line_no_classifier_beats_h():
    """At z in (0, 1) the pairs of 0 and 1 have density 2, those of 0 and 2 density 1 (alpha = 1).

    So class 1 has the share 2 z / 3 there, and the least loss is the mean entropy of these shares.
    """
    x, y = LINE

    def entropy(z):
        share = 2 * z / 3
        return -share * np.log(share) - (1 - share) * np.log1p(-share)

    least = 2 * 3 / 9 * integrate.quad(entropy, 0, 1)[0]
    h = mixup_loss(x, y, 1.0, lambda z: mixup_optimal_limit(x, y, Beta(1, 1), z), 400)
    assert h == pytest.approx(least, rel=1e-4) == pytest.approx(0.3624, abs=1e-4)

    def continuous(z, r):  # h but within r of the point 1, where it falls to its label
        away = abs(z[:, 0] - 1)
        share = 2 / 3 * (1 - away) + np.clip(1 - away / r, 0, 1) * (1 / 3 + 2 / 3 * away)
        return np.c_[1 - share, share]

    losses = [mixup_loss(x, y, 1.0, partial(continuous, r=r), 400) for r in (0.2, 0.05, 0.0125)]
    assert losses[0] > losses[1] > losses[2] > least
    assert losses[1] == pytest.approx(0.3684, abs=3e-4)


def test_proposition_2_5_discontinuity_at_the_origin():
    points = np.array([[0.0, 0.0], [0.0, 1e-6], [1e-6, 0.0]])
    h = mixup_optimal_limit(*CROSS, Beta(1, 1), points, tolerance=1e-12)
    np.testing.assert_allclose(h, [[0.5, 0.5], [1, 0], [0, 1]])
    # And h_eps tends there: 1/2 at the origin for every eps, 1 beside it for small eps.
    for eps in (0.5, 1e-3):
        assert mixup_optimal(*CROSS, Beta(1, 1), eps, points[:1])[0, 0] == pytest.approx(0.5)
    assert mixup_optimal(*CROSS, Beta(1, 1), 1e-8, points[1:2])[0, 0] == 1


@pytest.mark.parametrize("alpha", ALPHAS)
def test_proposition_2_8_the_limit_is_right_on_the_data(alpha):
    for x, y in (LINE, CROSS, scattered()):
        h = mixup_optimal_limit(x, y, Beta(alpha, alpha), x)
        np.testing.assert_array_equal(h, np.eye(h.shape[1])[y])


@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_the_limit_is_that_of_small_eps(alpha):
    x, y = scattered()
    x[6] = 2 * x[0] / 3 + x[1] / 3 + (x[0] - x[1])[::-1] * [1, -1]  # two lines cross on a third
    crossing = 2 * x[0] / 3 + x[1] / 3
    x[5] = 2 * crossing - x[6]
    mixing = Beta(alpha, alpha)
    limit = mixup_optimal_limit(x, y, mixing, crossing[None])
    near = mixup_optimal(x, y, mixing, 1e-6, crossing[None])
    np.testing.assert_allclose(near, limit, atol=1e-4)
    assert 0 < limit[0, y[0]] < 1


def test_queries_outside_x_mix_are_nan():
    h = mixup_optimal(*LINE, Beta(1, 1), 0.1, np.array([-5.0, 0.5, 9.0]))
    assert np.isnan(h[[0, 2]]).all() and np.isfinite(h[1]).all()
    assert np.isnan(mixup_optimal_limit(*CROSS, Beta(1, 1), np.array([[0.9, 0.9]]))).all()


# --- Theorem 2.7 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0.05, 0.2, 0.5, 0.9])
def test_theorem_2_7_some_alpha_makes_h_eps_misclassify_the_middle(eps):
    threshold = failing_alpha(eps)
    for factor, wrong in ((0.95, False), (1.05, True), (20, True)):
        mixing = Beta(factor * threshold, factor * threshold)
        h = mixup_optimal(*LINE, mixing, eps, np.array([1.0]))[0]
        assert (h[0] > h[1]) == wrong


def lead_of_the_wrong_class(eps: float, alpha: float) -> float:
    """9 times class 0's coefficient at the point 1 less class 1's, by quadrature, eps < 1.

    The pairs of 0 and 2 mix into the ball for |lambda - 1/2| < eps / 2. Of a pair with the point
    itself, the outer point has a weight w < eps.
    """
    y = stats.beta(alpha, alpha)
    density, options = y.pdf, {"limit": 200, "points": [0.5 - eps / 2, 0.5, 0.5 + eps / 2]}
    inside, _ = integrate.quad(lambda t: density(t) * (abs(t - 0.5) < eps / 2), 0, 1, **options)
    tilt, _ = integrate.quad(lambda w: (2 * w - 1) * density(w), 0, eps, limit=200)
    return 2 * inside - 1 + 4 * tilt


@pytest.mark.parametrize("eps", [0.05, 0.3, 0.5, 0.9])
def test_theorem_2_7_the_threshold_is_where_the_coefficients_are_equal(eps):
    alpha = failing_alpha(eps)
    assert (
        lead_of_the_wrong_class(eps, 0.99 * alpha) < 0 < lead_of_the_wrong_class(eps, 1.01 * alpha)
    )


def test_theorem_2_7_the_proofs_bound_is_enough_below_0_3991_only():
    """Its variance is twice the right one, and it takes eps for eps / 2 and xi_21 for xi_12."""
    for eps in (0.05, 0.1, 0.3, 0.39):
        assert lead_of_the_wrong_class(eps, failing_alpha_bound(eps)) > 0
    for eps in (0.41, 0.5, 0.8, 0.99):
        assert lead_of_the_wrong_class(eps, failing_alpha_bound(eps)) < 0
    assert failing_alpha(0.399) < failing_alpha_bound(0.399)
    assert failing_alpha(0.3992) > failing_alpha_bound(0.3992)


@given(st.floats(0.02, 0.99), st.floats(1, 20))
def test_theorem_2_7_the_mended_bound_is_enough_for_every_eps(eps, factor):
    alpha = factor * safe_alpha(eps)
    h = mixup_optimal(*LINE, Beta(alpha, alpha), eps, np.array([1.0]))[0]
    assert h[0] > 0.5
    # Both inequalities of its proof.
    y = stats.beta(alpha, alpha)
    assert y.cdf(0.5 + eps / 2) - y.cdf(0.5 - eps / 2) >= 1 - 2 * np.exp(-(eps**2) * (alpha + 0.5))
    assert 2 * beta.theta_bar(alpha) - 1 <= (2 * alpha + 1) ** -0.5  # E|1 - 2 Y|


def test_theorem_2_7_the_mended_bound_is_enough_where_the_ball_holds_the_neighbours():
    for eps in (1.0, 1.2, 2.5):
        mixing = Beta(safe_alpha(eps), safe_alpha(eps))
        assert mixup_optimal(*LINE, mixing, eps, np.array([1.0]))[0, 0] > 0.5


# --- Assumptions 2.9 and 3.1 ---------------------------------------------------------------------


def test_assumption_2_9_fails_on_the_alternating_line_and_holds_on_scattered_points():
    found = assumption_2_9(*LINE)
    assert found.distance == 0 and not found.holds() and found.exact
    assert found.witness[0] == 1 and set(found.witness[1:]) == {0, 2}
    found = assumption_2_9(*scattered())
    assert found.holds()


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_assumption_2_9_measures_the_distance_to_the_nearest_segment(seed):
    x, y = scattered(n=6, seed=seed)
    best = np.inf
    lam = np.linspace(0, 1, 2001)[:, None]
    for k in range(6):
        for u in range(6):
            for v in range(u):
                if k not in (u, v) and not y[u] == y[v] == y[k]:
                    points = lam * x[u] + (1 - lam) * x[v]
                    best = min(best, np.linalg.norm(points - x[k], axis=1).min())
    found = assumption_2_9(x, y).distance
    assert found <= best + 1e-12 and found == pytest.approx(best, abs=5e-3)


def test_assumption_2_9_of_big_sets_is_an_upper_bound():
    x, y = scattered(n=400, d=5)
    sampled = assumption_2_9(x, y, pairs=2000)
    assert not sampled.exact and sampled.holds()
    k, u, v = sampled.witness
    assert len({k, u, v}) == 3 and not y[k] == y[u] == y[v]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_theorem_2_10_where_assumption_2_9_holds_h_is_continuous_on_the_data(alpha):
    """h_eps at the data tends to the right class, and so does h beside them."""
    x, y = scattered()
    assert assumption_2_9(x, y).holds(1e-3)
    near = mixup_optimal(x, y, Beta(alpha, alpha), 1e-5, x)
    np.testing.assert_allclose(near, np.eye(3)[y], atol=0.05)
    # Beside a point, on the lines to the others, the point's class has nearly all the weight.
    for s in range(len(x)):
        beside = x[s] + 1e-4 * (x[np.arange(len(x)) != s] - x[s])
        h = mixup_optimal_limit(x, y, Beta(alpha, alpha), beside, tolerance=1e-12)
        assert (h[:, y[s]] > 0.999).all()


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.02, 0.98), st.sampled_from(ALPHAS))
def test_theorem_3_2_where_assumption_3_1_holds_h_says_the_class(seed, lam, alpha):
    x, y = scattered(n=6, seed=seed)
    rng = np.random.default_rng(seed)
    s, t = rng.choice(6, 2, replace=False)
    query = lam * x[s] + (1 - lam) * x[t]
    h = mixup_optimal_limit(x, y, Beta(alpha, alpha), query[None])[0]
    for label in range(3):
        if assumption_3_1(x, y, label, query):
            assert h.argmax() == label
    if y[s] != y[t] and abs(lam - 0.5) > 0.01:
        nearer = y[s] if lam > 0.5 else y[t]
        assert assumption_3_1(x, y, nearer, query)


TWO_LINES = np.array([[-0.3, 0], [0, -0.45], [1.0, 0], [0, 1.0]]), np.array([0, 0, 1, 1])


@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_theorem_3_2_is_not_continuous_where_two_segments_of_different_shares_cross(alpha):
    """At the origin the mean of both shares, by density / length; along a segment its own share."""
    x, y = TWO_LINES
    assert assumption_3_1(x, y, 0, np.zeros(2))
    points = np.array([[0.0, 0], [1e-6, 0], [-1e-6, 0], [0, 1e-6], [0, -1e-6]])
    h = mixup_optimal_limit(x, y, Beta(alpha, alpha), points, 1e-12)[:, 0]
    shares, lengths = np.array([1 / 1.3, 1 / 1.45]), np.array([1.3, 1.45])
    weights = stats.beta(alpha, alpha).pdf(shares) / lengths
    np.testing.assert_allclose(h[0], weights @ shares / weights.sum(), rtol=1e-9)
    np.testing.assert_allclose(h[1:], shares[[0, 0, 1, 1]], atol=1e-5)
    # So no value at the origin makes it continuous: both sides differ by .08.
    assert h[1] - h[3] > 0.07


def test_theorem_3_2_the_counterexample_by_drawing_mixtures():
    (x, y), n, eps = TWO_LINES, 4_000_000, 0.01
    rng = np.random.default_rng(0)
    s, t = rng.integers(4, size=(2, n))
    lam = rng.random((n, 1))
    mixed = lam * x[s] + (1 - lam) * x[t]
    share = lam[:, 0] * (y[s] == 0) + (1 - lam[:, 0]) * (y[t] == 0)
    found = {}
    for place in ((0.0, 0.0), (0.1, 0.0), (0.0, 0.1)):
        # Beside the origin two same-class segments run elsewhere; the ball holds one segment.
        near = np.linalg.norm(mixed - place, axis=1) < eps
        found[place] = share[near].mean(), share[near].std() / near.sum() ** 0.5
    for place, truth in (
        ((0.0, 0.0), 0.73161),
        ((0.1, 0.0), 0.9 / 1.3),
        ((0.0, 0.1), 0.9 / 1.45),
    ):
        mean, error = found[place]
        assert abs(mean - truth) < 5 * error + 1e-3 < 0.01


def test_assumption_3_1_fails_off_the_lines_between_other_classes_and_at_other_points():
    assert not assumption_3_1(*LINE, 0, np.array([1.0]))  # the other class's point
    assert not assumption_3_1(*LINE, 1, np.array([1.0]))  # 0 and 2 mix across it
    assert assumption_3_1(*LINE, 0, np.array([0.0]))
    assert not assumption_3_1(*CROSS, 0, np.array([0.0, 0.0]))  # two lines cross
    assert assumption_3_1(*CROSS, 0, np.array([0.0, 0.3]))
    for label in (0, 1):  # in the middle neither class is closer
        assert not assumption_3_1(np.array([0.0, 2.0]), np.array([0, 1]), label, np.array([1.0]))
    assert not assumption_3_1(*CROSS, 0, np.array([5.0, 5.0]))  # outside X_mix


# --- Theorem 2.11 --------------------------------------------------------------------------------


def midpoints_of(points: np.ndarray, seed: int = 0) -> np.ndarray:
    i, j = np.triu_indices(len(points), 1)
    middle = (points[i] + points[j]) / 2
    return middle[np.random.default_rng(seed).permutation(len(middle))]


@settings(max_examples=40)
@given(st.integers(6, 20), st.integers(1, 4), st.integers(0, 10_000))
def test_theorem_2_11_points_are_recovered_from_their_midpoints(m, d, seed):
    points = np.random.default_rng(seed).normal(size=(m, d))
    (found,) = recover(midpoints_of(points, seed))
    order = np.lexsort(points.T[::-1]), np.lexsort(found.T[::-1])
    np.testing.assert_allclose(found[order[1]], points[order[0]], atol=1e-7)


def test_theorem_2_11_exceptions_are_reported_as_more_than_one_set():
    """Eight points with a twin of the same midpoints: S + d and its complement, twice over."""
    a, b = np.array([0.0, 3.0]), np.array([1.0, 2.0])
    for d in (7.3, 17.9):
        a, b = np.append(a, b + d), np.append(b, a + d)
    i, j = np.triu_indices(8, 1)
    assert np.allclose(np.sort(a[i] + a[j]), np.sort(b[i] + b[j]))
    found = [np.sort(points.ravel()) for points in recover(midpoints_of(a[:, None]))]
    assert len(found) >= 2
    for twin in (a, b):
        assert any(np.allclose(points, np.sort(twin)) for points in found)


def test_what_are_no_midpoints_has_no_points():
    assert recover(np.random.default_rng(0).normal(size=(21, 2))) == []


@pytest.mark.parametrize("m", [6, 7, 8])
def test_lemma_c2_a_permuted_mixup_matrix_adds_rank(m):
    """rank [A, PA] > m unless PA is A with its columns permuted; ranks without rounding."""
    a, rng = mixup_matrix(m), np.random.default_rng(0)
    pairs = {tuple(np.flatnonzero(row)): k for k, row in enumerate(a)}

    def rank(order):
        return Matrix(np.hstack([a, a[order]]).astype(int)).rank()

    for trial in range(6):
        order = rng.permutation(len(a))
        if trial < 3:  # nearly a permutation of columns: two rows exchanged
            order = np.arange(len(a))
            order[[0, -1 - trial]] = order[[-1 - trial, 0]]
        assert not permutes_columns(a, order) and rank(order) > m
    columns = rng.permutation(m)
    rows = [pairs[tuple(sorted(columns[list(pair)]))] for pair in pairs]
    assert permutes_columns(a, np.array(rows)) and rank(np.array(rows)) == m


@pytest.mark.parametrize("m, lacking", [(3, 6), (4, 48)])
def test_lemma_c2_every_permutation_of_few_points(m, lacking):
    """m = 3: all 6 have rank m, and permute columns. m = 4: 48 have, of which 24 do not."""
    a = mixup_matrix(m)
    low = [
        np.array(p)
        for p in permutations(range(len(a)))
        if np.linalg.matrix_rank(np.hstack([a, a[list(p)]])) == m
    ]
    assert len(low) == lacking
    assert sum(permutes_columns(a, order) for order in low) == {3: 6, 4: 24}[m]


@pytest.mark.parametrize("m", [3, 4, 5, 6])
def test_lemma_c2_by_automorphisms_of_the_line_graph(m):
    """P leaves the span of A where it is if and only if it keeps which pairs share a point.

    The projection onto the span has three values, for pairs that share 2, 1 and 0 points. So the
    lemma is that the pairs' line graph has no automorphisms but those of the points: m! of them.
    """
    a = mixup_matrix(m)
    projection = a @ np.linalg.inv(a.T @ a) @ a.T
    shared = (a @ a.T).astype(int)
    values = [np.unique(projection[shared == k].round(12)) for k in np.unique(shared)]
    assert all(len(v) == 1 for v in values) and len(np.unique(values)) == len(values)
    graph = networkx.from_numpy_array(shared == 1)
    matcher = networkx.isomorphism.GraphMatcher(graph, graph)
    count = sum(1 for _ in matcher.isomorphisms_iter())
    assert count == {3: 6, 4: 48, 5: 120, 6: 720}[m]


# --- Theorem 3.5 and Corollary 3.8 ---------------------------------------------------------------


def gaussian(n: int, d: int, positive: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(seed).normal(size=(n, d)), np.where(np.arange(n) < positive, 1, -1)


@pytest.mark.parametrize("d", [12, 30, 300])
def test_max_margin_equals_a_support_vector_machine_through_the_origin(d):
    x, y = gaussian(10, d, 4)
    theta = margins.max_margin(x, y)
    # Mirrored points make the intercept vanish.
    model = SVC(kernel="linear", C=1e8, tol=1e-10).fit(np.r_[x, -x], np.r_[y, -y])
    assert margins.angle(theta, model.coef_[0]) < 0.05
    assert (y * (x @ theta)).min() == pytest.approx(1)
    assert margins.interpolates(x, y) == np.allclose(y * (x @ theta), 1)


def test_gradient_descent_tends_to_the_maximum_margin():
    x, y = gaussian(8, 40, 4)
    angles = [
        margins.angle(margins.gradient_descent(x, y, steps), margins.max_margin(x, y))
        for steps in (200, 2000, 20_000)
    ]
    assert angles[0] > angles[1] > angles[2] and angles[2] < 0.1


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([0.5, 1.0, 8.0]))
def test_theorem_3_5_balanced_classes(seed, alpha):
    x, y = gaussian(8, int(margins.bound(8)) + 1, 4, seed)
    if margins.interpolates(x, y):  # with probability at least 1 - 2/n (Lemma 3.7)
        theta = margins.mixup_solution(x, y, alpha)
        assert margins.angle(theta, margins.max_margin(x, y)) < 0.01


def test_theorem_3_5_as_its_proof_has_it_and_as_it_is_stated():
    """Without pairs of one class the solution interpolates; with them only for equal classes."""
    x, y = gaussian(10, 300, 3)
    best = margins.max_margin(x, y)
    assert margins.interpolates(x, y)
    assert margins.angle(margins.mixup_solution(x, y, 1.0, across_only=True), best) < 0.01
    theta = margins.mixup_solution(x, y, 1.0)
    assert margins.angle(theta, best) > 1
    outputs = x @ theta
    assert np.ptp(outputs[y > 0]) < 1e-3 > np.ptp(outputs[y < 0])
    # The smaller class's margin is the smaller one.
    assert outputs[y > 0].mean() < 0.95 * -outputs[y < 0].mean()


def test_mixup_solution_minimises_the_loss_of_all_pairs():
    x, y = gaussian(6, 20, 2)
    rng = np.random.default_rng(0)
    lam = rng.beta(1, 1, (400_000, 1))
    s, t = rng.integers(6, size=(2, 400_000))
    mixed = lam * x[s] + (1 - lam) * x[t]
    target = lam[:, 0] * (y[s] > 0) + (1 - lam[:, 0]) * (y[t] > 0)

    def gradient(theta):
        z = mixed @ theta
        return np.linalg.norm(mixed.T @ (1 / (1 + np.exp(-z)) - target)) / len(z)

    theta = margins.mixup_solution(x, y, 1.0)
    assert gradient(theta) < 0.02 * gradient(np.zeros(20))


def two_margins(positive: int, n: int, alpha: float) -> np.ndarray:
    """Mixup's outputs for each class, a minimisation in two variables: points of a class are alike.

    J_mix = p^2 l(a) + q^2 l(b) + 2 p q E[lam l(v) + (1 - lam) l(-v)], v = lam a - (1 - lam) b.
    """
    lam, weight = beta.lambda_quadrature(alpha, 60)
    p = positive / n

    def loss(margins):
        a, b = margins
        v = lam * a - (1 - lam) * b
        across = weight @ (lam * np.logaddexp(0, -v) + (1 - lam) * np.logaddexp(0, v))
        own = np.logaddexp(0, -margins)  # a mixture of one class has its class's margin
        return p**2 * own[0] + (1 - p) ** 2 * own[1] + 2 * p * (1 - p) * across

    return minimize(
        loss, [2.0, 2.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14}
    ).x


@pytest.mark.parametrize("positive", [5, 4, 3, 1])
def test_theorem_3_5_the_margins_of_classes_of_different_sizes_differ(positive):
    x, y = gaussian(10, int(margins.bound(10)) + 1, positive)
    a, b = two_margins(positive, 10, 1.0)
    outputs = y * (x @ margins.mixup_solution(x, y, 1.0))
    np.testing.assert_allclose(outputs, np.where(y > 0, a, b), rtol=1e-4)
    assert (abs(a - b) < 1e-6) == (positive == 5)


@pytest.mark.parametrize("positive, least", [(4, 0.9), (3, 1.8), (1, 2.2)])
def test_corollary_3_8_fails_for_unequal_classes(positive, least):
    """Directions from the two margins and from a support vector machine, without our solvers."""
    x, y = gaussian(10, int(margins.bound(10)) + 1, positive)
    a, b = two_margins(positive, 10, 1.0)
    mixup, *_ = linalg.lstsq(x, y * np.where(y > 0, a, b))
    erm = SVC(kernel="linear", C=1e8, tol=1e-10).fit(np.r_[x, -x], np.r_[y, -y]).coef_[0]
    assert margins.angle(mixup, erm) > least
    ours = margins.angle(margins.mixup_solution(x, y, 1.0), margins.gradient_descent(x, y))
    assert ours == pytest.approx(margins.angle(mixup, erm), abs=0.03)


@pytest.mark.parametrize("n, enough", [(6, True), (10, True), (10, False)])
def test_lemma_3_7_the_rate_by_wishart_matrices(n, enough):
    """All are support vectors where G^-1 1 > 0; G = Z Z^T is a Wishart matrix, whatever labels.

    Labels by coin only mirror the points, so that the rate cannot depend on how many are positive.
    """
    d = int(margins.bound(n)) + 1 if enough else n + 10
    grams = stats.wishart(d, np.eye(n)).rvs(2000, random_state=0)
    rate = (np.linalg.solve(grams, np.ones((2000, n, 1))) > 0).all((1, 2)).mean()
    assert (rate >= 1 - 2 / n) == enough
    ours = [margins.interpolates(*gaussian(n, d, 2, seed)) for seed in range(400)]
    assert abs(np.mean(ours) - rate) < 5 * (rate * (1 - rate) / 400) ** 0.5 + 0.005


def test_lemma_3_7_counts_only_draws_that_have_both_labels():
    coin, _ = section3.lemma_3_7(draws=40)
    draws = [
        np.random.default_rng([s, n]).random(n) < 0.5 for n in (4, 6, 10, 20) for s in range(40)
    ]
    assert coin.cases == sum(0 < labels.sum() < len(labels) for labels in draws) < 160


@pytest.mark.parametrize("alpha", ALPHAS)
def test_lemma_e1_the_curvature_is_that_of_automatic_differentiation(alpha):
    rng = np.random.default_rng(0)
    points, theta = rng.normal(size=(2, 5)), rng.normal(size=5)
    lam, weight = (torch.from_numpy(v) for v in beta.lambda_quadrature(alpha, 40))

    def loss(theta):
        u = (torch.outer(lam, x) + torch.outer(1 - lam, z)) @ theta
        return weight @ (lam * softplus(-u) + (1 - lam) * softplus(u))

    x, z = torch.from_numpy(points)
    full = torch.autograd.functional.hessian(loss, torch.from_numpy(theta)).numpy()
    values = np.linalg.eigvalsh(full)
    np.testing.assert_allclose(values[:3], 0, atol=1e-12)  # off the span it is flat
    ours = np.linalg.eigvalsh(margins.curvature(points, theta, alpha))
    np.testing.assert_allclose(ours, values[3:], rtol=1e-9)
    assert ours[0] > 1e-6


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(ALPHAS))
def test_lemma_e1_halfway_the_loss_is_below_the_mean_of_both_ends(seed, alpha):
    """Strict convexity by its definition, and with points that are not independent: z = -3 x."""
    rng = np.random.default_rng(seed)
    lam, weight = beta.lambda_quadrature(alpha, 40)
    for u, v in (rng.normal(size=(2, 2)), np.outer(rng.normal(size=2), [1, -3])):
        losses = []
        for outputs in (u, v, (u + v) / 2):
            at = lam * outputs[0] + (1 - lam) * outputs[1]
            losses.append(weight @ (np.logaddexp(0, at) - lam * at))
        assert losses[2] < (losses[0] + losses[1]) / 2


def test_corollary_3_8_gradient_descent_and_mixup_agree_above_the_bound():
    x, y = gaussian(10, int(margins.bound(10)) + 1, 5)
    angle = margins.angle(margins.mixup_solution(x, y, 1.0), margins.gradient_descent(x, y))
    assert angle < 0.05


# --- what becomes of the statements ---------------------------------------------------------------


def test_every_statement_holds_but_for_these_parts():
    found = {(t.id, c.part): c.verdict for t in THEOREMS for c in t.check()}
    false = [(claim, part) for (claim, part), v in found.items() if v == CONTRADICTED]
    assert [claim for claim, _ in false] == ["lemma2_3", "thm3_2", "thm3_5", "cor3_8"]
    for (_, part), word in zip(
        false, ("self|itself", "two segments cross", "3 points", "3 points")
    ):
        assert re.search(word, part)
    assert [claim for (claim, _), v in found.items() if v == ERRATUM] == ["prop2_5", "thm2_7"]


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: mixup_optimal(*LINE, Beta(1, 1), 0.0, [1.0]), "eps=0.0: must be > 0"),
        (lambda: Beta(0, 1), "both must be > 0"),
        (lambda: FromDensity(stats.norm.pdf), "is 0.341345: must be 1"),
        (lambda: FromDensity(stats.beta(0.5, 0.5).pdf), "must be bounded"),
        (lambda: FromDensity(np.ones_like, (0.7, 0.2)), "must increase"),
        (lambda: FromDensity(np.ones_like, (1.2,)), "inside of"),
        (lambda: mixup_optimal([0, 1, 1], [0, 1, 1], Beta(1, 1), 0.1, [1.0]), "1 and 2 coincide"),
        (lambda: mixup_optimal([0, 1, 1], [0, 1, 0], Beta(1, 1), 0.1, [1.0]), "1 and 0 overlap"),
        (lambda: mixup_optimal([0, 1], [0, 0], Beta(1, 1), 0.1, [1.0]), "at least two of both"),
        (lambda: failing_alpha(1.0), "between 0 and 1"),
        (lambda: recover(np.zeros((10, 1))), "at least 6 points"),
        (lambda: recover(np.zeros((14, 1))), "5 have 10 and 6 have 15; some are missing"),
        (lambda: margins.max_margin(np.eye(3), np.array([1, 1, 1])), "both of -1 and 1"),
        (lambda: margins.max_margin(np.ones((3, 4)), np.array([1, -1, 1])), "linearly dependent"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with pytest.raises(ValueError, match=words):
        call()
