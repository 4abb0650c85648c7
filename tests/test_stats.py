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
    NEGLIGIBLE,
    SUPPORTED,
    Claim,
    Finding,
    corrected,
    mostly,
    number,
    signed,
    zero,
)
from mixup_repro.stats import NoValues, holm, interval, p_of_reference, p_value, paired

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
    with pytest.raises(NoValues, match="one is missing"):
        interval([1.0, math.nan])  # it would be a mean of one, said to be of two


@given(VALUES)
def test_a_signed_verdict_agrees_with_the_t_test(values):
    p = scipy_stats.ttest_1samp(values, 0).pvalue
    assert p_value(values) == pytest.approx(p, rel=1e-6, abs=1e-12)
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
    assert p_of_reference(ours, ours.mean() + 0.99 * half, 10) > 0.05
    assert p_of_reference(ours, ours.mean() + 1.01 * half, 10) < 0.05
    with pytest.raises(NoValues):
        p_of_reference([1.0], 1.0, 10)  # one run says nothing of the spread
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
    assert p_of_reference(values, reference, n, reference_se=error) == pytest.approx(p)


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
        assert (p_of_reference(values, reference, n, rounding, error) > 0.05) == (inside > 0)


@pytest.mark.parametrize("error", [None, 0.0])
def test_runs_without_spread_agree_with_their_own_mean_alone(error):
    assert p_of_reference([0.5] * 3, 0.5, 10, 0.0, error) == 1
    assert p_of_reference([0.5] * 3, 0.504, 10, 0.005, error) == 1
    assert p_of_reference([0.5] * 3, 0.51, 10, 0.005, error) == 0


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


def test_holm_by_hand():
    """The worked example of Wright (1992), and what R's p.adjust gives for ties and ones."""
    p = [0.01, 0.02, 0.03, 0.04]
    assert holm(p) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.04, 0.03, 0.01]) == pytest.approx([0.06, 0.06, 0.03])
    assert holm([0.7, 0.02, 0.02]) == pytest.approx([0.7, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([0.03]) == [0.03] and holm([]) == []


P = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(P)
def test_holm_rejects_what_its_procedure_rejects(p):
    """Step down: the k-th smallest is compared with 0.05 / (m - k), until the first that fails."""
    rejected, order = set(), sorted(range(len(p)), key=lambda k: p[k])
    for rank, k in enumerate(order):
        if p[k] * (len(p) - rank) > 0.05:
            break
        rejected.add(k)
    assert {k for k, q in enumerate(holm(p)) if q <= 0.05} == rejected


STRENGTH = {INCONCLUSIVE: 0, AGREES: 0, NEGLIGIBLE: 0, SUPPORTED: 1, CONTRADICTED: 1, DIFFERS: 1}


@given(P, st.lists(st.sampled_from(sorted(STRENGTH)), min_size=12), st.integers(0, 11))
def test_no_finding_is_stronger_for_the_correction_or_for_more_parts(p, kinds, one):
    findings = [Finding(str(k), None, "", kind, p=q) for k, (q, kind) in enumerate(zip(p, kinds))]
    after = corrected(findings)
    for old, new in zip(findings, after):
        assert STRENGTH[new.verdict] <= STRENGTH[old.verdict] and new.p >= old.p
        assert new.verdict in (old.verdict, INCONCLUSIVE, AGREES)
    fewer = corrected(findings[: one + 1])
    for alone, among in zip(fewer, after):
        assert STRENGTH[among.verdict] <= STRENGTH[alone.verdict]


def test_detail_and_what_is_not_tested_is_not_corrected_and_does_not_count():
    tested = Finding("a", None, "", SUPPORTED, p=0.03)
    detail = Finding("b", None, "", SUPPORTED, headline=False, p=0.04)
    sure = Finding("c", None, "", SUPPORTED)
    assert corrected([tested, detail, sure]) == [tested, detail, sure]
    both = corrected([tested, Finding("d", None, "", DIFFERS, p=0.04), detail])
    assert [f.verdict for f in both] == [INCONCLUSIVE, AGREES, SUPPORTED]


def test_an_effect_within_the_smallest_that_matters_is_negligible_whatever_its_sign():
    for mean in (2.0, -2.0):
        values = [mean - 0.1, mean, mean + 0.1]  # half-width 0.25
        assert signed("", values, 1, least=2.3).verdict == NEGLIGIBLE
        known = SUPPORTED if mean > 0 else CONTRADICTED
        assert signed("", values, 1, least=2.2).verdict == known
        assert signed("", values, 1).verdict == known
    assert signed("", [0.0] * 3, 1, least=0.1).verdict == NEGLIGIBLE
    assert signed("", [0.0] * 3, 1).verdict == INCONCLUSIVE  # no size is known that matters
    assert signed("", [0.0], 1, least=0.1).verdict == INCONCLUSIVE  # one run says nothing


def test_what_was_found_before_runs_are_missing_is_kept():
    def test(data):
        yield signed("first", [1.0, 1.1], 1)
        raise NoValues("no more runs")

    first, rest = Claim("x", "Fig. 1", "", test).findings(None)
    assert first.verdict == SUPPORTED and rest.verdict == "not run"
