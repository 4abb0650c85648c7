"""The records of papers and items: what the report says of each figure or table of a paper.

An item is drawn on one or several settings, each with its data and network. A setting names the
grid of runs that it is drawn from; several items and settings may share a grid.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import NamedTuple

import matplotlib.figure
import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.papers.claims import Claim, Theorem
from mixup_repro.papers.errata import Erratum, Misprint
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Source


@dataclass(frozen=True)
class On:
    """A setting that an item is drawn on.

    name: of its figure, table and verdicts. source: where its rows come from. stands_in: the
    network or data that stand in for the paper's; "" where both are the paper's own. differs: what
    differs from the paper, sentences that end in a full stop, or "". code: what the authors'
    published code does differently.
    """

    name: str
    source: Source
    stands_in: str
    differs: str
    code: str


@dataclass(frozen=True)
class Item:
    """A figure or table of a paper, and how it is drawn and judged here.

    paper: what the paper reports. panel: the index of the panel that stands for the figure on the
    site's overview.
    """

    title: str
    paper: str
    on: tuple[On, ...]
    claims: tuple[Claim, ...]
    draw: Callable[[ItemData], matplotlib.figure.Figure]
    table: Callable[[ItemData], pd.DataFrame]
    panel: int = 0


class Unsaid(NamedTuple):
    """What a paper does not say, what we chose, and whether that decides a verdict."""

    where: str
    not_said: str
    chosen: str
    decides: str


class Contradiction(NamedTuple):
    """Two statements that cannot both hold as they stand, with their places, and what decides."""

    one: str
    other: str
    decides: str


@dataclass(frozen=True)
class Paper:
    """A paper: its theorems, its errata, pictures of its theory with their captions, and its items.

    name: of its package below mixup_repro.papers. misprints: those without consequence. untested:
    claims that nothing here tests, as id, sentence in our words, and place. unsaid: what the paper
    leaves open. published: False for the notes, whose claims are counted apart. about: a paragraph
    below the paper's heading. contradictions: where the paper contradicts itself.
    """

    name: str
    title: str
    theorems: tuple[Theorem, ...]
    errata: Sequence[Erratum]
    misprints: tuple[Misprint, ...]
    pictures: Mapping[str, tuple[Callable[[], matplotlib.figure.Figure], str]]
    untested: tuple[tuple[str, str, str], ...]
    unsaid: tuple[Unsaid, ...]
    published: bool = True
    about: str = ""
    contradictions: tuple[Contradiction, ...] = ()

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The ITEM of every module of the package that has one, in natural order (fig2, fig12)."""
        package = import_module(f"mixup_repro.papers.{self.name}")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        names.sort(
            key=lambda name: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", name)]
        )
        modules = [import_module(f"{package.__name__}.{name}") for name in names]
        return tuple(module.ITEM for module in modules if hasattr(module, "ITEM"))

    @cached_property
    def settings(self) -> list[tuple[Item, On]]:
        """Every setting with its item, by name."""
        return sorted(
            ((item, on) for item in self.items for on in item.on), key=lambda s: s[1].name
        )


def check(paper: Paper) -> None:
    """Refuse a record that lacks a text that the report needs.

    Raises:
        InputError: an item or a setting lacks a text or a name, or a claim its place in the paper;
            two settings have one name, or a claim is on none of its item's.
    """
    for theorem in paper.theorems:
        _say(paper, theorem.id, where=theorem.where, sentence=theorem.sentence)
    for erratum in paper.errata:
        _say(paper, f"erratum {erratum.id or erratum.where}", **vars(erratum))
    for name, sentence, where in paper.untested:
        _say(paper, name, where=where, sentence=sentence)
    for item in paper.items:
        names = [on.name for on in item.on]
        about = item.title or ", ".join(names) or "an item"
        _say(paper, about, title=item.title, paper=item.paper, on=item.on)
        if len(set(names)) < len(names):
            raise InputError(f"{paper.name}, {about}: two settings have one name among {names}")
        for on in item.on:
            _say(paper, on.name or about, name=on.name, code=on.code)
        for claim in item.claims:
            _say(paper, claim.id, where=claim.where, sentence=claim.sentence)
            if not set(claim.on) <= set(names):
                raise InputError(
                    f"{paper.name}, {claim.id}: is on {claim.on}, the settings are {names}"
                )


def _say(record: Paper, about: str, /, **texts: object) -> None:
    for field, text in texts.items():
        if not (text.strip() if isinstance(text, str) else text):
            raise InputError(f"{record.name}, {about}: {field} must say something")
