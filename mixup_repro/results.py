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
    results/distances.csv              what scripts/distances.py measured
    results/imported.csv               one row for each evaluation of a network that was trained
                                       elsewhere (scripts/import_weights.py); none is in runs.csv

A row is replaced only by a finished run of the same id, seed and evaluation; none is dropped. So
`git diff results/` shows what another machine got.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from mixup_repro import experiments
from mixup_repro.config import expand
from mixup_repro.errors import InputError
from mixup_repro.evaluation.metrics import BINS
from mixup_repro.runs import finished_records, run_id
from mixup_repro.stats import NoValues
from mixup_repro.tables import read_table

COLUMNS = (
    "run_id paper item dataset architecture method alpha seed scale evaluation eval_alpha "
    "accuracy cross_entropy ece brier temperature n_test epochs wall_s commit device"
).split()
KEY = ["run_id", "seed", "evaluation", "eval_alpha"]
CURVES = (
    "epoch mixed_loss weighted_accuracy test_accuracy test_cross_entropy "
    "train_accuracy train_cross_entropy test_accuracy_rescaled test_cross_entropy_rescaled "
    "train_accuracy_rescaled train_cross_entropy_rescaled"
).split()

OOD = (
    "benchmark corruption severity evaluation eval_alpha "
    "accuracy accuracy_pm0 cross_entropy ece brier n_test"
).split()

IMPORTED = (
    "run_id dataset architecture source sha256 recipe evaluation eval_alpha "
    "accuracy cross_entropy ece brier temperature n_test commit device"
).split()
IMPORTED_KEY = ["run_id", "evaluation", "eval_alpha"]


def collect(runs_dir: Path, results: Path) -> int:
    """Merge every finished run below `runs_dir` into `results`; returns how many there were.

    Raises:
        InputError: `results` cannot be written, or a file in it is malformed.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        (results / ".writable").touch()
        (results / ".writable").unlink()
    except OSError as error:
        raise InputError(
            f"{results}: cannot be written ({error.strerror}); choose another --results-dir"
        ) from error
    records = list(finished_records(runs_dir, print))
    rows = [row for record in records for row in _rows(record) if "imported" not in record]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"alpha": float, "eval_alpha": float})
    _merge(results / "runs.csv", frame, KEY)
    elsewhere = [row for record in records if "imported" in record for row in _rows(record)]
    if elsewhere:
        frame = pd.DataFrame(elsewhere, columns=IMPORTED).astype({"eval_alpha": float})
        _merge(results / "imported.csv", frame, IMPORTED_KEY)
    by_id: dict[str, list[dict]] = {}
    for record in records:
        by_id.setdefault(record["run_id"], []).append(record)
    for name, same in by_id.items():
        for kind, (rows_of, key) in PARTS.items():
            parts = [{"seed": r["seed"]} | row for r in same for row in rows_of(r)]
            if parts:
                frame, key = pd.DataFrame(parts), ["seed", *key]
                empty = [c for c in frame if c not in key and frame[c].isna().all()]
                _merge(results / kind / f"{name}.csv", frame.drop(columns=empty), key)
    return len(records)


def _curves(record: dict) -> list[dict]:
    return [{name: row.get(name) for name in CURVES} for row in record["curves"]]


def _predictions(record: dict) -> list[dict]:
    kept = record.get("predictions", ())
    return [
        {"example": i} | {f"p{k}": round(v, 4) for k, v in enumerate(p)} for i, p in enumerate(kept)
    ]


def _maps(record: dict) -> list[dict]:
    values = record.get("map")
    return [{f"g{k}": round(v, 3) for k, v in enumerate(values)}] if values else []


def _bins(record: dict) -> list[dict]:
    return [
        {"evaluation": e["evaluation"], "eval_alpha": e["eval_alpha"], "bin": k}
        | {name: values[k] for name, values in e["bins"].items()}
        for e in record["evaluations"]
        if e["evaluation"] != "rescaled" or e["eval_alpha"] == record["config"]["method"]["alpha"]
        for k in range(BINS)
    ]


def _ood(record: dict) -> list[dict]:
    return [{name: row.get(name) for name in OOD} for row in record["ood"]]


# What results/<part>/<run_id>.csv holds, and the columns besides the seed that name a row.
PARTS = {
    "curves": (_curves, ["epoch"]),
    "predictions": (_predictions, ["example"]),
    "maps": (_maps, []),
    "bins": (_bins, ["evaluation", "eval_alpha", "bin"]),
    "terms": (lambda record: record.get("terms", []), ["terms_alpha", "epoch"]),
    "ood": (_ood, ["benchmark", "corruption", "severity", "evaluation", "eval_alpha"]),
}


def _rows(record: dict) -> list[dict]:
    config = record["config"]
    fixed = {
        "dataset": record["data"]["label"],
        "architecture": config["architecture"]["name"],
        "method": config["method"]["name"],
        "alpha": config["method"]["alpha"],
        "epochs": config["recipe"]["epochs"],
    }
    fixed |= {k: config[k] for k in ("paper", "item", "scale")}
    fixed |= {k: record[k] for k in ("run_id", "seed", "wall_s", "commit", "device")}
    fixed |= record.get("imported", {})
    return [fixed | {k: e[k] for k in e if k != "bins"} for e in record["evaluations"]]


def _merge(path: Path, new: pd.DataFrame, key: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        old = read_table(path, key)
        new = pd.concat([old, new]) if len(new) else old
    # A stable order, and the text of a number is the same on every machine.
    new = new.drop_duplicates(key, keep="last").sort_values(key, na_position="first")
    new.to_csv(path, index=False, float_format="%.8g", lineterminator="\n")


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
    return read_table(path, COLUMNS) if path.exists() else pd.DataFrame(columns=COLUMNS)


def imported(results: Path) -> pd.DataFrame:
    """The table of networks that were trained elsewhere; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    path = results / "imported.csv"
    return read_table(path, IMPORTED) if path.exists() else pd.DataFrame(columns=IMPORTED)


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
        InputError: its rows are marked with another scale, or a file of its runs is malformed.
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
    about = runs.drop_duplicates("run_id").set_index("run_id")[["method", "alpha"]]
    parts = {kind: _read(results / kind, key, ids, about) for kind, (_, key) in PARTS.items()}
    return ItemData(name, scale, runs, **parts)


def _read(folder: Path, key: list[str], ids: list[str], about: pd.DataFrame) -> pd.DataFrame:
    """The files of these runs as one frame, with columns that say which run a row is of."""
    parts = []
    for i in ids:
        if (folder / f"{i}.csv").exists():
            rows = read_table(folder / f"{i}.csv", ["seed", *key])
            which = pd.DataFrame([{"run_id": i} | about.loc[i].to_dict()] * len(rows))
            parts.append(pd.concat([which, rows], axis=1))
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
    return read_table(path, MEASURED) if path.exists() else pd.DataFrame(columns=MEASURED)


def merge_measured(path: Path, new: pd.DataFrame) -> None:
    """Add measurements; the same ones replace themselves."""
    _merge(path, new, MEASURED_KEY)


def measured_data(path: Path, item: str) -> list[ItemData]:
    """One item for each data set in a table of measurements, a draw being its seed."""
    parts = {kind: pd.DataFrame(columns=["method", "seed", *PARTS[kind][1]]) for kind in PARTS}
    return [
        ItemData(f"{item}_{label}", "paper", rows.assign(run_id=label, seed=rows["draw"]), **parts)
        for label, rows in measured(path).groupby("dataset")
    ]
