"""Errata of Chidambaram et al.: both routes agree, and what is derived holds by a third."""

from __future__ import annotations

import re
from functools import partial
from inspect import cleandoc

import mpmath
import numpy as np
import pytest
import sympy
from scipy import stats

from mixup_repro.papers.chidambaram2022.errata import ERRATA, classifier, direct, failure, linear
from mixup_repro.papers.chidambaram2022.theorems import THEOREMS
from mixup_repro.papers.errata import Kind, markdown
from mixup_repro.theory.conditions import assumption_3_1
from mixup_repro.theory.midpoints import mixup_matrix
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import (
    coefficients,
    failing_alpha,
    mixup_loss,
    mixup_optimal,
    mixup_optimal_limit,
)

LINE = np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0])


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda e: e.id)
def test_both_routes_agree_and_what_is_printed_is_neither(erratum):
    numbers = erratum.witness()
    assert numbers and all(number.confirms for number in numbers)
    if erratum.kind in (Kind.MISPRINT, Kind.FALSE):
        assert any(number.printed is not None for number in numbers)


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda e: e.id)
def test_a_derivation_has_two_to_six_numbered_steps(erratum):
    text = cleandoc(erratum.derivation)
    steps = re.findall(r"^\d+\. ", text, re.M)
    assert steps == [f"{k}. " for k in range(1, len(steps) + 1)] and 2 <= len(steps) <= 6
    assert not re.search(r"^ *\d+\.$", text, re.M)  # Markdown takes it for a step
    for text in (erratum.printed, erratum.right, erratum.holds):
        assert cleandoc(text).endswith(".")


def test_every_erratum_has_an_id_of_its_own_and_they_are_markdown():
    ids = [erratum.id for erratum in ERRATA]
    assert len(set(ids)) == len(ids) and not set(ids) & {theorem.id for theorem in THEOREMS}
    text = markdown([e for e in ERRATA if e.id == "prop2_5_xi"])
    assert "| xi^{1,1} at the origin, eps = 0.5 | 0.125 | 0.0625 | 0.0625 |" in text


# --- the errata's own routes ---------------------------------------------------------------------


@pytest.mark.parametrize("a, b", [(1, 1), (2, 5)])
def test_the_direct_route_equals_drawing_mixtures(a, b):
    rng, n = np.random.default_rng(0), 1_000_000
    x, y, eps = rng.normal(size=(6, 2)), np.arange(6) % 3, 0.5
    query = x[0] + 0.1
    s, t = rng.integers(6, size=(2, n))
    lam = rng.beta(a, b, n)
    near = np.linalg.norm(lam[:, None] * x[s] + (1 - lam[:, None]) * x[t] - query, axis=1) < eps
    xi, xi_lambda = direct.coefficients(x, y, a, b, eps, query)
    for i, j in np.ndindex(3, 3):
        hit = near & (y[s] == i) & (y[t] == j)
        error = 5 * (hit.mean() / n) ** 0.5
        assert abs(xi[i, j] - hit.mean()) <= error
        assert abs(xi_lambda[i, j] - (hit * lam).mean()) <= error


@pytest.mark.parametrize("alpha", [1.0, 8.0])
def test_excess_loss_is_a_divergence_and_its_least_is_that_of_the_theory(alpha):
    """Of a smooth classifier that is even about 1, by two sums and by quadrature over lambda."""

    def g(z):
        share = 0.5 + 0.4 * np.tanh((z - 1) ** 2 - 0.3)
        return np.hstack([share, 1 - share])

    h = partial(mixup_optimal_limit, *LINE, Beta(alpha, alpha))
    assert direct.line_loss(g, alpha) == pytest.approx(mixup_loss(*LINE, alpha, g), rel=1e-6)
    excess = direct.line_loss(g, alpha) - direct.line_loss(h, alpha)
    assert direct.line_excess(g, alpha) == pytest.approx(excess, abs=1e-5)
    assert direct.line_excess(h, alpha) == pytest.approx(0, abs=1e-9)


