"""The rows that an item is drawn from: where the results have them, and what commands make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.jobs import compose, expand
from mixup_repro.papers.shared import ItemData
from mixup_repro.store.identity import run_id
from mixup_repro.store.kept import kept
from mixup_repro.store.results import check_one_data, measured
from mixup_repro.store.rows import PARTS
from mixup_repro.store.tables import read_table

# For each job of a sweep its seeds by run id; None at the end where the rest was not composed.
Jobs = list[dict[str, list[int]] | None]
PLANS: dict[str, Jobs] = {}  # by words, for all folders of this process


class Source(Protocol):
    """The rows that a setting is drawn from, and the commands that make them."""

    @property
    def origin(self) -> str:
        """The file that says what is trained or measured, as a path in the checkout."""

    def commands(self, scale: str) -> list[list[str]]:
        """The commands that make the rows: each train, evaluate or distances, and its words.

        scale: "" for the grid's own.
        """

    def load(self, name: str, scale: str, folder: Path, runs: pd.DataFrame) -> ItemData | None:
        """The rows of a setting in the results; None where they do not suffice to draw it."""


@dataclass(frozen=True)
class Runs:
    """The finished runs of a grid, or of a part of it.

    grid: a file below configs/experiment, without its ending. ask: words for `evaluate` where the
    item needs more than the grid's own evaluations, such as probe=jacobian. only: for each scale
    the words that restrict the grid to a part of it, such as method.alpha=[8].
    """

    grid: str
    ask: str = ""
    only: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"configs/experiment/{self.grid}.yaml"

    def commands(self, scale: str) -> list[list[str]]:
        words = [f"experiment={self.grid}", *([f"scale={scale}"] if scale else [])]
        part = self._part(scale or _own_scale(self.grid)) if self.only else []
        commands = [["train", "-m", *words, *part]]
        if self.ask:
            commands.append(["evaluate", "-m", *words, *self.ask.split(), *part])
        return commands

    def load(self, name: str, scale: str, folder: Path, runs: pd.DataFrame) -> ItemData | None:
        """None where a job of the grid (a method, with all its alphas) has no finished run.

        Raises:
            InputError: rows are marked with another scale, or were trained on different data of one
                name; or a file of the runs is malformed.
        """
        if not (runs["scale"] == scale).any():
            return None
        words = (f"experiment={self.grid}", f"scale={scale}", *self._part(scale))
        planned = _planned(words, set(runs["run_id"]), folder)
        if planned is None:
            return None
        runs = runs[runs["run_id"].isin({i for i, _ in planned})]
        # An id holds its scale, so only an edited file can do this.
        other = runs[runs["scale"] != scale]
        if len(other):
            raise InputError(
                f"{folder / 'runs.csv'}: {other['run_id'].iloc[0]} is marked scale "
                f"{other['scale'].iloc[0]}, where {self.grid} at scale {scale} has runs of that "
                f"scale only"
            )
        check_one_data(folder / "runs.csv", runs, "dataset")
        absent = len(planned - set(zip(runs["run_id"], runs["seed"])))
        return with_parts(name, scale, absent, runs, folder)

    def _part(self, scale: str) -> list[str]:
        return self.only.get(scale, "").split()


def with_parts(name: str, scale: str, absent: int, runs: pd.DataFrame, folder: Path) -> ItemData:
    """Rows of runs.csv, with the rows that the other tables in `folder` have of these runs.

    Raises:
        InputError: a file of the runs is malformed.
    """
    about = runs.drop_duplicates("run_id").set_index("run_id")[["method", "alpha"]].sort_index()
    parts = {kind: _read(folder / kind, key, about) for kind, (_, key) in PARTS.items()}
    return ItemData(name, scale, absent, runs, **parts)


def _planned(words: Sequence[str], known: set[str], folder: Path) -> set[tuple[str, int]] | None:
    """The runs, as (id, seed), that the words of a sweep stand for.

    None if one of the sweep's jobs (a method with all its alphas) has no id among `known`. To
    compose a job takes a tenth of a second, so jobs are kept in the folder as long as the code and
    the configs stay the same.
    """
    plans, key = kept(folder).of("plans"), " ".join(words)
    jobs = plans.get(key) or PLANS.get(key, [None])
    if None in jobs and all(job is None or known & set(job) for job in jobs):
        jobs = list(_jobs(words, known))
    plans[key] = PLANS[key] = jobs
    planned: set[tuple[str, int]] = set()
    for job in jobs:
        if job is None or not known & set(job):
            return None
        planned |= {(i, seed) for i, seeds in job.items() for seed in seeds}
    return planned


def _jobs(words: Sequence[str], known: set[str]) -> Iterator[dict[str, list[int]] | None]:
    """The seeds by run id of each job; ends with None after a job that has no id among `known`."""
    for job in compose(words):
        seeds: dict[str, list[int]] = {}
        for run in expand(job):
            seeds.setdefault(run_id(run.config), []).append(run.seed)
        yield seeds
        if not known & set(seeds):
            yield None
            return


@cache
def _own_scale(grid: str) -> str:
    return str(next(compose([f"experiment={grid}"])).scale)


@lru_cache(maxsize=1024)  # items share runs; a file that was written anew is read again
def _table(path: Path, mtime_ns: int, size: int, key: tuple[str, ...]) -> pd.DataFrame:
    return read_table(path, key, key)


def _read(folder: Path, key: list[str], about: pd.DataFrame) -> pd.DataFrame:
    """The files <run id>.csv of these runs as one frame, with columns run_id, method and alpha.

    about: method and alpha by run id.
    """
    parts = []
    for i in about.index:
        if (folder / f"{i}.csv").exists():
            at = (path := folder / f"{i}.csv").stat()
            table = _table(path, at.st_mtime_ns, at.st_size, ("seed", *key))
            which = pd.DataFrame([{"run_id": i} | about.loc[i].to_dict()] * len(table))
            parts.append(pd.concat([which, table], axis=1))
    if not parts:
        return pd.DataFrame(columns=["run_id", "method", "alpha", "seed", *key])
    # As read, the 10,000 columns of a map are 10,000 arrays; a copy has one array for each type.
    return pd.concat(parts, ignore_index=True).copy()


@dataclass(frozen=True)
class Beside:
    """The runs of a grid, with runs of other grids, by name, with which claims compare them."""

    own: Runs
    others: Mapping[str, Runs]

    @property
    def origin(self) -> str:
        return self.own.origin

    def commands(self, scale: str) -> list[list[str]]:
        return [c for runs in (self.own, *self.others.values()) for c in runs.commands(scale)]

    def load(self, name: str, scale: str, folder: Path, runs: pd.DataFrame) -> ItemData | None:
        """As `Runs.load`; the rows of the other runs, as far as there are any, are in `beside`."""
        data = self.own.load(name, scale, folder, runs)
        loaded = {n: o.load(name, scale, folder, runs) for n, o in self.others.items()}
        there = {n: rows for n, rows in loaded.items() if rows}
        return data and replace(data, beside=there)


@dataclass(frozen=True)
class Distances:
    """What `mixup-repro distances` measured on a data set; a draw takes the place of a seed."""

    dataset: str

    @property
    def origin(self) -> str:
        return "scripts/distances.py"

    def commands(self, scale: str) -> list[list[str]]:
        return [["distances", f"dataset={self.dataset}"]]

    def load(self, name: str, scale: str, folder: Path, runs: pd.DataFrame) -> ItemData | None:
        """None where the data set was not measured, or for another scale than the paper's.

        Raises:
            InputError: the table is malformed.
        """
        if scale != "paper":
            return None
        rows = measured(folder / "distances.csv")
        rows = rows[rows["dataset"] == self.dataset]
        if rows.empty:
            return None
        parts = {kind: pd.DataFrame(columns=["method", "seed", *PARTS[kind][1]]) for kind in PARTS}
        draws = rows.assign(run_id=self.dataset, seed=rows["draw"])
        return ItemData(name, scale, 0, draws, **parts)
