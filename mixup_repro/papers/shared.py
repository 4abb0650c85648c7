"""What a figure is drawn from: the rows of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.jobs import compose, expand
from mixup_repro.stats import NoValues
from mixup_repro.store.identity import run_id
from mixup_repro.store.results import check_one_data, measured
from mixup_repro.store.rows import PARTS
from mixup_repro.store.tables import read_table


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


@cache
def run_ids(name: str, scale: str, known: frozenset[str]) -> list[str] | None:
    """The ids of the runs that an experiment consists of at a scale; None if one is not `known`."""
    ids: set[str] = set()
    for job in compose([f"experiment={name}", f"scale={scale}"]):
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
    check_one_data(results / "runs.csv", runs, "dataset")
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


def measured_data(path: Path, item: str) -> list[ItemData]:
    """One item for each data set in a table of measurements, a draw being its seed."""
    parts = {kind: pd.DataFrame(columns=["method", "seed", *PARTS[kind][1]]) for kind in PARTS}
    return [
        ItemData(f"{item}_{label}", "paper", rows.assign(run_id=label, seed=rows["draw"]), **parts)
        for label, rows in measured(path).groupby("dataset")
    ]
