"""Where the rows come from that an item is drawn from, and the commands that make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Optional, Protocol

import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.jobs import compose, expand
from mixup_repro.papers.shared import ItemData
from mixup_repro.store.identity import run_id
from mixup_repro.store.kept import kept
from mixup_repro.store.results import check_one_data, measured
from mixup_repro.store.rows import PARTS
from mixup_repro.store.tables import read_table

Jobs = list[Optional[dict[str, list[int]]]]  # seeds by id; None at the end: not all composed
PLANS: dict[str, Jobs] = {}  # those of this process, whatever the folder


class Source(Protocol):
    """Where the rows come from that a setting is drawn from, and what makes them."""

    @property
    def origin(self) -> str:
        """The file that says what is trained or measured, from the checkout's folder."""

    def commands(self, scale: str) -> list[list[str]]:
        """The commands that make the rows, each with its words; scale: "" for its own.

        The commands are those of the scripts of their names: train, evaluate, distances.
        """

    def load(self, name: str, scale: str, folder: Path, runs: pd.DataFrame) -> ItemData | None:
        """The rows of a setting in the results; None where they are not all there."""


@dataclass(frozen=True)
class Runs:
    """The finished runs of a grid, or of a part of it.

    grid: a file below configs/experiment. ask: words for evaluate.py, for what the runs are asked
    besides what the grid asks. only: by scale, words that leave a part of it: method.alpha=[8].
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
    """Rows of runs.csv with what the results in `folder` have of these runs besides.

    Raises:
        InputError: a file of the runs is malformed.
    """
    about = runs.drop_duplicates("run_id").set_index("run_id")[["method", "alpha"]].sort_index()
    parts = {kind: _read(folder / kind, key, about) for kind, (_, key) in PARTS.items()}
    return ItemData(name, scale, absent, runs, **parts)


def _planned(words: Sequence[str], known: set[str], folder: Path) -> set[tuple[str, int]] | None:
    """The runs, by id and seed, that the words of a sweep stand for.

    None if one of its jobs (a method, with all its alphas) has no `known` id. A job is composed in
    a tenth of a second, so those of the same code are kept in the folder.
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
    """Of each job its seeds by id; after one without a `known` id None, for those not composed."""
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
    """The files of these runs as one frame, with columns that say which run a row is of.

    about: method and alpha, by run id.
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
    # As read, a map's 10,000 columns are 10,000 arrays; a copy holds columns of a type in one.
    return pd.concat(parts, ignore_index=True).copy()


@dataclass(frozen=True)
class Beside:
    """Runs of a grid, with those of others, by name, for claims that compare them."""

    own: Runs
    others: Mapping[str, Runs]

    @property
    def origin(self) -> str:
        return self.own.origin

    def commands(self, scale: str) -> list[list[str]]:
        return [c for runs in (self.own, *self.others.values()) for c in runs.commands(scale)]

    def load(self, name: str, scale: str, folder: Path, runs: pd.DataFrame) -> ItemData | None:
        """As `Runs.load`; the others' rows are in `beside`, where they are there."""
        data = self.own.load(name, scale, folder, runs)
        loaded = {n: o.load(name, scale, folder, runs) for n, o in self.others.items()}
        there = {n: rows for n, rows in loaded.items() if rows}
        return data and replace(data, beside=there)


@dataclass(frozen=True)
class Distances:
    """What scripts/distances.py measured on a data set, at the paper's scale; a draw is a seed."""

    dataset: str

    @property
    def origin(self) -> str:
        return "scripts/distances.py"

    def commands(self, scale: str) -> list[list[str]]:
        return [["distances", f"dataset={self.dataset}"]]

    def load(self, name: str, scale: str, folder: Path, runs: pd.DataFrame) -> ItemData | None:
        """None where it was not measured.

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
