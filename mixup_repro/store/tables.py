"""CSV files of the committed results: read as a whole, or refused with the line to mend.

A table has one row for each key, only columns that are known here, and in each column only values
that it can have. A merge that went wrong, or a spreadsheet, breaks these rules. What is about to be
written is checked in the same way, so no table is written that cannot be read.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.store.files import replacing

TEXT = frozenset(
    "run_id paper item dataset data architecture method scale evaluation commit device precision "
    "source sha256 recipe benchmark corruption part claim where says tested verdict network "
    "differs probe setting metric".split()
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a cell that starts so
FINITE = float(np.finfo(float).max)
SLACK = 1e-6  # sums of floats miss their bounds by rounding


@dataclass(frozen=True)
class Numbers:
    """What a column of numbers may hold: those from `low` to `high`."""

    says: str
    low: float = -FINITE
    high: float = FINITE
    positive: bool = False
    whole: bool = False

    def wrong(self, values: np.ndarray) -> np.ndarray:
        """Where values (rows, columns) are not allowed; nan is not."""
        slack = 0.0 if self.whole else SLACK
        wrong = ~((values >= self.low - slack) & (values <= self.high + slack))
        return wrong | (values <= 0) if self.positive else wrong


SHARE = Numbers("a share between 0 and 1", 0, 1)
LOSS = Numbers("a number >= 0", 0)
POSITIVE = Numbers("a number > 0", 0, positive=True)
NUMBER = Numbers("a number")
COUNT = Numbers("a whole number >= 0", 0, whole=True)
SIZE = Numbers("a whole number >= 1", 1, whole=True)
NUMBERS = {
    name: kind
    for kind, names in [
        (SHARE, "accuracy ece accuracy_pm0 weighted_accuracy test_accuracy train_accuracy share"),
        (SHARE, "test_accuracy_rescaled train_accuracy_rescaled"),
        (LOSS, "cross_entropy test_cross_entropy train_cross_entropy minimum average wall_s"),
        (LOSS, "epoch_s fastest_s slowest_s"),
        (LOSS, "test_cross_entropy_rescaled train_cross_entropy_rescaled confidence"),
        (Numbers("a number from 0 to 2", 0, 2), "brier"),
        (POSITIVE, "alpha eval_alpha terms_alpha temperature"),
        (NUMBER, "mixed_loss modified_loss regularisation value allowed"),
        (COUNT, "seed epoch draw example bin count correct severity n"),
        (SIZE, "n_test epochs examples batch_size runs"),
    ]
    for name in names.split()
} | {"worst error": Numbers("a number", -np.inf, np.inf)}  # that of a theorem that fails is any
PREDICTED = re.compile(r"[pg]\d+")  # the probability of a class, or at a point of the grid
# What may be left empty; a column of text may be, unless it is part of the key.
EMPTY = frozenset(
    "alpha eval_alpha temperature corruption severity accuracy_pm0 mixed_loss weighted_accuracy "
    "examples batch_size "
    "train_accuracy train_cross_entropy test_accuracy_rescaled test_cross_entropy_rescaled "
    "train_accuracy_rescaled train_cross_entropy_rescaled".split()
) | {"worst error"}
UNTOLD = frozenset(["cross_entropy", "ece", "brier"])  # empty too where only accuracy is measured


def read_table(path: Path, columns: Iterable[str], key: Sequence[str]) -> pd.DataFrame:
    """The rows of a CSV file that has at least these columns, and one row a key.

    Raises:
        InputError: the file is no CSV file in UTF-8 with commas, or was cut short; a column is
            missing, twice there or unknown; a line has too few or too many fields, or the key of
            another; a value is not one that its column may hold. Names file and line.
    """
    text = _decoded(path)
    lines = _lines(path, text, columns)
    return typed(text, key, str(path), [f"line {line}" for line in lines])


def read_if_there(path: Path, columns: Sequence[str], key: Sequence[str]) -> pd.DataFrame:
    """As `read_table`; a table without rows where the file is not there yet."""
    return read_table(path, columns, key) if path.exists() else pd.DataFrame(columns=list(columns))


def write_table(path: Path, frame: pd.DataFrame, numbers: str | None = "%.8g") -> None:
    """Replace a CSV file; numbers: the format of floats, None for all their digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(as_text(frame, numbers))


def as_text(frame: pd.DataFrame, numbers: str | None = "%.8g") -> str:
    """A frame as the text of a CSV file, the same on every machine."""
    return frame.to_csv(index=False, float_format=numbers, lineterminator="\n")


def typed(text: str, key: Sequence[str], where: str, rows: Sequence[str]) -> pd.DataFrame:
    """The frame that the text of a CSV file holds, whose rows are known to be of equal length.

    where, rows: what to call the whole and each row of it in an error.

    Raises:
        InputError: a value is not one that its column may hold, or a key is there twice.
    """
    header = next(csv.reader(io.StringIO(text)), [])
    _check_names(where, header)
    whole = [c for c in header if c in NUMBERS and NUMBERS[c].whole]
    as_str = dict.fromkeys([*TEXT.intersection(header), *whole], str)
    # pandas would read the words nan, NA and None as empty.
    frame = pd.read_csv(io.StringIO(text), dtype=as_str, keep_default_na=False, na_values=[""])
    try:
        for name in whole:
            frame[name] = _whole(frame[name])
        for name in frame.select_dtypes(exclude="number").columns.difference([*TEXT, *whole]):
            frame[name] = _numbers(frame[name])
        _check_text(frame, key)
        _check_numbers(frame)
        _check_keys(frame, key, rows)
    except _Wrong as wrong:
        raise InputError(f"{where}, {rows[wrong.row]}: {wrong}") from None
    return frame


