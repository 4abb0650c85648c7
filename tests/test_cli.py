"""train.py as a user runs it: exit codes, messages, sweeps, kills and restarts.

Starting Python and PyTorch takes seconds, so most tests run the script in this process, and one of
each kind runs it in a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import struct
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pytest
import torch
from filelock import FileLock
from helpers import job, make_image_folder, train, train_here
from PIL import Image
from wandb.proto import wandb_internal_pb2

from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.paths import has_wandb_key
from mixup_repro.store.folder import RunFolder
from mixup_repro.training import checkpoint, loop
from mixup_repro.training import run as run_module

DIGITS = "dataset=digits", "architecture=mlp", "architecture.hidden=[16]", "recipe.epochs=2"
README = "dataset=digits", "architecture=mlp", "method=mixup", "method.alpha=1", "recipe.epochs=2"


pytestmark = pytest.mark.usefixtures("elsewhere")


def records(runs_dir: Path) -> list[Path]:
    return sorted(runs_dir.glob("*/seed*/record.json"))


def assert_refused(code: int, stderr: str, runs_dir: Path, *names: str) -> None:
    """Exit code 2, one clear line that has `names` in it, and nothing written."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    assert code == 2, stderr
    assert len(lines) == 1, stderr
    assert lines[0].startswith("error: ")
    assert all(name in lines[0] for name in names), lines[0]
    assert not any(path.is_file() for path in runs_dir.rglob("*"))


# --- Good input -------------------------------------------------------------------------------


