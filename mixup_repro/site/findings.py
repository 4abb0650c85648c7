"""Sentences of findings: each with the verdicts it needs, and numbers that come from the tables.

A need reads `paper.claim`, then what it is asked on, then what its verdicts must be:

    carratino2020.fig4_ece on fig4_digits: holds in part
    carratino2020.fig4_acc: not holds            every verdict that was run
    chidambaram2022.table1: 8 of 9 agrees        at least so many of so many parts that decide

A number is `paper.claim` on one item, then a finding to be counted, `parts`, or `effect of` a part.
Or it is a share (%) of a network that nobody here trained: `imported <run>: ece, rescaled at 1`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixup_repro.errors import InputError
from mixup_repro.site.parts import Part
from mixup_repro.site.tables import Tables, Verdict
from mixup_repro.site.words import WORDS

ASKED = re.compile(r"(?P<paper>\w+)\.(?P<claim>\w+)(?: on (?P<item>\w+))?: (?P<what>.+)")
IMPORTED = re.compile(r"imported (\S+): (accuracy|ece), (plain|rescaled)(?: at (\S+))?")
SHARE = re.compile(r"(\d+) of (\d+) (\w+)")
IN_WORDS = "no one two three four five six seven eight nine ten eleven twelve".split()


@dataclass(frozen=True)
class Copy:
    """copy.toml: sentences by name, with their numbers filled in, and what names things have."""

    sentences: Mapping[str, str]
    names: Mapping[str, Mapping[str, Any]]

    def dataset(self, name: str) -> str:
        return str(self.names["datasets"].get(name, name))


def read_copy(path: Path, tables: Tables) -> Copy:
    """The sentences, held against the verdicts.

    Raises:
        InputError: a need does not hold, or names what there is not; or the file is malformed.
    """
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from error
    sentences = {}
    for name, entry in held.pop("sentence").items():
        text = entry["text"]
        if not entry.get("needs"):
            raise InputError(f'{path}, {name}: a finding needs verdicts: needs = ["..."]')
        for need in entry["needs"]:
            if failed := _fails(need, tables, path):
                raise InputError(f'{path}, {name}: "{text}" needs {need}; {failed}')
        numbers = {k: _number(ask, tables, path) for k, ask in entry.get("numbers", {}).items()}
        try:
            sentences[name] = text.format(**numbers)
        except (KeyError, IndexError) as error:
            raise InputError(f'{path}, {name}: "{text}" has no number {error}') from error
    return Copy(sentences, held)


def _asked(ask: str, tables: Tables, path: Path) -> tuple[list[Verdict], str]:
    """The verdicts that were run of what a need or a number names, and what it says of them."""
    match = ASKED.fullmatch(ask)
    if match is None:
        raise InputError(f"{path}: {ask!r} must read paper.claim: ..., or paper.claim on item: ...")
    claims = [c for c in tables.claims if (c.paper, c.id) == (match["paper"], match["claim"])]
    found = [v for c in claims for v in c.verdicts if v.run]
    if match["item"]:
        found = [v for v in found if match["item"] in v.items]
    if not found:
        raise InputError(f"{path}: {ask!r} names nothing that was run")
    return found, match["what"]


def _fails(need: str, tables: Tables, path: Path) -> str:
    """What a need has in place of what it asks for; nothing where it holds."""
    found, what = _asked(need, tables, path)
    if share := SHARE.fullmatch(what):
        parts = _parts(found)
        good = sum(part.finding == share[3] for part in parts)
        enough = good >= int(share[1]) and len(parts) == int(share[2])
        return "" if enough else f"now {good} of {len(parts)} are {share[3]}"
    word, negated = what.removeprefix("not "), what.startswith("not ")
    if word not in {w.text for w in WORDS}:
        raise InputError(f"{path}: {need!r}: {word} is no verdict")
    wrong = [v for v in found if (v.word.text == word) == negated]
    now = ", ".join(f"{v.claim} on {v.items[0] if v.items else 'theory'}: {v.said}" for v in wrong)
    return f"now {now}" if wrong else ""


def _parts(found: Iterable[Verdict]) -> list[Part]:
    """The parts that decide these verdicts."""
    return [part for v in found for part in v.parts if part.decides]


def _number(ask: str, tables: Tables, path: Path) -> str:
    """A count in words up to twelve, an effect with its interval, or a share in percent."""
    if match := IMPORTED.fullmatch(ask):
        run, metric, how, alpha = match.groups()
        asked = (run, how, float(alpha) if alpha else None)
        values = [row[metric] for row in tables.imported if _which(row) == asked]
        if len(values) != 1:
            raise InputError(f"{path}: {ask!r} names {len(values)} rows of imported.csv, not one")
        return f"{100 * float(values[0]):.2f}%"
    found, what = _asked(ask, tables, path)
    if what.startswith("effect of "):
        name = what.removeprefix("effect of ")
        told = [p.told for v in found for p in v.parts if p.name == name and p.told]
        if len(told) != 1:
            raise InputError(f"{path}: {ask!r} names {len(told)} parts with an effect, not one")
        return told[0]
    findings = {part.finding for claim in tables.claims for part in _parts(claim.verdicts)}
    if what not in findings | {"parts"}:
        raise InputError(f"{path}: {ask!r}: no part of any claim is {what}")
    return in_words(sum(what in ("parts", p.finding) for p in _parts(found)))


def _which(row: Mapping[str, str]) -> tuple[str, str, float | None]:
    alpha = row["eval_alpha"]
    return row["run_id"], row["evaluation"], float(alpha) if alpha else None


def in_words(count: int) -> str:
    """A count as a word up to twelve, in digits beyond."""
    return IN_WORDS[count] if count < len(IN_WORDS) else str(count)
