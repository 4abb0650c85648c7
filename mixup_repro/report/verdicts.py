"""What became of every claim of both papers, tested or not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mixup_repro.papers.claims import NOT_RUN, Claim
from mixup_repro.papers.items import Item, Paper
from mixup_repro.report.items import PAPERS, Entry, proven, tally

MIXED = "mixed"


@dataclass(frozen=True)
class Verdict:
    """One claim on one setting at one scale; or on all settings that it has no runs of."""

    paper: str
    claim: str
    says: str
    where: str  # in the paper
    items: tuple[str, ...]  # the settings' names; none for a theorem
    scale: str  # "exact" for a theorem, "" where nothing was run
    n: int  # seeds, draws or a theorem's cases
    kinds: tuple[str, ...]  # the verdict of each headline part

    @property
    def outcome(self) -> str:
        """The verdict of all parts, or MIXED."""
        return self.kinds[0] if len(set(self.kinds)) == 1 else MIXED

    @property
    def words(self) -> str:
        return tally(self.kinds)


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
        untested = [Verdict(paper.name, *about, (), "", 0, (NOT_RUN,)) for about in paper.untested]
        out += untested
    return out


def outcomes(all_verdicts: list[Verdict]) -> dict[str, int]:
    """How many verdicts there are of each outcome, the most frequent first."""
    return dict(Counter(v.outcome for v in all_verdicts).most_common())


def _theorems(paper: Paper, folder: Path) -> list[Verdict]:
    frame = proven(folder)
    out = []
    for theorem in paper.theorems:
        rows = frame[(frame["paper"] == paper.name) & (frame["claim"] == theorem.id)]
        about = (paper.name, theorem.id, theorem.sentence, theorem.where, ())
        if rows.empty:
            out.append(Verdict(*about, "", 0, (NOT_RUN,)))
        else:
            out.append(Verdict(*about, "exact", int(rows["n"].sum()), tuple(rows["verdict"])))
    return out


def _of_claim(paper: Paper, claim: Claim, item: Item, entries: list[Entry]) -> list[Verdict]:
    about = (paper.name, claim.id, claim.sentence, claim.where)
    out = []
    for entry in entries:
        for own, findings in entry.findings:
            if own is claim:
                kinds = tuple(f.verdict for f in findings if f.headline)
                n = 0 if set(kinds) == {NOT_RUN} else entry.data.seeds()
                out.append(Verdict(*about, (entry.name,), entry.data.scale, n, kinds))
    there = {entry.name for entry in entries}
    names = sorted(on.name for on in item.on if claim.concerns(on.name))
    missing = tuple(name for name in names if name not in there)
    if missing or not out:
        out.append(Verdict(*about, missing, "", 0, (NOT_RUN,)))
    return out