class _Wrong(Exception):
    """What is wrong, in the first row that has it."""

    def __init__(self, row: int, says: str) -> None:
        super().__init__(says)
        self.row = row


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    if not content.strip():
        raise InputError(f"{path} is empty; restore it, for example with git checkout")
    try:
        text = content.decode("utf-8-sig")  # Excel starts a file with a byte-order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8; save the table as CSV UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: zero bytes, of a crash or of UTF-16; restore it")
    return text


def _lines(path: Path, text: str, columns: Iterable[str]) -> list[int]:
    """The line at which each row ends; blank lines, which pandas passes over, are counted too."""
    lines = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_header(path, header, columns)
        for row in filter(None, reader):
            if len(row) != len(header):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(row)} fields, where the first line "
                    f"names {len(header)}"
                )
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    if not text.endswith(("\n", "\r")):
        raise InputError(
            f"{path}, line {reader.line_num}: the last line has no end; if the file was not cut "
            f"short there, add one"
        )
    return lines


def _check_header(path: Path, header: list[str], columns: Iterable[str]) -> None:
    for name in columns:
        if name not in header:
            other = [mark for mark in (";", "\t") if len(header) == 1 and mark in header[0]]
            cause = f": its fields are separated by {other[0]!r}, not by commas" if other else ""
            raise InputError(f"{path}, line 1: there is no column {name}{cause}")


def _check_names(where: str, header: list[str]) -> None:
    if twice := [name for name, times in Counter(header).items() if times > 1]:
        raise InputError(f"{where}, first line: the column {twice[0]} is there twice")
    for name in header:
        if name not in TEXT and name not in NUMBERS and not PREDICTED.fullmatch(name):
            raise InputError(
                f"{where}, first line: {name!r} is no column that is known here; remove it, for "
                f"merging cannot keep it"
            )


def _first(cells: pd.Series, wrong: pd.Series | np.ndarray, says: str) -> None:
    """Raise for the first row in which a column is wrong, if there is one."""
    found = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if len(found):
        value = cells.iloc[found[0]]
        shown = "empty" if pd.isna(value) else repr(value) if isinstance(value, str) else value
        raise _Wrong(int(found[0]), f"{cells.name} is {shown}, {says}")


def _whole(cells: pd.Series) -> pd.Series:
    """Cells of text as whole numbers, exactly, or nan; a spreadsheet writes 3.0 for 3."""
    wrong = cells.notna() & ~cells.str.fullmatch(r"\s*\d+(\.0*)?\s*").fillna(False)
    _first(cells, wrong, "not a whole number >= 0")
    numbers = [int(cell.split(".")[0]) for cell in cells.dropna()]
    if len(numbers) < len(cells):
        return pd.Series(numbers, cells.dropna().index, dtype=float).reindex(cells.index)
    big = max(numbers, default=0) > np.iinfo(np.int64).max  # a seed may have any number of digits
    return pd.Series(numbers, dtype=object if big else np.int64)


def _numbers(cells: pd.Series) -> pd.Series:
    """Cells that pandas did not take for numbers, as numbers."""
    numbers = pd.to_numeric(cells.astype(str), errors="coerce")
    _first(cells, cells.notna() & numbers.isna(), "not a number")
    return numbers


def _check_text(frame: pd.DataFrame, key: Sequence[str]) -> None:
    for name in filter(TEXT.__contains__, frame.columns):
        cells = frame[name]
        if name in key and name not in EMPTY:
            _first(cells, cells.isna(), "where every row must have one")
        formula = cells.str.startswith(FORMULA).fillna(False)
        _first(cells, formula, "which is a formula to a spreadsheet")
        if name == "data":
            odd = cells.notna() & ~cells.str.fullmatch(r"[0-9a-f]{8}").fillna(False)
            _first(cells, odd, "not 8 hex digits")


def _check_numbers(frame: pd.DataFrame) -> None:
    kinds: dict[Numbers, list[str]] = {}
    for name in frame.columns.difference(TEXT, sort=False):
        kinds.setdefault(NUMBERS.get(name, SHARE), []).append(name)
    empty = EMPTY | UNTOLD if "benchmark" in frame else EMPTY
    for kind, names in kinds.items():  # 10,000 columns of a map at once
        block = frame[names]
        wrong = kind.wrong(block.to_numpy(dtype=float))
        wrong &= ~(block.isna().to_numpy() & np.isin(names, list(empty)))
        for name in np.array(names)[wrong.any(0)]:
            _first(frame[name], wrong[:, names.index(name)], f"not {kind.says}")


def _check_keys(frame: pd.DataFrame, key: Sequence[str], rows: Sequence[str]) -> None:
    if {"evaluation", "eval_alpha"} <= set(frame):
        lost = (frame["evaluation"] == "rescaled") & frame["eval_alpha"].isna()
        _first(frame["eval_alpha"], lost, "where a rescaled prediction must have one")
    before: dict[tuple[Hashable, ...], int] = {}
    for k, values in enumerate(frame[list(key)].itertuples(index=False, name=None)):
        one = tuple(None if pd.isna(value) else value for value in values)
        if one in before:
            raise _Wrong(k, f"the same {', '.join(key)} as {rows[before[one]]}")
        before[one] = k
