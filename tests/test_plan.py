"""The plan of an epoch: what is drawn, from what distribution, and what it depends on."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from helpers import epoch_plan
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mixup_repro.plan import STREAMS, EpochPlan, PlanSpec, draw_block, rank_slice, stream

FULL = PlanSpec(
    n=37,
    batch_size=8,
    pairing="permutation",
    alpha=0.4,
    crop_padding=4,
    flip=True,
    box=True,
    own_labels=True,
    resized_crop=True,
    keys=True,
)

sizes = st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


def assert_same(a: EpochPlan, b: EpochPlan) -> None:
    for f in fields(EpochPlan):
        np.testing.assert_array_equal(getattr(a, f.name), getattr(b, f.name), err_msg=f.name)


def assert_all_differ(a: EpochPlan, b: EpochPlan) -> None:
    for f in fields(EpochPlan):
        if f.name != "layer":  # is the same for every seed
            assert not np.array_equal(getattr(a, f.name), getattr(b, f.name)), f.name


def cells(n: int, batch_size: int, group: int | None) -> list[list[int]]:
    """The positions of each pairing group, by a plain double loop."""
    out = []
    for start in range(0, n, batch_size):
        batch = list(range(start, min(start + batch_size, n)))
        width = group or batch_size
        out += [batch[i : i + width] for i in range(0, len(batch), width)]
    return out


def many(alpha: float, **changes) -> np.ndarray:
    """All lambdas of 40 epochs."""
    spec = PlanSpec(n=1024, batch_size=64, pairing="permutation", alpha=alpha, **changes)
    return np.concatenate([draw_block(spec, 0, b).lam for b in range(10)])


def test_a_plan_drawn_twice_is_the_same():
    assert_same(epoch_plan(FULL, 3, 5), epoch_plan(FULL, 3, 5))


@pytest.mark.parametrize(
    ("purpose", "block", "first"),
    [
        ("init", 0, 7012906217690553559),
        ("lam", 2, 13369276331880966435),
        ("resized_crop", 7, 2049464985075282735),
    ],
)
def test_streams_are_those_of_all_earlier_runs(purpose, block, first):
    assert stream(3, purpose, block).bit_generator.random_raw() == first


def test_no_two_streams_are_one():
    firsts = {
        stream(seed, purpose, block).bit_generator.random_raw()
        for seed in range(12)
        for purpose in STREAMS
        for block in range(12)
    }
    assert len(firsts) == 12 * len(STREAMS) * 12


def test_labels_of_their_own_have_partners_and_lambdas_independent_of_the_inputs():
    plan = epoch_plan(replace(FULL, n=4096, batch_size=4096, alpha=1.0), 0, 0)
    assert abs(np.corrcoef(plan.lam, plan.label_lam)[0, 1]) < 0.1
    assert (plan.partner == plan.label_partner).mean() < 0.01


def test_an_epoch_drawn_first_equals_the_same_epoch_drawn_after_others():
    last = FULL.block + 2
    direct = epoch_plan(FULL, 1, last)
    in_turn = [epoch_plan(FULL, 1, epoch) for epoch in range(last + 1)]
    assert_same(direct, in_turn[-1])


def test_seeds_and_epochs_differ():
    base = epoch_plan(FULL, 0, 0)
    assert_all_differ(base, epoch_plan(FULL, 1, 0))
    assert_all_differ(base, epoch_plan(FULL, 0, 1))


def test_epochs_on_both_sides_of_a_block_boundary_differ():
    spec = replace(FULL, n=10, batch_size=4)
    assert_all_differ(epoch_plan(spec, 0, spec.block - 1), epoch_plan(spec, 0, spec.block))
    assert_all_differ(epoch_plan(spec, 0, 0), epoch_plan(spec, 0, spec.block))


@pytest.mark.parametrize("n", [1, 2, 4095, 4096, 4097, 50_000])
def test_a_block_draws_a_few_thousand_examples_and_at_least_one_epoch(n):
    spec = PlanSpec(n=n, batch_size=min(n, 128))
    order = draw_block(spec, 0, 0).order
    assert order.shape[1] == n
    assert len(order) == 1 or len(order) * n <= 4096 < (len(order) + 1) * n


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 2**40), st.integers(0, 10_000))
def test_order_is_a_permutation_in_every_epoch(size, seed, epoch):
    order = epoch_plan(PlanSpec(*size), seed, epoch).order
    assert sorted(order.tolist()) == list(range(size[0]))


def test_every_position_of_the_order_is_uniform():
    order = draw_block(PlanSpec(n=4, batch_size=2), 0, 0).order
    kinds, counts = np.unique(order, axis=0, return_counts=True)
    assert len(kinds) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


@settings(max_examples=60, deadline=None)
@given(
    sizes,
    st.sampled_from(["permutation", "reversal"]),
    st.none() | st.integers(1, 12),
    st.integers(0, 1000),
)
def test_partners_are_a_permutation_of_each_batch_or_group(size, pairing, group, seed):
    n, batch = size
    spec = PlanSpec(n, batch, pairing, group, alpha=1.0)
    partner = epoch_plan(spec, seed, seed % 7).partner
    for cell in cells(n, batch, group):
        if pairing == "reversal":
            assert partner[cell].tolist() == cell[::-1]
        else:
            assert sorted(partner[cell].tolist()) == cell


def test_permutation_pairing_reaches_all_permutations_of_a_group_alike():
    spec = PlanSpec(n=7, batch_size=7, pairing="permutation", pairing_group=4, alpha=1.0)
    partner = draw_block(spec, 0, 0).partner
    kinds, counts = np.unique(partner[:, 4:], axis=0, return_counts=True)
    assert len(kinds) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_uniform_pairing_covers_the_data_set_itself_included():
    spec = PlanSpec(n=8, batch_size=2, pairing="uniform", alpha=1.0)
    partner = draw_block(spec, 0, 0).partner
    for position in range(8):
        counts = np.bincount(partner[:, position], minlength=8)
        assert len(counts) == 8
        assert stats.chisquare(counts).pvalue > 1e-3


def test_lambda_per_batch_is_one_number_a_batch_and_differs_between_batches():
    lam = epoch_plan(replace(FULL, lam_per="batch"), 0, 0).lam
    per_batch = [set(lam[s : s + 8].tolist()) for s in range(0, 37, 8)]
    assert [len(values) for values in per_batch] == [1] * 5
    assert len(set().union(*per_batch)) == 5


@pytest.mark.parametrize("lam_per", ["example", "batch"])
@pytest.mark.parametrize("alpha", [1.0, 32.0])
def test_lambda_follows_the_beta_distribution(alpha, lam_per):
    lam = many(alpha, lam_per=lam_per)
    lam = lam[:, ::64] if lam_per == "batch" else lam
    assert stats.kstest(lam.ravel(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_lambda_follows_the_beta_distribution_below_one_half_at_alpha_0_1():
    # Near 1 float32 has atoms (9 % of the draws round to 1), so only the lower half is compared.
    lam = many(0.1).ravel()
    low = lam[lam < 0.5]
    assert stats.binomtest(len(low), len(lam)).pvalue > 1e-3
    assert stats.kstest(low, lambda v: 2 * stats.beta(0.1, 0.1).cdf(v)).pvalue > 1e-3


def test_tiny_alpha_gives_ends_and_never_collapses_to_one_half():
    lam = many(1e-3).ravel()
    assert np.isfinite(lam).all() and lam.min() >= 0 and lam.max() <= 1
    assert not (lam == 0.5).any()
    variance = 1 / (4 * (2 * 1e-3 + 1))
    assert abs(lam.mean() - 0.5) < 4 * np.sqrt(variance / lam.size)
    assert abs(lam.var() - variance) < 0.002
    between = stats.beta(1e-3, 1e-3).cdf(0.99) - stats.beta(1e-3, 1e-3).cdf(0.01)
    hits = int(((lam > 0.01) & (lam < 0.99)).sum())
    assert stats.binomtest(hits, lam.size, between).pvalue > 1e-3


def test_methods_and_alphas_share_order_and_augmentation():
    mixed = epoch_plan(FULL, 2, 3)
    others = [
        replace(FULL, alpha=32.0),
        replace(FULL, lam_per="batch"),
        replace(FULL, pairing="uniform"),
        replace(FULL, pairing="reversal", pairing_group=4),
        replace(FULL, pairing=None, alpha=None, box=False, own_labels=False),
    ]
    for spec in others:
        plan = epoch_plan(spec, 2, 3)
        for name in ("order", "offset", "flip"):
            np.testing.assert_array_equal(getattr(plan, name), getattr(mixed, name))


def test_alphas_share_partners():
    plans = [epoch_plan(replace(FULL, alpha=alpha), 2, 3) for alpha in (0.1, 8.0)]
    np.testing.assert_array_equal(plans[0].partner, plans[1].partner)
    assert not np.array_equal(plans[0].lam, plans[1].lam)


def test_erm_without_augmentation_draws_an_order_only():
    plan = epoch_plan(PlanSpec(n=5, batch_size=2), 0, 0)
    drawn = [f.name for f in fields(EpochPlan) if getattr(plan, f.name) is not None]
    assert drawn == ["order"]


def test_offsets_cover_the_padding_and_flips_are_even():
    plan = draw_block(PlanSpec(n=64, batch_size=8, crop_padding=2, flip=True), 0, 0)
    for axis in (0, 1):
        counts = np.bincount(plan.offset[..., axis].ravel(), minlength=5)
        assert len(counts) == 5
        assert stats.chisquare(counts).pvalue > 1e-3
    # Rows and columns are independent: all 25 corners are equally likely.
    corner = 5 * plan.offset[..., 0] + plan.offset[..., 1]
    assert stats.chisquare(np.bincount(corner.ravel(), minlength=25)).pvalue > 1e-3
    assert stats.binomtest(int(plan.flip.sum()), plan.flip.size).pvalue > 1e-3


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 1000))
def test_offsets_stay_inside_the_padded_picture(padding, seed):
    offset = epoch_plan(PlanSpec(n=20, batch_size=4, crop_padding=padding), seed, 0).offset
    assert offset.min() >= 0 and offset.max() <= 2 * padding


def test_stacked_plans_hold_each_plan_in_order():
    plans = [epoch_plan(FULL, seed, 0) for seed in (4, 9)]
    stacked = EpochPlan.stack(plans)
    for replica, plan in enumerate(plans):
        assert_same(stacked.map(lambda a, r=replica: a[r]), plan)


@given(
    st.integers(0, 500),
    st.integers(1, 300),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 64),
)
def test_rank_slices_join_up_to_the_batch_and_hold_whole_groups(start, size, world, group):
    stop = start + size
    slices = [rank_slice(start, stop, rank, world, group) for rank in range(world)]
    joined = [i for s in slices for i in range(s.start, s.stop)]
    assert joined == list(range(start, stop))
    for s in slices:
        assert (s.start - start) % group == 0 or s.start == stop
        assert (s.stop - start) % group == 0 or s.stop == stop
    groups = [-(-(s.stop - s.start) // group) for s in slices]
    assert max(groups) - min(groups) <= 1


@settings(max_examples=40, deadline=None)
@given(sizes, st.sampled_from([1, 2, 4]), st.integers(1, 12), st.integers(0, 1000))
def test_a_partner_is_on_the_rank_of_its_example(size, world, group, seed):
    n, batch = size
    spec = PlanSpec(n, batch, "permutation", group, alpha=1.0)
    partner = epoch_plan(spec, seed, 0).partner
    for start in range(0, n, batch):
        for rank in range(world):
            s = rank_slice(start, min(start + batch, n), rank, world, group)
            own = list(range(s.start, s.stop))
            assert sorted(partner[own].tolist()) == own


def test_a_truncated_lambda_is_the_larger_of_both_weights():
    spec = PlanSpec(n=500, batch_size=50, pairing="permutation", alpha=0.4)
    plain, truncated = epoch_plan(spec, 0, 0), epoch_plan(replace(spec, truncated=True), 0, 0)
    np.testing.assert_allclose(truncated.lam, np.maximum(plain.lam, 1 - plain.lam), rtol=1e-6)
    np.testing.assert_array_equal(truncated.partner, plain.partner)


def test_partners_without_alpha_are_refused():
    with pytest.raises(ValueError, match="needs the alpha of their lambdas"):
        epoch_plan(replace(FULL, alpha=None), 0, 0)


def test_box_centres_are_uniform_over_the_picture():
    centres = epoch_plan(replace(FULL, n=4096, batch_size=64), 0, 0).box
    assert centres.shape == (4096, 2)
    for axis in centres.T:
        assert stats.kstest(axis, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(centres.T)[0, 1]) < 0.1


SCHEDULE = PlanSpec(
    n=1024, batch_size=64, pairing="permutation", alpha=8.0, alpha_end=0.0, epochs=9
)


@pytest.mark.parametrize("epoch, alpha", [(0, 8.0), (3, 5.0), (7, 1.0)])
def test_an_annealed_alpha_is_on_the_line_between_its_ends(epoch, alpha):
    lam = np.concatenate([epoch_plan(SCHEDULE, seed, epoch).lam for seed in range(20)])
    assert stats.kstest(lam, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_alpha_annealed_to_nothing_ends_as_erm_and_to_a_tiny_number_at_the_ends():
    assert (epoch_plan(SCHEDULE, 0, 8).lam == 1).all()
    tiny = epoch_plan(replace(SCHEDULE, alpha_end=1e-9), 0, 8).lam
    assert set(tiny.tolist()) == {0.0, 1.0}


def test_mixing_switched_off_leaves_the_epochs_before_as_they_were():
    constant = replace(SCHEDULE, alpha_end=None)
    off = replace(constant, off_epochs=2)
    for epoch in range(7):
        assert_same(epoch_plan(off, 1, epoch), epoch_plan(constant, 1, epoch))
    for epoch in (7, 8):
        plan = epoch_plan(off, 1, epoch)
        assert (plan.lam == 1).all()
        np.testing.assert_array_equal(plan.order, epoch_plan(constant, 1, epoch).order)


def test_a_schedule_that_does_not_move_draws_what_a_constant_alpha_draws():
    line = replace(SCHEDULE, alpha_end=8.0)
    assert_same(draw_block(line, 3, 1), draw_block(replace(line, alpha_end=None), 3, 1))


def test_labels_of_their_own_follow_the_schedule():
    plan = epoch_plan(replace(SCHEDULE, own_labels=True, off_epochs=1), 0, 8)
    assert (plan.label_lam == 1).all()
