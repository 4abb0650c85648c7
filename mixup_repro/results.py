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
    results/weights/<run_id>.pt        the weights of seed 0, of networks that take minutes to train
    results/distances.csv              what scripts/distances.py measured
    results/imported.csv               one row for each evaluation of a network that was trained
                                       elsewhere (scripts/import_weights.py); none is in runs.csv

A row is replaced only by a finished run of the same id, seed and evaluation on the same data; none
is dropped. So `git diff results/` shows what another machine got.

Every file is replaced as a whole, under the lock on the folder (`files.locked`): a process that is
killed leaves the old or the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from mixup_repro import experiments
from mixup_repro.config import expand
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.files import copy_whole
from mixup_repro.rows import COLUMNS, IMPORTED, IMPORTED_KEY, KEY, PARTS, rows
from mixup_repro.runs import finished_records, run_id, safe_label
from mixup_repro.stats import NoValues
from mixup_repro.tables import as_text, read_table, typed, write_table

WEIGHTS_BYTES = 1_500_000  # of a file of weights that is kept: a ResNet-20 has 1.1 MB
WEIGHTS_SECONDS = 300  # what trains faster is trained again


def collect(runs_dir: Path, results: Path) -> int:
    """Merge every finished run below `runs_dir` into `results`; returns how many there were.

    For who holds `files.locked(results)`. All is checked before the first file is written.

    Raises:
        InputError: a file in `results` is malformed, a run's numbers are none, or a row is there
            already for another data set.
    """
    new: list[dict] = []
    elsewhere: list[dict] = []
    parts: dict[tuple[str, str], list[dict]] = {}  # by run id and kind
    weights: dict[str, Path] = {}
    count = 0
    for record in finished_records(runs_dir, print):
        name, seed = record["run_id"], {"seed": record["seed"]}
        try:
            own, belong = rows(record), {kind: of(record) for kind, (of, _) in PARTS.items()}
        except (LookupError, TypeError) as error:
            # Those of version 0.1.0 do not say which data they were trained on.
            run = f"{name}/seed{record['seed']}"
            print(f"passed over: {run} has a record of another version ({error!r})")
            continue
        count += 1
        (elsewhere if "imported" in record else new).extend(own)
        for kind, lines in belong.items():
            parts.setdefault((name, kind), []).extend(seed | line for line in lines)
        if record["seed"] == 0 and (record["wall_s"] or 0) >= WEIGHTS_SECONDS:
            weights[name] = runs_dir / name / "seed0" / "weights.pt"
    tables = {}
    for (name, kind), lines in parts.items():
        if lines:
            frame, key = pd.DataFrame(lines), ["seed", *PARTS[kind][1]]
            empty = [c for c in frame if c not in key and frame[c].isna().all()]
            of = [f"{name}/seed{line['seed']}" for line in lines]
            path = results / kind / f"{name}.csv"
            tables[path] = _merged(path, frame.drop(columns=empty), key, of)
    if elsewhere:
        path, of = results / "imported.csv", [row["run_id"] for row in elsewhere]
        tables[path] = _merged(path, pd.DataFrame(elsewhere, columns=IMPORTED), IMPORTED_KEY, of)
    of = [f"{row['run_id']}/seed{row['seed']}" for row in new]
    path = results / "runs.csv"
    runs = _merged(path, pd.DataFrame(new, columns=COLUMNS), KEY, of)
    _check_one_data(path, runs, "run_id")
    # The last to be written: no row without what belongs to it.
    tables[path] = runs[[*COLUMNS, *(c for c in runs if c not in COLUMNS)]]
    for path, table in tables.items():
        write_table(path, table)
    for name, path in weights.items():
        try:
            copy_whole(path, results / "weights" / f"{name}.pt", WEIGHTS_BYTES)
        except DamagedError as error:
            print(f"passed over: {error}")
    return count


def _merged(path: Path, new: pd.DataFrame, key: list[str], of: list[str]) -> pd.DataFrame:
    """A table with new rows in it, which replace those of their key; of: what each comes from."""
    new = typed(as_text(new), key, str(path), [f"row of {name} to be merged" for name in of])
    if path.exists():
        old = read_table(path, key, key)
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


def _check_one_data(path: Path, runs: pd.DataFrame, by: str) -> None:
    """Raise InputError where runs of one run_id (or dataset) were trained on different data."""
    known = runs.dropna(subset=["data"]).drop_duplicates([by, "data"])
    for _, several in known[known.duplicated(by, keep=False)].groupby(by):
        one, other = several.to_dict("records")[:2]
        raise InputError(
            f"{path}: {one['run_id']}/seed{one['seed']} was trained on data {one['data']} of "
            f"{one['dataset']}, {other['run_id']}/seed{other['seed']} on {other['data']}, and they "
            f"are compared: keep the rows of one of them, and train the other again on its data"
        )


