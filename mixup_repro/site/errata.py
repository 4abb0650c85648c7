"""ERRATA.md and NOTES.md as parts of pages."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from mixup_repro.errors import InputError
from mixup_repro.site.formulas import mathml
from mixup_repro.site.words import SIGNS

HEADING = re.compile(r"(?P<id>[\w-]+): (?P<where>.+) \((?P<kind>[^()]+)\)")
MARKED = re.compile(r"^\*\*(Printed|Right|Derivation|What holds)\.\*\*", re.MULTILINE)
CHECK = re.compile(r"^Check: `.*`$", re.MULTILINE)
MISPRINTS = "Misprints without consequence"
FORMULA = re.compile(r"<code>(.*?)</code>", re.DOTALL)
CODE = re.compile(r"(<code>.*?</code>|<[^>]+>)", re.DOTALL)
RENDERER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Erratum:
    """One erratum, its texts as HTML."""

    id: str
    where: str
    kind: str
    printed: Markup
    right: Markup
    derivation: Markup
    holds: Markup


@dataclass(frozen=True)
class Group:
    """The errata of a paper."""

    title: str
    entries: tuple[Erratum, ...]
    misprints: Markup


def html(markdown: str) -> Markup:
    """Markdown of the results as HTML; headers of tables say of what they are."""
    text = RENDERER.render(markdown).replace("<th>", '<th scope="col">')
    pieces = CODE.split(text)
    for pattern, sign in SIGNS.items():
        pieces[::2] = [re.sub(pattern, sign, piece) for piece in pieces[::2]]
    return Markup("".join(pieces))


def read_errata(folder: Path) -> list[Group]:
    """The errata of each paper that has some.

    Raises:
        InputError: ERRATA.md is missing, or an entry lacks one of its parts.
    """
    path = folder / "ERRATA.md"
    groups = []
    for part in _text(path).split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        sections = body.split("\n### ")[1:]
        entries = [_erratum(s, path) for s in sections if not s.startswith(MISPRINTS)]
        others = [s.partition("\n")[2] for s in sections if s.startswith(MISPRINTS)]
        if entries:
            groups.append(Group(title.strip(), tuple(entries), html("\n".join(others))))
    return groups


def kinds(groups: list[Group]) -> list[tuple[str, int]]:
    """How many errata are of which kind, most frequent first."""
    return Counter(entry.kind for group in groups for entry in group.entries).most_common()


def _erratum(section: str, path: Path) -> Erratum:
    title, _, body = section.partition("\n")
    head = HEADING.fullmatch(title.strip())
    if head is None:
        raise InputError(f"{path}: {title!r} must read id: place (kind)")
    pieces = MARKED.split(CHECK.sub("", body))[1:]
    parts = {name: html(text.strip()) for name, text in zip(pieces[::2], pieces[1::2])}
    if missing := {"Printed", "Right", "Derivation", "What holds"} - parts.keys():
        raise InputError(f"{path}, {head['id']}: has no {', '.join(sorted(missing))}")
    printed, right = (_with_formulas(parts[name]) for name in ("Printed", "Right"))
    texts = (printed, right, parts["Derivation"], parts["What holds"])
    return Erratum(head["id"], head["where"], head["kind"], *texts)


def _with_formulas(text: Markup) -> Markup:
    """What stands as code in a text of what is printed or right, which is a formula, set as one."""
    return Markup(FORMULA.sub(lambda match: mathml(unescape(match[1])), text))


def read_contradictions(folder: Path) -> Markup:
    """The table of where the notes contradict each other.

    Raises:
        InputError: NOTES.md is missing.
    """
    parts = re.split(r"^## ", _text(folder / "NOTES.md"), flags=re.MULTILINE)
    own = next((p for p in parts if p.startswith("Where it contradicts itself")), "\n")
    return html(own.partition("\n")[2])


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: is not there; mixup-repro report writes it")
    return path.read_text(encoding="utf-8")
