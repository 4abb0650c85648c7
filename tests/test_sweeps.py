"""Sweeps that people leave alone: slots, processes that die, signals, kills and restarts."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import commands
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import HARDWARE, SCRIPT, job, make_image_folder, record, train_here

from mixup_repro import interrupt
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.launch import node
from mixup_repro.launch.node import Node
from mixup_repro.launch.session import run_job
from mixup_repro.launch.slots import claim, slots
from mixup_repro.schema import HardwareConfig
from mixup_repro.store import results
from mixup_repro.store.folder import RunFolder
from mixup_repro.training import checkpoint, run
from mixup_repro.training.progress import Progress

DIGITS = "dataset=digits", "architecture=mlp", "architecture.hidden=[16]"


pytestmark = pytest.mark.usefixtures("elsewhere")


def rows(runs_dir: Path) -> pd.DataFrame:
    """runs.csv of these runs, less what is of the moment."""
    out = runs_dir.with_name(f"{runs_dir.name}-results")
    results.collect(runs_dir, out)
    return pd.read_csv(out / "runs.csv").drop(columns=["wall_s", "commit"])


# --- Slots ------------------------------------------------------------------------------------


CUDA = torch.device("cuda")


def test_slots_are_the_visible_gpus_times_the_runs_on_each(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    two = slots(HardwareConfig(slots="auto", runs_per_gpu=2, threads=4), CUDA)
    assert [s.name for s in two] == ["gpu3-0", "gpu5-0", "gpu3-1", "gpu5-1"]
    assert [s.environment["CUDA_VISIBLE_DEVICES"] for s in two] == ["3", "5", "3", "5"]
    assert {s.threads for s in two} == {4}
    (one,) = slots(HardwareConfig(slots=[5]), CUDA)
    assert one.environment == {"CUDA_VISIBLE_DEVICES": "5"}


def test_a_slot_that_is_no_visible_gpu_is_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with pytest.raises(InputError, match="no GPU 0, 1 here; choose among 3, 5"):
        slots(HardwareConfig(slots=[0, 1, 3]), CUDA)


def test_a_cpu_is_divided_among_its_slots(monkeypatch):
    monkeypatch.setattr("mixup_repro.launch.slots.cpu_count", lambda: 8)
    cpu = torch.device("cpu")
    assert len(slots(HardwareConfig(slots="auto"), cpu)) == 8
    assert [s.threads for s in slots(HardwareConfig(slots="auto", threads=3), cpu)] == [3, 3]
    halves = slots(HardwareConfig(slots=[0, 1]), cpu)
    assert [s.environment["OMP_NUM_THREADS"] for s in halves] == ["4", "4"]


def test_a_slot_is_held_by_who_inherits_it_and_freed_by_its_death(tmp_path):
    (slot,) = slots(HardwareConfig(slots=[0]), torch.device("cpu"))
    held = claim(slot, tmp_path)
    assert claim(slot, tmp_path) is None
    heir = subprocess.Popen(["sleep", "600"], pass_fds=[held])
    os.close(held)
    assert claim(slot, tmp_path) is None
    heir.kill()
    heir.wait()
    assert claim(slot, tmp_path) is not None


# --- One machine ------------------------------------------------------------------------------

# Stands for train.py: notes what it was given, and does to the first run of its part what the
# test says. Starting it takes a fraction of a second.
FAKE = """
import json, os, pathlib, signal, sys, time
plan = json.loads(pathlib.Path("plan.json").read_text())
words = dict(word.split("=", 1) for word in sys.argv[1:])
todo = plan[words["part"]]
note = {"part": words["part"], "threads": words["hardware.threads"], "at": time.monotonic()}
note["gpu"] = os.environ.get("CUDA_VISIBLE_DEVICES")
time.sleep(0.3)
note["end"] = time.monotonic()
with open("notes", "a") as file:
    file.write(json.dumps(note) + "\\n")
folder = pathlib.Path(todo["folder"])
folder.mkdir(parents=True, exist_ok=True)
if todo["act"] == "done":
    (folder / "record.json").write_text(json.dumps(todo["record"]))
if todo["act"] == "refuse":
    print("error: no such data", file=sys.stderr)
    sys.exit(2)
if todo["act"] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if todo["act"] == "crash":
    raise RuntimeError("no such module")
