"""Temperature scaling, the terms along training, and what finished runs can still be asked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import job
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from mixup_repro.beta import theta_bar
from mixup_repro.data import load
from mixup_repro.evaluation.finished import restore
from mixup_repro.evaluation.temperature import fit_temperature, scaled
from mixup_repro.evaluation.terms import terms
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.methods.losses import cross_entropy
from mixup_repro.methods.modified import modified
from mixup_repro.methods.second_order import regularisation
from mixup_repro.networks import build
from mixup_repro.store.folder import RunFolder
from mixup_repro.training.learner import Learner
from mixup_repro.training.progress import Progress
from mixup_repro.training.run import SNAPSHOTS

MOONS = (
    *("dataset=two_moons", "architecture=random_features", "recipe=carratino_moons"),
    *("recipe.epochs=20", "hardware.device=cpu"),
)


def logits_and_labels(n: int, temperature: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(u); the logits are u times a temperature."""
    rng = np.random.default_rng(seed)
    u = 2 * rng.normal(size=(n, 4))
    p = np.exp(log_softmax(u, axis=1))
    y = (rng.random((n, 1)) > p.cumsum(1)).sum(1).clip(0, 3)
    return u * temperature, y


@settings(max_examples=15)
@given(st.floats(0.2, 5), st.integers(0, 1000))
def test_the_fitted_temperature_has_a_vanishing_derivative(temperature, seed):
    u, y = logits_and_labels(500, temperature, seed)
    beta = 1 / fit_temperature(u, y)
    p = np.exp(log_softmax(beta * u, axis=1))
    derivative = ((p * u).sum(1) - u[np.arange(len(y)), y]).mean()
    assert abs(derivative) < 1e-3 * np.abs(u).mean()


def test_the_temperature_that_made_the_logits_is_found():
    u, y = logits_and_labels(40_000, 3.0, 0)
    assert fit_temperature(u, y) == pytest.approx(3.0, rel=0.03)


def test_perfect_predictions_are_sharpened_until_nothing_is_left_to_gain():
    u = np.eye(3) * 5
    assert -log_softmax(u / fit_temperature(u, np.arange(3)), axis=1).diagonal().mean() < 1e-12


