"""Figures as SVG files for the site: for a wide screen, for a narrow one, and one panel alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from mixup_repro.papers import layout
from mixup_repro.papers.slim import slim
from mixup_repro.store.files import replacing

UNDATED = {"Date": None, "Creator": None}


def for_site(draw: Callable[[], Figure], stem: Path, panel: int = 0) -> list[Path]:
    """Write <stem>.svg, <stem>-panel.svg (one panel) and <stem>-narrow.svg; returns the files.

    They have no titles, since the site's pages have headings of their own.
    """
    figure = draw()
    wide, thumbnail, narrow = (
        stem.with_name(f"{stem.name}{kind}.svg") for kind in ("", "-panel", "-narrow")
    )
    save(figure, wide, layout.without_head(figure))
    save_panel(figure, thumbnail, panel)
    with layout.narrow():
        figure = draw()
    save(figure, narrow, layout.without_head(figure))
    return [wide, thumbnail, narrow]


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


def save_panel(figure: Figure, path: Path, panel: int) -> None:
    """Write one panel of a figure with its axes and title; everything else becomes invisible."""
    chosen = figure.axes[panel]
    for other in (*figure.axes, *figure.texts, *figure.legends):
        other.set_visible(other is chosen)
    box = chosen.get_tightbbox()
    assert box is not None, "a panel that is seen has a size"
    save(figure, path, box.transformed(figure.dpi_scale_trans.inverted()).padded(0.06))
