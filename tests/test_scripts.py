"""plan.py, evaluate.py and report.py, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mixup_repro.config import CHECKOUT

JOB = ["dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=2"]
JOB += ["method.alpha=[0.5,2]", "seeds=2", "hardware.device=cpu"]


def run(script: str, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, f"scripts/{script}.py", *words]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    assert run("train", *JOB, f"runs_dir={folder}").returncode == 0
    return folder


def records(runs: Path) -> dict[str, dict]:
    return {str(p.relative_to(runs)): json.loads(p.read_text()) for p in runs.rglob("record.json")}


def test_plan_counts_what_is_done_and_missing_and_trains_nothing(runs):
    before = records(runs)
    plan = run("plan", *JOB, "seeds=3", f"runs_dir={runs}")
    assert plan.returncode == 0, plan.stderr
    table = [line.split("│") for line in plan.stderr.splitlines() if "mixup-a" in line]
    assert [[int(cell) for cell in row[2:-1]] for row in table] == [[2, 0, 0, 0, 1]] * 2
    assert "2 runs to train on cpu" in plan.stderr
    assert records(runs) == before


def test_plan_of_an_unknown_experiment_is_one_error(runs):
    plan = run("plan", "experiment=carratino2020/fig99")
    assert plan.returncode == 2
    assert plan.stderr.startswith("error: ") and "Traceback" not in plan.stderr


def test_evaluate_adds_rows_without_training(runs, tmp_path):
    stamps = {p: p.stat().st_mtime_ns for p in runs.rglob("weights.pt")}
    done = run("evaluate", *JOB, "evaluation.alphas=[0.5,16]", f"runs_dir={runs}")
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in runs.rglob("weights.pt")} == stamps
    for name, record in records(runs).items():
        rows = {row["eval_alpha"]: row for row in record["evaluations"]}
        assert set(rows) == {None, record["config"]["method"]["alpha"], 0.5, 16.0}, name
    # Rows added later are those that training itself would have left.
    words = [*JOB, "evaluation.alphas=[0.5,16]", f"runs_dir={tmp_path}"]
    assert run("train", *words).returncode == 0
    for name, record in records(tmp_path).items():
        ours = {row["eval_alpha"]: row for row in records(runs)[name]["evaluations"]}
        for row in record["evaluations"]:
            for metric in ("accuracy", "cross_entropy", "ece", "brier"):
                assert ours[row["eval_alpha"]][metric] == pytest.approx(row[metric], rel=1e-5)


def test_report_into_a_place_that_cannot_be_written_is_one_error(runs, tmp_path):
    (tmp_path / "file").write_text("")
    target = str(tmp_path / "file" / "results")
    done = run("report", "--runs-dir", str(runs), "--results-dir", target)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


def test_report_without_runs_says_what_to_type(tmp_path):
    empty = ["--runs-dir", str(tmp_path / "none"), "--results-dir", str(tmp_path / "results")]
    done = run("report", *empty)
    assert done.returncode == 2 and "make reproduce" in done.stderr
