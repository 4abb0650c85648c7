"""CONTRIBUTING.md's worked examples, executed as they stand there in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import commands
import numpy as np
import pandas as pd
import pytest

from mixup_repro.paths import CHECKOUT

TEXT = (CHECKOUT / "CONTRIBUTING.md").read_text()
# A block, and the paragraph before it, whose last path is the file that the block is.
BLOCKS = re.findall(r"([^\n]+(?:\n[^\n]+)*)\n\n```(\w+)\n(.*?\n)```", TEXT, flags=re.DOTALL)
NEW = [
    (re.findall(r"`([^`\s]+)`", about)[-1], body)
    for about, kind, body in BLOCKS
    if kind in ("python", "yaml")
]
DIFFS = [body for _, kind, body in BLOCKS if kind == "diff"]
COMMANDS = [
    line.split() for _, kind, body in BLOCKS if kind == "bash" for line in body.splitlines()
]
# The report's script as it is, but for what has nothing to do with the examples: theorems, errata,
# and what all other items would cost.
REPORT = """
import runpy, shutil, sys
from pathlib import Path
from mixup_repro import report
from mixup_repro.report import listing
report.prove = lambda folder: [Path(shutil.copy("results/theorems.csv", folder))]
report.write_errata = report.theory_pictures = lambda folder: []
listing.would_cost = lambda on, folder: ""
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def call(copy: Path, *words: str) -> str:
    env = commands.environment() | {"PYTHONPATH": str(copy)}
    done = commands.run(*words, cwd=copy, env=env, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the tree with every example's new files and changes."""
    copy = tmp_path_factory.mktemp("contributing")
    for name in ("configs", "mixup_repro", "scripts", "tests"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "results").mkdir()
    for name in ("pyproject.toml", "README.md", "results/theorems.csv"):
        shutil.copy(CHECKOUT / name, copy / name)
    for name, body in NEW:
        assert not (copy / name).exists(), f"{name} exists already"
        (copy / name).write_text(body)
    # Without the ceiling, git would leave out files where a repository lies above the copy.
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(copy.parent)}
    for diff in DIFFS:
        done = subprocess.run(
            ["git", "apply", "-"], cwd=copy, env=alone, input=diff, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr + diff
    return copy


def test_the_examples_are_all_there():
    tests = [name for name, _ in NEW if name.startswith("tests/")]
    assert len(tests) == 6  # a data set, an architecture, two methods, a figure of each paper
    assert len(NEW) == 15 and len(DIFFS) == 4 and len(COMMANDS) == 2


@pytest.mark.slow
def test_the_examples_pass_their_own_tests_and_the_linter(copy):
    tests = [name for name, _ in NEW if name.startswith("tests/")]
    assert "8 passed" in call(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    changed = [name for name, _ in NEW if name.endswith(".py")]
    changed += [line[6:] for diff in DIFFS for line in diff.splitlines() if line[:4] == "+++ "]
    call(copy, "-m", "ruff", "check", *changed)
    call(copy, "-m", "ruff", "format", "--check", *changed)


@pytest.mark.slow
def test_the_examples_train_and_are_drawn(copy):
    (reproduce, report) = (words[1:] for words in COMMANDS)
    call(copy, *reproduce, "hardware.threads=1")
    (copy / "report_quickly.py").write_text(REPORT)
    out = call(copy, "report_quickly.py", *report)
    assert "confidence_wine (smoke)  confidence_mixup" in out
    assert "middle_line (smoke)  middle_wrong" in out
    results = copy / "try/results"
    for name in ("carratino2020/confidence_wine", "chidambaram2022/middle_line"):
        assert (results / f"figures/{name}-smoke.png").stat().st_size > 5000
        assert f"![{name.split('/')[1]}]" in (results / "REPORT.md").read_text()
    # The table that the figure shows, from the logits that the runs kept.
    table = pd.read_csv(results / "tables/carratino2020/confidence_wine-smoke.csv")
    for method, ours in zip(("erm", "mixup-a1", "mixup_across-a1"), table["mean confidence"]):
        (run,) = (copy / "try/runs").glob(f"wine-residual_mlp-{method}-*")
        logits = [np.load(path)["logits"].astype(float) for path in run.glob("seed*/logits.npz")]
        odds = np.exp(np.array(logits) - np.max(logits, axis=-1, keepdims=True))
        assert odds.shape == (2, 89, 3)
        assert ours == pytest.approx((1 / odds.sum(-1)).mean(), rel=1e-5)