if todo["act"] == "wait":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(60)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """fake(acts, hardware words): a Node over one job whose k-th run does acts[k]."""

    def build(acts: list[str], *words: str) -> Node:
        words = [*words, f"seeds={len(acts)}", f"runs_dir={tmp_path / 'runs'}"]
        one = job(*DIGITS, "method=erm", "hardware=node", *words)
        monkeypatch.setattr(node, "stack_count", lambda job, runs, *_: runs)  # a process for each
        plan = {
            f"{k}/{len(acts)}": {"act": act, "folder": str(folder.path), "record": record(folder)}
            for k, (act, folder) in enumerate(zip(acts, map(RunFolder, expand(one))), start=1)
        }
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        (tmp_path / "fake.py").write_text(FAKE)
        monkeypatch.setattr(node, "DOOR", [sys.executable])
        return Node([(one, [])], Progress(), [str(tmp_path / "fake.py")])

    return build


def notes() -> list[dict]:
    return [json.loads(line) for line in Path("notes").read_text().splitlines()]


def outcomes(made: Node) -> dict[int, str]:
    return {result.folder.run.seed: result.outcome for result in made.results}


def test_each_part_runs_once_and_no_two_in_one_slot_at_a_time(fake, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setattr(node, "device_of", lambda _: CUDA)
    made = fake(["done"] * 5, "hardware.threads=2")
    made.run()
    assert outcomes(made) == dict.fromkeys(range(5), "done")
    seen = notes()
    assert sorted(n["part"] for n in seen) == [f"{k}/5" for k in range(1, 6)]
    assert {n["gpu"] for n in seen} == {"3", "5"}
    assert {n["threads"] for n in seen} == {"2"}
    for gpu in ("3", "5"):
        mine = sorted((n["at"], n["end"]) for n in seen if n["gpu"] == gpu)
        assert all(before[1] <= after[0] for before, after in zip(mine, mine[1:]))


def test_a_process_that_dies_is_a_failed_run_and_the_others_go_on(fake):
    made = fake(["die", "done", "crash", "done"], "hardware.slots=[0]")
    made.run()
    assert outcomes(made) == {0: "failed", 1: "done", 2: "failed", 3: "done"}
    reasons = {r.folder.run.seed: r.reason for r in made.results if r.outcome == "failed"}
    assert "killed by SIGKILL" in reasons[0]
    assert "code 1" in reasons[2] and "RuntimeError: no such module" in reasons[2]
    assert [r.folder.state() for r in made.results] == ["failed", "done", "failed", "done"]

    again = fake(["done"] * 4, "hardware.slots=[0]")  # of the two that failed
    again.run()
    assert sorted(outcomes(again).values()) == ["done", "done", "done before", "done before"]
    assert len(notes()) == 6


def test_retry_failed_starts_only_what_failed(fake):
    fake(["die", "done"], "hardware.slots=[0]").run()
    made = fake(["done", "done", "done"], "hardware.slots=[0]", "retry=failed")
    made.run()
    assert outcomes(made) == {0: "done"}


def test_a_refusal_that_all_processes_share_is_said_once(fake):
    made = fake(["refuse", "done", "refuse"], "hardware.slots=[0]")
    made.run()
    assert made.bad_input == ["no such data"]
    assert outcomes(made) == {1: "done"}


def test_a_slot_that_another_sweep_has_is_waited_for(fake, tmp_path):
    made = fake(["done"], "hardware.slots=[0]")
    held = claim(made.slots[0], tmp_path / "runs")
    began = time.monotonic()
    threading.Timer(1.0, os.close, [held]).start()
    made.run()
    assert notes()[0]["at"] >= began + 1.0
    assert outcomes(made) == {0: "done"}


def test_a_stop_is_passed_on_and_nothing_more_is_started(fake):
    made = fake(["wait", "done", "done"], "hardware.slots=[0]")
    with pytest.raises(SystemExit) as stop:
        made.run()
    assert stop.value.code == interrupt.EX_TEMPFAIL
    assert outcomes(made) == {0: "interrupted"}
    assert len(notes()) == 1


def test_parts_of_a_job_are_its_runs_in_order():
    whole = expand(job("method.alpha=[0.5,1]", "seeds=5"))
    for n in (1, 3, 7, 12):
        parts = [
            expand(job("method.alpha=[0.5,1]", "seeds=5", f"part={k + 1}/{n}")) for k in range(n)
        ]
        assert [run for part in parts for run in part] == whole


@pytest.mark.parametrize("part", ["1/3", "2/3", "3/3"])
def test_a_process_has_the_runs_that_its_slot_is_told_of(part, tmp_path, monkeypatch):
    # Portions of a third of 26 runs are not the portions of all 26 in three times as many parts.
    words = (*DIGITS, "hardware=node", "seeds=26", f"runs_dir={tmp_path}")
    monkeypatch.setattr(node, "stack_count", lambda *_: 5)
    told = Node([(job(*words, f"part={part}"), [])], Progress(), ["train"]).waiting
    for one in told:
        assert [f.run for f in one.folders] == expand(job(*words, *one.words))
    runs = [f.run for one in told for f in one.folders]
    assert runs == expand(job(*words, f"part={part}"))


def test_a_machine_gives_what_one_process_gives(tmp_path, capsys):
    words = [*DIGITS, "recipe.epochs=2", "seeds=2", "method.alpha=0.5,0"]
    assert train_here("-m", *words, runs_dir=tmp_path / "one") == 2
    capsys.readouterr()
    more = ["hardware=node", "hardware.slots=[0]"]
    assert train_here("-m", *words, *more, runs_dir=tmp_path / "node") == 2
    stderr = capsys.readouterr().err
    assert "2 done" in stderr
    assert stderr.splitlines()[-1].startswith("not run: method.alpha=0")
    pd.testing.assert_frame_equal(rows(tmp_path / "node"), rows(tmp_path / "one"))


def test_processes_in_slots_end_with_the_one_that_started_them(tmp_path):
    """Also where it was killed, and could tell them nothing."""
    runs = tmp_path / "runs"
    words = [*DIGITS, "recipe.epochs=1000000", "hardware=node", "hardware.slots=[0]"]
    command = commands.start("scripts/train.py", *words, f"runs_dir={runs}")
    deadline = time.monotonic() + 120
    while not (begun := list(runs.glob("*/seed0/epoch*.pt"))):
        assert not command.ended() and time.monotonic() < deadline
        time.sleep(0.05)
    lock = RunFolder(expand(job(*words, f"runs_dir={runs}"))[0]).lock()
    command.kill()
    command.done()
    with lock.acquire(timeout=60):  # the process holds it to its end
        assert list(runs.glob("*/seed0/epoch*.pt")) > begun  # it wrote one more checkpoint
    assert not list(runs.glob("*/seed0/failed.json"))


# --- Signals ----------------------------------------------------------------------------------


def train_slowly(words: list[str], runs_dir: Path) -> None:
    """train.py with a checkpoint after each epoch."""
    checkpoint.SHARE = 0
    torch.set_num_threads(1)
    os._exit(train_here(*words, "hardware.checkpoint_seconds=0", runs_dir=runs_dir))


def newest(runs_dir: Path) -> int:
    found = [int(p.stem[5:11]) for p in runs_dir.glob("*/seed*/epoch*.pt")]
    return max(found, default=0) + 1000 * len(list(runs_dir.glob("*/seed*/record.json")))


def start(words: list[str], runs_dir: Path, more: int):
    """A process that has made so many epochs since it started."""
    before = newest(runs_dir)
    process = commands.fork(train_slowly, words, runs_dir)
    deadline = time.monotonic() + 60
    while process.is_alive() and newest(runs_dir) < before + more:
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.002)
    return process


