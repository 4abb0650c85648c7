"""What sweepers get: a metric of the training examples that a run leaves out."""

from __future__ import annotations

import importlib.util

import commands
import numpy as np
import pytest
import torch
import yaml
from helpers import HARDWARE, job, train_here

from mixup_repro.data import load
from mixup_repro.evaluation.finished import restore
from mixup_repro.jobs import expand
from mixup_repro.launch.session import Session
from mixup_repro.store.folder import RunFolder

WORDS = "dataset=digits architecture=mlp recipe=digits recipe.epochs=3".split()
LEFT = [*WORDS, "dataset.train_examples=700"]


@pytest.fixture
def returned(monkeypatch) -> list[float | None]:
    """What Hydra gets of each job."""
    values, add = [], Session.add

    def spy(self, cfg):
        values.append(add(self, cfg))
        return values[-1]

    monkeypatch.setattr(Session, "add", spy)
    return values


@pytest.mark.parametrize("more", ["method=mixup", "dataset.flipped=0.4"])
def test_the_objective_is_of_the_examples_that_are_left_out(more, returned, tmp_path):
    """With their own labels, where a share of those that are trained on is made wrong."""
    words = [*LEFT, "seeds=2", "evaluation.objective=accuracy", more]
    assert train_here(*words, runs_dir=tmp_path) == 0
    data, whole = load(job(*words).dataset), load(job(*WORDS).dataset)
    seen = {x.numpy().tobytes() for x in data.x_train}
    left = [k for k, x in enumerate(whole.x_train) if x.numpy().tobytes() not in seen]
    assert len(left) == 898 - 700  # no two digits are alike
    x, y = whole.x_train[left], whole.y_train[left]
    hits = []
    for run in expand(job(*words, f"runs_dir={tmp_path}", *HARDWARE)):
        network = restore(RunFolder(run), data).eval()
        with torch.no_grad():
            logits = network(data.normalise(x)[None])[0]
        hits.append((logits.argmax(1) == y).double().mean().item())
    assert returned == [pytest.approx(np.mean(hits))]
    assert train_here(*words, runs_dir=tmp_path) == 0  # nothing is trained, and it is there
    assert returned[1] == returned[0]


def test_jobs_without_an_objective_return_none(returned, tmp_path):
    assert train_here(*WORDS, runs_dir=tmp_path) == 0
    assert returned == [None]


@pytest.mark.parametrize(
    "words, message",
    [
        ("evaluation.objective=accuracy", "never on the test set; say how many are trained on"),
        (
            "evaluation.objective=f1 dataset.train_examples=9",
            "choose one of accuracy, cross_entropy",
        ),
        ("evaluation.objective=ece dataset.train_examples=898", "leaves no example of digits out"),
        ("evaluation.objective=ece dataset.train_examples=9 dataset.cue=1", "drop dataset.cue"),
        (
            "evaluation.objective=ece dataset.train_examples=9 method.alpha=[1,2]",
            "give method.alpha one value",
        ),
        (
            "evaluation.objective=ece dataset.train_examples=9 hardware.slots=auto",
            "hardware.slots runs jobs when all are known",
        ),
    ],
)
def test_bad_objectives_are_refused(words, message, returned, tmp_path, capsys):
    assert train_here(*WORDS, *words.split(), runs_dir=tmp_path) == 2
    assert returned == [None] and message in " ".join(capsys.readouterr().err.split())


needs_optuna = pytest.mark.skipif(
    not importlib.util.find_spec("optuna"), reason="pip install hydra-optuna-sweeper"
)
OPTUNA = "-m hydra/sweeper=optuna hydra.sweeper.n_trials=3 hydra.sweeper.n_jobs=1".split()


@needs_optuna
def test_optuna_finds_the_best_of_its_trials_and_goes_on_after_a_bad_one(tmp_path):
    words = [*OPTUNA, *LEFT, "evaluation.objective=cross_entropy", *HARDWARE]
    words += ["hydra.sweeper.sampler.seed=1", "method.alpha=interval(-0.5,1)"]
    words += [f"runs_dir={tmp_path / 'runs'}", f"hydra.sweep.dir={tmp_path}"]
    done = commands.run("scripts/train.py", *words)
    assert done.returncode == 2 and "method.alpha=-0" in done.stderr, done.stderr
    best = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    alpha, value = best["best_params"]["method.alpha"], best["best_value"]
    assert alpha > 0 and 0 < value < np.log(10)
    assert len(list((tmp_path / "runs").glob(f"digits-mlp-mixup-a{alpha:g}-*"))) == 1


@needs_optuna
def test_optuna_without_an_objective_is_told_what_it_needs(tmp_path):
    words = [*OPTUNA, *WORDS, "method.alpha=interval(0.1,1)", *HARDWARE]
    words += [f"runs_dir={tmp_path / 'runs'}", f"hydra.sweep.dir={tmp_path}"]
    done = commands.run("scripts/train.py", *words)
    assert done.returncode == 2 and "give evaluation.objective=<metric>" in done.stderr


def test_joblib_launches_a_sweep(tmp_path):
    pytest.importorskip(
        "hydra_plugins.hydra_joblib_launcher", reason="pip install hydra-joblib-launcher"
    )
    words = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "dataset=digits", *HARDWARE]
    words += ["method.alpha=1,2", "recipe.epochs=1", f"runs_dir={tmp_path / 'runs'}"]
    done = commands.plain("scripts/train.py", *words, f"hydra.sweep.dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs").glob("*/seed0/record.json"))) == 2
