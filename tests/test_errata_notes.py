"""Errata of the notes: their witnesses, and what their derivations say, by drawing."""

from __future__ import annotations

import numpy as np
import pytest

from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.notes.errata import ERRATA, geometry, labels, learning, measures
from mixup_repro.theory import moments


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda e: e.id)
def test_a_witness_bears_its_erratum_out(erratum):
    numbers = erratum.witness()
    assert numbers and not [n.what for n in numbers if not n.confirms]
    assert any(n.printed is not None for n in numbers)


@pytest.mark.parametrize("r", [0.1, 0.5, 0.9])
def test_an_interval_cut_at_the_ends_has_its_mean_length(r):
    assert geometry._covered(r) == pytest.approx(r - r**2 / 4)
    assert geometry._covered(r) ** 2 == pytest.approx(moments.pasted_share(1 - r**2))


def test_no_mixture_is_nearer_to_the_centre_of_a_triangle_than_its_sides():
    rng = np.random.default_rng(0)
    i, j, lam = *rng.integers(3, size=(2, 20_000)), rng.random((20_000, 1))
    mixed = lam * geometry.TRIANGLE[i] + (1 - lam) * geometry.TRIANGLE[j]
    away = np.linalg.norm(mixed - geometry.TRIANGLE.mean(0), axis=1).min()
    assert away == pytest.approx(12**-0.5, abs=1e-4) and away >= 12**-0.5 - 1e-12
    np.testing.assert_allclose(geometry._from_segments(mixed), 0, atol=1e-12)


@pytest.mark.parametrize("gap, sd", [(0.4, 1.0), (0.2, 0.25)])
def test_the_auc_is_the_share_of_drawn_pairs_in_order(gap, sd):
    rng = np.random.default_rng(0)
    members, others = sd * rng.normal(size=(2, 400_000)) + [[0], [gap]]
    for found in measures._auc(gap, sd):
        assert found == pytest.approx((members < others).mean(), abs=3e-3)


def test_mixups_optimum_between_gaussians_is_the_mean_label_of_drawn_mixtures_near_a_point():
    rng, n, m, x = np.random.default_rng(0), 2_000_000, 1.0, 0.5
    (a, b), lam = rng.integers(2, size=(2, n)), rng.random(n)
    one, other = rng.normal(size=(2, n)) + m * (2 * np.stack([a, b]) - 1)
    near = np.abs(lam * one + (1 - lam) * other - x) < 0.02
    label = (lam * a + (1 - lam) * b)[near]
    wanted = pytest.approx(label.mean(), abs=5 * label.std() / near.sum() ** 0.5)
    assert labels.gaussians_by_quadrature(x, m) == wanted


def test_the_cue_takes_all_weight_by_the_gradient_of_the_risk():
    """Differences of the enumerated risk, at the weight that is best for the cue alone."""
    alone = learning._flat()[0].right
    w, step = np.array([alone, 0.0]), 1e-5

    def risk(at: np.ndarray) -> float:
        return direct.mixup(direct.logistic, lambda z: z @ at, measures.CUE, measures.CLASSES, 20)

    for axis in step * np.eye(2):
        assert (risk(w + axis) - risk(w - axis)) / (2 * step) == pytest.approx(0, abs=1e-8)
