"""scripts/bench.py runs and prints its rows. Its numbers are for people to judge."""

from __future__ import annotations

import math
import re
import sys

import commands
import pytest
import torch

from mixup_repro import cli
from mixup_repro.data import load
from mixup_repro.jobs import compose, expand
from mixup_repro.paths import CHECKOUT
from mixup_repro.store import records
from mixup_repro.training.learner import has_bfloat16


def printed(script: str, *words: str) -> str:
    done = commands.run(f"scripts/{script}", "--quick", *words, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow  # half a minute, most of it starts of processes
def test_quick_bench_prints_every_row():
    lines = printed("bench.py", "--threads", "1").splitlines()
    cells = [re.split(r"\s{2,}", line) for line in lines]
    rows = {row[0].split(",")[0]: row[1:] for row in cells if len(row) == 5}
    steps = ["approximate mixup (right) over mixup", "whole Jacobians (right) over it"]
    pictures = ["lenet", "1 processes of lenet (right) over one", "resnet20", "resnet18"]
    start = "train.py --help over import torch"
    assert list(rows) == ["what", *pictures, "X_3^2", *steps, "Table 2", "memory", start]
    assert sum(line.startswith(("resnet20, 16 p", "resnet18, 8 p")) for line in lines) == (
        4 if has_bfloat16(torch.device("cpu")) else 2  # beside the loop in float32, and in bfloat16
    )
    for what, cell in (("lenet", 2), ("resnet18", 2), ("X_3^2", 2), ("memory", 1)):
        value = float(rows[what][cell].split()[0])
        assert math.isfinite(value) and value > 0
    assert all(float(rows[what][2].split()[0]) > 0 for what in [*steps, "Table 2"])


@pytest.mark.slow  # bfloat16 is emulated on most CPUs
def test_the_gpu_bench_prints_every_row():
    out = printed("bench_gpu.py", "--device", "cpu")
    rows = [re.split(r"\s{2,}", line) for line in out.splitlines()]
    assert [row[0] for row in rows if len(row) == 9] == [
        *("images/s", "resnet18", "resnet34", "resnet50"),
    ]
    assert "ten LeNets in turn over ten stacked: " in out


@pytest.mark.slow
def test_the_growth_bench_prints_the_seconds_of_two_sizes_and_their_ratio():
    done = commands.run("scripts/bench_growth.py", "--runs", "10", "20")
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
    names = ["merge", "again", "read", "plan", "present", "slots"]
    assert [row[0] for row in rows if len(row) == 4] == ["what", *names]
    for _, small, large, ratio in (row for row in rows if row[0] in names):
        seconds = [float(cell.removesuffix(" s")) for cell in (small, large)]
        assert seconds[0] >= 0 and seconds[1] >= 0 and float(ratio) > 0


def test_a_plan_and_a_sweep_read_each_finished_record_a_few_times_at_most(tmp_path, monkeypatch):
    """More runs than the cache of records holds, so that each look at a record is seen."""
    sys.path.append(str(CHECKOUT / "scripts"))
    from bench_growth import grid, make_up

    runs, read = 400, []
    (one,) = compose(grid(runs, tmp_path))
    dataset = load(one.dataset)
    for run in expand(one):
        make_up(run, dataset.fingerprint() | {"label": dataset.label})
    whole = records.read_json
    monkeypatch.setattr(records, "read_json", lambda path: read.append(path) or whole(path))
    for command, most in (("plan", 2), ("train", 4)):
        read.clear()
        assert cli.run(command, grid(runs, tmp_path)) == 0
        assert runs <= len(read) <= most * runs, command
