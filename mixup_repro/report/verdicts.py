"""What became of every claim of both papers, tested or not."""

from __future__ import annotations

import pkgutil
import re
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from mixup_repro import jobs
from mixup_repro.papers.claims import NOT_RUN, Claim
from mixup_repro.report.items import PAPERS, Item, concerns, module_of, proven, tally

MIXED = "mixed"
# Claims that nothing here tests yet: (id, in our words, where).
UNTESTED = {
    "carratino2020": [
        (
            "table1",
            "Which regularisers act on calibration, Jacobian, label noise, input normalisation.",
            "Table 1",
        )
    ],
    "chidambaram2022": [],
}


@dataclass(frozen=True)
class Verdict:
    """One claim on one item at one scale; or on all items that it has no runs of."""

    paper: str
    claim: str
    says: str
    where: str  # in the paper
    items: tuple[str, ...]  # experiments, without the paper; none for a theorem
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


def verdicts(found: list[Item], folder: Path) -> list[Verdict]:
    """Every claim in the order of the papers: theorems, then items.

    A claim has a verdict for each item that was run, and one more, `not run`, for the experiments
    that were not; so no claim is left out, whatever was run.

    Raises:
        InputError: theorems.csv is malformed.
    """
    out = []
    for paper in PAPERS:
        out += _theorems(paper, folder)
        mine = [item for item in found if item.paper == paper]
        for module in modules(paper):
            for claim in module.CLAIMS:
                out += _of_claim(paper, module, claim, mine)
        out += [Verdict(paper, *claim, (), "", 0, (NOT_RUN,)) for claim in UNTESTED[paper]]
    return out


def modules(paper: str) -> list[ModuleType]:
    """The modules of a paper that make claims; fig2 before fig12."""
    package = PAPERS[paper]
    names = [m.name for m in pkgutil.iter_modules(package.__path__)]
    names.sort(key=lambda name: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", name)])
    found = [import_module(f"{package.__name__}.{name}") for name in names]
    return [module for module in found if hasattr(module, "CLAIMS")]


def outcomes(all_verdicts: list[Verdict]) -> dict[str, int]:
    """How many verdicts there are of each outcome, the most frequent first."""
    return dict(Counter(v.outcome for v in all_verdicts).most_common())


def _theorems(paper: str, folder: Path) -> list[Verdict]:
    frame = proven(folder)
    out = []
    for theorem in PAPERS[paper].theorems.THEOREMS:
        rows = frame[(frame["paper"] == paper) & (frame["claim"] == theorem.id)]
        about = (paper, theorem.id, theorem.sentence, theorem.where, ())
        if rows.empty:
            out.append(Verdict(*about, "", 0, (NOT_RUN,)))
        else:
            out.append(Verdict(*about, "exact", int(rows["n"].sum()), tuple(rows["verdict"])))
    return out


def _of_claim(paper: str, module: ModuleType, claim: Claim, mine: list[Item]) -> list[Verdict]:
    about = (paper, claim.id, claim.sentence, claim.where)
    out = []
    for item in mine:
        if item.module is module:
            for own, findings in item.findings:
                if own is claim:
                    kinds = tuple(f.verdict for f in findings if f.headline)
                    n = 0 if set(kinds) == {NOT_RUN} else item.data.seeds()
                    out.append(Verdict(*about, (item.experiment,), item.data.scale, n, kinds))
    names = [name for name in jobs.experiments() if name.startswith(f"{paper}/")]
    missing = sorted(
        name.split("/")[1]
        for name in set(names) - {item.name for item in mine}
        if module_of(name) is module and concerns(claim, name.split("/")[1])
    )
    if missing or not out:
        out.append(Verdict(*about, tuple(missing), "", 0, (NOT_RUN,)))
    return out