def test_the_script_trains_each_seed_of_a_job(tmp_path):
    done = train(*README, "seeds=2", runs_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 done" in done.stderr
    assert [path.parent.name for path in records(tmp_path)] == ["seed0", "seed1"]


def test_a_sweep_goes_on_past_a_bad_cell_and_past_what_is_done(tmp_path, capsys):
    runs = tmp_path / "runs"
    assert train_here(*DIGITS, "seeds=2", "method.alpha=1", runs_dir=runs) == 0
    before = {path: path.stat().st_mtime_ns for path in records(runs)}
    capsys.readouterr()
    assert train_here("-m", *DIGITS, "seeds=2", "method.alpha=1,0,0.5", runs_dir=runs) == 2
    stderr = capsys.readouterr().err
    assert "Traceback" not in stderr
    assert len(re.findall(r"^error: method\.alpha=0", stderr, re.MULTILINE)) == 1
    assert stderr.splitlines()[-1].startswith("not run: method.alpha=0")
    assert "2 done before" in stderr
    assert "2 done" in stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(records(runs)) == 4


def test_a_sweep_over_alpha_is_one_run_id_for_each(tmp_path):
    runs = tmp_path / "runs"
    done = train("-m", *DIGITS, "method.alpha=0.5,1", runs_dir=runs)
    assert done.returncode == 0, done.stderr
    ids = [path.parent.parent.name for path in records(runs)]
    assert [re.sub("-[0-9a-f]{8}$", "", name) for name in ids] == [
        "digits-mlp-mixup-a0.5",
        "digits-mlp-mixup-a1",
    ]


def test_a_second_call_trains_nothing(tmp_path, monkeypatch, capsys):
    runs = tmp_path / "runs"
    assert train_here(*DIGITS, "seeds=2", runs_dir=runs) == 0

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(run_module, "fit", never)
    capsys.readouterr()
    assert train_here(*DIGITS, "seeds=2", runs_dir=runs) == 0
    assert "2 done before" in capsys.readouterr().err


def test_an_experiment_runs_its_own_sweep(tmp_path):
    runs = tmp_path / "runs"
    words = ["experiment=carratino2020/fig4_digits", "scale=smoke", "recipe.epochs=1"]
    assert train_here("-m", *words, runs_dir=runs) == 0
    made = {path.parent.parent.name.rsplit("-", 1)[0] for path in records(runs)}
    assert made == {"digits-mlp-erm", "digits-mlp-mixup-a0.5", "digits-mlp-mixup-a8"}


# --- Bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("method.alpha=0", "method.alpha=0"),
        ("method.alpha=-1", "method.alpha=-1"),
        ("method.alpha=nan", "method.alpha=nan"),
        ("method.alpha=text", "method.alpha=text"),
        ("method.alpha=[1,0]", "method.alpha=0"),
        ("method.alpha=[]", "method.alpha=[]"),
        ("method.alpha=null", "method.alpha"),
        ("method.name=nope", "method.name=nope"),
        ("method.pairing=nope", "method.pairing=nope"),
        ("method.pairing_group=7", "method.pairing_group=7"),
        ("method=label_smoothing method.epsilon=2", "method.epsilon=2"),
        ("seeds=0", "seeds=0"),
        ("seeds=[1,1]", "seeds=[1, 1]"),
        ("seeds=two", "seeds=two"),
        ("seeds=1.5", "seeds=1.5"),
        ("scale=huge", "paper, short, smoke"),
        ("experiment=carratino2020/fig4_digits scale=huge", "paper, short, smoke"),
        ("recipe.optimizer=nope", "recipe.optimizer=nope"),
        ("recipe.lr=0", "recipe.lr=0"),
        ("recipe.lr=nan", "recipe.lr=nan"),
        ("recipe.epochs=0", "recipe.epochs=0"),
        ("recipe.batch_size=0", "recipe.batch_size=0"),
        ("recipe.evaluate_every=0", "recipe.evaluate_every"),
        ("recipe.decay_at=[1.5]", "recipe.decay_at=[1.5]"),
        ("recipe.decay_at=[0.5] recipe.decay_by=null", "recipe.decay_by"),
        ("recipe.momentum=-1", "recipe.momentum=-1"),
        ("recipe.weight_decay=-1", "recipe.weight_decay=-1"),
        ("recipe.nesterov=true recipe.momentum=null", "recipe.nesterov"),
        ("recipe.crop_padding=-1", "recipe.crop_padding=-1"),
        ("dataset=alternating_line recipe.crop_padding=2", "recipe.crop_padding"),
        ("dataset=alternating_line recipe.flip=true", "recipe.flip"),
        ("dataset=alternating_line method=cutmix", "cutmix"),
        ("dataset=alternating_line dataset.points=1", "dataset.points=1"),
        ("dataset=image_folder", "dataset.root"),
        ("dataset=image_folder dataset.root=/nowhere", "/nowhere"),
        ("dataset.name=nope", "dataset.name=nope"),
        ("dataset.mean=[0.5,0.5]", "dataset.mean"),
        ("dataset.std=[0]", "dataset.std"),
        ("architecture=lenet", "use architecture=mlp"),
        ("architecture.name=nope", "architecture.name=nope"),
        ("architecture.hidden=[]", "architecture.hidden"),
        ("architecture.hidden=[-3]", "architecture.hidden"),
        ("architecture.hidden=[0]", "architecture.hidden"),
        ("evaluation.alphas=0", "evaluation.alphas"),
        ("evaluation.alphas=x", "evaluation.alphas=x"),
        ("hardware.device=cuda:99", "hardware.device=cpu"),
        ("hardware.device=nope", "hardware.device=nope"),
        ("hardware.threads=-2", "hardware.threads=-2"),
        ("hardware.slots=many", "hardware.slots=many"),
        ("hardware.slots=[]", "hardware.slots=[]"),
        ("hardware.slots=[0,0]", "hardware.slots=[0, 0]"),
        ("hardware.runs_per_gpu=0", "hardware.runs_per_gpu=0"),
        ("part=3/2", "part=3/2"),
        ("part=0/2", "part=0/2"),
        ("part=half", "part=half"),
        ("retry=none", "retry=none"),
        ("wandb.mode=nope", "wandb.mode=nope"),
        ("wandb.mode=online", "WANDB_API_KEY"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_it(words, named, tmp_path, capsys):
    code = train_here("recipe.epochs=2", *words.split(), runs_dir=tmp_path / "runs")
    assert_refused(code, capsys.readouterr().err, tmp_path / "runs", named)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path, capsys):
    code = train_here(*DIGITS, "hardware.device=cuda", runs_dir=tmp_path / "runs")
    assert_refused(code, capsys.readouterr().err, tmp_path / "runs", "0 GPUs")


def test_missing_data_is_refused_by_the_script(tmp_path):
    (tmp_path / "empty").mkdir()
    words = ["dataset=cifar10", "architecture=lenet", f"data_root={tmp_path / 'empty'}"]
    done = train(*words, runs_dir=tmp_path / "runs")
    named = ["CIFAR10", str(tmp_path / "empty"), "dataset.root="]
    assert_refused(done.returncode, done.stderr, tmp_path / "runs", *named)


@pytest.mark.parametrize("damage", ["batch cut short", "archive cut short"])
def test_half_downloaded_cifar_is_refused(damage, tmp_path, capsys):
    if damage == "batch cut short":
        (tmp_path / "data/cifar-10-batches-py").mkdir(parents=True)
        (tmp_path / "data/cifar-10-batches-py/data_batch_1").write_bytes(b"\x80\x02}q\x00")
    else:
        (tmp_path / "data").mkdir()
        (tmp_path / "data/cifar-10-python.tar.gz").write_bytes(b"\x1f\x8b\x08\x00")
    words = ["dataset=cifar10", "architecture=lenet", f"data_root={tmp_path / 'data'}"]
    code = train_here(*words, runs_dir=tmp_path / "runs")
    assert_refused(code, capsys.readouterr().err, tmp_path / "runs", "incomplete", "dataset.root=")


@pytest.fixture
def pictures(tmp_path) -> Path:
    return make_image_folder(tmp_path / "pictures")


def folder_words(root: Path) -> list[str]:
    return ["dataset=image_folder", f"dataset.root={root}", "architecture=lenet"]


def remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def one_class(root: Path) -> list[str]:
    remove(root / "train/class1")
    remove(root / "test/class1")
    return ["found 1 class", str(root / "train")]


def class_in_one_part(root: Path) -> list[str]:
    remove(root / "test/class1")
    return ["class1", "only one of train and test"]


def unequal_sizes(root: Path) -> list[str]:
    Image.new("RGB", (40, 24)).save(root / "train/class1/3.png")
    return [str(root / "train/class1/3.png"), "40 x 24", "32 x 32"]


def no_picture(root: Path) -> list[str]:
    (root / "test/class0/5.png").write_bytes(b"no picture")
    return [str(root / "test/class0/5.png")]


def half_a_picture(root: Path) -> list[str]:
    path = root / "train/class0/2.png"
    path.write_bytes(path.read_bytes()[:500])
    return [str(path)]


def absurd_size(root: Path) -> list[str]:
    path = root / "train/class0/2.bmp"
    Image.new("RGB", (32, 32)).save(path)
    content = bytearray(path.read_bytes())
    content[18:26] = (200_000).to_bytes(4, "little") * 2  # width and height
    path.write_bytes(content)
    return [str(path)]


def empty_class(root: Path) -> list[str]:
    for path in (root / "train/class0").iterdir():
        path.unlink()
    return [str(root / "train/class0")]


def no_test_part(root: Path) -> list[str]:
    (root / "test").rename(root / "trial")
    return ["train/<class>/ and test/<class>/"]


FAULTS = [one_class, class_in_one_part, unequal_sizes, no_picture, half_a_picture, absurd_size]
FAULTS += [empty_class, no_test_part]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_image_folder_is_refused(fault, pictures, tmp_path, capsys):
    named = fault(pictures)
    code = train_here(*folder_words(pictures), runs_dir=tmp_path / "runs")
    assert_refused(code, capsys.readouterr().err, tmp_path / "runs", *named)


def test_a_damaged_cache_of_an_image_folder_is_rebuilt(pictures, tmp_path):
    words = [*folder_words(pictures), "recipe.epochs=1"]
    assert train_here(*words, runs_dir=tmp_path / "a") == 0
    (cache,) = pictures.glob(".mixup_repro_cache*")
    whole = cache.read_bytes()
    cache.write_bytes(whole[: len(whole) // 2])
    assert train_here(*words, runs_dir=tmp_path / "b") == 0
    assert len(cache.read_bytes()) == len(whole)


def test_a_runs_dir_that_cannot_be_made_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    code = train_here(*DIGITS, runs_dir=tmp_path / "file" / "runs")
    named = [f"runs_dir={tmp_path / 'file' / 'runs'}", "choose another"]
    assert_refused(code, capsys.readouterr().err, tmp_path / "file" / "runs", *named)


def test_other_data_under_the_same_label_is_refused(tmp_path, capsys):
    two = make_image_folder(tmp_path / "two", classes=2, per_class=15)
    three = make_image_folder(tmp_path / "three", classes=3, per_class=10)
    words = ["dataset.label=pets", "recipe.epochs=1"]
    assert train_here(*folder_words(two), *words, runs_dir=tmp_path / "runs") == 0
    (record,) = records(tmp_path / "runs")
    before = record.read_bytes()
    capsys.readouterr()
    assert train_here(*folder_words(three), *words, runs_dir=tmp_path / "runs") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "classes 2 there, 3 here" in line
    assert record.read_bytes() == before


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dataset=nope", "Could not find 'dataset/nope'"),
        ("experiment=nope", "Could not find 'experiment/nope'"),
        ("nope=x", "Could not override 'nope'"),
        ("recipe.nope=1", "Could not override 'recipe.nope'"),
        ("recipe.epochs=many", "'many' of type 'str' could not be converted to Integer"),
    ],
)
def test_unknown_words_get_hydras_own_message(word, message, tmp_path, capsys):
    code = train_here(word, runs_dir=tmp_path / "runs")
    stderr = capsys.readouterr().err
    assert code != 0
    assert message in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "runs").exists()


