"""Metrics by hand, and against torchmetrics, scikit-learn and float64 NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from torchmetrics.classification import MulticlassCalibrationError

from mixup_repro.evaluation import metrics as module
from mixup_repro.evaluation.metrics import BINS, metrics, sums


def random_logits(n: int, classes: int, seed: int = 0, scale: float = 3.0):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(n, classes))).astype(np.float32)
    return logits, rng.integers(classes, size=n)


def measured(logits: np.ndarray, y: np.ndarray) -> dict:
    return metrics(sums(torch.as_tensor(logits)[None], torch.as_tensor(y)))[0]


def binary(confidence: float) -> list[float]:
    """Two logits whose first class has this probability."""
    return [math.log(confidence / (1 - confidence)), 0.0]


def test_ece_by_hand():
    # Bins of 1/15: 0.55 and 0.59 lie in bin 8 (0.533, 0.6]; 0.95 in bin 14; 0.7 in bin 10.
    confidence = [0.55, 0.59, 0.95, 0.95, 0.70]
    y = np.array([0, 1, 0, 1, 0])
    row = measured(np.array([binary(c) for c in confidence], dtype=np.float32), y)
    gap_8 = abs(1 - (0.55 + 0.59))
    gap_14 = abs(1 - (0.95 + 0.95))
    gap_10 = abs(1 - 0.70)
    assert row["ece"] == pytest.approx((gap_8 + gap_14 + gap_10) / 5, abs=1e-6)
    assert row["bins"]["count"] == [0] * 8 + [2, 0, 1, 0, 0, 0, 2]
    assert row["bins"]["correct"] == [0] * 8 + [1, 0, 1, 0, 0, 0, 1]
    assert row["bins"]["confidence"][8] == pytest.approx(1.14, abs=1e-6)


def test_two_errors_of_one_bin_cancel_inside_it():
    logits = np.array([binary(0.95), binary(0.96)], dtype=np.float32)
    assert measured(logits, np.array([0, 1]))["ece"] == pytest.approx((1.91 - 1) / 2, abs=1e-6)


@pytest.mark.parametrize("classes, scale", [(2, 1.0), (10, 1.0), (10, 4.0), (100, 3.0)])
def test_ece_equals_torchmetrics(classes, scale):
    logits, y = random_logits(2000, classes, scale=scale)
    theirs = MulticlassCalibrationError(num_classes=classes, n_bins=15, norm="l1")
    expected = theirs(torch.from_numpy(logits).softmax(-1), torch.from_numpy(y)).item()
    assert measured(logits, y)["ece"] == pytest.approx(expected, abs=1e-5)


def test_confidence_of_exactly_one_falls_in_the_last_bin():
    logits = np.array([[1000.0, 0.0, 0.0], [0.0, 1000.0, 0.0]], dtype=np.float32)
    row = measured(logits, np.array([0, 0]))
    assert row["bins"]["count"] == [0] * 14 + [2]
    assert row["bins"]["confidence"] == [0.0] * 14 + [2.0]
    assert row["ece"] == 0.5


@pytest.mark.parametrize("classes, last", [(2, 1), (4, 0)])
def test_a_confidence_on_a_bin_edge_falls_in_the_bin_below(classes, last, monkeypatch):
    """Bins are (k/m, (k+1)/m], as Guo et al. cut them."""
    # No edge of 15 bins but 0 and 1 is a float; with 4 bins, 1/2 and 1/4 are.
    monkeypatch.setattr(module, "BINS", 4)
    row = measured(np.zeros((1, classes), dtype=np.float32), np.array([0]))
    assert row["bins"]["count"].index(1) == last


def test_uniform_predictions_over_many_classes_fall_in_the_first_bin():
    row = measured(np.zeros((4, 1000), dtype=np.float32), np.arange(4))
    assert row["bins"]["count"][0] == 4
    assert row["cross_entropy"] == pytest.approx(math.log(1000), rel=1e-6)


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_accuracy_cross_entropy_and_brier_equal_numpy_and_sklearn(scale):
    logits, y = random_logits(500, 7, seed=1, scale=scale)
    u = logits.astype(np.float64)
    log_p = u - np.logaddexp.reduce(u, axis=1, keepdims=True)
    p = np.exp(log_p)
    row = measured(logits, y)
    assert row["accuracy"] == np.mean(p.argmax(1) == y)
    assert row["cross_entropy"] == pytest.approx(-log_p[np.arange(500), y].mean(), rel=1e-5)
    if scale < 30:  # beyond, scikit-learn clips probabilities
        assert row["cross_entropy"] == pytest.approx(log_loss(y, p, labels=range(7)), rel=1e-5)
    assert row["brier"] == pytest.approx(((p - np.eye(7)[y]) ** 2).sum(1).mean(), rel=1e-5)
    assert row["n_test"] == 500


def test_cross_entropy_of_confident_mistakes_is_not_clipped():
    logits = np.array([[0.0, 300.0]], dtype=np.float32)
    row = measured(logits, np.array([0]))
    assert row["cross_entropy"] == 300.0
    assert row["brier"] == 2.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 1000))
def test_sums_of_parts_add_up_to_the_sums_of_the_whole(lengths, seed):
    logits, y = random_logits(sum(lengths), 4, seed)
    u, y = torch.from_numpy(logits)[None], torch.from_numpy(y)
    parts = [sums(*pair) for pair in zip(u.split(lengths, dim=1), y.split(lengths))]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    joined, whole = metrics(total)[0], metrics(sums(u, y))[0]
    for bins in (joined.pop("bins"), whole.pop("bins")):
        assert sum(bins["count"]) == sum(lengths)
        assert len(bins["count"]) == BINS
    assert joined == pytest.approx(whole, rel=1e-9)


def test_replicas_of_a_stack_have_the_metrics_they_have_alone():
    parts = [random_logits(50, 6, seed)[0] for seed in range(3)]
    _, y = random_logits(50, 6, 9)
    stacked = metrics(sums(torch.from_numpy(np.stack(parts)), torch.from_numpy(y)))
    assert len({row["cross_entropy"] for row in stacked}) == 3
    for row, logits in zip(stacked, parts):
        alone = measured(logits, y)
        assert row.pop("bins") == alone.pop("bins")
        assert row == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_logits_of_any_precision_are_judged_in_float32(dtype):
    logits, y = random_logits(200, 5)
    rounded = torch.from_numpy(logits).to(dtype)
    row = metrics(sums(rounded[None], torch.from_numpy(y)))[0]
    assert row == measured(rounded.float().numpy(), y)
