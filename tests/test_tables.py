"""Tables as spreadsheets, merges, crashes and people leave them: read rightly, or refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mixup_repro.errors import InputError
from mixup_repro.store.rows import COLUMNS, KEY
from mixup_repro.store.tables import as_text, read_table, typed, write_table

ROW = {
    **{"run_id": "digits-mlp-mixup-a1-0fd53858"},
    **{"dataset": "digits", "data": "0123abcd", "architecture": "mlp", "method": "mixup"},
    **{"alpha": 1.0, "seed": 0, "scale": "short", "evaluation": "plain", "eval_alpha": None},
    **{"accuracy": 0.972, "cross_entropy": 0.12, "ece": 0.08, "brier": 0.04, "temperature": None},
    **{"n_test": 899, "epochs": 100, "wall_s": 2.5, "commit": "0f4692f465"},
    **{"device": "cpu (x86_64, 1 threads)", "precision": "float32"},
}
RESCALED = {"evaluation": "rescaled", "eval_alpha": 8.0}
SCALED = {"evaluation": "temperature", "temperature": 0.9}
ROWS = [ROW | {"seed": s} | how for s in range(2) for how in ({}, RESCALED, SCALED)]
GOOD = as_text(pd.DataFrame(ROWS, columns=COLUMNS))


def read(path: Path) -> pd.DataFrame:
    return read_table(path, COLUMNS, KEY)


def cells(change: Callable[[list[list[str]]], list[list[str]]], **how) -> str:
    """The good table with its cells changed, as a spreadsheet writes it."""
    out = io.StringIO()
    table = change(list(csv.reader(io.StringIO(GOOD))))
    csv.writer(out, **({"lineterminator": "\n"} | how)).writerows(table)
    return out.getvalue()


def in_line(line: int, column: str, value: str) -> str:
    """The good table with another value in a line, which is counted as editors do."""

    def change(table: list[list[str]]) -> list[list[str]]:
        table[line - 1][COLUMNS.index(column)] = value
        return table

    return cells(change)


def floats(table: list[list[str]]) -> list[list[str]]:
    """A spreadsheet's way with whole numbers."""
    for row in table[1:]:
        for name in ("seed", "n_test"):
            row[COLUMNS.index(name)] += ".0"
    return table


@pytest.mark.parametrize(
    "text",
    {
        "bom": "\ufeff" + GOOD,
        "crlf": GOOD.replace("\n", "\r\n"),
        "quoted": cells(lambda table: table, quoting=csv.QUOTE_ALL),
        "reordered_columns": cells(lambda table: [row[::-1] for row in table]),
        "seeds_as_floats": cells(floats),
        "blank_lines": GOOD.replace("\n", "\n\n"),
    }.items(),
    ids=lambda case: case[0],
)
def test_what_a_spreadsheet_changes_without_harm_is_read_rightly(text, tmp_path):
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "runs.csv").write_bytes(text[1].encode())
    good, found = read(tmp_path / "good.csv"), read(tmp_path / "runs.csv")
    pd.testing.assert_frame_equal(found[COLUMNS], good)
    assert good["seed"].tolist() == [row["seed"] for row in ROWS]
    assert good["accuracy"].tolist() == [row["accuracy"] for row in ROWS]
    assert good["eval_alpha"].isna().tolist() == [row["eval_alpha"] is None for row in ROWS]
    assert as_text(found[COLUMNS]) == GOOD


