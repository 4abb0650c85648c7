"""What became of every claim of the papers and the notes, tested or not."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import pandas as pd

from mixup_repro.papers.claims import (
    AGREES,
    CONTRADICTED,
    DIFFERS,
    ERRATUM,
    INCONCLUSIVE,
    LEVEL,
    NEGLIGIBLE,
    NOT_RUN,
    SUPPORTED,
    Claim,
    Finding,
    Setting,
)
from mixup_repro.papers.items import Item, Paper
from mixup_repro.report.items import PAPERS, Entry, proven
from mixup_repro.store.tables import write_table


class Word(StrEnum):
    """The verdict on a claim in a word or two; on a stand-in it is said with `here` (`said`)."""

    HOLDS = "holds"
    PART = "holds in part"
    FAILS = "does not hold"
    NEGLIGIBLE = "negligible"
    UNCLEAR = "unclear"
    NOT_RUN = "not run"
    ERRATUM = "erratum"


COLUMNS = (
    "paper claim says item setting scale dataset network n part decides expected effect low high "
    "p finding verdict where ours"
).split()
GOOD, BAD = {SUPPORTED, AGREES}, {CONTRADICTED, DIFFERS}


@dataclass(frozen=True)
class Verdict:
    """One claim on one setting at one scale; or, as `not run`, on all settings without runs.

    items: names of the settings; empty for a theorem. scale: "" where nothing was run. n: number of
    seeds or draws, or a theorem's cases. findings: of all parts. ours, always: as in Claim.
    """

    paper: str
    claim: str
    says: str
    where: str  # in the paper
    items: tuple[str, ...] = ()
    setting: Setting | None = None
    scale: str = ""
    dataset: str = ""
    network: str = ""
    n: int = 0
    findings: tuple[Finding, ...] = ()
    ours: bool = False
    always: bool = False

    @property
    def headline(self) -> list[Finding]:
        """The parts that decide."""
        return [f for f in self.findings if f.headline]

    @property
    def word(self) -> Word:
        """The verdict by the headline parts: whether all, some or none of them are as claimed.

        A claim that something always happens fails with one contradicted part. A claim of which a
        part was not run does not hold, but at most in part. An erratum is a finding of its own, and
        the statement is judged by the other parts.
        """
        every = {f.verdict for f in self.headline} or {NOT_RUN}
        kinds = every - {NOT_RUN, ERRATUM}
        if not kinds:
            return Word.ERRATUM if ERRATUM in every else Word.NOT_RUN
        if kinds <= GOOD and NOT_RUN not in every:
            return Word.HOLDS
        if self.always:
            return Word.FAILS if kinds & BAD else Word.UNCLEAR
        if kinds & GOOD:
            return Word.PART
        if kinds == {NEGLIGIBLE}:
            return Word.NEGLIGIBLE
        return Word.UNCLEAR if INCONCLUSIVE in kinds else Word.FAILS

    @property
    def said(self) -> str:
        """The word, with `here` where the setting is a stand-in."""
        if self.setting != Setting.ANALOGUE or self.word == Word.NOT_RUN:
            return str(self.word)
        return "holds here in part" if self.word == Word.PART else f"{self.word} here"

    @property
    def phrase(self) -> str:
        """The verdict in short: what is said, and how many parts hold where not all do."""
        if self.word != Word.PART:
            return self.said
        good = sum(f.verdict in GOOD for f in self.headline)
        return f"{self.said} ({good} of {len(self.headline)})"

    @property
    def by_finding(self) -> str:
        """Which parts that decide have which finding; nothing where all have the same."""
        if len({f.verdict for f in self.headline}) < 2:
            return ""
        return _by_alpha(self.headline) or _counts(self.headline)

    @property
    def words(self) -> str:
        """The verdict, and which parts have which finding where they differ."""
        return f"{self.said} ({self.by_finding})" if self.by_finding else self.said


def _counts(findings: list[Finding]) -> str:
    """How many parts have which finding: `2 supported, 1 contradicted`."""
    counts = Counter(f.verdict for f in findings)
    return ", ".join(f"{n} {kind}" for kind, n in counts.items())


def _by_alpha(findings: list[Finding]) -> str:
    """Which parts have which finding, and at which alphas; "" where no part has an alpha.

    Findings that support the claim come first: `supported: ece at alpha 0.25; contradicted: ece at
    alpha 1, 4`. Alphas are left out where all those of a part have the same finding.
    """
    if all(f.alpha is None for f in findings):
        return ""
    alphas: dict[str, list[float]] = {}
    told: dict[str, dict[str, list[float]]] = {}  # finding: part: its alphas
    for f in sorted(findings, key=lambda f: f.verdict not in GOOD):
        own = [f.alpha] if f.alpha is not None else []
        alphas.setdefault(f.part, []).extend(own)
        told.setdefault(f.verdict, {}).setdefault(f.part, []).extend(own)
    every = {part: sorted(own) for part, own in alphas.items()}
    return "; ".join(
        f"{kind}: " + " and ".join(_at(part, some, every[part]) for part, some in parts.items())
        for kind, parts in told.items()
    )


def _at(part: str, some: list[float], alphas: list[float]) -> str:
    """A part with some of its alphas; without them where they are all."""
    at = f"alpha {_listed(sorted(some), alphas)}" if len(some) < len(alphas) else ""
    return " at ".join(filter(None, (part, at)))


def _listed(some: list[float], alphas: list[float]) -> str:
    """Some of the alphas as text, where three or more in a row are written as `1 to 8`."""
    runs: list[list[float]] = []
    for alpha in some:
        if runs and alphas.index(alpha) == alphas.index(runs[-1][-1]) + 1:
            runs[-1].append(alpha)
        else:
            runs.append([alpha])
    words = [
        f"{run[0]:g} to {run[-1]:g}" if len(run) > 2 else ", ".join(f"{a:g}" for a in run)
        for run in runs
    ]
    return ", ".join(words)


def verdicts(found: list[Entry], folder: Path) -> list[Verdict]:
    """The verdicts on every claim in the order of the papers, first theorems and then items.

    A claim has a verdict for each setting that was run, and one more, `not run`, for all settings
    that were not; so no claim is left out.

    Raises:
        InputError: theorems.csv is malformed.
    """
    out = []
    for paper in PAPERS:
        out += _theorems(paper, folder)
        for item in paper.items:
            for claim in item.claims:
                out += _of_claim(paper, claim, item, [e for e in found if e.item is item])
        out += [Verdict(paper.name, *about) for about in paper.untested]
    return out


def write_verdicts(every: list[Verdict], folder: Path) -> None:
    """Write <folder>/verdicts.csv: a row for each part of each verdict."""
    rows = []
    for v in every:
        fixed = {
            "paper": v.paper,
            "claim": v.claim,
            "says": v.says,
            "item": " ".join(v.items),
            "setting": v.setting or "",
            "scale": v.scale,
            "dataset": v.dataset,
            "network": v.network,
            "n": v.n,
            "verdict": v.words,
            "where": v.where,
            "ours": int(v.ours),
        }
        for finding in v.findings or (Finding("", None, "", NOT_RUN),):
            effect = finding.effect
            part: dict[str, object] = {"part": finding.name, "finding": finding.verdict}
            part["decides"] = int(finding.headline)
            part["expected"] = finding.expected.removeprefix("= ")  # no formula to a spreadsheet
            numbers = {} if finding.p is None else {"p": finding.p}
            if effect:
                numbers |= {"effect": effect.mean, "low": effect.low, "high": effect.high}
            finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
            rows.append(fixed | part | finite)
    write_table(folder / "verdicts.csv", pd.DataFrame(rows, columns=COLUMNS), "%.6g")


def by_chance(every: list[Verdict]) -> tuple[int, float]:
    """How many verdicts rest on tests, and in how many chance alone would give a wrong part.

    The second number is for effects that are all zero: it is 5 % of the first, since p values are
    corrected for the number of parts of each claim. Without questions of our own.
    """
    tested = [v for v in every if not v.ours and any(f.p is not None for f in v.headline)]
    return len(tested), LEVEL * len(tested)


def counted(every: list[Verdict], setting: Setting) -> dict[Word, int]:
    """How many verdicts at a setting have which word, without questions of our own."""
    words = [v.word for v in every if v.setting == setting and not v.ours]
    return {word: words.count(word) for word in Word if word in words}


def _theorems(paper: Paper, folder: Path) -> list[Verdict]:
    frame = proven(folder)
    out = []
    for theorem in paper.theorems:
        rows = frame[(frame["paper"] == paper.name) & (frame["claim"] == theorem.id)]
        about = (paper.name, theorem.id, theorem.sentence, theorem.where)
        if rows.empty:
            out.append(Verdict(*about))
            continue
        parts = tuple(Finding(r.tested, None, "", r.verdict) for r in rows.itertuples())
        n = int(rows["n"].sum())
        out.append(Verdict(*about, setting=Setting.EXACT, scale="exact", n=n, findings=parts))
    return out


def _seeds(entry: Entry, findings: list[Finding]) -> int:
    """The smallest number of seeds behind a headline part; 0 if none was run."""
    parts = [f for f in findings if f.headline and f.verdict != NOT_RUN]
    return min((f.effect.n if f.effect else entry.data.seeds() for f in parts), default=0)


def of_entry(entry: Entry) -> list[Verdict]:
    """The verdicts on the claims of an entry."""
    out = []
    data, network = entry.trained
    for claim, findings in entry.findings:
        about = (entry.paper.name, claim.id, claim.sentence, claim.where)
        at = Verdict(*about, (entry.name,), entry.setting, entry.data.scale, data, network)
        at = replace(at, n=_seeds(entry, findings), findings=tuple(findings))
        if at.setting == Setting.PAPER and at.n < entry.data.seeds():
            at = replace(at, setting=Setting.REDUCED)  # not all seeds were evaluated
        out.append(replace(at, ours=claim.ours, always=claim.always))
    return out


def _of_claim(paper: Paper, claim: Claim, item: Item, entries: list[Entry]) -> list[Verdict]:
    """A verdict for each setting that was run, and one more for all that were not."""
    out = [v for entry in entries for v in of_entry(entry) if v.claim == claim.id]
    there = {entry.name for entry in entries}
    names = sorted(on.name for on in item.on if claim.concerns(on.name))
    missing = tuple(name for name in names if name not in there)
    if missing:
        about = (paper.name, claim.id, claim.sentence, claim.where)
        out.append(Verdict(*about, missing, ours=claim.ours))
    return out
