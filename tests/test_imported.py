"""Weights that somebody else trained, as finished runs: read, fitted by name, asked, reported."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import re
import runpy
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers import HARDWARE, job, make_image_folder
from hydra.core.global_hydra import GlobalHydra
from test_architectures import published_forward
from test_report import fake_records, rescaling_helps_by_alpha

from mixup_repro import report
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.evaluation.predictor import evaluate
from mixup_repro.jobs import expand
from mixup_repro.launch.imported import Origin, fitted, import_run, read_weights
from mixup_repro.networks import build
from mixup_repro.paths import CHECKOUT
from mixup_repro.schema import ArchitectureConfig
from mixup_repro.store import costs, results
from mixup_repro.store.identity import run_id
from mixup_repro.store.records import finished_records

TOLD = ("--source", "someone/nets@0123abc", "--recipe", "ERM, 200 epochs")


def network(name: str = "resnet20", classes: int = 2, seed: int = 0):
    """A network whose BatchNorms have seen something."""
    made = build(ArchitectureConfig(name=name), (3, 32, 32), classes, [seed])
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in made.replica_tensors(0).items():
        if tensor.ndim == 1 and not key.startswith("fc"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return made.eval()


def published(made, per_stage: int = 3) -> dict[str, torch.Tensor]:
    """Its weights under the names of published files, without BatchNorm's counters."""
    state = {}
    for key, tensor in made.replica_tensors(0).items():
        if match := re.match(r"blocks\.(\d+)\.(.*)", key):
            stage, block = divmod(int(match[1]), per_stage)
            key = f"layer{stage + 1}.{block}.{match[2]}"
        if not key.endswith("num_batches_tracked"):
            state[key.replace("fc.", "linear.")] = tensor.clone()
    return state


def in_parallel(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"module.{name}": tensor for name, tensor in state.items()}


def save(path: Path, value: object, **how: bool) -> Path:
    torch.save(value, path, **how)
    return path


def script(name: str, *words: str) -> tuple[int, str, str]:
    """Run a script in this process; returns exit code, stdout, stderr."""
    argv, code = sys.argv, 0
    GlobalHydra.instance().clear()
    sys.argv = [f"scripts/{name}.py", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(str(CHECKOUT / "scripts" / f"{name}.py"), run_name="__main__")
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            sys.argv = argv
            GlobalHydra.instance().clear()
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> list[str]:
    """A data set of 40 test pictures of two classes, and ResNet-20."""
    root = make_image_folder(tmp_path_factory.mktemp("data") / "pictures", per_class=20)
    return ["dataset=image_folder", f"dataset.root={root}", "architecture=resnet20", *HARDWARE]


@pytest.fixture(scope="module")
def imported(words, tmp_path_factory):
    """What the script made of a published file: its exit code and output, the file, runs_dir."""
    base = tmp_path_factory.mktemp("imported")
    whole = {"state_dict": in_parallel(published(network())), "args": argparse.Namespace(lr=0.1)}
    file = save(base / "net.th", whole)
    options = (*words, f"runs_dir={base / 'runs'}", "evaluation.alphas=[0.5]")
    return *script("import_weights", str(file), *TOLD, *options), file, base / "runs"


def record_of(runs: Path) -> dict:
    return next(finished_records(runs, pytest.fail))


# --- The network, and the run made of it -------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize(("name", "per_stage"), [("resnet20", 3), ("resnet32", 5)])
def test_published_names_and_shortcuts_give_the_published_networks_logits(name, per_stage):
    theirs = published(network(name, seed=1), per_stage)
    ours = network(name, seed=2)
    for key, tensor in fitted(theirs, ours).items():
        ours.replica_tensors(0)[key].copy_(tensor)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x[None])[0], published_forward(theirs, x), rtol=1e-4, atol=1e-4)


def test_an_imported_run_is_finished_and_labelled_and_tells_its_origin(imported, words):
    code, out, err, file, runs = imported
    assert code == 0, err
    record = record_of(runs)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert re.fullmatch(r"pictures-resnet20-imported-[0-9a-f]{8}", record["run_id"])
    assert record["imported"] == {
        "file": "net.th",
        "sha256": sha256,
        "source": "someone/nets@0123abc",
        "recipe": "ERM, 200 epochs",
    }
    assert (record["wall_s"], record["curves"], record["best"]) == (None, [], None)
    assert record["config"]["recipe"]["epochs"] == 0
    assert costs.of_records([record]).empty  # nobody knows how long it took
    dataset = load(job(*words).dataset)
    (rows,) = evaluate(network(), dataset, [0.5])
    assert [row["evaluation"] for row in record["evaluations"]] == ["plain", "rescaled"]
    for row, expected in zip(record["evaluations"], rows):
        assert row["accuracy"] == expected["accuracy"]
        assert row["cross_entropy"] == pytest.approx(expected["cross_entropy"], rel=1e-5)
    assert f"plain: accuracy {rows[0]['accuracy']:.4f}" in out and "rescaled at 0.5: " in out


