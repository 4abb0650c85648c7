"""Probes of finished runs: asked once, resumed, refused in one line, merged, and read by items."""

from __future__ import annotations

import json
from itertools import product

import commands
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import job

from mixup_repro import networks, probes
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.papers.shared import ItemData
from mixup_repro.probes import evaluate
from mixup_repro.probes.subject import Subject
from mixup_repro.stats import NoValues
from mixup_repro.store import results
from mixup_repro.store.files import read_json, write_json
from mixup_repro.store.identity import run_id
from mixup_repro.store.rows import PARTS
from mixup_repro.training.progress import Progress

SHARED = ["dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=1"]
SHARED += ["hardware.device=cpu", "hardware.threads=1"]
ASK = "probe=jacobian"


@pytest.fixture
def words(tmp_path) -> list[str]:
    return [*SHARED, f"runs_dir={tmp_path / 'runs'}", "method=mixup", "method.alpha=[1,8]"]


def run(words, train: bool = False):
    return run_job(job(*words), Progress(), train=train)


def path_of(result, name: str = "jacobian"):
    return result.folder.path / f"probe-{name}.json"


def answers(result, name: str = "jacobian") -> dict[tuple[str, str], float]:
    rows = json.loads(path_of(result, name).read_text())["rows"]
    return {(row["setting"], row["metric"]): row["value"] for row in rows}


def test_a_probe_is_asked_once_of_each_run(words, monkeypatch):
    outcome = run([*words, "seeds=2", ASK], train=True)
    before = [path_of(r).read_bytes() for r in outcome]
    assert len(set(before)) == 4
    stacks = []
    ask = evaluate._ask
    monkeypatch.setattr(evaluate, "_ask", lambda *args: stacks.append(args) or ask(*args))
    assert [r.outcome for r in run([*words, "seeds=2", ASK])] == ["done before"] * 4
    assert stacks == []
    path_of(outcome[2]).unlink()
    again = run([*words, "seeds=2", ASK])
    assert [r.outcome for r in again] == [
        "done before",
        "done before",
        "done before and evaluated now",
        "done before",
    ]
    assert [len(group) for group, *_ in stacks] == [1]
    # Alone, a run draws the same examples; sums in another order differ by rounding.
    was = {(r["setting"], r["metric"]): r["value"] for r in json.loads(before[2])["rows"]}
    assert answers(again[2]) == pytest.approx(was, rel=1e-4)


def test_a_new_version_of_a_probe_is_asked_again(words, monkeypatch):
    run([*words, ASK], train=True)
    newer = probes.Probe(probes.PROBES["jacobian"].ask, version=99)
    monkeypatch.setitem(probes.PROBES, "jacobian", newer)
    (first, _) = run([*words, ASK])
    assert first.outcome == "done before and evaluated now"
    assert json.loads(path_of(first).read_text())["source"] == "version 99"


def test_a_stopped_evaluation_goes_on_with_the_next_stack(words, monkeypatch):
    run([*words, "seeds=2"], train=True)
    monkeypatch.setattr(evaluate, "AT_ONCE", 1)
    ask, asked = evaluate._ask, []

    def stop(group, *rest):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(str(group[0]))
        ask(group, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "_ask", stop)
        with pytest.raises(KeyboardInterrupt):
            run([*words, "seeds=2", ASK])
    outcome = run([*words, "seeds=2", ASK])
    assert len(asked) == 2
    assert (
        sorted(r.outcome for r in outcome)
        == ["done before"] * 2 + ["done before and evaluated now"] * 2
    )


def test_a_damaged_file_is_named_and_asked_again(words, capfd):
    (first, _) = run([*words, ASK], train=True)
    whole = path_of(first).read_bytes()
    path_of(first).write_bytes(whole[:50])
    (again, _) = run([*words, ASK])
    assert again.outcome == "done before and evaluated now" and path_of(first).read_bytes() == whole
    assert f"{path_of(first)} is damaged (JSONDecodeError); asking again" in capfd.readouterr().err


def test_a_value_that_is_not_finite_has_no_row(words, monkeypatch):
    def ask(subject):
        defined = subject.drawn(lambda rng: rng.random())
        return {("test", "a"): defined, ("test", "b"): defined / 0, ("test", "c"): 0 * defined / 0}

    monkeypatch.setitem(probes.PROBES, "jacobian", probes.Probe(ask))
    (first, _) = run([*words, ASK], train=True)
    assert answers(first).keys() == {("test", "a")}


# Bad input


def test_an_unknown_probe_is_one_line_with_the_nearest_name(tmp_path):
    asked = (*SHARED, f"runs_dir={tmp_path}", "probe=[jacobain]")
    done = commands.run("scripts/evaluate.py", *asked)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "probe=jacobain: there is no such probe, and jacobian is the nearest" in done.stderr


def test_a_run_without_weights_says_what_removes_it_and_holds_up_no_other(words):
    (first, _) = run(words, train=True)
    first.folder.weights_path.unlink()
    asked, other = run([*words, ASK])
    assert (asked.outcome, other.outcome) == ("failed", "done before and evaluated now")
    assert "weights.pt is not there; remove the run by mixup-repro clean done" in asked.reason


@pytest.mark.parametrize("name", ["attention", "batch_norm", "boundary"])
def test_what_is_not_for_the_network_or_the_data_is_refused_before_training(name, words, tmp_path):
    with pytest.raises(InputError, match=f"probe={name}: needs"):
        run([*words, f"probe=[jacobian,{name}]"], train=True)
    assert not (tmp_path / "runs").exists()


