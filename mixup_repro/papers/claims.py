"""Claims: a sentence of a paper as a function of the runs, with effect, interval and verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import pandas as pd
from scipy import stats

from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import Interval, NoValues, holm, interval, p_of_reference, p_value

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
AGREES, DIFFERS, NOT_RUN = "agrees", "differs", "not run"
ERRATUM, NEGLIGIBLE = "erratum", "negligible"
LEVEL = 0.05  # of every test
# What a finding becomes where its corrected p value is above LEVEL.
UNCORRECTED = {SUPPORTED: INCONCLUSIVE, CONTRADICTED: INCONCLUSIVE, DIFFERS: AGREES}
Values: TypeAlias = "Sequence[float] | pd.Series"


class Setting(StrEnum):
    """How near a verdict is to what the paper did."""

    EXACT = "a theorem, in double precision"
    PAPER = "the paper's own setting"
    REDUCED = "the paper's network and data, cut short"
    ANALOGUE = "a stand-in"


@dataclass(frozen=True)
class Finding:
    """One tested part of a claim.

    effect: mean and interval of what is tested; None where nothing was run. headline: whether the
    part decides the claim's verdict; a detail does not. alpha: set where the part is one alpha of
    several. p: of the part's test, two-sided; None where nothing is tested.
    """

    part: str
    effect: Interval | None
    expected: str  # what the paper says of the effect: "> 0", "< 0", "= 0" or a number
    verdict: str
    headline: bool = True
    alpha: float | None = None
    p: float | None = None

    @property
    def name(self) -> str:
        """The part, with its alpha."""
        at = "" if self.alpha is None else f"alpha = {self.alpha:g}"
        return ", ".join(filter(None, (self.part, at)))

    def corrected(self, p: float) -> Finding:
        """The finding with a p value corrected for the number of parts, and its verdict by that."""
        kept = p <= LEVEL or self.verdict not in UNCORRECTED
        return replace(self, p=p, verdict=self.verdict if kept else UNCORRECTED[self.verdict])


def corrected(findings: Sequence[Finding]) -> list[Finding]:
    """Holm's correction for the number of a claim's headline parts; detail is left as it is."""
    tested = [k for k, f in enumerate(findings) if f.headline and f.p is not None]
    adjusted = holm([findings[k].p or 0.0 for k in tested])
    out = list(findings)
    for k, p in zip(tested, adjusted):
        out[k] = out[k].corrected(p)
    return out


@dataclass(frozen=True)
class Claim:
    """A claim: its `id` here, `where` it stands in the paper, and its `sentence` in our words.

    test: yields the findings, part by part, from the runs. on: names of the settings on which the
    claim is tested; empty for all settings of its item. ours: it is a question of our own, of which
    the paper says nothing, and is not counted among the paper's claims. always: the paper says that
    it always happens, so that one contradicted part refutes it.
    """

    id: str
    where: str
    sentence: str
    test: Callable[[ItemData], Iterable[Finding]]
    on: tuple[str, ...] = ()
    ours: bool = False
    always: bool = False

    def concerns(self, name: str) -> bool:
        """Whether the claim is tested on this setting of its item."""
        return not self.on or name in self.on

    def findings(self, data: ItemData) -> list[Finding]:
        """The findings, corrected for the number of parts.

        The first part whose runs are missing, and all parts after it, become one `not run`.
        """
        found = []
        try:
            for finding in self.test(data):
                found.append(finding)
        except NoValues:
            found.append(Finding("what follows" if found else "", None, "", NOT_RUN))
        return corrected(found)


@dataclass(frozen=True)
class Check:
    """One part of a theorem, computed for so many cases.

    worst_error: the largest of all cases. allowed: the largest error that rounding explains; a
    larger one contradicts the statement. printed: the part is not the statement itself but a
    formula as printed, or a constant or step of its proof; then a larger error is an erratum, and
    the statement is judged by the other parts.
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
    """A mathematical claim, which `check` tests by numbers in float64 and not by training runs."""

    id: str
    where: str
    sentence: str
    check: Callable[[], list[Check]]


