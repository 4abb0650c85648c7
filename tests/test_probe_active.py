"""The probe that trains: labels are chosen as it says, and networks trained as runs are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import job
from scipy.stats import entropy

from mixup_repro import networks
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.probes import active as active_module
from mixup_repro.probes.active import active, labelled, most_unsure, shorter, trained
from mixup_repro.probes.subject import Subject
from mixup_repro.training.loop import Stack, Watcher, fit

WORDS = ("dataset=digits", "architecture.hidden=[8]", "seeds=2", "recipe.epochs=2")


def asked(*words: str) -> Subject:
    """A stack of two untrained runs, as a probe gets it."""
    runs = expand(job(*WORDS, *(words or ("method=erm",))))
    data = load(runs[0].config.dataset).for_seeds([run.seed for run in runs])
    seeds = [run.seed for run in runs]
    network = networks.build(runs[0].config.architecture, data.input_shape, data.classes, seeds)
    return Subject("active", network.eval(), data, runs)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(active_module, "LABELS", (10, 14, 18))


def test_the_most_unsure_of_the_pool_are_those_of_largest_entropy():
    s = asked()
    chosen = torch.stack([torch.arange(500), torch.arange(398, 898)])
    found = most_unsure(s, s.network, chosen, 5)
    x = s.inputs(s.dataset.x_train)
    with torch.no_grad():
        p = s.network(x.expand(2, *x.shape)).softmax(-1).numpy()
    for r, pool in enumerate((range(500, 898), range(398))):
        of_pool = {i: entropy(p[r, i]) for i in pool}
        expected = sorted(of_pool, key=of_pool.get)[-5:]
        assert set(found[r].tolist()) == set(expected)


def test_few_labels_are_trained_on_as_a_run_of_those_alone():
    """The probe's network is that of the product's loop on a data set of these examples."""
    s = asked("method=mixup", "method.alpha=1")
    chosen = torch.from_numpy(
        np.stack([np.random.default_rng(r).permutation(898)[:30] for r in (0, 1)])
    )
    network, accuracy = trained(s, chosen)
    runs = [*shorter(s.runs, 898, 30)]
    assert runs[0].config.recipe.epochs == 2 * 15  # fifteen batches of 64 an epoch, now one of 30
    for r in range(2):
        data = load(runs[r].config.dataset)
        x, y = data.x_train[chosen[r]], data.y_train[chosen[r]]
        stack = Stack.of([runs[r]], replace(data, x_train=x, y_train=y, content=None))
        fit(stack, Watcher())
        for one, other in zip(network.parameters(), stack.learner.network.parameters()):
            torch.testing.assert_close(one[r], other[0], rtol=1e-4, atol=1e-5)
        with torch.no_grad():
            inputs = data.normalise(data.x_test).unsqueeze(0)
            right = stack.learner.network.eval()(inputs)[0].argmax(-1) == data.y_test
        assert accuracy[r].item() == pytest.approx(right.double().mean().item(), abs=2e-3)


def test_both_strategies_begin_with_the_same_labels_and_never_ask_twice(few, monkeypatch):
    seen = []

    def watched(subject, chosen):
        seen.append(chosen)
        return trained(subject, chosen)

    monkeypatch.setattr(active_module, "trained", watched)
    found = active(asked("method=mixup", "method.alpha=[1,8]"))
    assert set(found) == {
        (strategy, f"accuracy {n}") for strategy in ("random", "entropy") for n in (10, 14, 18)
    }
    assert torch.equal(found["random", "accuracy 10"], found["entropy", "accuracy 10"])
    (a, b, c), (d, e, f) = seen[:3], seen[3:]
    assert torch.equal(a, d) and torch.equal(a, b[:, :10]) and torch.equal(b, c[:, :14])
    assert torch.equal(d, e[:, :10]) and torch.equal(e, f[:, :14])
    for labels in (c, f):
        assert all(len(set(row.tolist())) == 18 for row in labels)
    assert torch.equal(c[0], c[2])  # runs of a seed, at two alphas, have one random order ...
    assert not torch.equal(f[0], f[2])  # ... and are unsure of examples of their own


def test_wrong_labels_stay_with_their_examples():
    s = asked("method=erm", "dataset.flipped=0.5")
    chosen = torch.tensor([[5, 3], [800, 2]])
    data = labelled(s, chosen)
    for r in range(2):
        assert torch.equal(data.y_train[r], s.dataset.y_train[r, chosen[r]])
        assert torch.equal(data.x_test[r], load(s.runs[0].config.dataset).x_test)


def test_too_few_examples_are_refused():
    with pytest.raises(InputError, match="labels 120 training examples, and digits has 60"):
        active_module.check_examples(asked("method=erm", "dataset.train_examples=60").dataset)
