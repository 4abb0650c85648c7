"""What there is to report: experiments with finished runs, their findings, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd

from mixup_repro import jobs
from mixup_repro.errors import InputError
from mixup_repro.papers import carratino2020, chidambaram2022, shared, style
from mixup_repro.papers.claims import NOT_RUN, Claim, Finding
from mixup_repro.schema import SCALES
from mixup_repro.stats import NoValues
from mixup_repro.store import results
from mixup_repro.store.tables import read_table, write_table

PAPERS = {"carratino2020": carratino2020, "chidambaram2022": chidambaram2022}
TITLES = {
    "carratino2020": "Carratino et al., On Mixup Regularization",
    "chidambaram2022": "Chidambaram et al., Towards Understanding the Data Dependency of "
    "Mixup-style Training",
}
# Items that are measured, not trained: no experiment file, but a table of their own.
MEASURED = "chidambaram2022/table2"
THEOREM_COLUMNS = ["paper", "claim", "where", "says", "tested", "n", "worst error", "allowed"]
THEOREM_COLUMNS += ["verdict"]
THEOREM_KEY = ["paper", "claim", "tested"]


@dataclass(frozen=True)
class Item:
    """One experiment at one scale, with the module that draws it."""

    name: str  # <paper>/<experiment>
    module: ModuleType
    data: shared.ItemData

    @property
    def paper(self) -> str:
        return self.name.split("/")[0]

    @property
    def experiment(self) -> str:
        return self.name.split("/")[1]

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.data.scale}"

    @property
    def command(self) -> str:
        """What to type to train (or measure) the item."""
        return command(self.name, self.data.scale)

    @cached_property
    def findings(self) -> list[tuple[Claim, list[Finding]]]:
        claims = [c for c in self.module.CLAIMS if concerns(c, self.experiment)]
        return [(claim, claim.findings(self.data)) for claim in claims]

    @cached_property
    def table(self) -> pd.DataFrame:
        """The module's table; empty where the item's runs lack the evaluation it is about."""
        try:
            return self.module.table(self.data)
        except NoValues:
            return pd.DataFrame()

    @property
    def shows_something(self) -> bool:
        """Whether the runs were evaluated as the item needs: its table has rows, a claim a test."""
        kinds = {f.verdict for _, findings in self.findings for f in findings}
        return not self.table.empty and kinds != {NOT_RUN}


def concerns(claim: Claim, experiment: str) -> bool:
    """Whether a claim of the experiment's module is tested on the experiment."""
    return not claim.items or experiment in claim.items


def command(name: str, scale: str = "") -> str:
    """What to type to train an experiment, or to measure the item that has none."""
    if name.startswith(MEASURED):
        return "python scripts/distances.py dataset=mnist"
    words = f"python scripts/train.py -m experiment={name}"
    return f"{words} scale={scale}" if scale else words


def module_of(name: str) -> ModuleType:
    """The module of an experiment: fig4_digits and fig4_cifar10 are both drawn by fig4."""
    paper, experiment = name.split("/")
    return import_module(f"mixup_repro.papers.{paper}.{experiment.split('_')[0]}")


def items(folder: Path) -> list[Item]:
    """Every experiment at each scale at which all that it compares has finished runs.

    Runs that were not evaluated as an item needs (on corrupted test sets, say) do not make it.

    Raises:
        InputError: there are no finished runs at all, or a file of `folder` is malformed.
    """
    frame = results.load(folder)
    if frame.empty:
        raise InputError(f"{folder}: no finished runs yet; type make reproduce")
    scales = [scale for scale in SCALES if (frame["scale"] == scale).any()]
    there = [
        shared.item_data(folder, frame, name, scale)
        for name in jobs.experiments()
        for scale in scales
    ]
    there += shared.measured_data(folder / "distances.csv", MEASURED)
    found = [Item(data.name, module_of(data.name), data) for data in there if data is not None]
    return [item for item in found if item.shows_something]


def prove(folder: Path) -> None:
    """Check every theorem, write <folder>/theorems.csv, and draw the theory's pictures."""
    rows = [
        {
            "paper": paper,
            "claim": theorem.id,
            "where": theorem.where,
            "says": theorem.sentence,
            "tested": check.part,
            "n": check.cases,
            "worst error": float(f"{check.worst_error:.1e}"),
            "allowed": check.allowed,
            "verdict": check.verdict,
        }
        for paper, module in PAPERS.items()
        for theorem in module.theorems.THEOREMS
        for check in theorem.check()
    ]
    frame = pd.DataFrame(rows, columns=THEOREM_COLUMNS)
    write_table(folder / "theorems.csv", frame, numbers=None)
    for paper, module in PAPERS.items():
        for name, (picture, _) in module.lecture.PICTURES.items():
            style.save(picture(), folder / "figures" / paper / f"theory_{name}")


def proven(folder: Path) -> pd.DataFrame:
    """What `prove` found, a row for each part of a theorem; empty where it has not been run.

    Raises:
        InputError: theorems.csv is malformed.
    """
    path = folder / "theorems.csv"
    if not path.exists():
        return pd.DataFrame(columns=THEOREM_COLUMNS)
    return read_table(path, THEOREM_COLUMNS, THEOREM_KEY)


def draw(found: list[Item], folder: Path) -> None:
    """Write each item's figure and table below `folder`."""
    for item in found:
        style.save(item.module.draw(item.data), folder / "figures" / item.stem)
        write_table(folder / "tables" / f"{item.stem}.csv", item.table, "%.6g")


def findings_table(item: Item) -> pd.DataFrame:
    """Every tested part of an item's claims: the paper's side, ours, n and verdict."""
    return pd.DataFrame(
        [
            {
                "claim": claim.id,
                "tested": f.part,
                "paper": f.expected,
                "ours": f.effect or "",
                "n": f.effect.n if f.effect else "",
                "verdict": f.verdict,
            }
            for claim, findings in item.findings
            for f in findings
        ]
    )


def tally(kinds: list[str] | tuple[str, ...]) -> str:
    """The verdicts of a claim's parts in words, such as `supported` or `8 agrees, 1 differs`.

    In Markdown: the kinds are bold.
    """
    names = sorted(set(kinds), key=kinds.index)
    if len(names) == 1:
        return f"**{names[0]}**" + (f" ({len(kinds)} parts)" if len(kinds) > 1 else "")
    return ", ".join(f"{kinds.count(name)} **{name}**" for name in names)
