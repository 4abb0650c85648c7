"""Pictures of one run against its logits."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import job, train_here

from mixup_repro.data import load
from mixup_repro.evaluation.finished import restore
from mixup_repro.jobs import expand
from mixup_repro.report import one_run
from mixup_repro.store.folder import RunFolder

WORDS = ("dataset=digits", "architecture.hidden=[16]", "method.alpha=1", "recipe.epochs=2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    runs_dir = tmp_path_factory.mktemp("runs")
    assert train_here(*WORDS, "recipe.evaluate_train=true", runs_dir=runs_dir) == 0
    (run,) = expand(job(*WORDS, f"runs_dir={runs_dir}"))
    return RunFolder(run)


def lines(axis) -> dict[str, tuple]:
    return {line.get_label(): line.get_data() for line in axis.lines}


def test_reliability_shows_the_accuracy_of_each_bin(folder):
    plain, rescaled = one_run.reliability(folder.read_record()).axes
    logits = np.load(folder.logits_path)["logits"].astype(float)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    confidence = 1 / odds.sum(1)
    right = logits.argmax(1) == load(folder.run.config.dataset).y_test.numpy()
    at, accuracy = lines(plain)["accuracy of a bin"]
    for k, (a, b) in enumerate(zip(at, accuracy)):
        inside = np.ceil(15 * confidence) == np.ceil(15 * a)
        assert confidence[inside].mean() == pytest.approx(a, abs=1e-5), k
        assert right[inside].mean() == pytest.approx(b)
    shares = [bar.get_height() for bar in plain.patches]
    assert len(shares) == 15 and sum(shares) == pytest.approx(1)
    assert "rescaled" in rescaled.get_title("left")


def test_curves_are_those_of_the_record(folder):
    record = folder.read_record()
    losses, accuracies = (lines(axis) for axis in one_run.curves(record).axes)
    assert list(losses) == ["in training", "training set, clean", "test set"]
    epochs, values = accuracies["test set"]
    assert list(epochs) == [1, 2]
    assert values[-1] == pytest.approx(100 * record["evaluations"][0]["accuracy"])


def test_one_prediction_is_that_of_the_kept_logits(folder):
    dataset = load(folder.run.config.dataset)
    network = restore(folder, dataset)
    _, axis = one_run.prediction(network, dataset, 7, alpha=1.0).axes
    logits = np.load(folder.logits_path)["logits"][7].astype(float)
    p = np.exp(logits) / np.exp(logits).sum()
    heights = [bar.get_height() for bar in axis.patches]
    np.testing.assert_allclose(heights[:10], 100 * p, atol=1e-3)
    assert sum(heights[10:]) == pytest.approx(100, abs=1e-3)
    assert heights[10:] != pytest.approx(heights[:10], abs=0.1)
