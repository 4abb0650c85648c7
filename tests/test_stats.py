"""Intervals, paired differences and agreement, against scipy and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mixup_repro.papers.claims import (
    AGREES,
    CONTRADICTED,
    DIFFERS,
    INCONCLUSIVE,
    SUPPORTED,
    mostly,
    number,
    signed,
    zero,
)
from mixup_repro.stats import NoValues, agrees, interval, paired

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=20).filter(lambda v: np.std(v) > 1e-6)


@given(VALUES)
def test_the_interval_is_scipys_t_interval(values):
    got = interval(values)
    low, high = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)
    assert got.n == len(values)


def test_one_value_has_no_bounds_and_none_is_an_error():
    assert interval([3.0]).low == -math.inf
    with pytest.raises(NoValues):
        interval([])


@given(VALUES)
def test_a_signed_verdict_agrees_with_the_t_test(values):
    p = scipy_stats.ttest_1samp(values, 0).pvalue
    if abs(p - 0.05) < 1e-6:
        return
    up, down = signed("", values, 1).verdict, signed("", values, -1).verdict
    if p > 0.05:
        assert up == down == INCONCLUSIVE
    elif np.mean(values) > 0:
        assert (up, down) == (SUPPORTED, CONTRADICTED)
    else:
        assert (up, down) == (CONTRADICTED, SUPPORTED)


def test_pairs_are_matched_by_seed_and_half_pairs_are_left_out():
    a = pd.Series({0: 1.0, 1: 2.0, 2: 5.0})
    b = pd.Series({2: 1.0, 0: 0.5, 7: 9.0})
    assert paired(a, b).to_dict() == {0: 0.5, 2: 4.0}


def test_agreement_is_the_two_sample_t_test_of_equal_spread():
    rng = np.random.default_rng(0)
    ours = rng.normal(0, 1, 10)
    half = scipy_stats.t.ppf(0.975, 9) * ours.std(ddof=1) * math.sqrt(2 / 10)
    assert agrees(ours, ours.mean() + 0.99 * half, 10)
    assert not agrees(ours, ours.mean() + 1.01 * half, 10)
    with pytest.raises(NoValues):
        agrees([1.0], 1.0, 10)  # one run says nothing of the spread
    assert number("", [1.0], 1.0, 10, digits=2).verdict == INCONCLUSIVE


@given(VALUES, st.floats(-100, 100), st.floats(1e-3, 50), st.integers(2, 20))
def test_agreement_with_a_printed_standard_error_is_welchs_test(values, reference, error, n):
    p = scipy_stats.ttest_ind_from_stats(
        np.mean(values),
        np.std(values, ddof=1),
        len(values),
        reference,
        error * math.sqrt(n),
        n,
        equal_var=False,
    ).pvalue
    if abs(p - 0.05) > 1e-6:
        assert agrees(values, reference, n, reference_se=error) == (p > 0.05)


def by_hand(values, reference, reference_n, rounding, error) -> float:
    """How far inside the interval of the difference the reference lies, by Welch's formulas."""
    x = np.asarray(values)
    own = x.var(ddof=1) / len(x)
    if error is None:
        other, freedom = x.var(ddof=1) / reference_n, len(x) - 1
    else:
        other = error**2
        freedom = (own + other) ** 2 / (own**2 / (len(x) - 1) + other**2 / (reference_n - 1))
    half = scipy_stats.t.ppf(0.975, freedom) * math.sqrt(own + other) + rounding
    return half - abs(x.mean() - reference)


@given(
    VALUES,
    st.floats(-100, 100),
    st.sampled_from([1, 5, 10, math.inf]),
    st.sampled_from([0.0, 0.05]),
    st.none() | st.floats(1e-3, 50),
)
def test_agreement_is_what_the_formulas_give(values, reference, n, rounding, error):
    n = 10 if error is not None else n  # whose standard error is printed had two runs at least
    inside = by_hand(values, reference, n, rounding, error)
    if abs(inside) > 1e-6 * (1 + abs(reference)):
        assert agrees(values, reference, n, rounding, error) == (inside > 0)


@pytest.mark.parametrize("error", [None, 0.0])
def test_runs_without_spread_agree_with_their_own_mean_alone(error):
    assert agrees([0.5] * 3, 0.5, 10, 0.0, error)
    assert agrees([0.5] * 3, 0.504, 10, 0.005, error)
    assert not agrees([0.5] * 3, 0.51, 10, 0.005, error)


def test_rounding_of_the_published_number_is_allowed_for():
    ours = [100 / 3] * 10
    assert number("", ours, 33.33, 10, digits=2).verdict == AGREES
    assert number("", ours, 33.30, 10, digits=2).verdict == DIFFERS


def test_a_claim_of_zero_needs_every_value_to_be_zero():
    assert zero("", [0.0, 0.0]).verdict == SUPPORTED
    assert zero("", [0.0, 1.0]).verdict == INCONCLUSIVE
    assert zero("", [0.9, 1.0, 1.1]).verdict == CONTRADICTED


def test_what_happens_in_most_seeds_is_counted_exactly():
    five = mostly("", [True] * 5)
    assert (five.verdict, five.effect.mean) == (SUPPORTED, 1.0)
    assert five.effect.low == pytest.approx(0.05 ** (1 / 5))  # P(5 of 5) = 0.05 at this share
    assert mostly("", [False] * 5).verdict == CONTRADICTED
    assert mostly("", [True] * 4).verdict == INCONCLUSIVE  # 0.5^4 > 0.05
    assert mostly("", [True] * 5 + [False] * 2).verdict == INCONCLUSIVE
    with pytest.raises(NoValues):
        mostly("", [])
