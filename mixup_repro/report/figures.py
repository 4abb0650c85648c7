"""Figures of items, with the verdicts on their claims as headlines."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from joblib import Parallel, cpu_count, delayed
from matplotlib.figure import Figure

from mixup_repro.live import phase
from mixup_repro.papers import layout, style, vector
from mixup_repro.report.items import PAPERS, Entry
from mixup_repro.report.published import draw_published
from mixup_repro.report.verdicts import Word, of_entry
from mixup_repro.store.kept import kept
from mixup_repro.store.tables import write_table

FEW = 8  # so many figures take about as long as starting another process


@dataclass(frozen=True)
class Drawing:
    """Files to write, under a name: the same inputs and code give the same files."""

    name: str
    inputs: bytes
    write: Callable[[], list[Path]]


def draw(found: list[Entry], folder: Path) -> None:
    """Write each figure and table below `folder`, and the picture of published runs.

    The site's figures have no headline, as its pages have their own.
    """
    _make(
        [Drawing(e.stem, pickle.dumps(e.data), partial(_write, e, folder)) for e in found], folder
    )
    draw_published(folder)


def draw_theory(folder: Path) -> None:
    """Write the pictures of the theory, which no runs are needed for, below `folder`."""
    drawings = []
    for paper in PAPERS:
        for name, (picture, _) in paper.pictures.items():
            stem = folder / "figures" / paper.name / f"theory_{name}"
            write = partial(_write_picture, picture, stem)
            drawings.append(Drawing(f"{paper.name}/{stem.name}", b"", write))
    _make(drawings, folder)


def _make(drawings: list[Drawing], folder: Path) -> None:
    """Write those whose files are not there, or were made by other code or from other inputs."""
    made = kept(folder)
    changed = [drawing for drawing in drawings if not made.has(drawing.name, drawing.inputs)]
    with phase("drawing", len(changed), "figures") as at:
        for drawing, files in zip(changed, _written(changed)):
            made.note(drawing.name, drawing.inputs, files)
            at.done += 1


def _written(changed: list[Drawing]) -> Iterable[list[Path]]:
    """The files of each drawing, written on several cores where there are many."""
    processes = min(cpu_count(), len(changed) // FEW)
    if processes < 2:
        return (drawing.write() for drawing in changed)
    parallel = Parallel(processes, return_as="generator")
    return parallel(delayed(drawing.write)() for drawing in changed)


def _write(entry: Entry, folder: Path) -> list[Path]:
    table = folder / "tables" / f"{entry.stem}.csv"
    write_table(table, entry.table, "%.6g")
    stem, item = folder / "figures" / entry.stem, entry.item
    draw = partial(item.draw, entry.data)
    for_site = vector.for_site(draw, stem, item.panel)
    return [table, *for_site, *style.save(drawn(entry), stem)]


def _write_picture(make: Callable[[], Figure], stem: Path) -> list[Path]:
    return [*vector.for_site(make, stem), *style.save(make(), stem)]


def drawn(entry: Entry) -> Figure:
    """The figure of an entry, with what came out as its headline where claims were tested."""
    figure = entry.item.draw(entry.data)
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
