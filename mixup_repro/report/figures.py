"""Figures of items, with the verdicts on their claims as headlines."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from joblib import Parallel, cpu_count, delayed
from matplotlib.figure import Figure

from mixup_repro.live import phase
from mixup_repro.papers import layout, style, vector
from mixup_repro.report.items import Entry
from mixup_repro.report.published import draw_published
from mixup_repro.report.verdicts import Word, of_entry
from mixup_repro.store.kept import kept
from mixup_repro.store.tables import write_table

FEW = 8  # so many figures take about as long as starting another process


def draw(found: list[Entry], folder: Path) -> None:
    """Write each figure and table below `folder`, and the picture of published runs.

    Files that the same code made from the same rows are left as they are. The site's figures have
    no headline, as its pages have their own.
    """
    made = kept(folder)
    rows = {entry.stem: pickle.dumps(entry.data) for entry in found}
    changed = [entry for entry in found if not made.has(entry.stem, rows[entry.stem])]
    with phase("drawing", len(changed), "figures") as at:
        for entry, files in zip(changed, _written(changed, folder)):
            made.note(entry.stem, rows[entry.stem], files)
            at.done += 1
    draw_published(folder)


def _written(changed: list[Entry], folder: Path) -> Iterable[list[Path]]:
    """The files that `_write` makes of each entry, on several cores where there are many."""
    processes = min(cpu_count(), len(changed) // FEW)
    if processes < 2:
        return (_write(entry, folder) for entry in changed)
    parallel = Parallel(processes, return_as="generator")
    return parallel(delayed(_write)(entry, folder) for entry in changed)


def _write(entry: Entry, folder: Path) -> list[Path]:
    table = folder / "tables" / f"{entry.stem}.csv"
    write_table(table, entry.table, "%.6g")
    stem, item = folder / "figures" / entry.stem, entry.item
    draw = partial(item.draw, entry.data)
    for_site = vector.for_site(draw, stem, item.panel)
    return [table, *for_site, *style.save(drawn(entry), stem)]


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