# --- Failures ---------------------------------------------------------------------------------


def test_a_diverging_run_fails_and_the_next_job_still_runs(tmp_path, capsys):
    runs = tmp_path / "runs"
    words = [*DIGITS, "recipe.optimizer=sgd", "recipe.lr=1e30,0.05"]
    assert train_here("-m", *words, runs_dir=runs) == 1
    (failed,) = runs.glob("*/seed0/failed.json")
    assert re.search(r"epoch 1, step \d", json.loads(failed.read_text())["error"])
    (done,) = records(runs)
    assert json.loads(done.read_text())["config"]["recipe"]["lr"] == 0.05
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"failed: {failed.parent.parent.name}/seed0: the loss is not finite")


def test_a_crash_in_one_job_is_recorded_and_the_next_job_still_runs(tmp_path, monkeypatch, capsys):
    fit = loop.fit

    def crashing(stack, *rest):
        if stack.runs[0].alpha == 0.5:
            raise RuntimeError("out of memory")
        return fit(stack, *rest)

    monkeypatch.setattr(run_module, "fit", crashing)
    runs = tmp_path / "runs"
    assert train_here("-m", *DIGITS, "method.alpha=0.5,1", runs_dir=runs) == 1
    (failed,) = runs.glob("*/seed0/failed.json")
    assert "out of memory" in json.loads(failed.read_text())["error"]
    assert [path.parent.parent.name[:19] for path in records(runs)] == ["digits-mlp-mixup-a1"]
    assert "out of memory" in capsys.readouterr().err.splitlines()[-1]


