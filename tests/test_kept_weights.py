"""The weights that are committed with the results: whole, small, and those of the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import HARDWARE, job

from mixup_repro import jobs
from mixup_repro.data import load
from mixup_repro.evaluation.finished import network_of
from mixup_repro.evaluation.predictor import evaluate
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.paths import CHECKOUT
from mixup_repro.store import results
from mixup_repro.store.identity import run_id
from mixup_repro.training.progress import Progress

WEIGHTS = CHECKOUT / "results" / "weights"
DIGITS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[16]", "recipe.epochs=2"]
CPU = torch.device("cpu")


def test_seed_0_of_what_trains_long_is_kept(tmp_path, monkeypatch):
    asks = job(*DIGITS, "seeds=2", f"runs_dir={tmp_path / 'runs'}", *HARDWARE)
    first, _ = run_job(asks, Progress())
    results.collect(tmp_path / "runs", tmp_path / "quick")
    assert not (tmp_path / "quick" / "weights").exists()
    monkeypatch.setattr(results, "WEIGHTS_SECONDS", 0)
    results.collect(tmp_path / "runs", tmp_path / "long")
    kept = tmp_path / "long" / "weights" / f"{first.folder.id}.pt"
    assert list(kept.parent.iterdir()) == [kept]
    assert kept.read_bytes() == first.folder.weights_path.read_bytes()
    dataset = load(asks.dataset)
    (rows,) = evaluate(network_of(expand(asks)[0], kept, dataset), dataset, [])
    assert rows[0]["accuracy"] == first.record["evaluations"][0]["accuracy"]


def test_damaged_weights_are_named_and_not_kept(tmp_path, monkeypatch, capsys):
    asks = job(*DIGITS, f"runs_dir={tmp_path / 'runs'}", *HARDWARE)
    (run,) = run_job(asks, Progress())
    run.folder.weights_path.write_bytes(b"")
    monkeypatch.setattr(results, "WEIGHTS_SECONDS", 0)
    assert results.collect(tmp_path / "runs", tmp_path / "results") == 1
    assert "weights.pt is damaged" in capsys.readouterr().out
    assert not (tmp_path / "results" / "weights").exists()


def test_the_committed_weights_are_few_and_small():
    sizes = [path.stat().st_size for path in WEIGHTS.iterdir()]
    assert sizes and sum(sizes) < 25e6


@pytest.mark.slow
def test_the_committed_weights_give_the_committed_rows():
    """Ten seconds a LeNet; skipped where CIFAR-10 is not at hand."""
    frame = results.load(CHECKOUT / "results")
    ids = {path.stem for path in WEIGHTS.iterdir()}
    seen = {}
    for name in ("fig2_cifar10", "fig3_cifar10", "fig7_cifar10"):
        for config in jobs.compose([f"experiment=carratino2020/{name}", "seeds=1"]):
            for run in expand(config):
                if (name := run_id(run.config)) in ids:
                    seen[name] = run
    assert seen
    config = next(iter(seen.values())).config.dataset
    if not (Path(config.root) / "cifar-10-batches-py").exists():
        pytest.skip("CIFAR-10 is not in data/")
    dataset = load(config)
    for name, run in seen.items():
        rows = frame[(frame["run_id"] == name) & (frame["seed"] == 0)]
        plain = rows[rows["evaluation"] == "plain"].iloc[0]
        network = network_of(run, WEIGHTS / f"{name}.pt", dataset)
        (found, *_), *_ = evaluate(network, dataset, [])
        assert found["accuracy"] == plain["accuracy"]
        np.testing.assert_allclose(found["cross_entropy"], plain["cross_entropy"], rtol=1e-5)
