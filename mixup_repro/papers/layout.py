"""Places for the text around a figure's panels and for names at ends of lines, without overlaps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

EDGE = 0.1  # inches left free at each side
TITLE, ABOUT, KEY, NOTE = 11.0, 9.0, 8.5, 8.3  # sizes of letters, in points
LINE = 1.4 / 72  # height of a line in inches, for each point of its letters
END, HEAD = "name of a line", "title, or what is below it"  # matplotlib's gid of these texts
NARROW = 3.75  # width in inches of a figure for a telephone, whose screen has 360 pixels
LEAST = 1.8  # least height in inches of a panel on a telephone, with its labels
_narrow = ContextVar("narrow", default=False)


def around(
    figure: Figure, title: str, about: str, key: Mapping[str, Any], note: str, colour: str
) -> None:
    """Make the figure higher for its text, and fit the panels in between.

    key: matplotlib's handles by name. colour: of the note and of the line below the title.
    """
    width = figure.get_figwidth() - 2 * EDGE
    title, about, note = (
        wrap(text, width, size * wide)
        for text, size, wide in ((title, TITLE, 1.15), (about, ABOUT, 1), (note, NOTE, 1))
    )
    rows, columns = _key_rows([*key], width)
    heights = {"title": _lines(title, TITLE), "about": _lines(about, ABOUT)}
    head = sum(heights.values()) + rows * 1.1 * LINE * KEY + 1.5 * EDGE
    foot = _lines(note, NOTE) + EDGE
    height = figure.get_figheight() + head + foot
    figure.set_figheight(height)
    left, top = EDGE / figure.get_figwidth(), 1 - EDGE / height
    look: dict[str, Any] = {"ha": "left", "va": "top", "linespacing": 1.15}
    figure.text(left, top, title, fontsize=TITLE, weight="bold", gid=HEAD, **look)
    top -= heights["title"] / height
    figure.text(left, top, about, fontsize=ABOUT, color=colour, gid=HEAD, **look)
    top -= (heights["about"] + 0.6 * EDGE) / height
    if key:
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (left, top)}
        place |= {"ncols": columns, "fontsize": KEY, "borderpad": 0, "borderaxespad": 0}
        figure.legend([*key.values()], [*key], **place)
    look |= {"va": "bottom", "fontsize": NOTE, "color": colour}
    figure.text(left, 0.5 * EDGE / height, note, **look)
    if is_narrow():
        _fold_titles(figure)
    for _ in range(2):  # panels of a fixed aspect need it twice
        figure.tight_layout(rect=(0, foot / height, 1, 1 - head / height))
    figure.set_layout_engine(None)  # it would draw everything once more before saving
    for axis in figure.axes:
        _move_apart(axis)


@contextmanager
def narrow() -> Iterator[None]:
    """Inside, figures are drawn for the narrow screen of a telephone."""
    token = _narrow.set(True)
    try:
        yield
    finally:
        _narrow.reset(token)


def is_narrow() -> bool:
    return _narrow.get()


def stacked(
    columns: int, rows: int, size: tuple[float, float], kwargs: dict[str, Any]
) -> tuple[Figure, list[Axes]]:
    """Panels for a narrow screen, at most two side by side; those of a column stay together.

    Returns the panels row by row, as they would stand on a wide screen.
    """
    abreast = min(columns, max(1, round(NARROW / size[0])))
    blocks = -(-columns // abreast)
    kwargs.pop("gridspec_kw", None)  # it has widths of panels that no longer stand side by side
    if ratios := kwargs.pop("height_ratios", None):
        kwargs["height_ratios"] = [*ratios] * blocks
    narrower = min(1.0, NARROW / abreast / size[0])
    high = max(size[1] * narrower, min(size[1], LEAST))
    figure = Figure(figsize=(NARROW, blocks * rows * high))
    grid = figure.subplots(blocks * rows, abreast, squeeze=False, **kwargs)
    places = [(c // abreast * rows + r, c % abreast) for r in range(rows) for c in range(columns)]
    for spare in set(np.ndindex(grid.shape)) - set(places):
        grid[spare].remove()
    return figure, [grid[place] for place in places]


def _fold_titles(figure: Figure) -> None:
    """Break the titles of panels into lines that end before the next panel begins."""
    for axis in figure.axes:
        place, told = axis.get_subplotspec(), axis.get_title("left")
        if place is None or not told:
            continue
        room = NARROW / place.get_gridspec().ncols - 4 * EDGE
        for text in axis.findobj(Text):
            if isinstance(text, Text) and text.get_text() == told:
                text.set_text(wrap(told, room, float(text.get_fontsize())))


def headline(figure: Figure, text: str) -> None:
    """Write what came out as the headline of a finished figure, whose title becomes plain text."""
    text = wrap(text, figure.get_figwidth() - 2 * EDGE, TITLE * 1.15)
    before, to_figure = figure.get_figheight(), figure.transFigure.inverted()
    boxes = [legend.get_bbox_to_anchor().transformed(to_figure) for legend in figure.legends]
    figure.set_figheight(before + _lines(text, TITLE))
    share = before / figure.get_figheight()  # of the new height, that the figure had before
    for axis in figure.axes:
        place = axis.get_position(original=True)
        axis.set_position((place.x0, place.y0 * share, place.width, place.height * share))
    for legend, box in zip(figure.legends, boxes):
        legend.set_bbox_to_anchor((box.x0, box.y0 * share), transform=figure.transFigure)
    for old in figure.texts:
        old.set_y(old.get_position()[1] * share)
    figure.texts[0].set_fontweight("normal")
    x, y = EDGE / figure.get_figwidth(), 1 - EDGE / figure.get_figheight()
    look: dict[str, Any] = {"ha": "left", "va": "top", "linespacing": 1.15, "weight": "bold"}
    figure.text(x, y, text, fontsize=TITLE, **look)


def head(figure: Figure) -> list[Text]:
    """A figure's title and the line below it, where it has them."""
    return [text for text in figure.texts if text.get_gid() == HEAD]


