"""Figures as SVG files for the site: one drawing for a wide screen, one for a narrow, one panel."""

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
    """Write <stem>.svg, one of its panels, and the same for a narrow screen; returns the files.

    Without titles: the site's pages have what came out as theirs.
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
    """Write a figure, or what is within a box in inches, as SVG without its fonts.

    The same figure gives the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", bbox_inches=within, metadata=UNDATED)
    with replacing(path) as file:
        file.write(slim(buffer.getvalue()))


def save_panel(figure: Figure, path: Path, panel: int) -> None:
    """Write one panel of a figure, with its axes and its title; spoils the figure."""
    chosen = figure.axes[panel]
    for other in (*figure.axes, *figure.texts, *figure.legends):
        other.set_visible(other is chosen)
    box = chosen.get_tightbbox()
    assert box is not None, "a panel that is seen has a size"
    save(figure, path, box.transformed(figure.dpi_scale_trans.inverted()).padded(0.06))
