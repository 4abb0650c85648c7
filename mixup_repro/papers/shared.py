"""The data that a figure is drawn from, with one way to select rows and one to summarise them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mixup_repro.stats import Interval, NoValues, interval

Cells = dict[str, Any]
# A row of a table: the cells that name it, and for each column a function that gives its values.
Row = tuple[Cells, Mapping[str, Callable[[], pd.Series]]]


@dataclass(frozen=True)
class ItemData:
    """What an item of a paper is drawn from: its runs at one scale, with what belongs to them.

    name: of the setting, such as fig4_digits. absent: how many runs of the grid at this scale have
    not finished. Each frame is a table of the results (store.results) with the rows of the item's
    runs, and with columns method and alpha. beside: runs of other grids, by name, with which a
    claim compares these; only those that there are.
    """

    name: str
    scale: str
    absent: int
    runs: pd.DataFrame
    curves: pd.DataFrame
    predictions: pd.DataFrame
    maps: pd.DataFrame
    bins: pd.DataFrame
    terms: pd.DataFrame
    ood: pd.DataFrame
    probes: pd.DataFrame
    beside: Mapping[str, ItemData] = field(default_factory=dict)

    def metric(
        self,
        metric: str,
        method: str,
        alpha: float | None = None,
        eval_alpha: float | None = None,
        evaluation: str = "",
    ) -> pd.Series:
        """A metric by seed, for runs of a method (and alpha).

        It is of the plain prediction, of the one rescaled at eval_alpha where that is given, or of
        `evaluation` where that is given, such as "temperature".

        Raises:
            NoValues: there are no such rows.
        """
        asked = predicted(eval_alpha) | ({"evaluation": evaluation} if evaluation else {})
        return by_seed(select(self.runs, method=method, alpha=alpha, **asked), metric)

    def probed(
        self, probe: str, setting: str, metric: str, method: str, alpha: float | None = None
    ) -> pd.Series:
        """A metric of a probe (`mixup_repro.probes`) by seed, for runs of a method (and alpha).

        Raises:
            NoValues: there are no such rows.
        """
        asked = {"probe": probe, "setting": setting, "metric": metric}
        return by_seed(select(self.probes, method=method, alpha=alpha, **asked), "value")

    def other(self, name: str) -> ItemData:
        """The runs of this name beside these.

        Raises:
            NoValues: they are not there.
        """
        if name not in self.beside:
            raise NoValues(f"no runs of {name}")
        return self.beside[name]

    def alphas(self) -> list[float]:
        """The alphas of the item's mixing runs, in order."""
        return sorted(self.runs["alpha"].dropna().unique())

    def methods(self) -> list[tuple[str, float | None]]:
        """(method, alpha) of the item's runs, in the order of the results."""
        pairs = self.runs[["method", "alpha"]].drop_duplicates().itertuples(index=False)
        return [(method, None if np.isnan(alpha) else alpha) for method, alpha in pairs]

    def decision_map(self, **values: Any) -> pd.DataFrame:
        """Probability of class 1 at the grid's points (rows), by seed, of runs with these values.

        Raises:
            NoValues: there are no such runs.
        """
        rows = select(self.maps, **values)
        return rows.set_index("seed").loc[:, "g0":].T.reset_index(drop=True)

    def mean_confidence(self, method: str, evaluation: str = "plain") -> pd.Series:
        """Mean confidence of a prediction by seed.

        Raises:
            NoValues: there are no such runs.
            ValueError: there are several of a seed, such as of two alphas.
        """
        rows = select(self.bins, method=method, evaluation=evaluation)
        total = rows.pivot(index="bin", columns="seed", values=["confidence", "count"]).sum()
        return total["confidence"] / total["count"]

    def seeds(self) -> int:
        """The smallest number of seeds of any method and alpha of the item."""
        return int(self.runs.groupby("run_id")["seed"].nunique().min())


def select(rows: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """The rows whose columns have these values; None stands for an empty cell.

    For example, ERM has no alpha and a plain prediction no eval_alpha. Columns that are not named
    may have any value.

    Raises:
        NoValues: there are none.
    """
    keep = np.ones(len(rows), dtype=bool)
    for column, value in values.items():
        cells = rows[column]
        keep &= cells.isna().to_numpy() if value is None else cells.to_numpy() == value
    if not keep.any():
        raise NoValues("no rows with " + ", ".join(f"{k} = {v}" for k, v in values.items()))
    return rows[keep]


def predicted(eval_alpha: float | None) -> dict[str, Any]:
    """The values that `select` needs for the prediction rescaled at eval_alpha; plain for None."""
    evaluation = "plain" if eval_alpha is None else "rescaled"
    return {"evaluation": evaluation, "eval_alpha": eval_alpha}


def by_seed(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column of rows of which each seed has one, by seed in ascending order."""
    return rows.set_index("seed")[column].sort_index()


def by_epoch(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column of rows of which each seed and epoch has one: epochs (rows) by seeds (columns).

    Raises:
        NoValues: there is no such column, as nothing of the kind was measured along training.
    """
    if column not in rows:
        raise NoValues(f"no {column} along training")
    return rows.pivot(index="epoch", columns="seed", values=column)


def summarise(rows: Iterable[Row]) -> pd.DataFrame:
    """A table: for each row what names it, then n, mean and half-width of each of its columns.

    n is the largest number of values that a column of the row has; a column of fewer is followed by
    `<column> n`. A column without values is left empty, and a row without any is left out.
    """
    out = []
    for head, columns in rows:
        found: dict[str, Interval] = {}
        for name, values in columns.items():
            with suppress(NoValues):
                found[name] = interval(values())
        if not found:
            continue
        n, cells = max(at.n for at in found.values()), dict(head)
        for name, at in found.items():
            cells |= at.cells(name) | ({f"{name} n": at.n} if at.n < n else {})
        out.append(cells | {"n": n})
    return pd.DataFrame(out)