def test_each_half_is_scaled_by_the_other_halfs_temperature():
    u, y = logits_and_labels(400, 2.0, 1)
    out, mean = scaled(torch.from_numpy(u), torch.from_numpy(y))
    used = (torch.from_numpy(u) / out)[:, 0].numpy()
    values = np.unique(used.round(8))
    assert len(values) == 2 and mean == pytest.approx(values.mean())
    for own, other in (values, values[::-1]):
        fitted = np.isclose(used, other)
        assert fit_temperature(u[fitted], y[fitted]) == pytest.approx(own, rel=1e-4)
        assert fitted.sum() == 200


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two seeds of Mixup on two moons, without anything but the plain and rescaled evaluation."""
    config = job(*MOONS, "seeds=2", f"runs_dir={tmp_path_factory.mktemp('runs')}")
    assert [r.outcome for r in run_job(config, Progress())] == ["done", "done"]
    return config


def test_train_and_evaluate_add_what_finished_runs_lack(finished, monkeypatch):
    monkeypatch.setattr(Learner, "step", lambda *_: pytest.fail("trained a finished run"))
    words = (*MOONS, "seeds=3", f"runs_dir={finished.runs_dir}")
    asks = job(*words, "evaluation.temperature=true", "evaluation.terms=1", "evaluation.alphas=4")
    outcomes = [r.outcome for r in run_job(asks, Progress(), train=False)]
    assert outcomes == ["missing", "done before and evaluated now", "done before and evaluated now"]
    again = [r.outcome for r in run_job(asks, Progress(), train=False)]
    assert again == ["missing", "done before", "done before"]

    record = RunFolder(expand(asks)[0]).read_record()
    has = [(row["evaluation"], row["eval_alpha"]) for row in record["evaluations"]]
    assert has[:2] == [("plain", None), ("rescaled", 1.0)]  # as they were
    assert set(has[2:]) == {("rescaled", 4.0), ("temperature", None), ("temperature", 1.0)}
    assert len(record["terms"]) == SNAPSHOTS
    json.dumps(record)


def test_temperature_rows_are_of_the_shrunk_inputs_logits(finished):
    """By hand: f(x~) / T, with T fitted on held-out halves."""
    asks = job(*MOONS, f"runs_dir={finished.runs_dir}", "evaluation.temperature=true")
    (result,) = run_job(asks, Progress())
    folder = result.folder
    dataset = load(asks.dataset)
    network = restore(folder, dataset)
    own = dataset.for_seeds([0])
    shrunk = theta_bar(1.0) * own.x_test + (1 - theta_bar(1.0)) * own.x_train.mean(1, keepdim=True)
    with torch.no_grad():
        u, temperature = scaled(network(shrunk)[0], own.y_test[0])
    rows = {(r["evaluation"], r["eval_alpha"]): r for r in result.record["evaluations"]}
    row = rows["temperature", 1.0]
    assert row["temperature"] == pytest.approx(temperature, rel=1e-3)
    loss = torch.nn.functional.cross_entropy(u, own.y_test[0]).item()
    assert row["cross_entropy"] == pytest.approx(loss, rel=1e-3)
    # The classes are nearly balanced: rescaling is dividing the same logits by theta_bar.
    accuracy = (u.argmax(-1) == own.y_test[0]).double().mean().item()
    assert row["accuracy"] == pytest.approx(accuracy)


def test_terms_are_kept_along_training_and_end_at_the_final_weights(finished):
    asks = job(*MOONS, f"runs_dir={finished.runs_dir}", "evaluation.terms=1")
    (result,) = run_job(asks, Progress())
    rows = result.record["terms"]
    assert [row["epoch"] for row in rows] == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    dataset = load(asks.dataset)
    network = restore(result.folder, dataset)
    own = dataset.for_seeds([0])
    x, y = own.x_train[0].double(), own.one_hot[0].double()
    network.double()

    def f(z):
        return network(z.unsqueeze(0)).squeeze(0)

    loss = cross_entropy(modified(y, 1.0), f(modified(x, 1.0))).mean().item()
    assert rows[-1]["modified_loss"] == pytest.approx(loss, rel=1e-4)
    exact = regularisation(f, x, y, 1.0).item()
    assert rows[-1]["regularisation"] == pytest.approx(exact, rel=1e-3)
    assert len({row["modified_loss"] for row in rows}) == len(rows)


def test_runs_that_are_trained_with_the_question_have_the_same_answer(finished, tmp_path):
    asked = ("evaluation.terms=1", "evaluation.temperature=true")
    (later,) = run_job(job(*MOONS, *asked, f"runs_dir={finished.runs_dir}"), Progress())
    (at_once,) = run_job(job(*MOONS, *asked, f"runs_dir={tmp_path}"), Progress())
    for a, b in zip(later.record["terms"], at_once.record["terms"], strict=True):
        assert a == pytest.approx(b, rel=1e-3)


def test_terms_of_a_big_set_are_those_of_the_same_thousand_examples_every_time():
    config = job("dataset=gaussians", "dataset.points=5000", "architecture=linear")
    dataset = load(config.dataset).for_seeds([0])
    network = build(config.architecture, (2,), 2, [0])
    found = terms(network, dataset, 1.0)
    assert found == terms(network, dataset, 1.0)
    order = np.random.default_rng(0).permutation(dataset.n_train)
    for index, same in ((order[:1000], True), (order[1000:2000], False)):
        x, y = dataset.x_train[:, index], dataset.y_train[:, index]
        part = replace(dataset, x_train=x, y_train=y)
        assert (terms(network, part, 1.0) == pytest.approx(found, rel=1e-5)) == same