def test_the_oscillating_density_is_one_with_full_support():
    mixing = classifier.Oscillating()
    lam = np.linspace(0, 1, 100_001)
    assert (mixing.density(lam) > 0.49 * mixing.c).all()
    np.testing.assert_allclose(mixing.density(lam), mixing.density(1 - lam), rtol=1e-6)
    one, half = mixing.mass(np.zeros(1), np.ones(1)), mixing.moment(np.zeros(1), np.ones(1))
    assert (one[0], half[0]) == pytest.approx((1, 0.5))
    for low, high in ((0.1, 0.4), (0.3, 0.7), (0.6, 1.0)):
        with mpmath.workdps(20):

            def density(v):
                t = abs(v - 0.5) or mpmath.mpf(10) ** -30
                return mixing.c * (1 + mpmath.sin(mpmath.log(t)) / 2)

            ends = sorted({low, high, *(0.5 + s * 4.0**-k for k in range(2, 18) for s in (-1, 1))})
            ends = [e for e in ends if low <= e <= high]
            mass, moment = (
                float(mpmath.quad(f, ends)) for f in (density, lambda v: v * density(v))
            )
        ours = mixing.mass(np.array([low]), np.array([high]))
        assert ours[0] == pytest.approx(mass, abs=1e-9)
        ours = mixing.moment(np.array([low]), np.array([high]))
        assert ours[0] == pytest.approx(moment, abs=1e-9)


def test_the_oscillation_never_settles():
    """h_eps(0) returns to the same two values each time eps is multiplied by exp(-2 pi)."""
    points = np.array([[0.0, 1], [0, -1], [-1, 0], [3, 0]]), np.array([0, 0, 1, 1])
    eps = 2 * np.exp((0.75 - np.arange(4, 8)) * np.pi)
    mixing = classifier.Oscillating()
    h = [mixup_optimal(*points, mixing, e, np.zeros((1, 2)))[0, 0] for e in eps]
    np.testing.assert_allclose(h[0::2], 0.8419, atol=1e-4)
    np.testing.assert_allclose(h[1::2], 0.7177, atol=1e-4)


# --- what the derivations say --------------------------------------------------------------------


def test_theorem_3_5_equal_margins_need_equal_classes_by_algebra():
    """The stationary equations at a = b, for g and the classes' masses: p = q or l' = 0."""
    p, g, slope = sympy.symbols("p g slope", real=True)
    q = 1 - p
    equations = [p**2 * slope + 2 * p * q * g, q**2 * slope + 2 * p * q * g]
    solutions = sympy.solve(equations, [g, p], dict=True)
    inside = [s for s in solutions if s.get(p) not in (0, 1)]
    assert {s.get(p) for s in inside} == {sympy.Rational(1, 2)}
    assert all(sympy.simplify(s[g] + slope / 2) == 0 for s in inside)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_two_margins_are_a_minimum(share):
    """Of the loss over drawn pairs, in a neighbourhood; each class's margin by itself too."""
    rng, n = np.random.default_rng(0), 2_000_000
    s, t = rng.random((2, n)) < share
    lam = rng.random(n)

    def loss(a, b):
        u = lam * np.where(s, a, -b) + (1 - lam) * np.where(t, a, -b)
        return (np.logaddexp(0, u) - (lam * s + (1 - lam) * t) * u).mean()

    a, b = linear.two_margins(share)
    best = loss(a, b)
    for step in ((0.3, 0), (-0.3, 0), (0, 0.3), (0, -0.3), (0.3, 0.3), (-0.3, -0.3)):
        assert loss(a + step[0], b + step[1]) > best
    assert abs(a - b) < 1e-9 if share == 0.5 else b - a > 0.2