def signed(
    part: str,
    values: Values,
    sign: int,
    headline: bool = True,
    least: float = 0.0,
    alpha: float | None = None,
) -> Finding:
    """The paper says that the mean of `values` is positive (sign 1) or negative (sign -1).

    Supported where the 95 % interval excludes zero in the paper's direction, contradicted where it
    excludes zero in the other direction, otherwise inconclusive; negligible where the whole
    interval lies within -least and least. `least` is the smallest effect that matters, as in
    papers.smallest; 0 for margins and slopes of our own, for which there is none.

    Raises:
        NoValues: there are no values.
    """
    effect = interval(values)
    low, high = sorted((sign * effect.low, sign * effect.high))
    verdict = SUPPORTED if low > 0 else CONTRADICTED if high < 0 else INCONCLUSIVE
    if max(high, -low) < least:
        verdict = NEGLIGIBLE
    return Finding(part, effect, said(sign), verdict, headline, alpha, p_value(values))


def said(sign: int) -> str:
    """What the paper says of an effect, as tables show it: "> 0" or "< 0"."""
    return "> 0" if sign > 0 else "< 0"


def over_alphas(
    part: str, by_alpha: Mapping[float, pd.Series] | pd.DataFrame, sign: int, least: float = 0.0
) -> Iterator[Finding]:
    """`signed` for each alpha, and for their mean, of the seeds that have all alphas.

    by_alpha: values by seed of each alpha. The mean is a detail that decides nothing, as it can
    hide alphas at which the opposite is true.

    Raises:
        NoValues: there are no alphas.
    """
    table = pd.DataFrame(by_alpha).dropna()
    if table.empty:
        raise NoValues("no alphas, or no seed that has all of them")
    for alpha in table:
        yield signed(part, table[alpha], sign, least=least, alpha=float(alpha))
    if table.shape[1] > 1:
        mean = f"{part}, mean over alphas"
        yield signed(mean, table.mean(axis=1), sign, headline=False, least=least)


def mostly(part: str, flags: Sequence[bool] | pd.Series) -> Finding:
    """The paper says that something happens; `flags` say in which seeds it does.

    Supported where it happens in more than half of the seeds, contradicted where it happens in
    fewer, by an exact (Clopper-Pearson) interval with 5 % outside on each side; five of five seeds
    are enough.

    Raises:
        NoValues: there are no seeds.
    """
    n, k = len(flags), int(sum(flags))
    if not n:
        raise NoValues("no seeds to count")
    test = stats.binomtest(k, n, alternative="greater" if 2 * k > n else "less")
    low, high = stats.binomtest(k, n).proportion_ci(1 - 2 * LEVEL)  # 5 % on each side
    verdict = SUPPORTED if low > 0.5 else CONTRADICTED if high < 0.5 else INCONCLUSIVE
    return Finding(part, Interval(k / n, low, high, n), "> 0.5", verdict, p=float(test.pvalue))


def changes(part: str, values: Values, alpha: float | None = None) -> Finding:
    """A difference of which no paper says anything: `differs` where its interval excludes zero."""
    effect, p = interval(values), p_value(values)
    verdict = DIFFERS if effect.low > 0 or effect.high < 0 else AGREES
    return Finding(part, effect, "", verdict, alpha=alpha, p=p)


def zero(part: str, values: Values) -> Finding:
    """The paper says that every one of `values` (errors, none negative) is zero."""
    effect = interval(values)
    if max(values) == 0:
        return Finding(part, effect, "= 0", SUPPORTED)
    verdict = CONTRADICTED if effect.low > 0 else INCONCLUSIVE
    return Finding(part, effect, "= 0", verdict, p=p_value(values))


def number(
    part: str,
    values: Values,
    reference: float,
    reference_n: float,
    digits: int,
    reference_se: float | None = None,
) -> Finding:
    """The paper prints a mean over `reference_n` runs, with so many digits behind the point.

    reference_se: its printed standard error, or None. Agrees where the two means do not differ at
    LEVEL (`stats.p_of_reference`); one run of ours has no spread, and is inconclusive.

    Raises:
        NoValues: there are no values.
    """
    verdict, p = INCONCLUSIVE, None
    if len(values) > 1:
        rounding = 0.5 * 10**-digits
        p = p_of_reference(values, reference, reference_n, rounding, reference_se)
        verdict = AGREES if p >= LEVEL else DIFFERS
    return Finding(part, interval(values), f"{reference:.{digits}f}", verdict, p=p)