def artefacts(runs_dir: Path) -> dict:
    """All that the runs left, less what is of the moment."""
    out = {}
    for path in sorted(runs_dir.glob("*/seed*/record.json")):
        record = json.loads(path.read_text())
        for name in ("wall_s", "finished", "commit", "checksum"):
            del record[name]
        del record["config"]["runs_dir"], record["config"]["hardware"]
        record["weights"] = str(torch.load(path.with_name("weights.pt"), weights_only=True))
        out[str(path.relative_to(runs_dir))] = record
    return out


def test_a_signal_writes_a_checkpoint_and_the_run_goes_on_from_it(tmp_path):
    pictures = make_image_folder(tmp_path / "pictures", per_class=20)
    words = ["dataset=image_folder", f"dataset.root={pictures}", "architecture=lenet"]
    words += ["recipe=carratino_lenet", "recipe.epochs=30", "recipe.batch_size=8"]
    assert train_here(*words, "method.alpha=1", runs_dir=tmp_path / "whole") == 0
    sweep, runs = ["-m", *words, "method.alpha=1"], tmp_path / "runs"
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        process = start(sweep, runs, more=3)
        before = newest(runs)
        os.kill(process.pid, number)
        process.join(60)
        assert process.exitcode == interrupt.EX_TEMPFAIL
        assert before <= newest(runs) < 30
    (folder,) = runs.glob("*/seed0")
    assert not (folder / "failed.json").exists()
    assert train_here(*sweep, runs_dir=runs) == 0
    assert artefacts(runs) == artefacts(tmp_path / "whole")


