"""Reports that are killed, that fail and that run at once leave whole files."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import commands
import pandas as pd
import pytest
from test_report import fake_records, rescaling_helps_by_alpha

from mixup_repro import report
from mixup_repro.errors import InputError
from mixup_repro.paths import CHECKOUT
from mixup_repro.report.markdown import BEGIN, END
from mixup_repro.store import results
from mixup_repro.store.files import locked, read_json, write_json
from mixup_repro.store.kept import kept

MOMENTS = 12


def other_accuracy(run, eval_alpha) -> float:
    """Such that verdicts, and so README.md, are others too."""
    return 1.5 - rescaling_helps_by_alpha(run, eval_alpha)


def merge(base: Path) -> None:
    """What scripts/report.py does first."""
    with locked(base / "results"):
        results.collect(base / "runs", base / "results")


def make(base: Path) -> None:
    """What scripts/report.py does, but for the theorems, which take a minute."""
    folder = base / "results"
    with locked(folder):
        results.collect(base / "runs", folder)
        found = report.entries(folder)
        report.draw(found, folder)
        report.write(found, folder)
        report.write_items(found, folder)
        kept(folder).save()
        report.write_readme(found, folder, base / "README.md")


def files(base: Path) -> dict[str, bytes]:
    """Every file of the results, and README.md."""
    paths = [base / "README.md", *(base / "results").rglob("*")]
    return {
        str(path.relative_to(base)): path.read_bytes()
        for path in paths
        if path.is_file() and path.name != ".lock"
    }


def before_and_after(work: Callable[[Path], None], folder: Path) -> tuple[Path, Path]:
    """Finished work on old runs, with new ones to be merged; and the work done on these."""
    old, new = folder / "old", folder / "new"
    old.mkdir()
    (old / "README.md").write_text(f"# Ours\n{BEGIN}\n{END}\nThe end\n")
    fake_records(old / "runs", rescaling_helps_by_alpha)
    work(old)
    shutil.rmtree(old / "runs")
    fake_records(old / "runs", other_accuracy)
    shutil.copytree(old, new)
    work(new)
    return old, new


@pytest.fixture(scope="module")
def merged(tmp_path_factory) -> tuple[Path, Path]:
    return before_and_after(merge, tmp_path_factory.mktemp("merged"))


def in_child(work: Callable[[], object]) -> int:
    """Do it in a fork of this process; returns the exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def events(work: Callable[[Path], None], base: Path, last: int) -> int:
    """Do the work, killed at the last-th file that is opened or renamed; returns their number.

    An audit hook sees an event before it happens; so of a file written in place, which opening
    empties, the next event finds the half.
    """
    seen = 0

    def hook(event: str, args: tuple) -> None:
        nonlocal seen
        if event in ("open", "os.rename") and str(args[0]).startswith(str(base)):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    work(base)
    return seen


@pytest.mark.parametrize("work", [merge, pytest.param(make, marks=pytest.mark.slow)])
def test_a_killed_report_leaves_each_file_old_or_new_and_the_next_one_ends_it(work, tmp_path):
    before, after = before_and_after(work, tmp_path)
    old, new = files(before), files(after)
    changed = {name for name in old if old[name] != new[name]}
    assert changed >= {"results/runs.csv"} | ({"README.md"} if work is make else set())
    reader, writer = os.pipe()
    count = shutil.copytree(before, tmp_path / "count")
    in_child(lambda: os.write(writer, b"%d" % events(work, count, 0)))
    total = int(os.read(reader, 99))
    assert files(count) == new and total >= 2 * len(changed)
    halves = 0
    for moment in random.Random(0).sample(range(1, total + 1), MOMENTS):
        base = shutil.copytree(before, tmp_path / str(moment))
        assert in_child(partial(events, work, base, moment)) == -signal.SIGKILL
        for name, content in files(base).items():
            if name in new:
                assert content in (old.get(name), new[name]), (moment, name)
            else:
                assert Path(name).name.startswith("."), name
                halves += 1
        work(base)
        assert files(base) == new
    assert halves > 0  # some were killed inside a write


