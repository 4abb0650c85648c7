"""verdicts.csv and items.csv, as claims with their verdicts and pages with their settings."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mixup_repro.errors import InputError
from mixup_repro.site.parts import Part
from mixup_repro.site.words import EXACT, NOT_RUN, SETTINGS, STAND_IN, Word, together, word

VERDICTS = (
    "paper claim says item setting scale dataset network n part decides expected effect low high "
    "p finding verdict where ours"
).split()
ITEMS = (
    "paper page item title says setting scale dataset network n differs code command cost figure"
).split()
SHARE = re.compile(r"\b(?:accuracy|ece|confidence)\b|^error\b", re.IGNORECASE)
NO_SHARE = re.compile(r"%|\blog\b|\bnats\b|slope of")


@dataclass(frozen=True)
class Verdict:
    """What became of a claim on one setting; or on all settings that were not run."""

    paper: str
    claim: str
    says: str
    where: str
    ours: bool
    items: tuple[str, ...]
    setting: str
    dataset: str
    network: str
    n: int
    word: Word
    details: str
    parts: tuple[Part, ...]

    @property
    def run(self) -> bool:
        return self.word is not NOT_RUN

    @property
    def said(self) -> str:
        return self.word.said(self.setting == STAND_IN)

    @property
    def erratum(self) -> bool:
        """Whether a part of it is a misprint: the statement stands."""
        return any(part.finding == "erratum" for part in self.parts)

    @property
    def measured(self) -> list[Part]:
        """The parts that decide it and have an interval."""
        return [part for part in self.parts if part.decides and part.half is not None]


@dataclass(frozen=True)
class Claim:
    """A claim of a paper with all its verdicts."""

    verdicts: tuple[Verdict, ...]

    @property
    def paper(self) -> str:
        return self.verdicts[0].paper

    @property
    def id(self) -> str:
        return self.verdicts[0].claim

    @property
    def says(self) -> str:
        return self.verdicts[0].says

    @property
    def where(self) -> str:
        return " and ".join(dict.fromkeys(v.where for v in self.verdicts))

    @property
    def ours(self) -> bool:
        return self.verdicts[0].ours

    @property
    def settings(self) -> list[str]:
        """Those it was run at, the paper's own first."""
        return list(dict.fromkeys(v.setting for v in self.verdicts if v.run))

    @property
    def nearest(self) -> str:
        """The setting nearest to the paper's at which it was run; empty where there is none."""
        return next((setting for setting in SETTINGS if setting in self.settings), "")

    def at(self, setting: str) -> Word:
        """What is said of it at a setting; where it was not run, that it was not."""
        return together(v.word for v in self.verdicts if v.setting == setting)

    def measured(self, setting: str) -> list[Part]:
        """The parts that decide it at a setting and have an interval."""
        return [part for v in self.verdicts if v.setting == setting for part in v.measured]


@dataclass(frozen=True)
class Item:
    """A setting of an item: a row of items.csv."""

    paper: str
    page: str
    item: str
    title: str
    says: str
    setting: str
    scale: str
    dataset: str
    network: str
    n: str
    differs: str
    code: str
    command: str
    cost: str
    figure: str

    @property
    def theory(self) -> bool:
        return self.page == "theory"


@dataclass(frozen=True)
class Page:
    """What is on one page of the results: the settings of one item."""

    name: str
    items: tuple[Item, ...]

    @property
    def paper(self) -> str:
        return self.items[0].paper

    @property
    def run(self) -> list[Item]:
        return [item for item in self.items if item.figure]


@dataclass(frozen=True)
class Tables:
    """All that the site knows. imported: rows of networks that nobody here trained."""

    claims: tuple[Claim, ...]
    pages: tuple[Page, ...]
    imported: tuple[dict[str, str], ...]

    @cached_property
    def page_of(self) -> dict[tuple[str, str], Page]:
        """By paper and item."""
        return {(i.paper, i.item): page for page in self.pages for i in page.items}

    def page(self, verdict: Verdict) -> Page | None:
        """The page that shows a verdict; none for one without runs."""
        if verdict.setting == EXACT:
            named = (p for p in self.pages if p.name == f"{verdict.paper}-theory")
            return next(named, None)
        return self.page_of[verdict.paper, verdict.items[0]] if verdict.items else None

    def on(self, page: Page) -> list[Claim]:
        """The claims that a page is about."""
        if page.items[0].theory:
            return [
                c for c in self.claims if c.paper == page.paper and c.verdicts[0].setting == EXACT
            ]
        names = {item.item for item in page.items}
        found = []
        for claim in self.claims:
            own = tuple(v for v in claim.verdicts if names & set(v.items))
            if claim.paper == page.paper and own:
                found.append(Claim(own))
        return found