def test_a_run_on_other_data_is_refused(words, monkeypatch):
    run([*words, "recipe.lr=0.0123"], train=True)
    other = load(job(*words).dataset)
    other.x_train[0, 0, 0] += 1
    monkeypatch.setattr("mixup_repro.launch.session.open_data", lambda job: other)
    with pytest.raises(InputError, match="trained on other data"):
        run([*words, "recipe.lr=0.0123", ASK])


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="asked by one process"):
        probes.named("jacobian", load(job(*SHARED).dataset), job(*SHARED).architecture)


def test_a_probe_is_no_part_of_a_runs_identity(words):
    assert run_id(expand(job(*words))[0].config) == run_id(expand(job(*words, ASK))[0].config)


# To the committed results, and to an item


def test_a_sweep_from_evaluation_to_an_items_values(tmp_path):
    """As a user asks it; ERM and Mixup are asked about the same points."""
    shared = [*SHARED, "seeds=2", "method.alpha=1", f"runs_dir={tmp_path / 'r'}"]
    for method in ("method=erm", "method=mixup"):
        run([*shared, method], train=True)
    done = commands.run("scripts/evaluate.py", "-m", *shared, "method=erm,mixup", ASK)
    assert done.returncode == 0, done.stderr
    assert "2 done before and evaluated now" in done.stderr and "log_probabilities" in done.stderr
    folder = tmp_path / "results"
    results.collect(tmp_path / "r", folder)
    first = {p.name: p.read_bytes() for p in (folder / "probes").iterdir()}
    assert len(first) == 2
    runs = results.load(folder)
    frames = []
    for row in runs.drop_duplicates("run_id").itertuples():
        table = pd.read_csv(folder / "probes" / f"{row.run_id}.csv")
        assert list(table) == ["seed", "probe", "setting", "metric", "value"]
        frames.append(table.assign(run_id=row.run_id, method=row.method, alpha=row.alpha))
    empty = {kind: pd.DataFrame() for kind in PARTS}
    data = ItemData("x", "short", 0, runs, **empty | {"probes": pd.concat(frames)})
    erm = data.probed("jacobian", "test", "logits", "erm")
    mixup = data.probed("jacobian", "test", "logits", "mixup", 1.0)
    assert list(erm.index) == list(mixup.index) == [0, 1]
    assert (erm > 0).all() and not np.isclose(erm, mixup).any()
    with pytest.raises(NoValues):
        data.probed("jacobian", "train", "logits", "erm")
    results.collect(tmp_path / "r", folder)
    assert {p.name: p.read_bytes() for p in (folder / "probes").iterdir()} == first


def test_rows_of_another_run_are_passed_over_by_the_merge(words, tmp_path, capsys):
    (first, second) = run([*words, ASK], train=True)
    write_json(path_of(second), read_json(path_of(first)))
    results.collect(tmp_path / "runs", tmp_path / "results")
    assert "probe-jacobian.json is not of this run and probe, but of" in capsys.readouterr().out
    assert len(list((tmp_path / "results" / "probes").iterdir())) == 1


# On every kind of network and data


def ask(name: str, seeds: list[int], *words: str) -> dict[tuple[str, str], np.ndarray]:
    """Answers of untrained networks, by replica; random features start from zeros, so all move."""
    runs = expand(job(*words, f"seeds={seeds}"))
    data = load(runs[0].config.dataset)
    architecture, shape = runs[0].config.architecture, data.input_shape
    probes.named(name, data, architecture)
    network = networks.build(architecture, shape, data.classes, seeds).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            shape = parameter.shape[1:]
            parameter += torch.linspace(-1, 1, shape.numel()).reshape(shape)
    subject = Subject(name, network, data.for_seeds(seeds), runs)
    found = probes.PROBES[name].ask(subject)
    return {key: value.detach().numpy() for key, value in found.items()}


KINDS = {
    "digits": ("dataset=digits", "architecture.hidden=[6]", "method=mixup", "method.alpha=1"),
    "moons": (
        *("dataset=two_moons", "dataset.flipped=0.2", "method=erm", "recipe=carratino_moons"),
        *("architecture=random_features", "dataset.points=60", "architecture.features=20"),
    ),
}
REFUSED = {  # what a kind lacks, by probe
    "digits": {
        "attention": "no such layer",
        "batch_norm": "needs BatchNorm",
        "boundary": "needs two classes in the plane",
    },
    "moons": {
        "active": "labels 120 training examples",
        "adversarial": "needs pictures",
        "attention": "no such layer",
        "batch_norm": "needs BatchNorm",
        "occlusion": "needs pictures",
        "representation": "cut into layers",
    },
}


LONG = {("active", "digits")}  # it trains on what it chose


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(*pair, marks=[pytest.mark.slow] if pair in LONG else [])
        for pair in product(sorted(probes.PROBES.keys() - {"memorised"}), KINDS)  # has its own
    ],
)
def test_a_stacks_answers_are_those_of_its_runs_alone(name, kind):
    if name in REFUSED[kind]:
        with pytest.raises(InputError, match=REFUSED[kind][name]):
            ask(name, [3], *KINDS[kind])
        return
    together, alone = (ask(name, seeds, *KINDS[kind]) for seeds in ([3, 5], [5]))
    assert together.keys() == alone.keys() and together
    for key, value in together.items():
        assert value.shape == (2,), key
        np.testing.assert_allclose(value[1:], alone[key], rtol=2e-3, atol=2e-3, err_msg=str(key))
        assert np.isfinite(value).any() or name == "boundary", key  # there may be none to see
