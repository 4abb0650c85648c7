"""One run on several processes (gloo, on the CPU): the same losses, the same metrics.

torchrun itself runs where it has a part in what is shown; elsewhere the processes that it would
start are forked, because each start of Python takes five seconds of a core.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import commands
import pytest
import torch
from commands import environment
from helpers import HARDWARE, SCRIPT, job, make_image_folder, make_imagenet
from torch.nn.parallel import DistributedDataParallel

from mixup_repro import interrupt, networks
from mixup_repro.data import load
from mixup_repro.errors import InputError, LostError
from mixup_repro.paths import CHECKOUT
from mixup_repro.patience import Place, verdict
from mixup_repro.schema import HardwareConfig
from mixup_repro.training import checkpoint
from mixup_repro.training.preconditions import check_job

RECIPE = ("recipe=carratino_lenet", "recipe.epochs=3", "recipe.batch_size=16")


def words_of(*fields: str, runs_dir: Path) -> list[str]:
    return [str(SCRIPT), *HARDWARE, *fields, f"runs_dir={runs_dir}"]


def torchrun(ranks: int, *fields: str, runs_dir: Path) -> subprocess.Popen:
    """torchrun with its standalone rendezvous, as a user starts it."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.Popen(
        [*launcher, f"--nproc-per-node={ranks}", *words_of(*fields, runs_dir=runs_dir)],
        cwd=CHECKOUT,
        env=environment() | {"XDG_CACHE_HOME": str(runs_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen) -> str:
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    return out


def started_ranks(ranks: int, *fields: str, runs_dir: Path, **options) -> list[commands.Command]:
    """What torchrun starts: a process for each rank, which is told these variables."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}
    return [
        commands.start(
            *words_of(*fields, runs_dir=runs_dir),
            env=environment() | group | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            **options,
        )
        for rank in range(ranks)
    ]


def ranks_of(ranks: int, *fields: str, runs_dir: Path) -> list[subprocess.CompletedProcess[str]]:
    return [command.done() for command in started_ranks(ranks, *fields, runs_dir=runs_dir)]


def train_on(ranks: int, *fields: str, runs_dir: Path) -> None:
    for done in ranks_of(ranks, *fields, runs_dir=runs_dir):
        assert done.returncode == 0, done.stderr


def records(runs_dir: Path) -> dict[str, dict]:
    paths = sorted(runs_dir.glob("*/seed*/record.json"))
    return {str(p.relative_to(runs_dir)): json.loads(p.read_text()) for p in paths}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "pictures"
    return make_image_folder(root, classes=3, per_class=15, size=16)


@pytest.mark.parametrize(
    "fields",
    [
        ("architecture=lenet", "method.alpha=0.5", "evaluation.alphas=[2]", "seeds=[4]"),
        pytest.param(("architecture=lenet", "method=approx_mixup"), marks=pytest.mark.slow),
        pytest.param(
            ("architecture=mlp", "method.alpha=[0.5,2]", "seeds=2"), marks=pytest.mark.slow
        ),
        pytest.param(("architecture=lenet", "recipe.microbatch=4"), marks=pytest.mark.slow),
        pytest.param(
            ("architecture=mlp", "method=mixup_accumulated", "recipe.lr=0.001"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["one run", "approximate mixup", "a stack", "microbatches", "accumulated gradients"],
)
def test_a_run_is_the_same_on_1_2_and_4_processes(fields, pictures, tmp_path):
    fields = ("dataset=image_folder", f"dataset.root={pictures}", *RECIPE, *fields)
    launched = torchrun(2, *fields, runs_dir=tmp_path / "2")
    for ranks in (1, 4):
        train_on(ranks, *fields, runs_dir=tmp_path / str(ranks))
    finish(launched)
    alone = records(tmp_path / "1")
    assert alone
    for ranks in (2, 4):
        shared = records(tmp_path / str(ranks))
        assert list(shared) == list(alone)
        for name, record in shared.items():
            assert record["switches"]["processes"] == ranks
            for row, own in zip(record["curves"], alone[name]["curves"]):
                assert row == pytest.approx(own, rel=1e-4)
            for row, own in zip(record["evaluations"], alone[name]["evaluations"]):
                assert row["bins"]["count"] == own["bins"]["count"]
                assert row["accuracy"] == own["accuracy"]
                assert row["cross_entropy"] == pytest.approx(own["cross_entropy"], rel=1e-4)


def test_a_finished_run_is_evaluated_exactly_alike_on_any_number_of_processes(tmp_path):
    """Its own test set and another one; with 1,200 pictures each of two processes has a chunk."""
    pictures = make_image_folder(tmp_path / "pictures", classes=3, per_class=400, size=16)
    fields = ("dataset=image_folder", f"dataset.root={pictures}", *RECIPE, "architecture=lenet")
    fields = (*fields, "recipe.epochs=1")
    asked = ("evaluation.alphas=[4]", "benchmark=generated", "benchmark.corruptions=[fog,contrast]")
    asked = (*asked, f"benchmark.root={tmp_path / 'sets'}", "benchmark.severities=[5]")
    for ranks in (1, 2):
        train_on(1, *fields, runs_dir=tmp_path / str(ranks))
        train_on(ranks, *fields, *asked, runs_dir=tmp_path / str(ranks))
    (alone,), (shared,) = (records(tmp_path / str(ranks)).values() for ranks in (1, 2))
    assert len(alone["evaluations"]) == 3
    assert shared["evaluations"] == alone["evaluations"]
    rows = [
        json.loads(next((tmp_path / str(ranks)).glob("*/seed0/ood-*.json")).read_text())["rows"]
        for ranks in (1, 2)
    ]
    assert len(rows[0]) == 2 * 2 and {row["n_test"] for row in rows[0]} == {1200}
    assert rows[1] == rows[0]


@pytest.mark.slow
def test_a_signal_stops_all_processes_at_one_step_and_the_run_goes_on(pictures, tmp_path):
    fields = ("dataset=image_folder", f"dataset.root={pictures}", *RECIPE, "architecture=lenet")
    fields = (*fields, "recipe.epochs=400", "recipe.evaluate_every=400")
    train_on(2, *fields, runs_dir=tmp_path / "whole")
    stopped = torchrun(2, *fields, runs_dir=tmp_path / "stopped")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "stopped").glob("*/seed0/epoch*.pt")):
        assert stopped.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    stopped.terminate()  # torchrun passes it on
    out, _ = stopped.communicate(timeout=60)
    assert "stopped by" in out
    assert not records(tmp_path / "stopped")
    train_on(2, *fields, runs_dir=tmp_path / "stopped")
    (resumed,), (unbroken,) = (records(tmp_path / n).values() for n in ("stopped", "whole"))
    assert resumed["curves"] == unbroken["curves"]
    assert resumed["evaluations"] == unbroken["evaluations"]


@pytest.mark.slow
def test_a_checkpoint_inside_an_epoch_is_written_by_all_processes_at_one_step(tmp_path):
    """Rank 0 alone writes, so its clock and that of the others are soon apart."""
    fields = ("dataset=digits", "architecture=mlp", "recipe.batch_size=8", "recipe.epochs=10")
    train_on(2, *fields, "hardware.checkpoint_minutes=0.001", runs_dir=tmp_path / "often")
    train_on(2, *fields, runs_dir=tmp_path / "whole")
    (often,), (whole,) = (records(tmp_path / name).values() for name in ("often", "whole"))
    assert often["curves"] == whole["curves"]


def test_ranks_are_due_at_the_same_steps_whatever_their_clocks_say(monkeypatch):
    """Two ranks as threads: the second wrote its last checkpoint half a minute later."""
    together, told = Barrier(2), {}

    def largest(values, device):
        told[threading.get_ident()] = values
        together.wait(10)
        most = [max(column) for column in zip(*told.values())]
        together.wait(10)
        return most

    monkeypatch.setattr(checkpoint, "largest", largest)
    monkeypatch.setattr(checkpoint, "world_size", lambda: 2)
    monkeypatch.setattr(checkpoint, "ASK_S", 0.02)
    hardware = HardwareConfig(checkpoint_minutes=0.5 + 0.1 / 60)

    def due(saved_before: float) -> list[int]:
        saver = checkpoint.Saver(hardware, torch.device("cpu"))
        saver.saved -= saved_before
        steps = []
        for step in range(60):
            time.sleep(0.005)
            if saver.due_after_step():
                steps.append(step)
                saver.saved = time.perf_counter()
        return steps

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(due, (30.0, 0.0))
    assert one == other and len(one) == 1


# --- ImageNet ---------------------------------------------------------------------------------


IMAGENET = (
    *("dataset=imagenet", "dataset.size=32", "dataset.resize=36", "dataset.workers=0"),
    *("architecture=timm", "architecture.name=test_resnet", "recipe=carratino_imagenet"),
    *("recipe.epochs=2", "recipe.batch_size=16", "recipe.microbatch=4", "recipe.lr=0.05"),
    *("method.pairing_group=4", "method.alpha=0.5", "recipe.evaluate_every=1"),
)


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory) -> Path:
    return make_imagenet(tmp_path_factory.mktemp("data") / "imagenet", per_class=26)


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_others_and_the_run_goes_on(imagenet, tmp_path):
    """The whole path on 2 ranks: killed inside an epoch, resumed there, evaluated."""
    fields = (*IMAGENET, f"dataset.root={imagenet}", "hardware.checkpoint_minutes=1e-9")
    train_on(2, *fields, runs_dir=tmp_path / "whole")
    killed = torchrun(2, *fields, "dataset.workers=1", runs_dir=tmp_path / "killed")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed").glob("*/seed0/epoch*-step00000[1-9].pt")):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    children = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    died = time.monotonic()
    killed.communicate(timeout=60)
    assert killed.returncode != 0
    assert time.monotonic() - died < 60
    assert not records(tmp_path / "killed")
    train_on(2, *fields, runs_dir=tmp_path / "killed")
    (resumed,), (unbroken,) = (records(tmp_path / n).values() for n in ("killed", "whole"))
    assert [row["epoch"] for row in resumed["curves"]] == [1, 2]
    # BatchNorm's running statistics are of rank 0 after a resume: losses agree, tests nearly.
    for row, own in zip(resumed["curves"], unbroken["curves"]):
        assert row["mixed_loss"] == pytest.approx(own["mixed_loss"], rel=1e-4)
    names = [(row["evaluation"], row["eval_alpha"]) for row in resumed["evaluations"]]
    assert names == [("plain", None), ("rescaled", 0.5)]


# --- A rank that hangs, and one that dies -------------------------------------------------------

HOST = socket.gethostname()
LONG = ("dataset=digits", "architecture=mlp", "architecture.hidden=[16]", "recipe.epochs=100000")
HANGS = (*LONG, "hardware.patience_minutes=0.05")


def started(ranks: int, *fields: str, runs_dir: Path) -> list[commands.Command]:
    """Ranks that have trained for an epoch."""
    group = started_ranks(ranks, *fields, runs_dir=runs_dir)
    deadline = time.monotonic() + 120
    while not list(runs_dir.glob("*/seed0/epoch*.pt")):
        assert time.monotonic() < deadline and not any(command.ended() for command in group)
        time.sleep(0.05)
    return group


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [0, 1])
def test_a_rank_that_is_stopped_is_given_up_and_named(stopped, tmp_path):
    """At any time, such as within the very step that the other is in."""
    ranks = started(2, *HANGS, runs_dir=tmp_path)
    os.kill(ranks[stopped].pid, signal.SIGSTOP)
    done = ranks[1 - stopped].done(timeout=60)
    ranks[stopped].kill()
    ranks[stopped].done()
    assert done.returncode == interrupt.EX_TEMPFAIL
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "no progress for 0.05 minutes" in line and interrupt.GOES_ON in line
    # Rank 0 keeps the store here; torchrun keeps it itself.
    whom = ["heard of the others by way of 127.0.0.1", f"wait for rank 1 (on {HOST});"][stopped]
    assert whom in line
    assert not list(tmp_path.glob("*/seed0/failed.json"))
    assert list(tmp_path.glob("*/seed0/epoch*.pt"))


def hang_in_a_pass() -> None:
    """The hundredth pass of rank 1 does not end; its other threads live on."""
    forward, passes = DistributedDataParallel.forward, itertools.count(1)

    def hanging(*args, **kwargs):
        if os.environ["RANK"] == "1" and next(passes) == 100:
            time.sleep(600)
        return forward(*args, **kwargs)

    DistributedDataParallel.forward = hanging


@pytest.mark.slow
def test_a_rank_that_hangs_within_a_step_is_named(tmp_path):
    """By the other one or by its own thread, whichever gives up first."""
    ranks = started_ranks(2, *HANGS, runs_dir=tmp_path, first=hang_in_a_pass)
    first, second = (rank.done(timeout=120) for rank in ranks)
    assert first.returncode == second.returncode == interrupt.EX_TEMPFAIL
    assert f"wait for rank 1 (on {HOST});" in first.stderr + second.stderr


def test_a_rank_that_dies_is_told_of_in_one_line(tmp_path):
    ranks = started(2, *LONG, runs_dir=tmp_path)
    ranks[1].kill()
    ranks[1].done()
    done = ranks[0].done(timeout=60)
    assert done.returncode == interrupt.EX_TEMPFAIL
    assert done.stderr.splitlines()[-1] == f"error: {LostError()}"
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*/seed0/failed.json"))


def test_the_rank_that_the_others_wait_for_is_behind_them():
    before = [Place("a", 7, 3, 0), Place("b", 6, 900, 0), Place("a", 7, 4, 0)]
    places = [replace(place, spoken=1) for place in before]
    assert "wait for rank 1 (on b);" in verdict(before, places, 10)
    assert "all wait for each other" in verdict(before[::2], places[::2], 10)
    assert "nothing is heard of the others" in verdict([], [], 10)


def test_a_rank_that_no_longer_speaks_is_named_however_far_it_is():
    before = [Place("a", 7, 3, 0), Place("b", 7, 900, 0), Place("c", 6, 4, 0)]
    places = [replace(before[0], spoken=1), before[1], replace(before[2], spoken=1)]
    assert "wait for rank 1 (on b);" in verdict(before, places, 10)
    assert "nothing is heard of the others" in verdict(before, before, 10)


# --- What several processes cannot do ---------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "ranks", "named"),
    [
        ((), 3, "recipe.batch_size=16: 3 processes"),
        (("method.pairing_group=8",), 4, "pairing groups of 8; start a number"),
        (("recipe.batch_size=44",), 2, "the last batch of an epoch has 1 example"),
        (("architecture=resnet18",), 2, "hardware.sync_batchnorm=true"),
        (("architecture=resnet18", "recipe.microbatch=3"), 2, "recipe.microbatch=3: must divide"),
        (("method=approx_mixup_exact",), 2, "one process"),
        (("method=approx_mixup_exact", "recipe.microbatch=8"), 1, "one pass"),
    ],
)
def test_what_cannot_be_shared_is_refused(fields, ranks, named, pictures):
    words = ("dataset=image_folder", f"dataset.root={pictures}", "architecture=lenet", *RECIPE)
    config = job(*words, *fields)
    dataset = load(config.dataset)
    network = networks.build(config.architecture, dataset.input_shape, dataset.classes, [0])
    with pytest.raises(InputError, match=named):
        check_job(config, dataset, network, ranks)


@pytest.mark.parametrize(
    ("folder", "named"),
    [("", "error: BatchNorm on 2 processes"), ("nowhere", "error: no image folder at")],
)
def test_a_refusal_is_one_line_on_several_processes(pictures, tmp_path, folder, named):
    fields = ("dataset=image_folder", f"dataset.root={pictures / folder}", "architecture=resnet18")
    first, second = ranks_of(2, *fields, *RECIPE, runs_dir=tmp_path)
    assert first.returncode == second.returncode == 2
    assert (first.stderr + second.stderr).count(named) == 1
