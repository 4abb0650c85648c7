"""What became of every claim of both papers, tested or not."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import pandas as pd

from mixup_repro.papers.claims import (
    AGREES,
    ERRATUM,
    INCONCLUSIVE,
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
    """What is said of a claim. On a stand-in it is said with `here`: it is not the paper's."""

    HOLDS = "holds"
    PART = "holds in part"
    FAILS = "does not hold"
    UNCLEAR = "unclear"
    NOT_RUN = "not run"
    ERRATUM = "erratum"


COLUMNS = (
    "paper claim item setting scale dataset network n part expected effect low high finding "
    "verdict where ours"
).split()


@dataclass(frozen=True)
class Verdict:
    """One claim on one setting at one scale; or on all settings that it has no runs of.

    items: the settings' names; none for a theorem. scale: "" where nothing was run. n: seeds, draws
    or a theorem's cases. findings: of all parts. kinds: of the headline parts.
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
    kinds: tuple[str, ...] = (NOT_RUN,)
    findings: tuple[Finding, ...] = ()
    ours: bool = False

    @property
    def word(self) -> Word:
        """What becomes of the claim by its headline parts: all, some, none, or too few data.

        An erratum is a finding of its own: the statement beside it is judged by the other parts.
        """
        kinds = set(self.kinds) - {NOT_RUN}
        if kinds == {ERRATUM}:
            return Word.ERRATUM
        kinds -= {ERRATUM}
        good = {SUPPORTED, AGREES}
        if not kinds:
            return Word.NOT_RUN
        if kinds <= good:
            return Word.HOLDS
        if kinds & good:
            return Word.PART
        return Word.UNCLEAR if INCONCLUSIVE in kinds else Word.FAILS

    @property
    def words(self) -> str:
        """The word, of a stand-in with `here`, and how many parts have which finding."""
        word = str(self.word)
        if self.setting == Setting.ANALOGUE and self.word != Word.NOT_RUN:
            word = "holds here in part" if self.word == Word.PART else f"{word} here"
        counts = Counter(self.kinds)
        if len(counts) < 2:
            return word
        return f"{word} ({', '.join(f'{n} {kind}' for kind, n in counts.items())})"


def verdicts(found: list[Entry], folder: Path) -> list[Verdict]:
    """Every claim in the order of the papers: theorems, then items.

    A claim has a verdict for each setting that was run, and one more, `not run`, for those that
    were not; so no claim is left out, whatever was run.

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
            part = {"part": finding.part, "finding": finding.verdict}
            part["expected"] = finding.expected.removeprefix("= ")  # no formula to a spreadsheet
            numbers = {}
            if effect:
                numbers = {"effect": effect.mean, "low": effect.low, "high": effect.high}
            finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
            rows.append(fixed | part | finite)
    write_table(folder / "verdicts.csv", pd.DataFrame(rows, columns=COLUMNS), "%.6g")


def counted(every: list[Verdict], setting: Setting) -> dict[Word, int]:
    """How many verdicts of the papers' claims at a setting have which word."""
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
        kinds = tuple(part.verdict for part in parts)
        n = int(rows["n"].sum())
        out.append(
            Verdict(*about, setting=Setting.EXACT, scale="exact", n=n, kinds=kinds, findings=parts)
        )
    return out


def _of_claim(paper: Paper, claim: Claim, item: Item, entries: list[Entry]) -> list[Verdict]:
    about = (paper.name, claim.id, claim.sentence, claim.where)
    out = []
    for entry in entries:
        for own, findings in entry.findings:
            if own is claim:
                kinds = tuple(f.verdict for f in findings if f.headline)
                n = 0 if set(kinds) == {NOT_RUN} else entry.data.seeds()
                data, network = entry.trained
                at = Verdict(*about, (entry.name,), entry.setting, entry.data.scale, data, network)
                out.append(replace(at, n=n, kinds=kinds, findings=tuple(findings), ours=claim.ours))
    there = {entry.name for entry in entries}
    names = sorted(on.name for on in item.on if claim.concerns(on.name))
    missing = tuple(name for name in names if name not in there)
    if missing or not out:
        out.append(Verdict(*about, missing, ours=claim.ours))
    return out
