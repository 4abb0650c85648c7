"""The committed results: a table of runs, and what belongs to each run.

    results/runs.csv                   one row for each finished run and evaluation
    results/curves/<run_id>.csv        one row for each seed and evaluated epoch
    results/bins/<run_id>.csv          one row for each seed, evaluation and confidence bin: number
                                       of test examples, of correct ones, sum of their confidences
    results/predictions/<run_id>.csv   class probabilities, for test sets of up to 100 examples
    results/maps/<run_id>.csv          one row for each seed: probability of class 1 on the grid of
                                       a data set in the plane, row by row
    results/terms/<run_id>.csv         the terms of the approximate Mixup risk along training
    results/ood/<run_id>.csv           one row for each seed, benchmark, corruption, severity and
                                       prediction
    results/probes/<run_id>.csv        one row for each seed, probe, setting and metric
    results/weights/<run_id>.pt        the weights of seed 0, of networks that take minutes to train
    results/costs.csv                  what an epoch of them cost, by device (store.costs)
    results/distances.csv              what mixup-repro distances measured
    results/imported.csv               one row for each evaluation of a network that was trained
                                       elsewhere (mixup-repro import-weights); none is in runs.csv
    results/references.csv             test accuracies that others published, written by hand
    results/reference_curves.csv       the same along training, from the logs it names
    results/verdicts.csv               what the report made of every part of every claim

A row is replaced only by a finished run of the same id, seed and evaluation on the same data; none
is dropped. So `git diff results/` shows what another machine got.

Every file is replaced as a whole, under the lock on the folder (`files.locked`): a process that is
killed leaves the old or the new one.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mixup_repro.errors import DamagedError, InputError
from mixup_repro.store import costs
from mixup_repro.store.files import copy_whole
from mixup_repro.store.identity import safe_label
from mixup_repro.store.records import finished_records
from mixup_repro.store.rows import COLUMNS, GONE, IMPORTED, IMPORTED_KEY, KEY, PARTS, rows
from mixup_repro.store.tables import as_text, read_if_there, read_table, typed, write_table

Row = dict[str, Any]
WEIGHTS_BYTES = 1_500_000  # the largest file of weights that is kept: a ResNet-20 has 1.1 MB
WEIGHTS_SECONDS = 300  # weights of what trains faster are not kept: it can be trained again


@dataclass
class Gathered:
    """What finished runs give to the results.

    trained, elsewhere: rows of runs.csv and imported.csv. parts: rows by run id and kind.
    weights: files by run id. kinds: what they say of their cost, by run id.
    """

    count: int = 0
    trained: list[Row] = field(default_factory=list)
    elsewhere: list[Row] = field(default_factory=list)
    parts: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    weights: dict[str, Path] = field(default_factory=dict)
    kinds: dict[str, Row] = field(default_factory=dict)


def collect(runs_dir: Path, results: Path, only: Container[str] | None = None) -> int:
    """Merge every finished run below `runs_dir` into `results`; returns how many there were.

    only: the runs to merge, as <run_id>/seed<k>, where not all are wanted.
    The caller holds `files.locked(results)`. All is checked before the first file is written.

    Raises:
        InputError: a file in `results` is malformed, a run has values that no table may hold, or a
            row is there already for another data set.
    """
    new = _gather(runs_dir, only)
    for path, table in _tables(new, results).items():
        write_table(path, table)
    for name, path in new.weights.items():
        try:
            copy_whole(path, results / "weights" / f"{name}.pt", WEIGHTS_BYTES)
        except DamagedError as error:
            print(f"passed over: {error}")
    return new.count


def _gather(runs_dir: Path, only: Container[str] | None) -> Gathered:
    new = Gathered()
    for record in finished_records(runs_dir, print):
        if only is not None and f"{record['run_id']}/seed{record['seed']}" not in only:
            continue
        name, seed = record["run_id"], {"seed": record["seed"]}
        try:
            own, belong = rows(record), {kind: of(record) for kind, (of, _) in PARTS.items()}
        except (LookupError, TypeError) as error:
            # Those of version 0.1.0 do not say which data they were trained on.
            run = f"{name}/seed{record['seed']}"
            print(f"passed over: {run} has a record of another version ({error!r})")
            continue
        new.count += 1
        new.kinds[name] = costs.kind(record["config"])
        (new.elsewhere if "imported" in record else new.trained).extend(own)
        for kind, lines in belong.items():
            new.parts.setdefault((name, kind), []).extend(seed | line for line in lines)
        if record["seed"] == 0 and (record["wall_s"] or 0) >= WEIGHTS_SECONDS:
            new.weights[name] = runs_dir / name / "seed0" / "weights.pt"
    return new


def _tables(new: Gathered, results: Path) -> dict[Path, pd.DataFrame]:
    """Every table that changes, with the new rows in it; runs.csv comes last."""
    tables = {}
    for (name, kind), lines in new.parts.items():
        if lines:
            frame, key = pd.DataFrame(lines), ["seed", *PARTS[kind][1]]
            empty = [c for c in frame if c not in key and frame[c].isna().all()]
            of = [f"{name}/seed{line['seed']}" for line in lines]
            path = results / kind / f"{name}.csv"
            tables[path] = _merged(path, frame.drop(columns=empty), key, of)
    if new.elsewhere:
        path, of = results / "imported.csv", [row["run_id"] for row in new.elsewhere]
        frame = pd.DataFrame(new.elsewhere, columns=IMPORTED)
        tables[path] = _merged(path, frame, IMPORTED_KEY, of)
    path, of = results / "runs.csv", [f"{row['run_id']}/seed{row['seed']}" for row in new.trained]
    runs = _merged(path, pd.DataFrame(new.trained, columns=COLUMNS), KEY, of)
    check_one_data(path, runs, "run_id")
    tables[results / "costs.csv"] = costs.merged(costs.load(results), runs, new.kinds)
    # The last to be written: no row without what belongs to it.
    tables[path] = runs[[*COLUMNS, *(c for c in runs if c not in COLUMNS)]]
    return tables


def _merged(path: Path, new: pd.DataFrame, key: list[str], of: list[str]) -> pd.DataFrame:
    """The table at `path` with new rows, which replace the old ones of the same key.

    of: the run that each new row comes from, for errors.
    """
    new = typed(as_text(new), key, str(path), [f"row of {name} to be merged" for name in of])
    if path.exists():
        old = read_table(path, key, key).drop(columns=GONE, errors="ignore")
        if key == KEY:
            _check_same_data(path, old, new)
        new = pd.concat([old, new]) if len(new) else old
    # A stable order, and the text of a number is the same on every machine.
    return new.drop_duplicates(key, keep="last").sort_values(key, na_position="first")


def _check_same_data(path: Path, old: pd.DataFrame, new: pd.DataFrame) -> None:
    """Raise InputError where a row would be replaced by one of other data."""
    both = new.merge(old.reindex(columns=COLUMNS), on=KEY, suffixes=("", "_old"))
    for column in ("data", "n_test"):  # a row from before fingerprints has its size alone
        before = both[f"{column}_old"]
        for row in both[before.notna() & (both[column] != before)].to_dict("records"):
            raise InputError(
                f"{path}: {row['run_id']}/seed{row['seed']} is there with "
                f"{column}={row[f'{column}_old']} of {row['dataset']}, the run to be merged has "
                f"{column}={row[column]}: give the other data a dataset.label of its own, or "
                f"remove the rows of {row['run_id']} that it should replace"
            )


def check_one_data(path: Path, runs: pd.DataFrame, by: str) -> None:
    """Raise InputError where runs of one run_id (or dataset) were trained on different data.

    by: the column that they agree in.
    """
    known = runs.dropna(subset=["data"]).drop_duplicates([by, "data"])
    for _, several in known[known.duplicated(by, keep=False)].groupby(by):
        one, other = several.to_dict("records")[:2]
        raise InputError(
            f"{path}: {one['run_id']}/seed{one['seed']} was trained on data {one['data']} of "
            f"{one['dataset']}, {other['run_id']}/seed{other['seed']} on {other['data']}, and they "
            f"are compared: keep the rows of one of them, and train the other again on its data"
        )


def load(results: Path) -> pd.DataFrame:
    """The table of runs; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    return read_if_there(results / "runs.csv", COLUMNS, KEY).drop(columns=GONE, errors="ignore")


def imported(results: Path) -> pd.DataFrame:
    """The table of networks that were trained elsewhere; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    return read_if_there(results / "imported.csv", IMPORTED, IMPORTED_KEY)


MEASURED_KEY = ["dataset", "alpha", "share", "draw", "part"]

MEASURED = [*MEASURED_KEY, "minimum", "average", "wall_s", "device"]


def measured(path: Path) -> pd.DataFrame:
    """A table of measurements that are no runs; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    table = read_if_there(path, MEASURED, MEASURED_KEY)
    for label in table["dataset"]:
        if label != safe_label(label):  # figures are named after it
            raise InputError(f"{path}: no data set is named {label!r} here")
    return table


def merge_measured(path: Path, new: pd.DataFrame) -> None:
    """Add measurements, which replace those of the same key. The caller holds the folder's lock.

    Raises:
        InputError: the table is malformed, or a new value is not one that it may hold.
    """
    of = [f"{row.dataset}, draw {row.draw}," for row in new.itertuples()]
    write_table(path, _merged(path, new, MEASURED_KEY, of))
