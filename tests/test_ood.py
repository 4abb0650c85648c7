"""Finished runs on corrupted test sets: by hand, resumed, and as a user asks for them."""

from __future__ import annotations

import json
from pathlib import Path

import commands
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import job, make_image_folder

from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import restore
from mixup_repro.evaluation.predictor import predict
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.paths import CHECKOUT
from mixup_repro.schema import BenchmarkConfig
from mixup_repro.shifts import corrupted, evaluate
from mixup_repro.shifts.corrupted import Generated
from mixup_repro.shifts.sets import chosen
from mixup_repro.store import results
from mixup_repro.store.folder import RunFolder
from mixup_repro.store.identity import run_id
from mixup_repro.store.rows import OOD
from mixup_repro.training.progress import Progress

FEW = "benchmark.corruptions=[fog,contrast]", "benchmark.severities=[1,5]"
MIXUP = "method=mixup", "method.alpha=2"


@pytest.fixture
def place(tmp_path) -> list[str]:
    """What every job here shares: a tiny image folder, a tiny network, folders of its own."""
    root = make_image_folder(tmp_path / "pets", classes=3, per_class=10, size=16)
    return [
        *("dataset=image_folder", f"dataset.root={root}", "architecture=mlp"),
        *("architecture.hidden=[8]", "recipe.epochs=1", "hardware.device=cpu"),
        *("benchmark=generated", f"benchmark.root={tmp_path / 'sets'}"),
        f"runs_dir={tmp_path / 'runs'}",
    ]


def run(words, train: bool = False):
    return run_job(job(*words), Progress(), train=train)


def stored(result) -> dict:
    (path,) = result.folder.path.glob("ood-*.json")
    return json.loads(path.read_text())


def keys(result) -> set[tuple]:
    return {tuple(row[k] for k in evaluate.KEY) for row in stored(result)["rows"]}


def sets_asked(monkeypatch) -> list[tuple[str, int]]:
    """The corrupted sets that are asked for from now on."""
    asked = []
    pixels = Generated.pixels

    def spy(self, corruption, severity):
        asked.append((corruption, severity))
        return pixels(self, corruption, severity)

    monkeypatch.setattr(Generated, "pixels", spy)
    return asked


def test_rows_equal_predictions_by_hand(place):
    """Plain, and rescaled with the mean training picture: not the mean of the corrupted ones."""
    words = [*place, *MIXUP, *FEW, "seeds=2"]
    outcome = run(words, train=True)
    config = job(*words)
    data = load(config.dataset)
    clean = data.x_test.numpy()
    theta = 0.6875  # theta_bar(2), from a table
    for result in outcome:
        network = restore(result.folder, data)
        x_bar = data.x_train.double().mean(0) / 255
        mean, std = torch.tensor(data.mean).double(), torch.tensor(data.std).double()
        y_bar = torch.bincount(data.y_train).double() / len(data.y_train)
        rows = {tuple(row[k] for k in evaluate.KEY): row for row in stored(result)["rows"]}
        assert len(rows) == 8
        for (corruption, severity, evaluation, alpha), row in rows.items():
            pixels = corrupted.corrupt(clean, corruption, severity, corrupted.SEED)
            x = torch.from_numpy(pixels).double() / 255
            if evaluation == "rescaled":
                assert alpha == 2
                x = theta * x + (1 - theta) * x_bar
            inputs = ((x - mean) / std).permute(0, 3, 1, 2).float()
            with torch.no_grad():
                logits = network(inputs.unsqueeze(0))[0].double()
            if evaluation == "rescaled":
                logits = logits / theta + y_bar * (1 - 1 / theta)
            p = logits.softmax(1)
            truth = torch.nn.functional.one_hot(data.y_test, 3).double()
            brier = (p - truth).square().sum(1).mean().item()
            accuracy = (p.argmax(1) == data.y_test).double().mean().item()
            assert row["accuracy"] == pytest.approx(accuracy)
            loss = torch.nn.functional.cross_entropy(logits, data.y_test).item()
            assert row["cross_entropy"] == pytest.approx(loss, rel=1e-4)
            assert row["brier"] == pytest.approx(brier, rel=1e-4)
            assert 0 <= row["ece"] <= 1 and row["n_test"] == 30


def test_a_run_is_rescaled_with_the_labels_of_its_own_seed(place):
    """Where each seed has wrong labels of its own, y_bar is that of the run's, not of seed 0's."""
    words = [*place, *MIXUP, "dataset.flipped=0.4", "seeds=[3]"]
    words += ["benchmark.corruptions=[fog]", "benchmark.severities=[1]"]
    (result,) = run(words, train=True)
    data = load(job(*words).dataset)
    own = data.for_seeds([3])
    assert not torch.allclose(own.y_bar, data.y_bar)
    pixels = corrupted.corrupt(data.x_test.numpy(), "fog", 1, corrupted.SEED)
    network = restore(result.folder, data)
    logits = predict(network, own, torch.from_numpy(pixels)[None], alpha=2)[0]
    loss = torch.nn.functional.cross_entropy(logits, data.y_test).item()
    (row,) = (row for row in stored(result)["rows"] if row["evaluation"] == "rescaled")
    assert row["cross_entropy"] == pytest.approx(loss, rel=1e-6)


