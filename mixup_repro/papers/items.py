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

import matplotlib.figure
import pandas as pd

from mixup_repro.papers.claims import Claim, Theorem
from mixup_repro.papers.errata import Erratum
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
    """A figure or table of a paper. paper: what the paper reports. All of it is required.

    Raises:
        ValueError: a text is empty, two settings have one name, or a claim is on none of them.
    """

    title: str
    paper: str
    on: tuple[On, ...]
    claims: tuple[Claim, ...]
    draw: Callable[[ItemData], matplotlib.figure.Figure]
    table: Callable[[ItemData], pd.DataFrame]

    def __post_init__(self) -> None:
        names = [on.name for on in self.on]
        if not (self.title and self.paper and all(on.code for on in self.on)):
            raise ValueError(f"{self.title or names}: title, paper and code must say something")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{self.title}: each setting needs a name of its own, not {names}")
        for claim in self.claims:
            if not set(claim.on) <= set(names):
                raise ValueError(f"{claim.id}: is on {claim.on}, the settings are {names}")


@dataclass(frozen=True)
class Paper:
    """A paper: its theorems, its errata, the pictures of its theory with captions, and its items.

    name: its package below mixup_repro.papers. untested: claims that nothing here tests yet, as id,
    sentence in our words, and where.
    """

    name: str
    title: str
    theorems: tuple[Theorem, ...]
    errata: Sequence[Erratum]
    pictures: Mapping[str, tuple[Callable[[], matplotlib.figure.Figure], str]]
    untested: tuple[tuple[str, str, str], ...]

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
