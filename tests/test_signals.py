"""Requests to stop, wherever the work is: each is answered soon, and nothing done is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import commands
import pytest
from helpers import job, make_imagenet, train_here

from mixup_repro import interrupt
from mixup_repro.cli.streams import outliving_readers
from mixup_repro.evaluation import predictor
from mixup_repro.paths import CHECKOUT

DIGITS = "dataset=digits", "architecture=mlp", "architecture.hidden=[16]", "recipe.epochs=4"


pytestmark = pytest.mark.usefixtures("elsewhere")


def found(runs_dir) -> list[dict]:
    """What the finished runs found, less what is of the moment."""
    records = [json.loads(path.read_text()) for path in sorted(runs_dir.glob("*/*/record.json"))]
    return [{k: record[k] for k in ("curves", "evaluations", "seed")} for record in records]


@pytest.mark.parametrize("call", [3, 5])  # after the third epoch; of the final evaluation
def test_an_evaluation_is_given_up_and_made_anew(tmp_path, monkeypatch, call):
    words = [*DIGITS, "seeds=2"]
    assert train_here(*words, runs_dir=tmp_path / "whole") == 0
    calls, totals = [], predictor.added_up

    def stopped(*args):
        calls.append(0)
        if len(calls) == call:
            signal.raise_signal(signal.SIGTERM)
        return totals(*args)

    with monkeypatch.context() as patch:
        patch.setattr(predictor, "added_up", stopped)
        assert train_here(*words, runs_dir=tmp_path / "cut") == interrupt.EX_TEMPFAIL
    assert len(calls) == call
    assert not list((tmp_path / "cut").glob("*/*/failed.json"))
    assert train_here(*words, runs_dir=tmp_path / "cut") == 0
    assert found(tmp_path / "cut") == found(tmp_path / "whole")


def test_an_evaluation_of_finished_runs_is_given_up(tmp_path, monkeypatch):
    assert train_here(*DIGITS, runs_dir=tmp_path / "runs") == 0
    before, totals = found(tmp_path / "runs"), predictor.added_up

    def stopped(*args):
        signal.raise_signal(signal.SIGUSR1)
        return totals(*args)

    asked = [*DIGITS, "evaluation.alphas=[3]"]
    with monkeypatch.context() as patch:
        patch.setattr(predictor, "added_up", stopped)
        assert train_here(*asked, runs_dir=tmp_path / "runs") == interrupt.EX_TEMPFAIL
    assert found(tmp_path / "runs") == before
    assert train_here(*asked, runs_dir=tmp_path / "runs") == 0
    (record,) = found(tmp_path / "runs")
    assert [row["eval_alpha"] for row in record["evaluations"]] == [None, 1.0, 3.0]


def test_the_second_interrupt_from_the_keyboard_ends_at_once():
    with interrupt.watching():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_nothing_is_given_up_where_nobody_watches():
    with interrupt.watching():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(interrupt.Stop):
            interrupt.check()
    interrupt.check()  # such as in a notebook, later


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_leaves_the_readers_of_pictures_alone(tmp_path, number):
    root = make_imagenet(tmp_path / "pictures", per_class=40)
    words = ["dataset=imagenet", f"dataset.root={root}", "dataset.size=32", "dataset.resize=36"]
    words += ["dataset.workers=1", "architecture=lenet", "recipe=carratino_lenet"]
    words += ["recipe.crop_padding=null", "recipe.resized_crop=0.5", "recipe.batch_size=4"]
    words += ["recipe.epochs=300", "method=erm", "hardware.device=cpu", "hardware.threads=1"]
    job(*words)
    runs = tmp_path / "runs"
    command = commands.start("scripts/train.py", *words, f"runs_dir={runs}")
    deadline = time.monotonic() + 120
    while not list(runs.glob("*/seed0/epoch*.pt")):
        assert not command.ended() and time.monotonic() < deadline, command.done(0).stderr
        time.sleep(0.05)
    os.killpg(command.pid, number)
    began = time.monotonic()
    done = command.done(timeout=60)
    said = done.stderr
    assert done.returncode == interrupt.EX_TEMPFAIL, said
    assert time.monotonic() - began < 20  # 5 seconds on an idle machine
    assert not list(runs.glob("*/seed0/failed.json"))
    assert said.splitlines()[-1].startswith(f"stopped by {signal.Signals(number).name}")
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_sweep_goes_on_when_its_reader_has_gone(tmp_path):
    """As with `| head -1`: both jobs are trained and recorded, and the exit code is 0."""
    words = [*DIGITS[:-1], "recipe.epochs=2", "method=erm,mixup", f"runs_dir={tmp_path / 'runs'}"]
    command = [sys.executable, CHECKOUT / "scripts/train.py", "-m", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout and process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=120) == 0
    assert len(found(tmp_path / "runs")) == 2


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_outlives_its_reader(name, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=1) as stream, monkeypatch.context() as patch:
        patch.setattr(sys, name, stream)
        with outliving_readers():
            for _ in range(3):
                print("a line", file=getattr(sys, name), flush=True)
        assert getattr(sys, name) is stream


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="sees by /proc what is loaded")
@pytest.mark.parametrize("number", interrupt.SIGNALS)
def test_a_signal_while_libraries_are_loaded_is_one_line(number, tmp_path):
    """It comes when the first of PyTorch's files is loaded."""
    command = [sys.executable, CHECKOUT / "scripts/train.py", *DIGITS, f"runs_dir={tmp_path}/runs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while b"libtorch" not in Path(f"/proc/{process.pid}/maps").read_bytes():
            time.sleep(0.01)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == interrupt.EX_TEMPFAIL
    assert output.decode() == f"stopped by {signal.Signals(number).name}; nothing was begun\n"
    assert not (tmp_path / "runs").exists()