def test_a_run_without_an_alpha_is_predicted_plainly(place):
    (result,) = run([*place, "method=erm", *FEW], train=True)
    expected = {(c, s, "plain", None) for c in ("fog", "contrast") for s in (1, 5)}
    assert keys(result) == expected


def test_only_what_is_missing_is_evaluated(place, monkeypatch):
    words = [*place, *MIXUP, "seeds=2"]
    assert [r.outcome for r in run([*words, *FEW], train=True)] == ["done", "done"]
    asked = sets_asked(monkeypatch)
    assert [r.outcome for r in run([*words, *FEW])] == ["done before", "done before"]
    assert asked == []
    wider = [*words, "benchmark.corruptions=[contrast,snow]", "benchmark.severities=[1,2]"]
    assert [r.outcome for r in run(wider)] == [
        "done before and evaluated now",
        "done before and evaluated now",
    ]
    assert asked == [("contrast", 2), ("snow", 1), ("snow", 2)]  # once for both runs
    (first, second) = run(wider)
    assert keys(first) == keys(second) and len(keys(first)) == 2 * 7


def test_a_stopped_evaluation_goes_on_where_it_was(place, monkeypatch):
    words = [*place, *MIXUP, "seeds=2", "benchmark.severities=[1]"]
    words += ["benchmark.corruptions=[fog,contrast,snow,frost]"]
    run([*words, "benchmark.name=null"], train=True)
    with monkeypatch.context() as patch:
        pixels = Generated.pixels

        def stop(self, corruption, severity):
            if corruption == "snow":
                raise KeyboardInterrupt
            return pixels(self, corruption, severity)

        patch.setattr(Generated, "pixels", stop)
        with pytest.raises(KeyboardInterrupt):
            run(words)
    asked = sets_asked(monkeypatch)
    outcome = run(words)
    assert asked == [("snow", 1), ("frost", 1)]
    assert all(len(keys(result)) == 8 for result in outcome)


def test_rows_of_more_examples_replace_those_of_fewer_and_not_the_other_way(place, monkeypatch):
    words = [*place, *MIXUP, *FEW]
    (result,) = run([*words, "benchmark.examples=10"], train=True)
    assert {row["n_test"] for row in stored(result)["rows"]} == {10}
    (result,) = run(words)
    assert result.outcome == "done before and evaluated now"
    assert {row["n_test"] for row in stored(result)["rows"]} == {30}
    (result,) = run([*words, "benchmark.examples=10"])
    assert result.outcome == "done before"
    assert {row["n_test"] for row in stored(result)["rows"]} == {30}


def test_examples_are_drawn_from_all_of_a_sorted_test_set():
    index = chosen(BenchmarkConfig(examples=100), 1000)
    np.testing.assert_array_equal(index, chosen(BenchmarkConfig(examples=100), 1000))
    assert len(set(index)) == 100 and (np.diff(index) > 0).all()
    assert np.abs(np.histogram(index, 10, (0, 1000))[0] - 10).max() < 8
    np.testing.assert_array_equal(chosen(BenchmarkConfig(), 7), np.arange(7))


def test_rows_of_other_pictures_do_not_count(place, monkeypatch):
    words = [*place, *MIXUP, *FEW]
    (result,) = run(words, train=True)
    before = stored(result)
    monkeypatch.setattr(corrupted, "VERSION", -1)
    (result,) = run(words)
    after = stored(result)
    assert result.outcome == "done before and evaluated now" and after["source"] != before["source"]
    assert len(after["rows"]) == len(before["rows"])


def test_runs_that_are_not_finished_are_left_as_they_are(place):
    outcome = run([*place, *MIXUP, *FEW])
    assert [r.outcome for r in outcome] == ["missing"]
    assert not outcome[0].folder.path.exists()


def test_a_run_in_use_by_another_process_is_skipped(place, monkeypatch):
    words = [*place, *MIXUP, *FEW, "seeds=2"]
    first, _ = run([*words, "benchmark.name=null"], train=True)
    with first.folder.lock():
        busy, done = run(words)
    assert (busy.outcome, done.outcome) == ("running", "done before and evaluated now")
    assert not list(busy.folder.path.glob("ood-*"))


def test_a_run_of_other_classes_is_refused_before_any_prediction(place, tmp_path, monkeypatch):
    words = [*place, *MIXUP, *FEW, "dataset.label=pets"]
    run([*words, "benchmark.name=null"], train=True)
    other = make_image_folder(tmp_path / "other", classes=4, per_class=10, size=16)
    asked = sets_asked(monkeypatch)
    with pytest.raises(InputError, match="n_train 30 there, 40 here"):
        run([*words, f"dataset.root={other}"])
    assert asked == []