HEAD, FIRST = GOOD.splitlines()[:2]
MIDDLE = GOOD.index("\n", len(GOOD) // 2)
BAD = {
    "semicolons": (GOOD.replace(",", ";"), "line 1: .* separated by ';'"),
    "decimal_commas": (GOOD.replace(",", ";").replace(".", ","), "line 1: .* separated by ';'"),
    "tabs": (cells(lambda table: table, delimiter="\t"), r"line 1: .* separated by '\\t'"),
    "rows_twice": (
        GOOD + "".join(GOOD.splitlines(True)[1:]),
        "line 8: the same run_id, seed, evaluation, eval_alpha as line 2",
    ),
    "other_row_of_a_key": (
        f"{GOOD}{FIRST.replace('0.972', '0.5')}\n",
        "line 8: the same run_id, seed, evaluation, eval_alpha as line 2",
    ),
    "other_text_of_a_key": (  # 8 and 8.0 are one alpha
        GOOD + in_line(3, "eval_alpha", "8.0").splitlines()[2] + "\n",
        "line 8: the same .* as line 3",
    ),
    "notes": (cells(lambda t: [[*t[0], "notes"], *([*r, "ok"] for r in t[1:])]), "'notes' is no"),
    "a_column_twice": (cells(lambda t: [[*r, r[-1]] for r in t]), "the column device is there tw"),
    "white_line": (GOOD + "\n\n  \n", "line 10: 1 fields"),
    "empty_cells": (GOOD + ("," * (len(COLUMNS) - 1) + "\n") * 3, "line 8: run_id is empty"),
    "conflict": (f"{HEAD}\n<<<<<<< HEAD\n{FIRST}\n=======\n", "line 2: 1 fields"),
    "header_twice": (GOOD + GOOD, "line 8: seed is 'seed', not a whole number"),
    "zeros": (GOOD[: len(GOOD) // 2] + "\0" * 64, "line 4: zero bytes"),
    "cut_in_a_row": (GOOD[: MIDDLE - 40], "line 4: "),
    "cut_in_the_last_cell": (GOOD[: MIDDLE - 4], "line 4: unexpected end of data"),
    "cut_before_the_end_of_a_line": (GOOD[:MIDDLE], "line 4: the last line has no end"),
    "empty": ("", "is empty"),
    "blank": (" \n", "is empty"),
    "utf16": (GOOD.encode("utf-16"), "not UTF-8; save the table as CSV UTF-8"),
    "utf16_without_a_mark": (GOOD.encode("utf-16-le"), "line 1: zero bytes"),
    "latin1": (GOOD.replace("cpu", "\xe9t\xe9", 1).encode("latin-1"), "line 2: not UTF-8"),
    "huge_cell": (in_line(3, "device", "x" * 131_073), "line 3: field larger than"),
    "open_quote": (f'{GOOD[:-26]}"cpu\n', "line 7: unexpected end of data"),
}
VALUES = [
    *[("accuracy", value) for value in ("97.20%", "97.2", "-0.1", "", "nan", "inf", "True", "1_0")],
    *[("ece", "1.1"), ("brier", "2.1"), ("cross_entropy", "-0.1"), ("cross_entropy", "1e400")],
    *[("seed", value) for value in ("-1", "0.5", "", "1e3", "nan")],
    *[("n_test", "0"), ("epochs", "0"), ("temperature", "0"), ("temperature", "-1")],
    *[("alpha", "0"), ("eval_alpha", "-8"), ("wall_s", "-1"), ("wall_s", "")],
    *[("run_id", ""), ("evaluation", ""), ("data", "1.23E+45"), ("data", "1234567")],
    *[("dataset", "=1+cmd()"), ("commit", "+1"), ("device", "-x"), ("architecture", "@sum")],
]


@pytest.mark.parametrize("text, says", BAD.values(), ids=BAD)
def test_what_is_no_table_is_one_line_that_names_the_place(text, says, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=says) as error:
        read(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("column, value", VALUES)
def test_what_cannot_be_is_refused_with_its_line(column, value, tmp_path):
    (tmp_path / "runs.csv").write_text(in_line(4, column, value))
    with pytest.raises(InputError, match=rf"runs.csv, line 4: {column} is ") as error:
        read(tmp_path / "runs.csv")
    assert "\n" not in str(error.value)


def test_a_rescaled_prediction_without_its_alpha_is_refused(tmp_path):
    (tmp_path / "runs.csv").write_text(in_line(3, "eval_alpha", ""))
    with pytest.raises(InputError, match="line 3: eval_alpha is empty"):
        read(tmp_path / "runs.csv")


def test_words_that_pandas_takes_for_empty_are_words(tmp_path):
    (tmp_path / "runs.csv").write_text(in_line(2, "dataset", "None"))
    assert read(tmp_path / "runs.csv")["dataset"][0] == "None"


def test_seeds_of_any_length_are_kept_exactly(tmp_path):
    seeds = [3, 123_456_789, 2**63 + 1, 10**26 + 7]
    write_table(tmp_path / "runs.csv", pd.DataFrame([ROW | {"seed": s} for s in seeds]))
    assert read(tmp_path / "runs.csv")["seed"].tolist() == seeds


def test_what_is_to_be_written_passes_the_same_checks():
    text = as_text(pd.DataFrame([ROW | {"accuracy": float("nan")}], columns=COLUMNS))
    with pytest.raises(InputError, match=r"out.csv, row of x: accuracy is empty"):
        typed(text, KEY, "out.csv", ["row of x"])
