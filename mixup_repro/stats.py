"""Means with intervals over seeds, paired differences, tests, and Holm's correction of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats


class NoValues(ValueError):
    """A mean of nothing was asked for: the runs behind it are missing."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % t interval (ddof = 1) over n values; unbounded for n = 1."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def half(self) -> float:
        """Half of the interval's width."""
        return self.high - self.mean

    def cells(self, name: str) -> dict[str, float]:
        """n, the mean under `name` and the half-width, as columns of a table."""
        return {"n": self.n, name: self.mean, f"{name} +-": self.half}

    def __str__(self) -> str:
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"


def interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean of independent values with its t interval.

    Raises:
        NoValues: there are none, or one is missing (nan), so that it is not a mean of all of them.
    """
    x = np.asarray(values, dtype=float)
    if not len(x) or np.isnan(x).any():
        raise NoValues("no values to take a mean of, or one is missing")
    mean = float(x.mean())
    if len(x) == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = float(stats.t.ppf((1 + level) / 2, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x)))
    return Interval(mean, mean - half, mean + half, len(x))


def paired(a: pd.Series, b: pd.Series) -> pd.Series:
    """a - b for the index values (seeds) that both have."""
    return (a - b).dropna()


def p_value(values: Sequence[float]) -> float:
    """Of the two-sided t test that the mean is zero: 0.05 where an end of `interval` is zero.

    1 for a single value, which says nothing.

    Raises:
        NoValues: there are none.
    """
    i = interval(values)
    if i.n == 1 or i.mean == 0:
        return 1.0
    if i.half == 0:
        return 0.0
    t = abs(i.mean) / i.half * stats.t.ppf(0.975, i.n - 1)
    return float(2 * stats.t.sf(t, i.n - 1))


def p_of_reference(
    values: Sequence[float] | pd.Series,
    reference: float,
    reference_n: float,
    rounding: float = 0.0,
    reference_se: float | None = None,
) -> float:
    """Of the test that a published mean of `reference_n` runs is one that runs like ours give.

    At least 0.05 where it lies within the 95 % t interval of the difference of two means, widened
    by half a unit of the published number's last digit (`rounding`). The published mean's standard
    error is `reference_se` (Welch's test), or where none is printed that of `reference_n` runs,
    which may be infinitely many, with our spread.

    Raises:
        NoValues: fewer than two values, which have no spread.
    """
    x = np.asarray(values, dtype=float)
    if len(x) < 2:
        raise NoValues("agreement needs two values at least")
    gap, sd = abs(x.mean() - reference) - rounding, x.std(ddof=1)
    if gap <= 0:
        return 1.0
    if reference_se is None:
        error = sd * math.sqrt(1 / len(x) + 1 / reference_n)
        return float(2 * stats.t.sf(gap / error, len(x) - 1)) if error else 0.0
    theirs = (0.0, reference_se * math.sqrt(reference_n), reference_n)
    return float(stats.ttest_ind_from_stats(gap, sd, len(x), *theirs, equal_var=False).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for their number (Holm, 1979), in the order given.

    Where every hypothesis whose adjusted value is at most 0.05 is rejected, the chance that a true
    one is among them is at most 5 %, however the tests depend on one another.

    >>> from mixup_repro.stats import holm
    >>> [round(p, 3) for p in holm([0.04, 0.01, 0.03])]
    [0.06, 0.03, 0.06]
    """
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, k in enumerate(np.argsort(p, kind="stable")):
        largest = max(largest, min(1.0, (len(p) - rank) * p[k]))
        adjusted[k] = largest
    return adjusted
