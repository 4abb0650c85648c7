"""ERRATA.md: what the papers misprint, what lacks a condition, and what is false."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mixup_repro.papers.claims import Theorem
from mixup_repro.papers.errata import Erratum, markdown
from mixup_repro.report.items import PAPERS
from mixup_repro.report.markdown import markdown as as_table
from mixup_repro.store.files import replacing

INTRO = """\
# Errata

Written by `make report`; do not edit. Each erratum can be checked in five minutes: by hand, with
its derivation, and by its numbers, which `mixup-repro check <id>` computes anew. What the paper
prints is given in our words. In the tables *Printed* is what the paper's formula or statement
gives, and is empty where it gives no number; *Right* is computed with the formula that we hold for
right, or with the library; the last column is the same number by another route, such as
enumeration, quadrature or more digits. A difference that rounding explains is written as 0. An
erratum is no verdict on a claim: verdicts are in [`REPORT.md`](REPORT.md)."""


def write_errata(folder: Path) -> list[Path]:
    """Compute every witness, in seconds, and write <folder>/ERRATA.md, a part for each paper."""
    path, parts = folder / "ERRATA.md", [INTRO]
    for paper in PAPERS:
        parts += [f"## {paper.title}", markdown(paper.errata)]
        if paper.misprints:
            parts += ["### Misprints without consequence", as_table(pd.DataFrame(paper.misprints))]
    with replacing(path) as file:
        file.write("\n\n".join(part.rstrip() for part in parts) + "\n")
    return [path]


def checkable() -> dict[str, Erratum | Theorem]:
    """Every erratum and every theorem by its id, in the order of the papers."""
    every: dict[str, Erratum | Theorem] = {}
    for paper in PAPERS:
        every |= {erratum.id: erratum for erratum in paper.errata}
        every |= {theorem.id: theorem for theorem in paper.theorems}
    return every