def test_the_words_that_are_printed_ask_the_run_more(imported):
    _, out, _, _, runs = imported
    command = shlex.split(out.splitlines()[-1])
    assert command[:2] == ["mixup-repro", "evaluate"]
    more = [w for w in command[2:] if not w.startswith("evaluation.alphas")]
    code, _, err = script("evaluate", *more, "evaluation.alphas=[2]", "evaluation.temperature=true")
    assert code == 0 and "1 done before and evaluated now" in err
    rows = {(row["evaluation"], row["eval_alpha"]) for row in record_of(runs)["evaluations"]}
    assert {("plain", None), ("rescaled", 2.0), ("temperature", None)} < rows


@pytest.mark.parametrize("name", ["train", "evaluate", "plan"])
def test_a_network_that_is_not_there_is_refused_with_what_makes_it(name, words, tmp_path):
    more = ("method=imported", f"method.sha256={64 * 'a'}", f"runs_dir={tmp_path / 'runs'}")
    code, _, err = script(name, *words, *more)
    assert code == 2 and err.count("error: method=imported: nothing to train") == 1
    assert "mixup-repro import-weights" in err
    assert not (tmp_path / "runs").exists()


def test_a_finished_import_is_neither_trained_nor_made_again(imported, words):
    _, out, _, file, runs = imported
    (path,) = runs.glob("*/seed*/record.json")
    before = path.read_bytes()
    code, _, err = script("train", *shlex.split(out.splitlines()[-1])[2:])
    assert code == 2 and "error: method=imported: nothing to train" in err
    code, _, err = script("import_weights", str(file), *TOLD, *words, f"runs_dir={runs}")
    assert code == 2 and "is there already" in err and len(err.splitlines()) == 1
    assert path.read_bytes() == before


def test_the_id_is_of_data_network_and_file_and_of_nothing_else(words):
    def id_of(*more: str, digit: str = "a") -> str:
        (run,) = expand(job(*words, "method=imported", f"method.sha256={64 * digit}", *more))
        return run_id(run.config)

    assert id_of() == id_of("recipe=carratino_lenet") == id_of("evaluation.alphas=[3]")
    others = [id_of(digit="b"), id_of("architecture=resnet32"), id_of("dataset.mean=[.5,.5,.5]")]
    assert len({id_of(), *others}) == 4
    assert all("-imported-" in name for name in (id_of(), *others))


# --- What is no such file ----------------------------------------------------------------------


def without(state: dict, name: str) -> dict:
    return {k: v for k, v in state.items() if k != name}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: without(s, "linear.bias"), "the file lacks fc.bias$"),
        (lambda s: s | {"layer1.0.bn3.weight": torch.ones(16)}, "has besides layer1.0.bn3.weight$"),
        (lambda s: s | {"fc.bias": torch.ones(2)}, "has besides linear.bias, fc.bias$"),
        (lambda s: s | {"linear.bias": torch.ones(10)}, r"another shape fc.bias \(\(10,\), not"),
        (lambda s: without(s, "bn1.running_var"), "lacks bn1.running_var$"),
    ],
)
def test_every_tensor_is_filled_and_none_is_left_over(change, named):
    with pytest.raises(InputError, match=named):
        fitted(change(published(network())), network())