def test_a_benchmark_is_no_part_of_a_runs_identity(place):
    named = [
        run_id(expand(job(*place, *words))[0].config) for words in (FEW, ("benchmark.name=null",))
    ]
    assert named[0] == named[1]


def test_a_bad_benchmark_is_found_before_training(place):
    words = [*place, *MIXUP, "benchmark.corruptions=[rain]"]
    with pytest.raises(InputError, match="choose from gaussian_noise"):
        run(words, train=True)
    assert RunFolder(expand(job(*words))[0]).state() == "missing"


# The command line, and the committed results


def test_a_sweep_of_digits_from_evaluation_to_committed_rows(tmp_path):
    """ERM and Mixup of scikit-learn's digits, 8 x 8 pixels of 0 to 16."""
    shared = ["dataset=digits", "architecture=mlp", "seeds=2", "recipe.epochs=3"]
    shared += ["method.alpha=1", "hardware.device=cpu", f"runs_dir={tmp_path / 'r'}"]
    for method in ("method=erm", "method=mixup"):
        run([*shared, method], train=True)
    asked = [*FEW, "benchmark=generated", f"benchmark.root={tmp_path / 'sets'}"]
    done = commands.run("scripts/evaluate.py", "-m", *shared, "method=erm,mixup", *asked)
    assert done.returncode == 0, done.stderr
    assert "digits-c-generated contrast [4/4], 2 runs" in done.stderr
    assert "2 done before and evaluated now" in done.stderr

    results.collect(tmp_path / "r", tmp_path / "results")
    first = {p.name: p.read_bytes() for p in (tmp_path / "results" / "ood").iterdir()}
    frame = pd.concat([pd.read_csv(p) for p in (tmp_path / "results" / "ood").iterdir()])
    assert list(frame.columns) == ["seed", *(c for c in OOD if c != "accuracy_pm0")]
    assert set(frame["benchmark"]) == {"digits-c-generated"} and set(frame["n_test"]) == {899}
    counts = frame.groupby(["evaluation", frame["eval_alpha"].notna()]).size().to_dict()
    assert counts == {("plain", False): 16, ("rescaled", True): 8}
    clean = results.load(tmp_path / "results")
    # A corrupted picture is still mostly that digit: far above chance, and below the clean ones.
    assert 0.3 < frame["accuracy"].min() < clean["accuracy"].min()
    assert frame["accuracy"].max() <= clean["accuracy"].max() + 0.01

    assert [r.outcome for r in run([*shared, *asked])] == ["done before", "done before"]
    results.collect(tmp_path / "r", tmp_path / "results")
    again = {p.name: p.read_bytes() for p in (tmp_path / "results" / "ood").iterdir()}
    assert again == first


@pytest.mark.slow
@pytest.mark.parametrize("asks", ["benchmark", "probe"])
def test_processes_of_a_node_ask_runs_that_were_finished_before(asks, tmp_path):
    words = ["dataset=digits", "architecture=mlp", "recipe.epochs=1", "method=erm", "seeds=2"]
    words += [f"runs_dir={tmp_path / 'r'}", "hardware.device=cpu"]
    finished = run(words, train=True)
    asked = [*FEW, "benchmark=generated", f"benchmark.root={tmp_path / 'sets'}"]
    if asks == "probe":
        asked = ["probe=held_out"]
    for outcome in ("2 done before and evaluated now │", "2 done before │"):
        done = commands.run(
            "scripts/evaluate.py", *words, *asked, "hardware=node", "hardware.slots=[0]"
        )
        assert done.returncode == 0, done.stderr
        assert outcome in " ".join(done.stderr.split())
    assert asks == "probe" or all(len(keys(result)) == 4 for result in finished)
    found = list(tmp_path.glob("r/*/seed*/probe-held_out.json"))
    assert len(found) == (2 if asks == "probe" else 0)


def test_a_bad_benchmark_is_one_line_and_exit_code_two(tmp_path):
    words = ("benchmark=cifar10_c", "benchmark.root=nowhere", f"runs_dir={tmp_path}")
    done = commands.run("scripts/evaluate.py", "dataset=digits", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no folder nowhere/CIFAR-10-C: download CIFAR-10-C.tar")
    assert len(done.stderr.splitlines()) == 1


def test_results_without_any_benchmark_have_no_rows_of_one(tmp_path, place):
    run([*place, *MIXUP, "benchmark.name=null"], train=True)
    results.collect(tmp_path / "runs", tmp_path / "results")
    assert not (tmp_path / "results" / "ood").exists()


def test_every_benchmark_config_composes():
    for path in sorted((CHECKOUT / "configs" / "benchmark").glob("*.yaml")):
        config = job(f"benchmark={path.stem}").benchmark
        assert config.name.replace("-", "_") == path.stem
        assert Path(config.root).is_absolute()
