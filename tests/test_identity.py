"""A run is what was computed, on the data it was computed on: by content, not by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import HARDWARE, job, make_image_folder, make_imagenet, train
from PIL import Image

from mixup_repro import tensors
from mixup_repro.data import LOADERS, load
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.evaluation.finished import restore
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.store.files import read_json, replacing, write_json
from mixup_repro.store.folder import RunFolder
from mixup_repro.store.records import finished_records
from mixup_repro.training import checkpoint
from mixup_repro.training.progress import Progress
from mixup_repro.training.run import Training

DIGITS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[16]", "recipe.epochs=2"]
PETS = ["dataset=image_folder", "dataset.label=pets", "architecture=mlp", "recipe=digits"]
PETS += ["architecture.hidden=[8]", "recipe.epochs=2"]


def digits():
    return load(job(*DIGITS).dataset)


def swapped(values: torch.Tensor) -> torch.Tensor:
    """The first value and the next other one, exchanged."""
    out = values.clone()
    other = (
        int((values.flatten(1) != values[0].flatten()).any(1).nonzero()[0])
        if (values.ndim > 1)
        else int((values != values[0]).nonzero()[0])
    )
    out[[0, other]] = values[[other, 0]]
    return out


def changes(dataset):
    """(the parts that change, the data set with one thing changed in place)."""
    pixel = dataset.x_train.clone()
    pixel[0, 0, 0, 0] += 1
    yield {"x_train"}, replace(dataset, x_train=pixel)
    for name in ("x_train", "x_test", "y_train", "y_test"):
        yield {name}, replace(dataset, **{name: swapped(getattr(dataset, name))})
    names = [str(k) for k in range(10)]
    yield {"class_names"}, replace(dataset, class_names=[*names[1:], names[0]])
    yield (
        {"x_train", "y_train", "x_test", "y_test"},
        replace(
            dataset,
            x_train=dataset.x_train[:-1],
            y_train=dataset.y_train[:-1],
            x_test=torch.cat([dataset.x_test, dataset.x_train[-1:]]),
            y_test=torch.cat([dataset.y_test, dataset.y_train[-1:]]),
        ),
    )


def test_a_fingerprint_tells_any_change_of_content_and_which():
    dataset, seen = digits(), set()
    dataset.content = None
    for parts, other in changes(dataset):
        here, there = digits().fingerprint(), other.fingerprint()
        odd = {name for name, value in here["content"].items() if there["content"][name] != value}
        assert odd == parts
        seen.add(there["fingerprint"])
    assert len({*seen, digits().fingerprint()["fingerprint"]}) == 8


def test_a_fingerprint_is_the_same_on_another_device_and_for_any_seeds():
    dataset = digits()
    assert dataset.to(torch.device("cpu")).fingerprint() == dataset.fingerprint()
    moons = load(job("dataset=two_moons", "recipe=carratino_moons").dataset)
    assert moons.for_seeds([3, 5]).fingerprint() == moons.for_seeds([1]).fingerprint()


def test_a_known_set_that_was_altered_is_refused_unless_it_has_a_label(tmp_path, monkeypatch):
    config = job("dataset=mnist", f"dataset.root={tmp_path}").dataset
    assert set(config.fingerprint) == set(digits().hashes())
    known = digits().hashes()
    monkeypatch.setitem(LOADERS, "mnist", replace(LOADERS["mnist"], make="data.images:digits"))
    true = replace(config, fingerprint=known)
    assert load(true).hashes() == known
    altered = replace(true, fingerprint=known | {"y_test": "0" * 16})
    with pytest.raises(InputError, match="does not hold mnist: its y_test are others"):
        load(altered)
    assert load(replace(altered, label="mine")).n_test == 899


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_the_true_files_have_the_fingerprint_of_the_config(name):
    """Where they are: a user elsewhere downloads the same ones."""
    config = job(f"dataset={name}").dataset
    known = {"mnist": "MNIST", "cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
    if not (Path(config.root) / known[name]).exists():
        pytest.skip(f"{name} is not in {Path(config.root).name}/")
    assert load(config).hashes() == config.fingerprint


def relabel(root: Path) -> None:
    """One picture of each class changes places: counts, sizes and names stay."""
    first, second = (root / "train" / name / "0.png" for name in ("class0", "class1"))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)


def pets(root: Path, runs_dir: Path, *words: str) -> list:
    return run_job(
        job(*PETS, f"dataset.root={root}", f"runs_dir={runs_dir}", *HARDWARE, *words), Progress()
    )


def test_other_data_of_one_name_is_never_taken_for_a_finished_run(tmp_path):
    root, runs_dir = make_image_folder(tmp_path / "pets"), tmp_path / "runs"
    (done,) = pets(root, runs_dir)
    record = done.folder.record_path.read_bytes()
    copy = shutil.copytree(root, tmp_path / "elsewhere" / "pets")
    assert pets(copy, runs_dir)[0].outcome == "done before"  # where it lies is not what it is
    relabel(copy)
    for train_too in (True, False):
        asks = job(*PETS, f"dataset.root={copy}", f"runs_dir={runs_dir}", *HARDWARE)
        asks.evaluation.alphas = [3.0]
        with pytest.raises(InputError) as refused:
            run_job(asks, Progress(), train=train_too)
        line = str(refused.value)
        assert str(done.folder) in line and "content.x_train" in line and "\n" not in line
        assert "dataset.label=<name>" in line
    with pytest.raises(InputError, match="trained on other data"):
        restore(done.folder, load(asks.dataset))
    assert done.folder.record_path.read_bytes() == record
    (own,) = pets(copy, runs_dir, "dataset.label=relabelled")
    assert own.outcome == "done" and own.folder.id != done.folder.id


def test_a_checkpoint_of_other_data_is_not_resumed(tmp_path, monkeypatch):
    root, runs_dir = make_image_folder(tmp_path / "pets"), tmp_path / "runs"
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pets(root, runs_dir, "hardware.checkpoint_seconds=0")
    relabel(root)
    with pytest.raises(InputError, match=r"other data than pets here: content\.x_train"):
        pets(root, runs_dir)


def test_a_benchmark_is_not_asked_of_a_run_of_other_data(tmp_path):
    root, runs_dir = make_image_folder(tmp_path / "pets"), tmp_path / "runs"
    pets(root, runs_dir)
    relabel(root)
    words = ("benchmark=generated", f"benchmark.root={tmp_path / 'c'}", "benchmark.severities=[1]")
    with pytest.raises(InputError, match="trained on other data"):
        pets(root, runs_dir, *words, "benchmark.corruptions=[contrast]")
    assert not (tmp_path / "c").exists()


def test_a_folder_is_one_set_however_its_path_is_written(tmp_path, monkeypatch):
    root = make_image_folder(tmp_path / "pets")
    monkeypatch.chdir(root)
    plain = [word for word in PETS if "label" not in word]
    ids = set()
    for path in (".", str(root), "../pets", f"{root}/"):
        (run,) = expand(job(*plain, f"dataset.root='{path}'"))
        ids.add(RunFolder(run).id)
        assert load(run.config.dataset).label == "pets"
    assert len(ids) == 1


# --- Records --------------------------------------------------------------------------------------


@pytest.fixture
def finished(tmp_path) -> RunFolder:
    asks = job(*DIGITS, "seeds=2", f"runs_dir={tmp_path / 'runs'}", *HARDWARE)
    return run_job(asks, Progress())[0].folder


def words(folder: RunFolder, *more: str) -> list[str]:
    return [*DIGITS, "seeds=2", f"runs_dir={folder.run.config.runs_dir}", *HARDWARE, *more]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[:500],
    "zeros": lambda whole: bytes(4096),
    "other": lambda whole: b"{}",
    "list": lambda whole: b"[]",
    "latin1": lambda whole: whole + "é".encode("latin-1"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_named_passed_over_and_trained_again(finished, damage, capsys):
    whole = finished.record_path.read_bytes()
    finished.record_path.write_bytes(DAMAGES[damage](whole))
    assert finished.state() == "missing"
    said: list[str] = []
    others = list(finished_records(finished.path.parents[1], said.append))
    assert [r["seed"] for r in others] == [1]
    assert len(said) == 1 and str(finished.record_path) in said[0] and "damaged" in said[0]
    asked = run_job(job(*words(finished)), Progress(), train=False)
    assert sorted(r.outcome for r in asked) == ["done before", "missing"]
    again = {r.folder.run.seed: r.outcome for r in run_job(job(*words(finished)), Progress())}
    assert again == {0: "done", 1: "done before"}
    assert "record.json.damaged" in capsys.readouterr().err
    before, after = json.loads(whole), finished.read_record()
    assert [e["accuracy"] for e in before["evaluations"]] == [
        e["accuracy"] for e in after["evaluations"]
    ]


def test_a_record_is_believed_in_its_own_folder_only(finished, capsys):
    """Copied to another seed, another id, or with an id that is a path."""
    runs_dir = finished.path.parents[1]
    shutil.copytree(finished.path, runs_dir / finished.id / "seed7")
    shutil.copytree(finished.path.parent, runs_dir / "digits-mlp-erm-00000000")
    escaping = finished.read_record() | {"run_id": "../../../escaped"}
    write_json(finished.record_path, escaping)
    said: list[str] = []
    assert [r["seed"] for r in finished_records(runs_dir, said.append)] == [1]
    assert len(said) == 5 and all("of another run than its folder" in line for line in said)
    visited = {r.folder.run.seed: r for r in run_job(job(*words(finished)), Progress())}
    assert {seed: r.outcome for seed, r in visited.items()} == {0: "failed", 1: "done before"}
    told = capsys.readouterr().err
    assert "of another run than its folder" in told and "move the folder away" in told
    assert read_json(finished.record_path) == escaping


def test_a_record_whose_config_was_edited_is_not_the_runs(finished):
    record = finished.read_record()
    record["config"]["recipe"]["lr"] *= 2
    write_json(finished.record_path, record)
    with pytest.raises(InputError, match="of another run than its folder"):
        finished.read_record()


def test_rows_of_a_benchmark_are_believed_beside_their_own_run_only(finished):
    head = {"benchmark": "c", "source": "x", "rows": [], "seed": 0, "run_id": finished.id}
    for place, change, word in (
        (0, {}, ""),
        (1, {}, "not of this run"),
        (0, {"benchmark": "d"}, "not of this run"),
        (0, {"rows": None}, "damaged"),
    ):
        path = finished.path.parent / f"seed{place}" / "ood-c.json"
        write_json(path, head | change)
        said: list[str] = []
        assert len(list(finished_records(finished.path.parents[1], said.append))) == 2
        assert (word in said[0]) if word else said == []
        path.unlink()


# --- Bit rot and what killed processes leave ------------------------------------------------------


def flipped(whole: bytes, rng: np.random.Generator) -> bytes:
    bit = int(rng.integers(8 * len(whole)))
    out = bytearray(whole)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def test_a_flipped_bit_in_weights_is_one_line_or_nothing(finished):
    dataset = digits()
    true = restore(finished, dataset).state_dict()
    whole, rng, refused = finished.weights_path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(200):
        finished.weights_path.write_bytes(flipped(whole, rng))
        try:
            found = restore(finished, dataset).state_dict()
        except InputError as error:
            refused += 1
            assert str(finished.weights_path) in str(error) and "mixup-repro clean" in str(error)
            assert "\n" not in str(error)
        else:
            assert all(torch.equal(found[name], value) for name, value in true.items())
    assert refused > 100


@pytest.mark.parametrize("content", [None, b"", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_weights_that_are_none_are_one_line(finished, content):
    finished.weights_path.unlink()
    if content is not None:
        finished.weights_path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.pt is (damaged|not there).*clean done"):
        restore(finished, digits())


def test_weights_of_another_network_are_one_line(finished):
    tensors.write(finished.weights_path, {"0.weight": torch.zeros(3)})
    with pytest.raises(InputError, match="is of another network"):
        restore(finished, digits())


def test_a_flipped_bit_in_a_checkpoint_leaves_the_one_before_it(tmp_path):
    state = {"learner": {"w": torch.arange(500.0)}, "curves": [1.5]}
    rng = np.random.default_rng(0)
    for epoch in (1, 2):
        checkpoint.save(tmp_path, epoch, state)
    newest = tmp_path / "epoch000002-step000000.pt"
    whole = newest.read_bytes()
    lost = 0
    for _ in range(100):
        newest.write_bytes(flipped(whole, rng))
        said: list[str] = []
        found = checkpoint.load_all(tmp_path, said.append)
        assert all(torch.equal(s["learner"]["w"], state["learner"]["w"]) for s in found.values())
        assert len(found) + len(said) == 2
        lost += len(said)
    assert lost > 50


def test_logits_are_read_with_their_checksum(finished):
    whole, rng, seen = finished.logits_path.read_bytes(), np.random.default_rng(0), 0
    true = np.load(finished.logits_path)["logits"]
    for _ in range(100):
        finished.logits_path.write_bytes(flipped(whole, rng))
        try:
            assert np.array_equal(np.load(finished.logits_path)["logits"], true)
        except Exception:  # zipfile's and NumPy's, of many kinds
            seen += 1
    assert seen > 50


def test_what_killed_processes_left_is_removed_by_the_next_that_has_the_lock(finished):
    for name in (".weights.pt.123", ".record.json.4", "epoch000001-step000000.pt"):
        (finished.path / name).write_bytes(b"half")
    (finished.path / ".mine").write_text("a person's own")
    run_job(job(*words(finished)), Progress())
    left = {path.name for path in finished.path.iterdir()}
    assert left >= {".mine", "record.json", "weights.pt", "logits.npz"}
    assert not any(name.startswith((".weights", ".record", "epoch")) for name in left)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


# --- Pictures on disk -----------------------------------------------------------------------------

IMAGENET = ["dataset=imagenet", "architecture=timm", "architecture.name=resnet18"]
IMAGENET += ["recipe=carratino_imagenet", "dataset.size=16", "dataset.resize=18"]


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_imagenet(tmp_path / "inet")


def streamed(root: Path):
    return load(job(*IMAGENET, f"dataset.root={root}", "dataset.workers=0").dataset)


def test_a_streamed_set_is_known_by_names_sizes_and_classes(pictures):
    before = streamed(pictures).fingerprint()
    assert before == streamed(pictures).fingerprint()
    one = sorted(pictures.glob("val/*/*.JPEG"))[0]
    Image.effect_mandelbrot((50, 40), (-2, -1, 1, 1), 9).convert("RGB").save(one, "JPEG")
    after = streamed(pictures).fingerprint()
    odd = [k for k, v in before["content"].items() if after["content"][k] != v]
    assert odd == ["x_test"] and after["fingerprint"] != before["fingerprint"]


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_damaged_mean_picture_is_made_again(pictures, tmp_path, content):
    true = streamed(pictures).x_bar
    (cache,) = (tmp_path / "cache" / "mixup_repro").iterdir()
    whole = cache.read_bytes()
    cache.write_bytes(flipped(whole, np.random.default_rng(3)) if content is None else content)
    assert torch.equal(streamed(pictures).x_bar, true)
    assert tensors.read(cache).shape == (16, 16, 3)
    tensors.write(cache, torch.zeros(3))  # whole, but no sum of these pictures
    assert torch.equal(streamed(pictures).x_bar, true)


def test_pictures_replaced_under_their_names_have_a_mean_of_their_own(pictures):
    before = streamed(pictures).x_bar
    for path in pictures.glob("train/*/*.JPEG"):
        Image.new("RGB", (40, 40), (250, 5, 5)).save(path, "JPEG")
    assert not torch.equal(streamed(pictures).x_bar, before)


def test_a_damaged_pixel_cache_is_decoded_again(tmp_path):
    root = make_image_folder(tmp_path / "pets")
    config = job(*PETS, f"dataset.root={root}").dataset
    true = load(config).fingerprint()
    cache = root / ".mixup_repro_cache.npz"
    whole, rng = cache.read_bytes(), np.random.default_rng(0)
    for _ in range(20):
        cache.write_bytes(flipped(whole, rng))
        assert load(config).fingerprint() == true
    with pytest.raises(DamagedError):
        tensors.read(root / "train" / "class0" / "0.png")


def test_the_command_line_says_it_in_one_line(tmp_path):
    first = make_image_folder(tmp_path / "a" / "pets")
    second = shutil.copytree(first, tmp_path / "b" / "pets")
    relabel(second)
    plain = [word for word in PETS if "label" not in word]
    done = train(*plain, f"dataset.root={first}", runs_dir=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    other = train(*plain, f"dataset.root={second}", runs_dir=tmp_path / "runs")
    assert other.returncode == 2
    (line,) = [line for line in other.stderr.splitlines() if line.strip()]
    assert line.startswith("error: pets-mlp-mixup") and "Traceback" not in other.stderr