def test_a_stop_between_two_epochs_of_no_checkpoint_still_writes_one(tmp_path, monkeypatch):
    after = run.Training.after_epoch

    def stopped(training, done, rows):
        if done == 2:
            signal.raise_signal(signal.SIGTERM)
        after(training, done, rows)

    monkeypatch.setattr(run.Training, "after_epoch", stopped)
    words = [*DIGITS, "recipe.epochs=9", "hardware.checkpoint_seconds=1000", "seeds=2"]
    assert train_here(*words, runs_dir=tmp_path / "runs") == interrupt.EX_TEMPFAIL
    found = sorted(p.name for p in (tmp_path / "runs").glob("*/seed*/epoch*.pt"))
    assert found == ["epoch000002-step000000.pt"] * 2


def test_a_stop_after_the_last_epoch_leaves_a_checkpoint_and_no_other_run_begins(
    tmp_path, monkeypatch
):
    after = run.Training.after_epoch

    def stopped(training, done, rows):
        if done == 2:
            signal.raise_signal(signal.SIGUSR1)
        after(training, done, rows)

    monkeypatch.setattr(run.Training, "after_epoch", stopped)
    words = ["-m", *DIGITS, "recipe.epochs=2", "method.alpha=0.5,1"]
    assert train_here(*words, runs_dir=tmp_path / "runs") == interrupt.EX_TEMPFAIL
    monkeypatch.setattr(run.Training, "after_epoch", after)
    (folder,) = (tmp_path / "runs").glob("*/seed0")
    assert "mixup-a0.5" in str(folder) and not (folder / "record.json").exists()
    assert [p.name for p in folder.glob("epoch*.pt")] == ["epoch000002-step000000.pt"]
    assert train_here(*words, runs_dir=tmp_path / "runs") == 0


