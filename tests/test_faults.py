"""Faults while training: a full disk, a foreign checkpoint, a GPU without memory."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers import HARDWARE, job

from mixup_repro import interrupt
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.launch.slots import Slot, claim
from mixup_repro.store import files as files_module
from mixup_repro.store.folder import RunFolder
from mixup_repro.training import checkpoint
from mixup_repro.training.failures import explain
from mixup_repro.training.learner import Learner
from mixup_repro.training.loop import Stack
from mixup_repro.training.progress import Progress

WORDS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[16]", "recipe.epochs=6"]
WORDS += ["hardware.checkpoint_seconds=0", *HARDWARE]


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Every epoch leaves a checkpoint."""
    monkeypatch.setattr(checkpoint, "SHARE", 0)


class FullDisk:
    """A file that takes `room` bytes more, and then has no space left."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        self.file.write(data[: self.room])
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")


def fill_disk(monkeypatch, room: int, files: str, after: int = 0) -> None:
    """Writes to files of this kind meet a full disk, after so many that did not."""
    count = [0]

    def limited(path, mode="r", **text):
        file = open(path, mode, **text)  # noqa: SIM115 (the caller closes it)
        if "w" not in mode or files not in str(path):
            return file
        count[0] += 1
        return FullDisk(file, room) if count[0] > after else file

    monkeypatch.setattr(files_module, "open", limited, raising=False)


def names(folder: RunFolder) -> set[str]:
    return {p.name for p in folder.path.iterdir()} - {"lock"}


@pytest.mark.parametrize("room", [0, 1000])
def test_a_full_disk_leaves_the_old_checkpoint_and_says_what_to_do(tmp_path, monkeypatch, room):
    one = job(*WORDS, f"runs_dir={tmp_path}")
    with monkeypatch.context() as patch:
        fill_disk(patch, room, ".epoch", after=3)
        (result,) = run_job(one, Progress())
    assert result.outcome == "failed"
    for part in ("no space left", f"runs_dir={tmp_path}", "mixup-repro clean", "same command"):
        assert part in result.reason
    kept = names(result.folder)
    assert {"epoch000002-step000000.pt", "epoch000003-step000000.pt", "failed.json"} <= kept
    assert not any(name.startswith(".epoch") for name in kept)
    (again,) = run_job(one, Progress())
    assert again.outcome == "done"
    assert [row["epoch"] for row in again.record["curves"]] == list(range(1, 7))


def test_a_disk_too_full_for_the_failure_itself_ends_the_run_alone(tmp_path, monkeypatch):
    one = job(*WORDS, f"runs_dir={tmp_path}")
    with monkeypatch.context() as patch:
        fill_disk(patch, 10, "", after=3)
        (result,) = run_job(one, Progress())
    assert result.outcome == "failed" and "no space left" in result.reason
    assert result.folder.state() == "interrupted"
    assert not any(name.startswith((".epoch", ".failed")) for name in names(result.folder))


def test_a_disk_that_fills_up_at_the_end_is_no_crash(tmp_path, monkeypatch):
    one = job(*WORDS, "seeds=2", f"runs_dir={tmp_path}")
    with monkeypatch.context() as patch:
        fill_disk(patch, 10, "record.json", after=1)
        results = run_job(one, Progress())
    assert [r.outcome for r in results] == ["done", "failed"]
    assert [r.outcome for r in run_job(one, Progress())] == ["done before", "done"]


def interrupted(words: list[str], tmp_path: Path, monkeypatch) -> RunFolder:
    """The folder of a run that was stopped after two epochs."""
    one = job(*WORDS, *words, f"runs_dir={tmp_path}")

    class Stop(BaseException):
        pass

    save = checkpoint.save

    def stopping(folder, epoch, state, step):
        save(folder, epoch, state, step)
        if epoch == 2:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", stopping)
        with pytest.raises(Stop):
            run_job(one, Progress())
    return RunFolder(expand(one)[0])


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("recipe.lr=0.03", "recipe.lr=0.03 there, 0.1 here"),
        ("seeds=[7]", "seed=7 there, 0 here"),
        ("method.alpha=8", "method.alpha=8.0 there, 1.0 here"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, monkeypatch, word, named):
    mine = ["method.alpha=1", "recipe.lr=0.1"]
    other = interrupted([*mine, word], tmp_path, monkeypatch)
    one = job(*WORDS, *mine, f"runs_dir={tmp_path}")
    own = RunFolder(expand(one)[0])
    shutil.copytree(other.path, own.path)
    before = names(own)
    with pytest.raises(InputError) as refused:
        run_job(one, Progress())
    assert named in str(refused.value)
    assert names(own) == before


def test_a_gpu_without_memory_says_what_to_set(tmp_path, monkeypatch):
    def step(learner, batch):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0")

    monkeypatch.setattr(Learner, "step", step)
    one = job(*WORDS, "recipe.batch_size=64", "seeds=2", f"runs_dir={tmp_path}")
    results = run_job(one, Progress())
    assert [r.outcome for r in results] == ["failed", "failed"]
    for part in ("recipe.batch_size=64", "2 runs stacked", "recipe.microbatch=<n>", "part=1/2"):
        assert part in results[0].reason
    failure = json.loads(results[0].folder.failed_path.read_text())
    assert failure["error"] == results[0].reason


@pytest.mark.parametrize("place", ["Stack.of", "Learner.load_states"])
def test_runs_that_cannot_begin_hold_up_no_others(tmp_path, monkeypatch, place):
    """A GPU may be full when the network is put there, or a checkpoint be of another PyTorch."""
    interrupted(["seeds=1"], tmp_path, monkeypatch)

    def broken(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0")

    owner, name = {"Stack": Stack, "Learner": Learner}[place.split(".")[0]], place.split(".")[1]
    one = job(*WORDS, "seeds=2", f"runs_dir={tmp_path}")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, broken)
        results = run_job(one, Progress())
    failed = [r for r in results if r.outcome == "failed"]
    assert len(failed) == (2 if owner is Stack else 1)
    assert all("out of GPU memory" in r.reason for r in failed)
    assert {r.outcome for r in run_job(one, Progress())} <= {"done", "done before"}


def test_a_request_to_stop_before_training_has_begun_is_passed_on(tmp_path, monkeypatch):
    """Such as while the mean of all pictures is taken: nothing is lost, and nothing has failed."""

    def stopped(*_):
        raise interrupt.Stop

    monkeypatch.setattr(Stack, "of", stopped)
    one = job(*WORDS, f"runs_dir={tmp_path}")
    with pytest.raises(interrupt.Stop):
        run_job(one, Progress())
    assert RunFolder(expand(one)[0]).state() == "missing"


def test_the_reason_of_a_failure_is_one_line():
    (run,) = expand(job(*WORDS))
    error = RuntimeError("size mismatch\n\tfor weight: 3\nCompile with TORCH_USE_CUDA_DSA")
    assert explain(error, [RunFolder(run)]) == "RuntimeError: size mismatch"
    assert explain(ValueError(), [RunFolder(run)]) == "ValueError"


def test_slots_below_a_folder_that_cannot_be_written_are_refused_in_a_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="file/runs: cannot be written"):
        claim(Slot("cpu0", 1), tmp_path / "file" / "runs")


def test_two_processes_make_the_folder_of_a_run_at_once(tmp_path, monkeypatch):
    """Both try whether it can be written; the other one may take the trial file away."""
    (run,) = expand(job(*WORDS, f"runs_dir={tmp_path}"))
    touch = Path.touch

    def touched(path, *args, **kwargs):
        touch(path, *args, **kwargs)
        path.unlink()

    monkeypatch.setattr(Path, "touch", touched)
    RunFolder(run).create()
    assert list(RunFolder(run).path.iterdir()) == []
