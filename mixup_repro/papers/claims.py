"""Claims: a sentence of a paper as a function of the runs, with effect, interval and verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import pandas as pd
from scipy import stats

from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import Interval, NoValues, agrees, interval

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
AGREES, DIFFERS, NOT_RUN = "agrees", "differs", "not run"
ERRATUM = "erratum"
Values: TypeAlias = "Sequence[float] | pd.Series"


class Setting(StrEnum):
    """How near a verdict is to what the paper did."""

    EXACT = "a theorem, in double precision"
    PAPER = "the paper's own setting"
    REDUCED = "the paper's network and data, cut short"
    ANALOGUE = "a stand-in"


@dataclass(frozen=True)
class Finding:
    """One tested part of a claim. `headline` parts are the claim's verdicts, others its detail."""

    part: str
    effect: Interval | None
    expected: str  # what the paper says of the effect: "> 0", "< 0", "= 0" or a number
    verdict: str
    headline: bool = True


@dataclass(frozen=True)
class Claim:
    """`id` as in the registry; `where` in the paper; `sentence` in our words.

    test: gives the findings, part by part; where one function tests several claims, `partial`
    says which. on: the settings it is tested on, by name; none for all of its item.
    ours: a question of our own, which the paper does not speak of, and no count has.
    """

    id: str
    where: str
    sentence: str
    test: Callable[[ItemData], Iterable[Finding]]
    on: tuple[str, ...] = ()
    ours: bool = False

    def concerns(self, name: str) -> bool:
        """Whether the claim is tested on this setting of its item."""
        return not self.on or name in self.on

    def findings(self, data: ItemData) -> list[Finding]:
        """What the runs say; `not run` where the runs it needs are missing."""
        try:
            return list(self.test(data))
        except NoValues:
            return [Finding("", None, "", NOT_RUN)]


@dataclass(frozen=True)
class Check:
    """One part of a theorem, tried on `cases` random or chosen cases: the worst error of them.

    `allowed` is what rounding explains; a larger error contradicts the statement.
    printed: the part is not the statement but a formula as printed, or a constant or step of the
    proof; a larger error is an erratum then, and the verdict on the statement is of other parts.
    """

    part: str
    cases: int
    worst_error: float
    allowed: float
    printed: bool = False

    @property
    def verdict(self) -> str:
        if self.worst_error <= self.allowed:
            return SUPPORTED
        return ERRATUM if self.printed else CONTRADICTED


@dataclass(frozen=True)
class Theorem:
    """A deterministic claim: checked by numbers in float64, not by runs."""

    id: str
    where: str
    sentence: str
    check: Callable[[], list[Check]]


def signed(part: str, values: Values, sign: int, headline: bool = True) -> Finding:
    """The paper says that the mean of `values` is positive (sign 1) or negative (sign -1).

    Supported where the 95 % interval excludes zero in the paper's direction, contradicted where it
    excludes zero in the other.
    """
    effect = interval(values)
    low, high = sorted((sign * effect.low, sign * effect.high))
    verdict = SUPPORTED if low > 0 else CONTRADICTED if high < 0 else INCONCLUSIVE
    return Finding(part, effect, said(sign), verdict, headline)


def said(sign: int) -> str:
    """What the paper says of an effect, as a table has it."""
    return "> 0" if sign > 0 else "< 0"


def over_alphas(about: str, table: pd.DataFrame, sign: int, detail: str = "") -> Iterator[Finding]:
    """`signed` for the mean over alphas (columns; seeds are rows), then as detail for each.

    about: starts the name of every part; detail: that of an alpha's, where it is another.
    """
    yield signed(f"{about}mean over alphas", table.mean(axis=1), sign)
    for alpha in table:
        yield signed(f"{detail or about}alpha = {alpha:g}", table[alpha], sign, headline=False)


def mostly(part: str, flags: Sequence[bool] | pd.Series) -> Finding:
    """The paper says that something happens; here it is counted in how many seeds it does.

    Supported where it does in more than half, contradicted where it does in fewer, at 95 % of an
    exact (Clopper-Pearson) interval on that side; five of five seeds are enough.
    """
    n, k = len(flags), int(sum(flags))
    if not n:
        raise NoValues("no seeds to count")
    test = stats.binomtest(k, n)
    low, high = test.proportion_ci(0.9)  # 5 % on each side
    verdict = SUPPORTED if low > 0.5 else CONTRADICTED if high < 0.5 else INCONCLUSIVE
    return Finding(part, Interval(k / n, low, high, n), "> 0.5", verdict)


def changes(part: str, values: Values) -> Finding:
    """A difference that no paper speaks of: `differs` where its interval excludes zero."""
    effect = interval(values)
    return Finding(part, effect, "", DIFFERS if effect.low > 0 or effect.high < 0 else AGREES)


def zero(part: str, values: Values) -> Finding:
    """The paper says that every one of `values` (errors, none negative) is zero."""
    effect = interval(values)
    verdict = CONTRADICTED if effect.low > 0 else INCONCLUSIVE
    return Finding(part, effect, "= 0", SUPPORTED if max(values) == 0 else verdict)


def number(
    part: str,
    values: Values,
    reference: float,
    reference_n: float,
    digits: int,
    reference_se: float | None = None,
) -> Finding:
    """The paper prints a mean of `reference_n` runs with `digits` decimals, and its standard error.

    One run of ours has no spread, and leaves it inconclusive.
    """
    verdict = INCONCLUSIVE
    if len(values) > 1:
        rounding = 0.5 * 10**-digits
        same = agrees(values, reference, reference_n, rounding, reference_se)
        verdict = AGREES if same else DIFFERS
    return Finding(part, interval(values), f"{reference:.{digits}f}", verdict)