def test_a_slurm_job_is_requeued_by_one_rank(tmp_path, monkeypatch):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4242")
    said: list[str] = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with interrupt.watching():
            assert not interrupt.requested()
            signal.raise_signal(signal.SIGUSR1)
            assert interrupt.requested()
        with pytest.raises(SystemExit) as stop:
            interrupt.leave(said.append)
        assert stop.value.code == 75
    assert (tmp_path / "called").read_text() == "requeue 4242\n"
    assert "4242 requeued" in said[0] and "requeued" not in said[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_its_user_cancels_stays_cancelled(tmp_path, monkeypatch, number):
    """scancel sends SIGTERM; and Slurm requeues by itself what it preempts."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4242")
    said: list[str] = []
    with interrupt.watching():
        signal.raise_signal(number)
        with pytest.raises(SystemExit):
            interrupt.leave(said.append)
    assert not (tmp_path / "called").exists()
    assert "goes on" in said[0] and "requeued" not in said[0]


def test_handlers_that_were_there_come_back():
    before = [signal.getsignal(number) for number in interrupt.SIGNALS]
    with interrupt.watching():
        assert [signal.getsignal(number) for number in interrupt.SIGNALS] != before
    assert [signal.getsignal(number) for number in interrupt.SIGNALS] == before


def test_a_resumed_run_continues_its_own_wandb_run(tmp_path, monkeypatch):
    began: list[dict] = []

    class Fake:
        def __init__(self):
            self.summary = {}

        def log(self, row, step):
            began[-1].setdefault("steps", []).append(step)

        def finish(self, exit_code):
            began[-1]["exit_code"] = exit_code

    class Module:
        @staticmethod
        def init(**settings):
            began.append(settings)
            return Fake()

    monkeypatch.setattr("mixup_repro.training.tracking.wandb", Module)
    after = run.Training.after_epoch

    def stopped(training, done, rows):
        after(training, done, rows)
        if done == 2 and len(began) == 1:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(run.Training, "after_epoch", stopped)
    words = [*DIGITS, "recipe.epochs=6", "wandb.mode=offline"]
    assert train_here(*words, runs_dir=tmp_path / "runs") == interrupt.EX_TEMPFAIL
    assert train_here(*words, runs_dir=tmp_path / "runs") == 0
    first, second = began
    assert first["id"] == second["id"] and second["id"].endswith("-seed0")
    assert first["resume"] == second["resume"] == "allow"
    assert first["steps"] + second["steps"] == [1, 2, 3, 4, 5, 6]
    assert "exit_code" not in first and second["exit_code"] == 0


def test_a_look_at_the_state_does_not_keep_a_run_from_being_trained(tmp_path):
    one = job(*HARDWARE, *DIGITS, "recipe.epochs=1", f"runs_dir={tmp_path}")
    folder = RunFolder(expand(one)[0])
    folder.create()
    look = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(look, fcntl.LOCK_EX)
    threading.Timer(0.05, os.close, [look]).start()
    (result,) = run_job(one, Progress())
    assert result.outcome == "done"


# --- Kills ------------------------------------------------------------------------------------

SWEEP = ["-m", *DIGITS, "recipe.epochs=20", "method.alpha=0.5,2", "seeds=[0],[1]"]


@pytest.mark.slow
def test_a_sweep_killed_twice_gives_the_rows_of_one_left_alone(tmp_path):
    whole, runs = tmp_path / "whole", tmp_path / "killed"
    assert train_here(*SWEEP, runs_dir=whole) == 0
    rng = np.random.default_rng(0)
    for _ in range(2):
        process = start(SWEEP, runs, more=int(rng.integers(3, 30)))
        process.kill()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    assert train_here(*SWEEP, runs_dir=runs) == 0
    assert artefacts(runs) == artefacts(whole)
    pd.testing.assert_frame_equal(rows(runs), rows(whole))


@pytest.mark.slow
def test_a_machine_killed_ten_times_gives_the_rows_of_a_sweep_left_alone(tmp_path):
    words = [w.replace("epochs=20", "epochs=1000") for w in SWEEP] + ["recipe.evaluate_every=50"]
    words += [*HARDWARE, "hardware.checkpoint_seconds=0.2"]
    whole, runs = tmp_path / "whole", tmp_path / "killed"
    assert train_here(*words, runs_dir=whole) == 0
    more = ["hardware=node", "hardware.slots=[0,1]", f"runs_dir={runs}"]
    rng = np.random.default_rng()
    for target in np.sort(rng.uniform(0, 2000, size=10)):  # of 4,000 epochs
        sweep = commands.start(SCRIPT, *words, *more, cwd=tmp_path)
        deadline = time.monotonic() + 120
        while newest(runs) < target:
            assert time.monotonic() < deadline and not sweep.ended(), "no progress"
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1))
        sweep.kill(group=True)
        sweep.done()
    last = commands.start(SCRIPT, *words, *more, cwd=tmp_path).done(timeout=1800)
    assert last.returncode == 0, last.stderr
    assert artefacts(runs).keys() == artefacts(whole).keys()
    pd.testing.assert_frame_equal(rows(runs), rows(whole))


@pytest.mark.slow
def test_submitit_runs_the_jobs_elsewhere_and_the_summary_is_read_from_the_disk(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = [*HARDWARE, *DIGITS, "recipe.epochs=2", f"runs_dir={tmp_path / 'runs'}"]
    local = "-m", "hydra/launcher=submitit_local"
    sweep = commands.run(SCRIPT, *local, *words, "method.alpha=0.5,1", cwd=tmp_path)
    assert sweep.returncode == 0, sweep.stderr
    assert sweep.stderr.count("1 done") == 2
    assert train_here("-m", *words, "method.alpha=0.5,1", runs_dir=tmp_path / "one") == 0
    pd.testing.assert_frame_equal(rows(tmp_path / "runs"), rows(tmp_path / "one"))