def below_head(figure: Figure) -> Bbox:
    """The box below a figure's title and the line below it, in inches."""
    width, height = figure.get_size_inches()
    if heads := head(figure):
        height = min(text.get_window_extent().y0 for text in heads) / figure.dpi
    return Bbox.from_extents(0, 0, width, height)


def wrap(text: str, width: float, size: float) -> str:
    """Text in lines of about `width` inches at most, by the usual width of a letter.

    Formulas between dollar signs are not broken.
    """
    most, lines = int(width * 72 / (0.53 * size)), []
    for line in text.split("\n"):
        lines.append("")
        for word in re.findall(r"(?:\$[^$]*\$|\S)+", line):
            if lines[-1] and _letters(f"{lines[-1]} {word}") > most:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return "\n".join(lines)


def _letters(text: str) -> int:
    """How many letters a text shows, where a TeX command counts as one."""
    return len(re.sub(r"[${}_^]", "", re.sub(r"\\[A-Za-z]+", "x", text)))


def _lines(text: str, size: float) -> float:
    """Inches that a text is high."""
    return (text.count("\n") + 1) * LINE * size if text else 0.0


def _key_rows(names: list[str], width: float) -> tuple[int, int]:
    """Rows and columns of a key, by the width of its names."""
    if not names:
        return 0, 1
    columns = max(1, min(len(names), int(width / (0.55 + 0.075 * max(map(_letters, names))))))
    return -(-len(names) // columns), columns


def end_label(axis: Axes, height: float, name: str, colour: Any) -> None:
    """Write a name to the right of a panel, at a height of its y axis."""
    look: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": KEY, "color": colour}
    place: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points"}
    place |= {"xycoords": ("axes fraction", "data"), "annotation_clip": False}
    axis.annotate(name, (1, height), gid=END, **place, **look)


def _move_apart(axis: Axes) -> None:
    """Move names at ends of lines apart, so that they do not overlap and keep their order."""
    names = [t for t in axis.texts if isinstance(t, Annotation) and t.get_gid() == END]
    if len(names) < 2:
        return
    right, pixels = axis.get_xlim()[1], axis.figure.dpi / 72
    apart = 1.15 * KEY * pixels
    names.sort(key=lambda t: t.xy[1], reverse=bool(axis.yaxis_inverted()))
    wanted = [float(axis.transData.transform((right, t.xy[1]))[1]) for t in names]
    places = list(wanted)
    for _ in range(100):  # two neighbours that are too near push each other away
        for k in range(1, len(places)):
            if (more := apart - (places[k] - places[k - 1])) > 0:
                places[k - 1], places[k] = places[k - 1] - more / 2, places[k] + more / 2
    for text, place, own in zip(names, places, wanted):
        text.set_position((text.get_position()[0], (place - own) / pixels))