def test_a_file_of_another_architecture_is_one_line_and_makes_no_run(words, tmp_path):
    file = save(tmp_path / "net.th", published(network("resnet32"), 5))
    options = (*words, f"runs_dir={tmp_path / 'runs'}")
    code, _, err = script("import_weights", str(file), *TOLD, *options)
    assert code == 2 and len(err.splitlines()) == 1
    assert err.startswith("error: net.th, architecture=resnet20: these are the weights of another")
    assert "has besides layer2.4.conv1.weight" in err
    assert not (tmp_path / "runs").exists()


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("trapped"),))


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_executed(zipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    value = {"state_dict": published(network()), "args": Trap()}
    file = save(tmp_path / "net.th", value, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="cannot read it"):
        read_weights(file)
    assert not Path("trapped").exists()


def test_old_and_new_files_of_torch_save_are_read_alike(tmp_path):
    state = published(network())
    for zipped in (True, False):
        file = save(tmp_path / "net.th", state, _use_new_zipfile_serialization=zipped)
        sha256, read = read_weights(file)
        assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert read.keys() == state.keys()
        assert all(torch.equal(read[name], state[name]) for name in state)


@pytest.mark.parametrize(
    "value", [torch.ones(2), {}, {"epoch": 3}, {"state_dict": {"a": 1}}, [1], {0: torch.ones(2)}]
)
def test_a_file_without_tensors_by_name_is_refused(value, tmp_path):
    with pytest.raises(InputError, match="holds no tensors by name"):
        read_weights(save(tmp_path / "net.th", value))


def test_a_file_that_is_damaged_or_not_there_is_refused(tmp_path):
    file = save(tmp_path / "net.th", published(network()))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1  # torch.load alone would take another number for the weight
    file.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_weights(file)
    file.write_bytes(b"weights")
    with pytest.raises(InputError, match="cannot read it"):
        read_weights(file)
    with pytest.raises(InputError, match="No such file"):
        read_weights(tmp_path / "other.th")


# --- The report --------------------------------------------------------------------------------


def test_imported_runs_have_a_table_and_a_section_of_their_own(imported, tmp_path):
    *_, runs = imported
    fake_records(tmp_path / "runs", rescaling_helps_by_alpha)
    folder = tmp_path / "results"
    results.collect(tmp_path / "runs", folder)
    found = report.entries(folder)
    report.write(found, folder)
    assert "nobody here trained" not in (folder / "REPORT.md").read_text()

    before = (folder / "runs.csv").read_bytes()
    for _ in range(2):  # the same rows replace themselves
        results.collect(runs, folder)
    assert (folder / "runs.csv").read_bytes() == before
    record, frame = record_of(runs), pd.read_csv(folder / "imported.csv")
    assert len(frame) == len(record["evaluations"])
    assert set(frame["run_id"]) == {record["run_id"]}
    assert set(frame["source"]) == {"someone/nets@0123abc"}
    assert set(frame["sha256"]) == {record["imported"]["sha256"]}

    report.write(found, folder)
    plain = frame[frame["evaluation"] == "plain"].iloc[0]
    cell = f"{plain['accuracy']:.4f} / {plain['cross_entropy']:.4f} / {plain['ece']:.4f}"
    text = (folder / "REPORT.md").read_text()
    section = text[text.index("Networks that nobody here trained") :]
    assert "ERM, 200 epochs" in section and "rescaled at 0.5" in section and cell in section


# --- Published weights on the true test set ----------------------------------------------------

DATA = Path(os.environ.get("MIXUP_REPRO_DATA", CHECKOUT / "data"))
WEIGHTS = Path(os.environ.get("MIXUP_REPRO_WEIGHTS", DATA / "cifar10_resnets"))


def published_file(name: str) -> Path:
    if not (WEIGHTS / name).exists():
        pytest.skip(f"{name} of akamaster/pytorch_resnet_cifar10 is not in MIXUP_REPRO_WEIGHTS")
    return WEIGHTS / name


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet20-12fca82f", "resnet32-d509ac18", "resnet56-4bfd9763"])
def test_published_weights_give_their_networks_logits(name):
    _, weights = read_weights(published_file(f"{name}.th"))
    ours = network(name.split("-")[0], classes=10)
    for key, tensor in fitted(weights, ours).items():
        ours.replica_tensors(0)[key].copy_(tensor)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = published_forward(weights, x)
    torch.testing.assert_close(ours(x[None])[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("resnet20-12fca82f", {"accuracy": 0.9173, "cross_entropy": 0.3727, "ece": 0.0532}),
        ("resnet56-4bfd9763", {"accuracy": 0.9339, "cross_entropy": 0.3458, "ece": 0.0464}),
    ],
)
def test_published_networks_have_their_metrics_on_cifar10(name, known, tmp_path):
    """What others measured of the same files: one reader, one normalisation, one ECE of 15 bins."""
    if not (DATA / "cifar-10-batches-py").exists():
        pytest.skip("CIFAR-10 is not in MIXUP_REPRO_DATA")
    file = published_file(f"{name}.th")
    sha256, weights = read_weights(file)
    config = job(
        *("dataset=cifar10", f"architecture={name.split('-')[0]}", *HARDWARE),
        *("dataset.mean=[0.485,0.456,0.406]", "dataset.std=[0.229,0.224,0.225]"),
        *("method=imported", f"method.sha256={sha256}", f"runs_dir={tmp_path}"),
    )
    _, record = import_run(config, weights, Origin(file.name, sha256, "akamaster", "ERM"))
    assert sha256.startswith(name.split("-")[1])
    (plain,) = record["evaluations"]
    assert {metric: round(plain[metric], 4) for metric in known} == known
