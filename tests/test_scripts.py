"""plan.py, clean.py, evaluate.py and report.py, run as a user runs them."""

from __future__ import annotations

import io
import json
import runpy
import shutil
import sys
from contextlib import redirect_stderr
from pathlib import Path

import commands
import pytest
from filelock import FileLock
from helpers import job

from mixup_repro.jobs import expand
from mixup_repro.paths import CHECKOUT
from mixup_repro.store.folder import RunFolder
from mixup_repro.training import checkpoint

JOB = ["dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=2"]
JOB += ["method.alpha=[0.5,2]", "seeds=2", "hardware.device=cpu"]


def run_here(script: str, *words: str) -> tuple[int, str]:
    """Run a script in this process, which saves its start; returns exit code and stderr."""
    argv, code = sys.argv, 0
    sys.argv = [f"scripts/{script}.py", *words]
    with redirect_stderr(io.StringIO()) as stderr:
        try:
            runpy.run_path(str(CHECKOUT / "scripts" / f"{script}.py"), run_name="__main__")
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            sys.argv = argv
    return code, stderr.getvalue()


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    assert commands.run("scripts/train.py", *JOB, f"runs_dir={folder}").returncode == 0
    return folder


def records(runs: Path) -> dict[str, dict]:
    return {str(p.relative_to(runs)): json.loads(p.read_text()) for p in runs.rglob("record.json")}


def test_plan_counts_what_is_done_and_missing_and_trains_nothing(runs):
    before = records(runs)
    plan = commands.run("scripts/plan.py", *JOB, "seeds=3", f"runs_dir={runs}")
    assert plan.returncode == 0, plan.stderr
    table = [line.split("│") for line in plan.stderr.splitlines() if "mixup-a" in line]
    assert [[int(cell) for cell in row[2:7]] for row in table] == [[2, 0, 0, 0, 1]] * 2
    assert "2 runs to train: about" in plan.stderr
    assert "on cpu" in plan.stderr and "measured: 4 runs of mlp hidden=[8]" in plan.stderr
    assert records(runs) == before


def test_plan_says_why_runs_failed_and_how_far_the_others_are(runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    words = [*JOB, f"runs_dir={tmp_path / 'runs'}", "seeds=6"]
    one = [RunFolder(r) for r in expand(job(*words)) if r.alpha == 2]
    for folder in one[2:4]:
        folder.create()
        folder.write_failure({"error": "the loss is not finite"})
    one[4].create()
    checkpoint.save(one[4].path, 1, {})
    with FileLock(one[4].path / "lock"):
        _, running = run_here("plan", *words)
    _, plan = run_here("plan", *words)
    line = f"failed: {one[0].id}, 2 runs (seed 2, 3): the loss is not finite"
    assert line in plan and line in running
    cells = {text: next(x for x in text.splitlines() if one[0].id in x) for text in (plan, running)}
    values = [[cell.strip() for cell in cells[text].split("│")[2:8]] for text in (running, plan)]
    assert values == [["2", "1", "0", "2", "1", "1/2"], ["2", "0", "1", "2", "1", "1/2"]]


def test_watch_shows_states_until_all_runs_have_ended(runs):
    assert run_here("plan", *JOB, f"runs_dir={runs}", "--watch", "0.1") == (0, "4 done\n")
    code, stderr = run_here("plan", *JOB, "--watch", "0")
    assert code == 2 and "--watch 0: seconds, more than 0" in stderr


# --- clean ------------------------------------------------------------------------------------


@pytest.fixture
def copies(runs, tmp_path) -> dict[str, RunFolder]:
    """A copy of the runs, with one failed and one interrupted run more."""
    shutil.copytree(runs, tmp_path / "runs")
    words = [*JOB, "seeds=4", f"runs_dir={tmp_path / 'runs'}"]
    done, _, failed, interrupted, *_ = [RunFolder(r) for r in expand(job(*words))]
    for folder in (failed, interrupted):
        folder.create()
        checkpoint.save(folder.path, 1, {})
    failed.write_failure({"error": "no reason"})
    return {"done": done, "failed": failed, "interrupted": interrupted}


def clean(copies: dict[str, RunFolder], *words: str) -> tuple[int, str]:
    return run_here("clean", *words, f"runs_dir={copies['done'].run.config.runs_dir}")


def left(copies: dict[str, RunFolder]) -> set[str]:
    return {state for state, folder in copies.items() if folder.path.exists()}


def test_clean_removes_only_the_states_that_are_named(copies, runs):
    code, stderr = clean(copies, "failed", *JOB, "seeds=4")
    assert code == 0 and "--yes" in stderr
    assert str(copies["failed"]) in stderr
    assert left(copies) == {"done", "failed", "interrupted"}
    assert clean(copies, "failed", *JOB, "seeds=2", "--yes")[0] == 0  # names other seeds
    assert left(copies) == {"done", "failed", "interrupted"}
    assert clean(copies, "failed", *JOB, "seeds=4", "--yes")[0] == 0
    assert left(copies) == {"done", "interrupted"}
    assert clean(copies, "interrupted", copies["done"].id, "--yes")[0] == 0
    assert left(copies) == {"done"}
    before = len(list(copies["done"].path.parent.parent.rglob("record.json")))
    assert clean(copies, "done", str(copies["done"]), "--yes")[0] == 0
    assert left(copies) == set()
    assert len(list(copies["done"].path.parent.parent.rglob("record.json"))) == before - 1


def test_clean_refuses_all_while_one_of_them_is_being_trained(copies):
    with FileLock(copies["interrupted"].path / "lock"):
        assert clean(copies, "interrupted", copies["done"].id, "--yes")[0] == 0  # none idle
        assert left(copies) == {"done", "failed", "interrupted"}
    with FileLock(copies["done"].path / "lock"):  # being evaluated
        code, stderr = clean(copies, "done", "failed", copies["done"].id, "--yes")
    assert code == 2 and "in use" in stderr
    assert left(copies) == {"done", "failed", "interrupted"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "state"),
        (["dataset=digits"], "state"),
        (["failed"], "name runs by"),
        (["failed", "digits-mlp-mixup-a1-00000000"], "no run in"),
        (["failed", "../elsewhere-00000000"], "no run in"),
        (["failed", "absent"], "no run in"),
        (["failed", "experiment=nope"], "experiment/nope"),
    ],
)
def test_clean_wants_names_and_states(copies, words, named):
    code, stderr = clean(copies, *words, "--yes")
    assert code == 2
    assert stderr.startswith("error: ") and named in stderr
    assert left(copies) == {"done", "failed", "interrupted"}


