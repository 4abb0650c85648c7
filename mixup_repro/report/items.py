"""What there is to report: entries, which are items with finished runs; and checked theorems."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.live import phase
from mixup_repro.papers import style
from mixup_repro.papers.carratino2020.paper import PAPER as CARRATINO
from mixup_repro.papers.chidambaram2022.paper import PAPER as CHIDAMBARAM
from mixup_repro.papers.claims import NOT_RUN, Claim, Finding, Setting
from mixup_repro.papers.items import Item, On, Paper, check
from mixup_repro.papers.notes.paper import PAPER as NOTES
from mixup_repro.papers.shared import ItemData
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues
from mixup_repro.store import results
from mixup_repro.store.tables import read_table, write_table

PAPERS = (CARRATINO, CHIDAMBARAM, NOTES)
THEOREM_COLUMNS = ["paper", "claim", "where", "says", "tested", "n", "worst error", "allowed"]
THEOREM_COLUMNS += ["verdict"]
THEOREM_KEY = ["paper", "claim", "tested"]


@dataclass(frozen=True)
class Entry:
    """An item of a paper on one of its settings at one scale, with the rows it is drawn from."""

    paper: Paper
    item: Item
    on: On
    data: ItemData

    @property
    def name(self) -> str:
        return self.on.name

    @property
    def stem(self) -> str:
        """The path of its figure and table below results/figures and results/tables, no ending."""
        return f"{self.paper.name}/{self.name}-{self.data.scale}"

    @cached_property
    def findings(self) -> list[tuple[Claim, list[Finding]]]:
        """Each claim that is tested on the entry's setting, with its findings."""
        claims = [claim for claim in self.item.claims if claim.concerns(self.name)]
        return [(claim, claim.findings(self.data)) for claim in claims]

    @cached_property
    def table(self) -> pd.DataFrame:
        """The item's table; empty where the runs lack the evaluation it is about."""
        try:
            return self.item.table(self.data)
        except NoValues:
            return pd.DataFrame()

    @property
    def setting(self) -> Setting:
        """How near its runs are to what the paper did."""
        if self.on.stands_in:
            return Setting.ANALOGUE
        whole = self.data.scale == "paper" and not self.data.absent
        return Setting.PAPER if whole else Setting.REDUCED

    @property
    def trained(self) -> tuple[str, str]:
        """The data set, and the network as titles show it; "" where nothing was trained.

        Raises:
            InputError: a run does not name them.
        """
        runs = self.data.runs
        for column in {"dataset", "architecture"} & set(runs):
            if runs[column].isna().any():
                raise InputError(f"{self.paper.name}, {self.name}: a run has no {column}")
        networks = runs["architecture"].unique() if "architecture" in runs else ()
        return ", ".join(runs["dataset"].unique()), ", ".join(map(style.network, networks))

    @property
    def shows_something(self) -> bool:
        """Whether the runs were evaluated as the item needs.

        Then its table has rows and, unless it has no claims, at least one claim was tested.
        """
        kinds = {f.verdict for _, findings in self.findings for f in findings}
        return not self.table.empty and kinds != {NOT_RUN}


def entries(folder: Path) -> list[Entry]:
    """An entry for every item, setting and scale that has runs of all that the item compares.

    There is none where runs were not evaluated as the item needs, such as on corrupted pictures.

    Raises:
        InputError: a record is not complete, there are no finished runs at all, or a file of
            `folder` is malformed.
    """
    for paper in PAPERS:
        check(paper)
    runs = results.load(folder)
    if runs.empty:
        raise InputError(f"{folder}: no finished runs yet; type make reproduce")
    with phase("reading", things="results"):
        return [
            entry
            for paper in PAPERS
            for item, on in paper.settings
            for entry in _at_scales(paper, item, on, folder, runs)
        ]


def _at_scales(paper: Paper, item: Item, on: On, folder: Path, runs: pd.DataFrame) -> list[Entry]:
    """A setting at its scales, the largest first; a smaller one only where it has more seeds."""
    found: list[Entry] = []
    for scale in SCALES:
        data = on.source.load(on.name, scale, folder, runs)
        if data is not None and all(data.seeds() > larger.data.seeds() for larger in found):
            entry = Entry(paper, item, on, data)
            found += [entry] if entry.shows_something else []
    return found


def setting(name: str) -> On:
    """The setting of the name <paper>/<name>, such as carratino2020/fig5_digits.

    Raises:
        InputError: there is none.
    """
    known = {f"{paper.name}/{on.name}": on for paper in PAPERS for _, on in paper.settings}
    if name not in known:
        near = get_close_matches(name, known, n=3) or sorted(known)
        raise InputError(f"{name}: no item of the papers; there is {', '.join(near)}")
    return known[name]


def prove(folder: Path) -> list[Path]:
    """Check every theorem and write <folder>/theorems.csv."""
    rows = [
        {
            "paper": paper.name,
            "claim": theorem.id,
            "where": theorem.where,
            "says": theorem.sentence,
            "tested": check.part,
            "n": check.cases,
            "worst error": float(f"{check.worst_error:.1e}"),
            "allowed": check.allowed,
            "verdict": check.verdict,
        }
        for paper in PAPERS
        for theorem in paper.theorems
        for check in theorem.check()
    ]
    path = folder / "theorems.csv"
    write_table(path, pd.DataFrame(rows, columns=THEOREM_COLUMNS), numbers=None)
    return [path]


def proven(folder: Path) -> pd.DataFrame:
    """theorems.csv, with a row for each part of a theorem; empty before `prove` has run.

    Raises:
        InputError: theorems.csv is malformed.
    """
    path = folder / "theorems.csv"
    if not path.exists():
        return pd.DataFrame(columns=THEOREM_COLUMNS)
    return read_table(path, THEOREM_COLUMNS, THEOREM_KEY)


def findings_table(entry: Entry) -> pd.DataFrame:
    """Every tested part of an entry's claims: what the paper says, our effect, n, p and verdict."""
    return pd.DataFrame(
        [
            {
                "claim": claim.id,
                "tested": f.name,
                "paper": f.expected,
                "ours": f.effect or "",
                "n": f.effect.n if f.effect else "",
                "p": "" if f.p is None else f"{f.p:.2g}",
                "verdict": f.verdict,
            }
            for claim, findings in entry.findings
            for f in findings
        ]
    )