def read(folder: Path) -> Tables:
    """The tables of a folder of results.

    Raises:
        InputError: a table is missing or malformed, a verdict names an item that there is not, or
            an item that was run has no row of verdicts.
    """
    pages = _pages(folder)
    imported = folder / "imported.csv"
    others = rows(imported) if imported.exists() else []
    tables = Tables(_claims(folder), pages, tuple(others))
    for v in (v for claim in tables.claims for v in claim.verdicts):
        for name in v.items:
            if (v.paper, name) not in tables.page_of:
                raise InputError(
                    f"{folder / 'verdicts.csv'}: {v.paper}, {v.claim} is on {name}, which "
                    f"items.csv does not have"
                )
    for item in (item for page in pages for item in page.run if not item.theory):
        _has_rows(folder / "tables" / f"{item.figure}.csv", item)
    return tables


def _has_rows(path: Path, item: Item) -> None:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if len(lines) < 2:
        raise InputError(f"{path}: {item.paper}, {item.item} has no rows; make report writes them")


def rows(path: Path, columns: list[str] | None = None) -> list[dict[str, str]]:
    """The rows of a table, which must have these columns where they are named.

    Raises:
        InputError: it is missing or malformed.
    """
    if not path.is_file():
        raise InputError(f"{path}: is not there; mixup-repro report writes it")
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        found = list(reader)
    if columns and reader.fieldnames != columns:
        raise InputError(f"{path}: its columns must be {', '.join(columns)}")
    for line, row in enumerate(found, 2):
        if None in row or None in row.values():
            raise InputError(f"{path}, line {line}: another number of fields than the first line")
    return found


def _claims(folder: Path) -> tuple[Claim, ...]:
    path = folder / "verdicts.csv"
    held: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in rows(path, VERDICTS):
        held[row["paper"], row["claim"], row["item"], row["setting"], row["scale"]].append(row)
    claims: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for (paper, claim, *_), own in held.items():
        claims[paper, claim].append(_verdict(own, path))
    return tuple(Claim(tuple(verdicts)) for verdicts in claims.values())


def _verdict(own: list[dict[str, str]], path: Path) -> Verdict:
    row = own[0]
    where = f"{path}: {row['paper']}, {row['claim']}"
    parts = tuple(_part(r, where) for r in own if r["part"])
    return Verdict(
        row["paper"],
        row["claim"],
        row["says"],
        row["where"],
        row["ours"] == "1",
        tuple(row["item"].split()),
        row["setting"],
        row["dataset"],
        row["network"],
        int(row["n"] or 0),
        word(row["verdict"], where),
        row["verdict"].partition(" (")[2].removesuffix(")"),
        parts,
    )


def _part(row: dict[str, str], where: str) -> Part:
    try:
        effect, low, high = (float(row[k]) if row[k] else None for k in ("effect", "low", "high"))
    except ValueError as error:
        raise InputError(f"{where}, {row['part']}: {error}") from error
    name, unit = row["part"], ""
    if SHARE.search(name) and not NO_SHARE.search(name) and row["expected"] in ("", "> 0", "< 0"):
        effect, low, high = (None if n is None else 100 * n for n in (effect, low, high))
        unit = "points"
    decides = row["decides"] == "1"
    return Part(name, decides, row["expected"], effect, low, high, row["finding"], unit)


def _pages(folder: Path) -> tuple[Page, ...]:
    held: dict[str, list[Item]] = defaultdict(list)
    papers: list[str] = []
    for row in rows(folder / "items.csv", ITEMS):
        item = Item(**row)
        held[f"{item.paper}-{item.page}"].append(item)
        papers.append(item.paper)
    for name, items in held.items():
        titles = {item.title for item in items}
        if len(titles) > 1 and not items[0].theory:
            raise InputError(f"{folder / 'items.csv'}: {name} has two titles: {sorted(titles)}")
    order = list(dict.fromkeys(papers))
    pages = [Page(name, tuple(items)) for name, items in held.items()]
    return tuple(sorted(pages, key=lambda page: (order.index(page.paper), _place(page))))


def _place(page: Page) -> tuple[int, int]:
    """Figures by number, then tables, sections and the rest; the theory last."""
    kinds = ("Figure", "Table", "Section")
    title = page.items[0].title
    number = re.search(r"\d+", title)
    kind = next((k for k, name in enumerate(kinds) if title.startswith(name)), 3)
    return (4 if page.items[0].theory else kind, int(number[0]) if number and kind < 3 else 0)
