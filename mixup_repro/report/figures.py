"""Figures of items, with the verdicts on their claims as headlines."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from mixup_repro.papers import layout, style, vector
from mixup_repro.report.files import Files, making
from mixup_repro.report.items import PAPERS, Entry
from mixup_repro.report.published import draw_published
from mixup_repro.report.verdicts import Word, of_entry
from mixup_repro.store.tables import write_table


def draw(found: list[Entry], folder: Path) -> None:
    """Write each figure and table below `folder`, and the picture of published runs.

    The site's figures have no headline, as its pages have their own.
    """
    drawings = [Files(e.stem, pickle.dumps(e.data), partial(_write, e, folder)) for e in found]
    with making(drawings, folder, "drawing", "figures"):
        draw_published(folder)


def theory_pictures(folder: Path) -> list[Files]:
    """The pictures of the theory, which no runs are needed for, below `folder`."""
    drawings = []
    for paper in PAPERS:
        for name, (picture, _) in paper.pictures.items():
            stem = folder / "figures" / paper.name / f"theory_{name}"
            write = partial(_write_picture, picture, stem)
            drawings.append(Files(f"{paper.name}/{stem.name}", b"", write))
    return drawings


def _write(entry: Entry, folder: Path) -> list[Path]:
    table = folder / "tables" / f"{entry.stem}.csv"
    write_table(table, entry.table, "%.6g")
    stem, item = folder / "figures" / entry.stem, entry.item
    figure, for_site = vector.for_site(partial(item.draw, entry.data), stem, item.panel)
    return [table, *for_site, *style.save(_headed(figure, entry), stem)]


def _write_picture(make: Callable[[], Figure], stem: Path) -> list[Path]:
    figure, for_site = vector.for_site(make, stem)
    return [*for_site, *style.save(figure, stem)]


def drawn(entry: Entry) -> Figure:
    """The figure of an entry, with what came out as its headline where claims were tested."""
    return _headed(entry.item.draw(entry.data), entry)


def _headed(figure: Figure, entry: Entry) -> Figure:
    if finding := came_out(entry):
        layout.headline(figure, finding)
    return figure


def came_out(entry: Entry) -> str:
    """A line for each verdict with the paper's claims that have it: `Holds here: Rescaling ...`.

    Without questions of our own, and without our readings, which stand as "(our ...)" in claims.
    """
    claims: dict[str, list[str]] = {}
    for verdict in of_entry(entry):
        if verdict.word != Word.NOT_RUN and not verdict.ours:
            sentence = verdict.says.removesuffix(".").partition(" (our ")[0]
            claims.setdefault(verdict.phrase, []).append(sentence)
    return "\n".join(
        f"{said[0].upper()}{said[1:]}: {'; '.join(own)}." for said, own in claims.items()
    )
