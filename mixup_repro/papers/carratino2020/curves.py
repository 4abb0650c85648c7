"""What several figures share: curves along training, how near two curves are, notes with n."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from mixup_repro.papers import style
from mixup_repro.papers.claims import Finding, signed
from mixup_repro.papers.shared import ItemData, by_epoch, select, summarise
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.stats import NoValues, interval

NO_CODE = "none is published for this item."  # footnote 1 names code for ImageNet only


def curve(rows: pd.DataFrame, method: str, column: str) -> pd.DataFrame:
    """A column of curve rows of one method: epochs (rows) by seeds (columns).

    Raises:
        NoValues: there is none.
    """
    return by_epoch(select(rows, method=method), column)


def last(rows: pd.DataFrame, method: str, column: str) -> pd.Series:
    """The value of `curve` after the last epoch, by seed."""
    return curve(rows, method, column).iloc[-1].dropna()


def follows(data: ItemData, columns: Mapping[str, str]) -> Iterator[Finding]:
    """Approximate Mixup's curves lie closer to Mixup's than ERM's do.

    columns: names of the curves' columns, with their names in words. The distance of two curves is
    the mean of |a - b| over epochs, by seed. ERM has no rescaled curves, so its plain ones are
    taken. The ratio of both distances is a detail.

    Raises:
        NoValues: there are no such curves.
    """
    for column, name in columns.items():
        mixup, approximate = (curve(data.curves, m, column) for m in ("mixup", "approx_mixup"))
        erm = curve(data.curves, "erm", column.removesuffix("_rescaled"))
        pairs = [(other - mixup).abs().mean() for other in (approximate, erm)]
        both = pd.concat(pairs, axis=1, keys=["near", "far"]).dropna()  # seeds of all three
        less, least = both["near"] - both["far"], SMALLEST[column.removesuffix("_rescaled")]
        yield signed(f"{name}: distance to Mixup, less ERM's", less, -1, least=least)
        ratio, near = both["near"].mean() / both["far"].mean(), interval(both["near"])
        yield Finding(f"{name}: {ratio:.0%} of ERM's distance", near, "", "", False)


def panel(
    axis: Axes, rows: pd.DataFrame, method: str, column: str, name: str, unit: float = 1.0
) -> None:
    """The mean over seeds by epoch, as `style.runs` draws it; nothing where there are no runs.

    unit: what values are multiplied by, such as 100 for per cent.
    """
    try:
        values = unit * curve(rows, method, column)
    except NoValues:
        return
    style.runs(axis, values, name)
    axis.set_xlabel("Epoch")


def last_values(
    rows: pd.DataFrame, columns: Mapping[str, str], methods: Sequence[str]
) -> pd.DataFrame:
    """A row for each method, with the values of the columns after the last epoch.

    columns: names of the curves' columns, with the names that the table has for them.
    """
    return summarise(
        (
            {"method": style.METHODS[method]},
            {name: partial(last, rows, method, column) for column, name in columns.items()},
        )
        for method in methods
    )


def note(data: ItemData, along: bool = False, rows: pd.DataFrame | None = None) -> str:
    """A sentence on n and intervals, and the scale, for the foot of a figure.

    along: the figure shows curves along training. rows: the rows that are drawn, where not all runs
    have them; n is counted for each run_id.
    """
    each = (data.runs if rows is None else rows).groupby("run_id")["seed"].nunique()
    few, many = each.min(), each.max()
    told = f"Mean and 95 % t interval over {many} seeds"
    if many == 1:
        told = "One seed, so no interval"
    elif along and many <= style.FEW:
        told = f"Thin lines: runs ({few} to {many} seeds)" if few < many else f"Thin: {many} runs"
    elif few < many:
        told = f"{few} to {many} seeds: mean, and 95 % t interval of two or more"
    return f"{told}. Scale: {data.scale}."