# --- Processes --------------------------------------------------------------------------------


def hold(path: Path, held) -> None:
    with FileLock(path):
        held.set()
        time.sleep(600)


def test_a_run_that_another_process_trains_is_skipped_until_that_process_ends(tmp_path, capsys):
    runs = tmp_path / "runs"
    (run,) = expand(job(*DIGITS, f"runs_dir={runs}"))
    folder = RunFolder(run)
    folder.create()
    held = commands.FORKS.Event()
    other = commands.fork(hold, folder.path / "lock", held)
    assert held.wait(60)
    assert folder.state() == "running"
    assert train_here(*DIGITS, runs_dir=runs) == 0
    stderr = capsys.readouterr().err
    assert f"{folder} is being trained by another process" in stderr
    assert "1 running" in stderr
    assert not records(runs)

    other.kill()
    other.join()
    assert train_here(*DIGITS, runs_dir=runs) == 0
    assert len(records(runs)) == 1


def train_noting_epochs(words: list[str], runs_dir: Path, epochs: Path) -> None:
    """train.py, noting each epoch it begins, with a checkpoint after each epoch."""
    plan = loop.Plans.epoch

    def noting(plans, epoch: int):
        with open(epochs, "a") as file:
            file.write(f"{epoch}\n")
        return plan(plans, epoch)

    loop.Plans.epoch, checkpoint.SHARE = noting, 0
    torch.set_num_threads(1)
    os._exit(train_here(*words, runs_dir=runs_dir))


def begun(epochs: Path) -> list[int]:
    return [int(line) for line in epochs.read_text().split()] if epochs.exists() else []


def what_was_computed(runs_dir: Path) -> dict:
    (path,) = records(runs_dir)
    record = json.loads(path.read_text())
    for name in ("wall_s", "finished", "commit", "checksum"):  # of the moment, not of the run
        del record[name]
    del record["config"]["runs_dir"]
    weights = torch.load(path.with_name("weights.pt"), weights_only=True)
    logits = np.load(path.with_name("logits.npz"))["logits"]
    return record | {"weights": str(weights), "logits": logits.tolist()}