@dataclass(frozen=True)
class ItemData:
    """What a paper item is drawn from: its runs at one scale, with what belongs to them."""

    name: str  # <paper>/<item>
    scale: str
    runs: pd.DataFrame
    curves: pd.DataFrame
    predictions: pd.DataFrame
    maps: pd.DataFrame
    bins: pd.DataFrame
    terms: pd.DataFrame
    ood: pd.DataFrame

    def metric(
        self,
        metric: str,
        method: str,
        alpha: float | None = None,
        eval_alpha: float | None = None,
        evaluation: str = "",
    ) -> pd.Series:
        """A metric by seed, for runs of a method (and alpha), plain or rescaled at eval_alpha.

        evaluation: another one than these two.
        """
        evaluation = evaluation or ("plain" if eval_alpha is None else "rescaled")
        chosen = self.runs[
            (self.runs["method"] == method) & (self.runs["evaluation"] == evaluation)
        ]
        for column, value in (("alpha", alpha), ("eval_alpha", eval_alpha)):
            missing = chosen[column].isna()
            chosen = chosen[missing if value is None else chosen[column] == value]
        return chosen.set_index("seed")[metric].sort_index()

    def alphas(self) -> list[float]:
        """The alphas of the item's mixing runs, in order."""
        return sorted(self.runs["alpha"].dropna().unique())

    def decision_map(self, method: str, alpha: float | None = None) -> pd.DataFrame:
        """Probability of class 1 on the grid: grid points by seeds.

        Raises:
            NoValues: there are no such runs.
        """
        rows = self.maps[self.maps["method"] == method]
        rows = rows if alpha is None else rows[rows["alpha"] == alpha]
        if rows.empty:
            raise NoValues(f"no decision maps of {method}")
        return rows.set_index("seed").loc[:, "g0":].T.reset_index(drop=True)

    def mean_confidence(self, method: str) -> pd.Series:
        """Mean confidence of the plain prediction by seed."""
        rows = self.bins[(self.bins["method"] == method) & (self.bins["evaluation"] == "plain")]
        total = rows.groupby("seed")[["confidence", "count"]].sum()
        return total["confidence"] / total["count"]

    def seeds(self) -> int:
        """The smallest number of seeds that a method and alpha of the item has."""
        return int(self.runs.groupby("run_id")["seed"].nunique().min())


def load(results: Path) -> pd.DataFrame:
    """The table of runs; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    path = results / "runs.csv"
    return read_table(path, COLUMNS, KEY) if path.exists() else pd.DataFrame(columns=COLUMNS)


def imported(results: Path) -> pd.DataFrame:
    """The table of networks that were trained elsewhere; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    path = results / "imported.csv"
    return (
        read_table(path, IMPORTED, IMPORTED_KEY)
        if path.exists()
        else pd.DataFrame(columns=IMPORTED)
    )


@cache
def run_ids(name: str, scale: str, known: frozenset[str]) -> list[str] | None:
    """The ids of the runs that an experiment consists of at a scale; None if one is not `known`."""
    ids: set[str] = set()
    for job in experiments.jobs([f"experiment={name}", f"scale={scale}"]):
        ids |= {run_id(run.config) for run in expand(job)}
        if not ids <= known:  # then the jobs after it need not be composed
            return None
    return sorted(ids)


def item_data(results: Path, frame: pd.DataFrame, name: str, scale: str) -> ItemData | None:
    """What an experiment is drawn from, found by id; None where one of its ids has no runs yet.

    Raises:
        InputError: its rows are marked with another scale, or were trained on different data of
            one name; or a file of its runs is malformed.
    """
    ids = run_ids(name, scale, frozenset(frame["run_id"]))
    if ids is None:
        return None
    runs = frame[frame["run_id"].isin(ids)]
    # An id holds its scale, so only an edited file can do this.
    other = runs[runs["scale"] != scale]
    if len(other):
        raise InputError(
            f"{results / 'runs.csv'}: {other['run_id'].iloc[0]} is marked scale "
            f"{other['scale'].iloc[0]}, where {name} at scale {scale} has runs of that scale only"
        )
    _check_one_data(results / "runs.csv", runs, "dataset")
    about = runs.drop_duplicates("run_id").set_index("run_id")[["method", "alpha"]]
    parts = {kind: _read(results / kind, key, ids, about) for kind, (_, key) in PARTS.items()}
    return ItemData(name, scale, runs, **parts)


def _read(folder: Path, key: list[str], ids: list[str], about: pd.DataFrame) -> pd.DataFrame:
    """The files of these runs as one frame, with columns that say which run a row is of."""
    parts = []
    for i in ids:
        if (folder / f"{i}.csv").exists():
            own = ["seed", *key]
            table = read_table(folder / f"{i}.csv", own, own)
            which = pd.DataFrame([{"run_id": i} | about.loc[i].to_dict()] * len(table))
            parts.append(pd.concat([which, table], axis=1))
    if not parts:
        return pd.DataFrame(columns=["run_id", "method", "alpha", "seed", *key])
    # As read, a map's 10,000 columns are 10,000 arrays; a copy holds columns of a type in one.
    return pd.concat(parts, ignore_index=True).copy()


MEASURED_KEY = ["dataset", "alpha", "share", "draw", "part"]
MEASURED = [*MEASURED_KEY, "minimum", "average", "wall_s", "device"]


def measured(path: Path) -> pd.DataFrame:
    """A table of measurements that are no runs; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    if not path.exists():
        return pd.DataFrame(columns=MEASURED)
    table = read_table(path, MEASURED, MEASURED_KEY)
    for label in table["dataset"]:
        if label != safe_label(label):  # figures are named after it
            raise InputError(f"{path}: no data set is named {label!r} here")
    return table


def merge_measured(path: Path, new: pd.DataFrame) -> None:
    """Add measurements; the same ones replace themselves. For who holds the lock on its folder.

    Raises:
        InputError: the table is malformed, or a new number is none.
    """
    of = [f"{row.dataset}, draw {row.draw}," for row in new.itertuples()]
    write_table(path, _merged(path, new, MEASURED_KEY, of))


def measured_data(path: Path, item: str) -> list[ItemData]:
    """One item for each data set in a table of measurements, a draw being its seed."""
    parts = {kind: pd.DataFrame(columns=["method", "seed", *PARTS[kind][1]]) for kind in PARTS}
    return [
        ItemData(f"{item}_{label}", "paper", rows.assign(run_id=label, seed=rows["draw"]), **parts)
        for label, rows in measured(path).groupby("dataset")
    ]
