"""CSV files of the committed results: read whole, or refused with the line to mend."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mixup_repro.errors import InputError

TEXT = frozenset(  # every other column holds numbers, or nothing
    "run_id paper item dataset architecture method scale evaluation commit device "
    "source sha256 recipe benchmark corruption part claim where says tested verdict".split()
)


def read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """The rows of a CSV file that has at least these columns.

    pandas alone would fill a short line with blanks and keep a word among numbers, and a figure
    would be drawn from what is left: so a merge that went wrong is refused here.

    Raises:
        InputError: a column is missing, a line has too few or too many fields, or text stands where
            a number belongs. Names file and line.
    """
    lines = []  # where each row ends: blank lines, which pandas passes over, are counted too
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        for name in columns:
            if name not in header:
                raise InputError(f"{path}, line 1: there is no column {name}")
        for row in filter(None, reader):
            if len(row) != len(header):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(row)} fields, where the first line "
                    f"names {len(header)}"
                )
            lines.append(reader.line_num)
    frame = pd.read_csv(path, dtype=dict.fromkeys(TEXT.intersection(header), str))
    for name in frame.select_dtypes(exclude="number"):
        if name not in TEXT:
            wrong = frame[name].notna() & pd.to_numeric(frame[name], errors="coerce").isna()
            if wrong.any():
                first = int(wrong.argmax())
                value = frame[name].iloc[first]
                raise InputError(f"{path}, line {lines[first]}: {name} is {value!r}, not a number")
    return frame