def test_what_cannot_be_written_leaves_the_old(merged, tmp_path):
    """A limit on a file's size, as a disk that fills up."""
    base = shutil.copytree(merged[0], tmp_path / "base")
    shutil.copy(CHECKOUT / "results/theorems.csv", base / "results")
    before = files(base)
    limit = len(before["results/runs.csv"]) - 100  # the parts, which come first, are smaller
    words = ["--runs-dir", str(base / "runs"), "--results-dir", str(base / "results")]
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
    done = commands.run("scripts/report.py", *words, first=full)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    after = files(base)
    assert after["results/runs.csv"] == before["results/runs.csv"] and set(after) == set(before)


def test_two_reports_at_once_wait_for_each_other(merged, tmp_path, capfd):
    base = shutil.copytree(merged[0], tmp_path / "base")
    both = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                merge(base)
                with locked(base / "results"):
                    time.sleep(1.5)  # so that the other one is seen to wait
                os._exit(0)
            finally:
                os._exit(1)
        both.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in both]
    assert codes == [0, 0]
    assert files(base) == files(merged[1])
    assert f"waiting for another process that writes {base / 'results'}" in capfd.readouterr().err


def test_a_row_of_other_data_is_not_replaced(merged, tmp_path):
    base = shutil.copytree(merged[1], tmp_path / "base")
    before = files(base)
    shutil.rmtree(base / "runs")
    fake_records(base / "runs", other_accuracy, fingerprint="fedcba98" * 8)
    says = "seed0 is there with data=0123abcd of digits, the run to be merged has data=fedcba98"
    with pytest.raises(InputError, match=says):
        results.collect(base / "runs", base / "results")
    assert files(base) == before
    # Where it is not known which data a row is of, it becomes known.
    path = base / "results" / "runs.csv"
    path.write_text(path.read_text().replace(",0123abcd,", ",,"))
    results.collect(base / "runs", base / "results")
    assert path.read_text() == before["results/runs.csv"].decode().replace("0123abcd", "fedcba98")
    # Of a test set of another size it cannot be the row.
    path.write_text(path.read_text().replace(",fedcba98,", ",,").replace(",899,", ",900,"))
    with pytest.raises(InputError, match="is there with n_test=900 of digits"):
        results.collect(base / "runs", base / "results")


def test_runs_of_an_item_on_other_data_than_the_rest_are_refused(merged, tmp_path):
    base = shutil.copytree(merged[1], tmp_path / "base")
    path = base / "results" / "runs.csv"
    lines = path.read_text().splitlines(True)
    changed = [s.replace("0123abcd", "fedcba98") if "-mixup-a8-" in s else s for s in lines]
    path.write_text("".join(changed))
    says = r"-erm-\w+/seed0 was trained on data 0123abcd of digits, \S+-mixup-a8-\w+/seed0 on fedc"
    with pytest.raises(InputError, match=says):
        report.entries(base / "results")
    # One seed of a run: before anything is written.
    one = [
        s.replace("0123abcd", "fedcba98") if "-erm-" in s and ",3,smoke" in s else s for s in lines
    ]
    path.write_text("".join(one))
    for folder in (base / "runs").glob("*/seed3"):
        shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"-erm-\w+/seed3 on fedcba98"):
        results.collect(base / "runs", base / "results")
    assert path.read_text() == "".join(one)


def test_a_record_that_lacks_what_a_row_needs_is_passed_over(merged, tmp_path, capsys):
    folder = min((merged[0] / "runs").glob("*/seed0"))
    copy = shutil.copytree(folder, tmp_path / "runs" / folder.parent.name / "seed0")
    record = copy / "record.json"
    content = read_json(record)
    content["data"]["counts"] = content["data"].pop("fingerprint")
    write_json(record, content)
    assert results.collect(tmp_path / "runs", tmp_path / "results") == 0
    said = capsys.readouterr().out
    assert f"passed over: {folder.parent.name}/seed0" in said and "fingerprint" in said


def test_what_is_not_finite_is_not_merged(tmp_path, capsys):
    fake_records(tmp_path / "runs", lambda run, alpha: float("nan") if run.seed == 2 else 0.5)
    every = len(list((tmp_path / "runs").glob("*/seed*")))
    wrong = len(list((tmp_path / "runs").glob("*/seed2")))
    assert results.collect(tmp_path / "runs", tmp_path / "results") == every - wrong > 0
    assert capsys.readouterr().out.count("/seed2/record.json is damaged") == wrong
    assert 2 not in set(pd.read_csv(tmp_path / "results/runs.csv")["seed"])
