"""What a report keeps: nothing is made twice of the same, and nothing old is taken for new."""

from __future__ import annotations

import shutil
import time
from functools import partial

import pandas as pd
import pytest
from joblib import parallel_config
from matplotlib.figure import Figure
from test_report import fake_records, rescaling_helps_by_alpha

from mixup_repro import report
from mixup_repro.errors import InputError
from mixup_repro.jobs import compose, expand
from mixup_repro.papers import sources
from mixup_repro.report import files as report_files
from mixup_repro.report.files import Files, making
from mixup_repro.store import kept as module
from mixup_repro.store import results
from mixup_repro.store.identity import run_id
from mixup_repro.store.kept import Kept, kept


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """Makes one file whose text is its inputs; returns how often it was written."""
    times: list[bytes] = []

    def make(keeper: Kept, inputs: bytes = b"a") -> int:
        def write():
            times.append(inputs)
            (tmp_path / "file").write_bytes(inputs)
            return [tmp_path / "file"]

        monkeypatch.setattr(report_files, "kept", lambda folder: keeper)
        with making([Files("file", inputs, write)], tmp_path, "making", "files"):
            pass
        return len(times)

    return make


def test_a_file_is_made_anew_for_other_inputs_or_where_it_is_not_what_was_written(
    counted, tmp_path
):
    keeper = Kept(tmp_path)
    assert [counted(keeper), counted(keeper)] == [1, 1]
    assert [counted(keeper, b"b"), counted(keeper, b"b")] == [2, 2]
    (tmp_path / "file").write_text("edited")
    assert [counted(keeper, b"b"), counted(keeper, b"b")] == [3, 3]
    (tmp_path / "file").unlink()
    assert [counted(keeper, b"b"), counted(keeper, b"b")] == [4, 4]


def test_the_next_process_knows_unless_code_changed_or_what_is_kept_is_damaged(
    counted, tmp_path, monkeypatch
):
    keeper = Kept(tmp_path)
    counted(keeper)
    keeper.save()
    assert counted(Kept(tmp_path)) == 1
    keeper.path.write_text(keeper.path.read_text().replace("inputs", "imputs"))
    assert counted(Kept(tmp_path)) == 2
    keeper.save()
    monkeypatch.setattr(module, "basis", lambda: "other code")
    assert counted(Kept(tmp_path)) == 3


def test_the_basis_is_of_every_source_and_config(tmp_path, monkeypatch):
    before = module.basis()
    module.basis.cache_clear()
    for name in ("PACKAGE", "CONFIGS"):
        copy = tmp_path / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(getattr(module, name), copy, ignore=ignored)
        with monkeypatch.context() as patch:
            patch.setattr(module, name, copy)
            assert module.basis() == before
            module.basis.cache_clear()
            path = sorted(p for p in copy.rglob("*") if p.suffix in (".py", ".yaml"))[-1]
            path.write_text(path.read_text() + "\n# changed\n")
            assert module.basis() != before
            module.basis.cache_clear()


def test_a_second_report_draws_what_has_new_rows_and_composes_nothing(tmp_path, monkeypatch):
    fake_records(tmp_path / "runs", rescaling_helps_by_alpha)
    folder = tmp_path / "results"
    results.collect(tmp_path / "runs", folder)
    first = report.entries(folder)
    report.draw(first, folder)
    before = {path: path.read_bytes() for path in (folder / "figures").rglob("*.p*")}
    kept(folder).save()
    kept.cache_clear()  # as in another process
    sources.PLANS.clear()
    monkeypatch.setattr(sources, "compose", lambda *_: pytest.fail("composes"))
    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda *_, **__: pytest.fail("draws"))
        report.draw(report.entries(folder), folder)
    rows = pd.read_csv(folder / "runs.csv")
    rows.loc[rows["evaluation"] == "plain", "accuracy"] -= 0.05
    rows.to_csv(folder / "runs.csv", index=False)
    report.draw(report.entries(folder), folder)
    after = {path: path.read_bytes() for path in before}
    assert len(before) >= 2 and all(after[path] != before[path] for path in before)


def test_files_drawn_on_several_cores_come_in_the_order_of_their_drawings(tmp_path, monkeypatch):
    """The first of them takes longest; each is noted under the drawing that it is of."""

    def write(k):
        time.sleep(0.3 if k == 0 else 0.0)
        return [tmp_path / str(k)]

    monkeypatch.setattr(report_files, "cpu_count", lambda: 3)
    count = 3 * report_files.FEW
    drawings = [Files(str(k), b"", partial(write, k)) for k in range(count)]
    with parallel_config(backend="threading"):
        files = [*report_files._written(drawings)]
    assert files == [[tmp_path / str(k)] for k in range(count)]


@pytest.mark.parametrize("cpus", [1, 2])
def test_files_are_made_beside_other_work_and_given_up_in_silence_where_that_fails(
    cpus, tmp_path, monkeypatch, recwarn
):
    def write(k):
        time.sleep(0.05)
        (tmp_path / str(k)).touch()
        return [tmp_path / str(k)]

    monkeypatch.setattr(report_files, "cpu_count", lambda: cpus)
    files = [Files(str(k), b"", partial(write, k)) for k in range(2 * report_files.FEW)]
    with parallel_config(backend="threading"):
        with pytest.raises(InputError), making(files, tmp_path, "making", "files"):
            time.sleep(0.2)
            begun = len([*tmp_path.iterdir()])
            raise InputError("the other work")
        assert (begun > 0) == (cpus > 1) and len([*tmp_path.iterdir()]) < len(files)
        with making(files, tmp_path, "making", "files"):
            pass
    assert len([*tmp_path.iterdir()]) == len(files) and not recwarn.list


def test_plans_go_on_where_a_run_that_was_not_there_is(tmp_path):
    """A job without any run ends the plan; once it has one, its ids are those of the grid."""
    words = ("experiment=carratino2020/fig4_digits", "scale=smoke")
    every = {run_id(run.config) for job in compose(words) for run in expand(job)}
    whole = list(sources._jobs(words, every))
    assert None not in whole
    first, last = ({next(iter(job))} for job in (whole[0], whole[-1]))
    assert sources._planned(words, first, tmp_path) is None
    found = sources._planned(words, first | last, tmp_path)
    assert found == {(i, seed) for job in whole for i, seeds in job.items() for seed in seeds}
    assert sources._planned(words, last, tmp_path) is None
