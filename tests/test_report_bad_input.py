"""Committed results that were edited or merged badly are refused, with the line to mend."""

from __future__ import annotations

import shutil

import commands
import pytest
from test_report import fake_records, rescaling_helps_by_alpha

from mixup_repro import report
from mixup_repro.errors import InputError
from mixup_repro.paths import CHECKOUT
from mixup_repro.store import results
from mixup_repro.store.kept import kept
from mixup_repro.store.rows import COLUMNS

SETTINGS = {"fig4_digits": "carratino2020", "table2_mnist": "chidambaram2022"}


def loaded(name: str, folder, scale: str = "smoke"):
    """What a setting is drawn from."""
    source = report.setting(f"{SETTINGS[name]}/{name}").source
    return source.load(name, scale, folder, results.load(folder))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    base = tmp_path_factory.mktemp("good")
    fake_records(base / "runs", rescaling_helps_by_alpha)
    results.collect(base / "runs", base / "results")
    shutil.copy(CHECKOUT / "results/theorems.csv", base / "results")
    report.entries(base / "results")
    kept(base / "results").save()  # so that scripts compose no grid again
    return base / "results"


@pytest.fixture
def folder(good, tmp_path):
    return shutil.copytree(good, tmp_path / "results")


def edit(path, line: int, change) -> None:
    """Change one line of a file; lines are counted from 1, as editors do."""
    lines = path.read_text().splitlines()
    lines[line - 1] = change(lines[line - 1])
    path.write_text("\n".join(lines) + "\n")


def script(folder) -> str:
    """What scripts/report.py says of bad input: one line, and exit code 2."""
    done = commands.run("scripts/report.py", "--no-collect", "--results-dir", folder)
    assert done.returncode == 2, done.stderr
    *before, line = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert {text.split()[0] for text in before} <= {"reading", "drawing"}  # what takes long is told
    return line


@pytest.mark.parametrize(
    "line, change, says",
    [
        (
            3,
            lambda row: row + ",1",
            f"line 3: {len(COLUMNS) + 1} fields, where the first line names {len(COLUMNS)}",
        ),
        (4, lambda row: row.rsplit(",", 2)[0], "runs.csv, line 4: "),
        (5, lambda row: row.replace(",smoke,plain,", ",smoke,plain,high"), "runs.csv, line 5: "),
        (1, lambda row: row.replace(",scale,", ",tier,"), "line 1: there is no column scale"),
        (2, lambda row: "<<<<<<< HEAD", "runs.csv, line 2: 1 fields"),
    ],
)
def test_a_malformed_table_of_runs_is_one_line_that_names_the_line(folder, line, change, says):
    edit(folder / "runs.csv", line, change)
    assert says in script(folder)


def test_no_runs_at_all(tmp_path):
    assert "no finished runs yet; type make reproduce" in script(tmp_path)


def test_a_word_among_numbers_is_named_with_its_line(folder):
    at = COLUMNS.index("accuracy")

    def spoil(row: str) -> str:
        return ",".join([*row.split(",")[:at], "high", *row.split(",")[at + 1 :]])

    edit(folder / "runs.csv", 7, spoil)
    text = (folder / "runs.csv").read_text()
    (folder / "runs.csv").write_text(text.replace("\n", "\n\n", 1))  # blank lines count
    with pytest.raises(InputError, match=r"runs.csv, line 8: accuracy is 'high', not a number"):
        results.load(folder)


def test_an_item_of_mixed_scales_is_refused(folder):
    """An id holds its scale; a row that says another one was edited."""
    edit(folder / "runs.csv", 3, lambda row: row.replace(",smoke,", ",paper,"))
    says = script(folder)
    assert "runs.csv: " in says and "is marked scale paper" in says and "at scale smoke" in says
    with pytest.raises(InputError, match="is marked scale paper"):
        loaded("fig4_digits", folder)


def test_columns_that_runs_csv_had_once_are_read_over_and_not_kept(folder, good):
    path = folder / "runs.csv"
    now = path.read_text()
    lines = now.splitlines()
    old = [f"paper,item,{lines[0]}", *(f"carratino2020,fig9,{line}" for line in lines[1:])]
    path.write_text("\n".join(old) + "\n")
    assert list(results.load(folder).columns) == COLUMNS
    results.collect(good.parent / "runs", folder)
    assert path.read_text() == now


@pytest.mark.parametrize("part", ["curves", "bins"])
def test_a_malformed_file_of_a_run_is_refused(part, folder):
    path = sorted((folder / part).glob("*.csv"))[0]
    edit(path, 2, lambda row: row + ",3")
    with pytest.raises(InputError, match=rf"{part}/{path.name}, line 2: "):
        loaded("fig4_digits", folder)


def test_malformed_theorems_are_refused(folder):
    edit(folder / "theorems.csv", 3, lambda row: row.replace(",72,", ",many,"))
    with pytest.raises(InputError, match=r"theorems.csv, line 3: n is 'many', not a whole number"):
        report.write([], folder)


def test_malformed_distances_are_refused(folder):
    shutil.copy(CHECKOUT / "results/distances.csv", folder)
    edit(folder / "distances.csv", 4, lambda row: row.split(",", 1)[1])
    with pytest.raises(InputError, match=r"distances.csv, line 4: 9 fields"):
        loaded("table2_mnist", folder, "paper")


def test_collecting_does_not_write_over_a_malformed_table(folder, good):
    edit(folder / "runs.csv", 3, lambda row: row + ",1")
    before = (folder / "runs.csv").read_text()
    with pytest.raises(InputError, match="line 3"):
        results.collect(good.parent / "runs", folder)
    assert (folder / "runs.csv").read_text() == before


@pytest.mark.parametrize("column", ["dataset", "architecture"])
def test_a_row_that_names_no_data_or_no_network_is_refused_with_its_item(folder, column):
    at = COLUMNS.index(column)

    def blank(row: str) -> str:
        return ",".join([*row.split(",")[:at], "", *row.split(",")[at + 1 :]])

    edit(folder / "runs.csv", 4, blank)
    assert f"carratino2020, fig4_digits: a run has no {column}" in script(folder)