def test_plan_of_an_unknown_experiment_is_one_error(runs):
    plan = commands.run("scripts/plan.py", "experiment=carratino2020/fig99")
    assert plan.returncode == 2
    assert plan.stderr.startswith("error: ") and "Traceback" not in plan.stderr


def test_evaluate_adds_rows_without_training(runs, tmp_path):
    stamps = {p: p.stat().st_mtime_ns for p in runs.rglob("weights.pt")}
    done = commands.run(
        "scripts/evaluate.py", *JOB, "evaluation.alphas=[0.5,16]", f"runs_dir={runs}"
    )
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in runs.rglob("weights.pt")} == stamps
    for name, record in records(runs).items():
        rows = {row["eval_alpha"]: row for row in record["evaluations"]}
        assert set(rows) == {None, record["config"]["method"]["alpha"], 0.5, 16.0}, name
    # Rows added later are those that training itself would have left.
    words = [*JOB, "evaluation.alphas=[0.5,16]", f"runs_dir={tmp_path}"]
    assert commands.run("scripts/train.py", *words).returncode == 0
    for name, record in records(tmp_path).items():
        ours = {row["eval_alpha"]: row for row in records(runs)[name]["evaluations"]}
        for row in record["evaluations"]:
            for metric in ("accuracy", "cross_entropy", "ece", "brier"):
                assert ours[row["eval_alpha"]][metric] == pytest.approx(row[metric], rel=1e-5)


def test_evaluate_says_what_to_do_about_runs_that_are_not_there(tmp_path):
    done = commands.run("scripts/evaluate.py", *JOB, f"runs_dir={tmp_path}")
    assert done.returncode == 0
    assert "4 runs are not finished" in done.stderr and "mixup-repro train" in done.stderr
    assert not list(tmp_path.rglob("*.json"))


def test_report_into_a_place_that_cannot_be_written_is_one_error(runs, tmp_path):
    (tmp_path / "file").write_text("")
    target = str(tmp_path / "file" / "results")
    done = commands.run("scripts/report.py", "--runs-dir", str(runs), "--results-dir", target)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


def test_report_without_runs_says_what_to_type(tmp_path):
    (tmp_path / "none").mkdir()
    empty = ["--runs-dir", str(tmp_path / "none"), "--results-dir", str(tmp_path / "results")]
    done = commands.run("scripts/report.py", *empty)
    assert done.returncode == 2 and "make reproduce" in done.stderr


@pytest.mark.parametrize(
    "words", [("--runs-dir", "none"), ("--no-collect", "--results-dir", "none")]
)
def test_report_of_a_folder_that_is_not_there_names_it_and_makes_none(words, tmp_path):
    where = [str(tmp_path / word) if word == "none" else word for word in words]
    if "--results-dir" not in where:
        where += ["--results-dir", str(tmp_path / "results")]
    done = commands.run("scripts/report.py", *where)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert f"{tmp_path / 'none'}: there is no such folder" in done.stderr
    assert not list(tmp_path.iterdir())
