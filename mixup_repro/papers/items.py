"""The record of an item: all that the report says of a figure or table, beside its drawing.

An item is drawn on several settings (data and network). Each names the grid of runs behind it;
several items and settings may share one.
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

    name: that of its figure, table and verdicts. stands_in: the network or data that stand in for
    the paper's; nothing where both are its own. differs: from the paper, a sentence that ends in a
    full stop, or nothing. code: what the authors' code does otherwise.
    """

    name: str
    source: Source
    stands_in: str
    differs: str
    code: str


@dataclass(frozen=True)
class Item:
    """A figure or table of a paper; what the paper reports of it. `check` wants all of it.

    panel: of the drawing, the one that stands for it on a card.
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
    """A paper: its theorems, its errata, the pictures of its theory with captions, and its items.

    name: its package below mixup_repro.papers. misprints: those without consequence. untested:
    claims that nothing here tests yet, as id, sentence in our words, and where. unsaid: what it
    leaves open. published: whether its claims are counted; those of notes are told apart. about:
    a paragraph below its heading. contradictions: where it contradicts itself.
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
        """The ITEM of every module that has one; fig2 before fig12."""
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
    """Refuse a record that leaves out what the report must say.

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
