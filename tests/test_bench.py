"""scripts/bench.py runs and prints its rows. Its numbers are for people to judge."""

from __future__ import annotations

import math
import re

import commands
import pytest
import torch

from mixup_repro.training.learner import has_bfloat16


def printed(script: str, *words: str) -> str:
    done = commands.run(f"scripts/{script}", "--quick", *words, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
