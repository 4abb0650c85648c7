"""The committed results: a table of runs, their curves, and the predictions of tiny test sets.

    results/runs.csv                   one row for each finished run and evaluation
    results/curves/<run_id>.csv        one row for each seed and evaluated epoch
    results/predictions/<run_id>.csv   class probabilities, for test sets of up to 100 examples

A row is replaced only by a finished run of the same id, seed and evaluation; none is dropped. So
`git diff results/` shows what another machine got.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mixup_repro import experiments
from mixup_repro.config import expand
from mixup_repro.errors import InputError
from mixup_repro.runs import finished_records, run_id

COLUMNS = (
    "run_id paper item dataset architecture method alpha seed scale evaluation eval_alpha "
    "accuracy cross_entropy ece brier n_test epochs wall_s commit device"
).split()
KEY = ["run_id", "seed", "evaluation", "eval_alpha"]
CURVES = (
    "seed epoch mixed_loss weighted_accuracy test_accuracy test_cross_entropy "
    "train_accuracy train_cross_entropy"
).split()


def collect(runs_dir: Path, results: Path) -> int:
    """Merge every finished run below `runs_dir` into `results`; returns how many there were.

    Raises:
        InputError: `results` cannot be written.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        (results / ".writable").touch()
        (results / ".writable").unlink()
    except OSError as error:
        raise InputError(
            f"{results}: cannot be written ({error.strerror}); choose another --results-dir"
        ) from error
    records = list(finished_records(runs_dir))
    rows = [row for record in records for row in _rows(record)]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"alpha": float, "eval_alpha": float})
    _merge(results / "runs.csv", frame, KEY)
    by_id: dict[str, list[dict]] = {}
    for record in records:
        by_id.setdefault(record["run_id"], []).append(record)
    for name, same in by_id.items():
        curves = [{"seed": r["seed"]} | point for r in same for point in r["curves"]]
        frame = pd.DataFrame(curves).reindex(columns=CURVES).dropna(axis=1, how="all")
        _merge(results / "curves" / f"{name}.csv", frame, ["seed", "epoch"])
        predictions = [
            {"seed": r["seed"], "example": i} | {f"p{k}": v for k, v in enumerate(p)}
            for r in same
            for i, p in enumerate(r.get("predictions", ()))
        ]
        if predictions:
            frame = pd.DataFrame(predictions)
            _merge(results / "predictions" / f"{name}.csv", frame, ["seed", "example"])
    return len(records)


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
    return [fixed | {k: e[k] for k in e if k != "bins"} for e in record["evaluations"]]


def _merge(path: Path, new: pd.DataFrame, key: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        old = pd.read_csv(path)
        new = pd.concat([old, new]) if len(new) else old
    # A stable order, and the text of a number is the same on every machine.
    new = new.drop_duplicates(key, keep="last").sort_values(key, na_position="first")
    new.to_csv(path, index=False, float_format="%.8g", lineterminator="\n")


@dataclass(frozen=True)
class ItemData:
    """What a paper item is drawn from: its runs at one scale, with their curves and predictions."""

    name: str  # <paper>/<item>
    scale: str
    runs: pd.DataFrame
    curves: pd.DataFrame
    predictions: pd.DataFrame

    def metric(self, metric: str, method: str, alpha=None, eval_alpha=None) -> pd.Series:
        """A metric by seed, for runs of a method (and alpha), plain or rescaled at eval_alpha."""
        chosen = self.runs[self.runs["method"] == method]
        for column, value in (("alpha", alpha), ("eval_alpha", eval_alpha)):
            missing = chosen[column].isna()
            chosen = chosen[missing if value is None else chosen[column] == value]
        return chosen.set_index("seed")[metric].sort_index()

    def alphas(self) -> list[float]:
        """The alphas of the item's mixing runs, in order."""
        return sorted(self.runs["alpha"].dropna().unique())

    def seeds(self) -> int:
        """The smallest number of seeds that a method and alpha of the item has."""
        return int(self.runs.groupby("run_id")["seed"].nunique().min())


def load(results: Path) -> pd.DataFrame:
    """The table of runs; empty where there is none yet."""
    path = results / "runs.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)


def item_data(results: Path, frame: pd.DataFrame, name: str, scale: str) -> ItemData | None:
    """The finished runs of an experiment at a scale, found by id; None where there are none."""
    jobs = experiments.jobs([f"experiment={name}", f"scale={scale}"])
    ids = sorted({run_id(run.config) for job in jobs for run in expand(job)})
    runs = frame[frame["run_id"].isin(ids)]
    if not len(runs):
        return None
    found = [i for i in ids if i in set(runs["run_id"])]
    about = runs.drop_duplicates("run_id").set_index("run_id")[["method", "alpha"]]
    curves = _read(results / "curves", found, about)
    return ItemData(name, scale, runs, curves, _read(results / "predictions", found, about))


def _read(folder: Path, ids: list[str], about: pd.DataFrame) -> pd.DataFrame:
    """The files of these runs as one frame, with columns that say which run a row is of."""
    parts = [
        pd.read_csv(folder / f"{i}.csv").assign(run_id=i, **about.loc[i].to_dict())
        for i in ids
        if (folder / f"{i}.csv").exists()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
