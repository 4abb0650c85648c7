"""scripts/bench.py runs and prints its rows. Its numbers are for people to judge."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import pytest
from helpers import environment

from mixup_repro.config import CHECKOUT


def test_quick_bench_prints_every_row():
    done = subprocess.run(
        [sys.executable, CHECKOUT / "scripts" / "bench.py", "--quick", "--threads", "1"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    lines = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
    rows = {cells[0].split(",")[0]: cells[1:] for cells in lines if len(cells) == 5}
    steps = ["approximate mixup (right) over mixup", "whole Jacobians (right) over it"]
    assert list(rows) == ["what", "lenet", "resnet18", "X_3^2", *steps, "Table 2", "memory"]
    for what, cell in (("lenet", 2), ("resnet18", 2), ("X_3^2", 2), ("memory", 1)):
        value = float(rows[what][cell].split()[0])
        assert math.isfinite(value) and value > 0
    assert all(
        float(rows[what][2].split()[0]) > 0
        for what in ("lenet", "resnet18", "X_3^2", *steps, "Table 2")
    )


@pytest.mark.slow  # bfloat16 is emulated on most CPUs
def test_the_gpu_bench_prints_every_row():
    words = ["--quick", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, CHECKOUT / "scripts" / "bench_gpu.py", *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
    assert [row[0] for row in rows if len(row) == 9] == [
        *("images/s", "resnet18", "resnet34", "resnet50"),
    ]
    assert "ten LeNets in turn over ten stacked: " in done.stdout