def test_killing_a_run_again_and_again_changes_nothing_and_loses_an_epoch_at_most(
    pictures, tmp_path, capsys
):
    words = [*folder_words(pictures), "recipe=carratino_lenet", "recipe.epochs=24"]
    words += ["recipe.batch_size=5", "method.alpha=0.5", "hardware.checkpoint_seconds=0"]
    assert train_here(*words, runs_dir=tmp_path / "whole") == 0

    rng = np.random.default_rng(0)
    epochs, runs = tmp_path / "epochs", tmp_path / "killed"
    code, kills = None, 0
    while code != 0:
        before = begun(epochs)
        process = commands.fork(train_noting_epochs, words, runs, epochs)
        target = len(before) + int(rng.integers(1, 6))
        deadline = time.monotonic() + 60
        while process.is_alive() and len(begun(epochs)) < target:
            assert time.monotonic() < deadline, "no progress after a restart"
            time.sleep(0.001)
        time.sleep(rng.random() * 0.01)
        if kills < 6:
            process.kill()
        process.join(60)
        code = process.exitcode
        assert code in (0, -9)
        kills += code != 0
        resumed = begun(epochs)[len(before) :]
        if before and resumed:  # what came before the last epoch begun had left a checkpoint
            assert resumed[0] in (before[-1], before[-1] + 1)
    assert kills >= 2
    assert sorted(set(begun(epochs))) == list(range(24))
    assert what_was_computed(runs) == what_was_computed(tmp_path / "whole")


def test_wandb_offline_writes_a_run_with_our_id(tmp_path):
    done = train(*DIGITS, "wandb.mode=offline", runs_dir=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path / "runs")
    run_id = json.loads(record.read_text())["run_id"]
    (written,) = tmp_path.rglob("offline-run-*/*.wandb")
    assert written.name == f"run-{run_id}-seed0.wandb"
    assert written.is_relative_to(record.parent)


def test_a_login_of_wandb_is_as_good_as_a_key(tmp_path, monkeypatch):
    login = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(login))
    for host, wanted in (("api.wandb.ai", True), ("example.org", False)):
        login.write_text(f"machine {host}\n  login user\n  password {40 * 'a'}\n")
        assert has_wandb_key() == wanted
        with nullcontext() if wanted else pytest.raises(InputError, match="type wandb login"):
            job(*DIGITS, "wandb.mode=online", f"wandb.project={host}")
    monkeypatch.setenv("WANDB_BASE_URL", "https://example.org:8080")
    assert has_wandb_key()
    login.write_text("machine")  # damaged
    assert not has_wandb_key()


def test_what_wandb_keeps_is_the_record_and_its_curves(tmp_path):
    words = ["wandb.mode=offline", "wandb.tags=[a,b]", "wandb.name=mine", "wandb.entity=lab"]
    assert train(*DIGITS, *words, "recipe.epochs=3", runs_dir=tmp_path / "runs").returncode == 0
    (path,) = records(tmp_path / "runs")
    record = json.loads(path.read_text())
    (written,) = tmp_path.rglob("offline-run-*/*.wandb")
    kept = [(kind, getattr(r, kind)) for kind, r in wandb_records(written.read_bytes())]
    (begun,) = (value for kind, value in kept if kind == "run")
    assert (begun.display_name, begun.entity, [*begun.tags]) == ("mine-seed0", "lab", ["a", "b"])
    assert begun.run_group == record["run_id"]
    rows = [
        {"".join(item.nested_key) or item.key: json.loads(item.value_json) for item in value.item}
        for kind, value in kept
        if kind == "history"
    ]
    for row, ours in zip(rows, record["curves"], strict=True):
        assert row["_step"] == ours["epoch"]
        assert all(row[name] == value for name, value in ours.items() if name != "epoch")
    summary = {u.key: json.loads(u.value_json) for k, v in kept if k == "summary" for u in v.update}
    plain, rescaled = record["evaluations"]
    for name in ("accuracy", "ece"):
        assert summary[f"plain/{name}"] == plain[name]
        assert summary[f"rescaled_{rescaled['eval_alpha']:g}/{name}"] == rescaled[name]
    (ended,) = (value for kind, value in kept if kind == "exit")
    assert ended.exit_code == 0


def wandb_records(data: bytes) -> Iterator[tuple[str, Any]]:
    """The records of a .wandb file: a LevelDB log, blocks of 32 KiB behind a header of 7 bytes."""
    at, whole = 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, size, part = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if part in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record.WhichOneof("record_type"), record
            whole = b""
