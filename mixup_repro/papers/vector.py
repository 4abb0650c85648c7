"""Figures as SVG files for the site: for a wide screen, for a narrow one, and one panel alone."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from mixup_repro.papers import layout
from mixup_repro.papers.slim import slim
from mixup_repro.store.files import replacing

UNDATED = {"Date": None, "Creator": None}


def for_site(draw: Callable[[], Figure], stem: Path, panel: int = 0) -> tuple[Figure, list[Path]]:
    """Write <stem>.svg, <stem>-panel.svg (one panel) and <stem>-narrow.svg.

    They have no titles, since the site's pages have headings of their own. Returns the figure as it
    is drawn for a wide screen, whole, and the files.
    """
    figure = draw()
    wide, thumbnail, narrow = (
        stem.with_name(f"{stem.name}{kind}.svg") for kind in ("", "-panel", "-narrow")
    )
    save_without_head(figure, wide)
    save_panel(figure, thumbnail, panel)
    with layout.narrow():
        save_without_head(draw(), narrow)
    return figure, [wide, thumbnail, narrow]


def save(figure: Figure, path: Path, within: Bbox | None = None) -> None:
    """Write a figure, or the part within a box in inches, as SVG without embedded fonts.

    Equal figures give equal bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", bbox_inches=within, metadata=UNDATED)
    with replacing(path) as file:
        file.write(slim(buffer.getvalue()))


def save_without_head(figure: Figure, path: Path) -> None:
    """Write a figure without its title and the line below it."""
    rest = layout.below_head(figure)
    with _hidden(layout.head(figure)):
        save(figure, path, rest)


def save_panel(figure: Figure, path: Path, panel: int) -> None:
    """Write one panel of a figure with its axes and title, and nothing else."""
    chosen = figure.axes[panel]
    every = (*figure.axes, *figure.texts, *figure.legends)
    with _hidden([other for other in every if other is not chosen]):
        box = chosen.get_tightbbox()
        assert box is not None, "a panel that is seen has a size"
        save(figure, path, box.transformed(figure.dpi_scale_trans.inverted()).padded(0.06))


@contextmanager
def _hidden(parts: Iterable[Artist]) -> Iterator[None]:
    """Inside, these parts of a figure are not drawn."""
    seen = [part for part in parts if part.get_visible()]
    for part in seen:
        part.set_visible(False)
    try:
        yield
    finally:
        for part in seen:
            part.set_visible(True)