def test_asm3_1_swapping_a_pair_leaves_the_classifier():
    """So the density may be replaced by its mean with its mirror image."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)), np.arange(6) % 3
    queries = 0.3 * x[:3] + 0.7 * x[3:]
    one, other = (mixup_optimal(x, y, m, 0.3, queries) for m in (Beta(2, 5), Beta(5, 2)))
    np.testing.assert_allclose(one, other, atol=1e-12)
    xi, xi_lambda = coefficients(x, y, Beta(2, 5), 0.3, queries[0])
    as_in_c1 = np.diag(xi) + 2 * (xi_lambda.sum(1) - np.diag(xi_lambda))
    assert np.abs(as_in_c1 / as_in_c1.sum() - one[0]).max() > 0.01  # its formula needs symmetry


@pytest.mark.parametrize("a, b", [(1, 1), (2, 5), (4, 4)])
def test_remark_2_4_the_limit_is_a_weighted_mean_of_shares(a, b):
    """Weights (f(lambda) + f(1 - lambda)) / length of the segments that cross at the origin."""
    x, y = np.array([[-1.0, 0], [3, 0], [0, 2], [0, -0.5], [1, 1], [-2, -2]]), np.arange(6) % 3
    f, total = stats.beta(a, b).pdf, np.zeros(3)
    for p, q in ((0, 1), (2, 3), (4, 5)):
        length = np.linalg.norm(x[p] - x[q])
        lam = np.linalg.norm(x[q]) / length
        weight = (f(lam) + f(1 - lam)) / length
        total += weight * (lam * np.eye(3)[y[p]] + (1 - lam) * np.eye(3)[y[q]])
    expected = total / total.sum()
    origin = np.zeros((1, 2))
    np.testing.assert_allclose(mixup_optimal_limit(x, y, Beta(a, b), origin)[0], expected)
    near = mixup_optimal(x, y, Beta(a, b), 1e-5, origin)[0]
    np.testing.assert_allclose(near, expected, atol=1e-4)


@pytest.mark.parametrize("alpha, eps", [(32, 0.0845), (128, 0.0422), (1024, 0.0149)])
def test_for_every_alpha_h_eps_is_right_for_small_eps(alpha, eps):
    assert failing_alpha(eps) == pytest.approx(alpha, rel=0.01)
    for factor, wrong in ((0.5, False), (0.9, False), (1.1, True)):
        h = mixup_optimal(*LINE, Beta(alpha, alpha), factor * eps, np.ones(1))[0]
        assert (h[0] > 0.5) == wrong


def test_a_continuous_classifier_that_is_right_comes_as_near_the_infimum_as_one_likes():
    excess = [
        direct.line_excess(partial(failure.continuous, alpha=32.0, r=r), 32.0, cells=200_000)
        for r in (0.05, 0.005, 0.0005)
    ]
    assert 0 < excess[2] < excess[1] / 5 < excess[0] / 25
    assert excess[1] < np.log(2) / 9  # no classifier that errs comes so near
    assert failure.continuous(np.ones((1, 1)), 32.0)[0].tolist() == [0, 1]


def test_assumption_3_1_can_hold_far_from_a_class_and_fail_near_it():
    x, y = np.array([[0.0, 0], [0, 10], [1, 10], [20, 0]]), np.array([0, 0, 1, 1])
    assert assumption_3_1(x, y, 0, np.array([9.9, 0.0]))
    assert not assumption_3_1(x, y, 0, np.array([10.1, 0.0]))
    assert not assumption_3_1(x, y, 0, np.array([0.6, 10.0]))


def test_lemma_c2_four_points_have_a_twin_with_the_same_midpoints():
    """m = 4 fails for all points: x and (sum of x) / 2 - x, each pair's sum its complement's."""
    a, x = mixup_matrix(4), np.random.default_rng(0).normal(size=4)
    twin = x.sum() / 2 - x
    np.testing.assert_allclose(np.sort(a @ x), np.sort(a @ twin))
    assert not np.allclose(np.sort(x), np.sort(twin))
