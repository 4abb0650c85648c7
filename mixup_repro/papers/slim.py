"""matplotlib's SVG in a fraction of the bytes: text stays text, marks of one look are one path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree import ElementTree as Tree

import numpy as np

from mixup_repro.papers.polyline import FAINT, NEAR, Point, Stroke, dot, path, strokes, through
from mixup_repro.papers.wording import (
    Look,
    Words,
    attributes,
    grouped,
    look_of,
    name_of,
    said,
    words,
)

LENGTH = re.compile(r"[\d.]+")
LENGTHS = ("stroke-width", "stroke-dasharray")
ONE = re.compile(r"h-?\d+|v-?\d+|l-?\d+[ -]\d+")  # a straight line
BAR = re.compile(r"h(\d+)v(-?\d+)h-\1z")  # a rectangle
CLOUD = 100  # so many dots or more are written once and then referred to
BARS = 8  # so many bars of one height or more are written as lines of that width
GROUND: Look = {"fill": "#ffffff"}  # the background of a panel
Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass
class Drawn:
    """Strokes of one look, and the name of the box that clips them.

    mark: where the strokes are places of a marker with a rim, the marker's element around (0, 0).
    """

    look: Look
    clip: str
    strokes: list[Stroke]
    mark: str = ""

    @property
    def thin(self) -> bool:
        """Whether nothing is filled: only lines and dots."""
        lines = all(ONE.fullmatch(stroke.steps) for stroke in self.strokes)
        return self.look.get("fill") == "none" or lines or bool(self.mark)

    def like(self, other: Drawn) -> bool:
        mine, its = (self.look, self.clip, self.mark), (other.look, other.clip, other.mark)
        return mine == its


@dataclass(frozen=True)
class Picture:
    """A bitmap as text, and the name of the box that clips it."""

    clip: str
    text: str


@dataclass(frozen=True)
class Known:
    """What a drawing defines once: names of markers by outline, and places of clouds by name."""

    marks: dict[str, str]
    clouds: dict[str, list[Point]]

    def mark(self, drawn: Drawn) -> tuple[str, str]:
        """The text that defines a marker, "" where it is defined already, and its name.

        Each clipping box has markers of its own: the site adapts colours to a dark screen, but not
        those on bitmaps, which it knows by their clipping box.
        """
        name, _, shape = drawn.mark.partition(" ")
        outline = f"<{name}{attributes({'style': said(drawn.look)})} {shape}/>"
        if held := self.marks.get(outline + drawn.clip):
            return "", held
        new = self.marks.setdefault(outline + drawn.clip, f"m{len(self.marks)}")
        about = f'id="{new}" markerUnits="userSpaceOnUse" overflow="visible"'
        return f"<marker {about}>{outline}</marker>", new

    def cloud(self, dots: list[Stroke], steps: str) -> str:
        """The path of many dots; a copy of another cloud, moved, refers to that one.

        The copy may differ by rounding, of a tenth of a point.
        """
        places = [stroke.start for stroke in dots]
        for name, others in self.clouds.items():
            if len(others) == len(places):
                ways = np.subtract(places, others)
                way = np.round((ways.min(0) + ways.max(0)) / 2).astype(int)
                if np.abs(ways - way).max() <= 1:
                    return f'<use href="#{name}" x="{way[0]}" y="{way[1]}"/>'
        new = f"d{len(self.clouds)}"
        self.clouds[new] = places
        return f'<path id="{new}" d="{steps}"/>'


Leaf: TypeAlias = Drawn | Picture | Words


def slim(svg: str) -> str:
    """The same picture in a fraction of the bytes; matplotlib writes an element for each mark.

    Numbers become whole tenths of a point, which is as much as the eye sees. Marks of one look that
    follow one another become one path, and a dot becomes a line of no length with round ends. Only
    what crosses a panel's edge is clipped, and what lies on a bitmap, which the site knows by it.
    """
    root = Tree.fromstring(svg)
    marks = {node.get("id", ""): node for node in root.iter() if name_of(node) == "path"}
    clips = [node for node in root.iter() if name_of(node) == "clipPath"]
    boxes = {f"url(#{clip.get('id')})": _box(clip[0]) for clip in clips}
    leaves = _leaves(root, marks, "")
    on_bitmaps = {leaf.clip for leaf in leaves if isinstance(leaf, Picture)}
    for leaf in leaves:
        if isinstance(leaf, Drawn) and leaf.clip not in on_bitmaps:
            leaf.clip = leaf.clip if leaf.clip and _beyond(leaf, boxes[leaf.clip]) else ""
    lines = _joined(leaves)
    names = [name for name in boxes if any(name in line for line in lines)]
    text = "\n".join(lines + [_clip(k, boxes[name]) for k, name in enumerate(names)])
    for k, name in enumerate(names):
        text = text.replace(name, f"url(#c{k})")
    size = " ".join(f"{10 * float(number):.0f}" for number in root.get("viewBox", "").split())
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">\n{text}\n</svg>\n'


def _leaves(node: Tree.Element, marks: dict[str, Tree.Element], clip: str) -> list[Leaf]:
    """Everything that is drawn, in the order of drawing."""
    out: list[Leaf] = []
    for child in node:
        name, inner = name_of(child), child.get("clip-path", clip)
        if name == "text" or (name == "g" and child.get("transform")):
            out.append(words(child))
        elif name == "g":
            out += _leaves(child, marks, inner)
        elif name == "path":
            look = _look(child)
            faint = float(look.get("stroke-opacity", 1)) <= 0.3
            near = FAINT if faint else NEAR
            out.append(Drawn(look, inner, strokes(child.get("d", ""), near=near)))
        elif name == "use":
            mark = marks[next(v for k, v in child.attrib.items() if k.endswith("href"))[1:]]
            out.append(_mark(child, mark, inner))
        elif name == "image":
            about = {key.rpartition("}")[2]: value for key, value in child.attrib.items()}
            del about["id"]
            place = f"scale(10) {about.pop('transform')}"
            out.append(Picture(inner, f'<g transform="{place}"><image{attributes(about)}/></g>'))
    return out


def _mark(use: Tree.Element, mark: Tree.Element, clip: str) -> Drawn:
    """A mark at its place: a dot where it is round or square, otherwise its outline moved there."""
    look = _look(use) | _look(mark)
    x, y = float(use.get("x", 0)), float(use.get("y", 0))
    outline = mark.get("d", "")
    numbers = [float(word) for word in outline.split() if not word.isalpha()]
    sides = set(map(abs, numbers))
    cap = "round" if "C" in outline else "square" if len(numbers) == 8 and len(sides) == 1 else ""
    if not cap:
        return Drawn(look, clip, strokes(outline, x, y))
    fill, rim = look.get("fill", "#000000"), look.get("stroke", "none")
    if rim not in (fill, "none"):
        size = round(10 * max(sides))
        square = f'd="M{-size}{-size}h{2 * size}v{2 * size}h{-2 * size}z"'
        shape = f'circle r="{size}"' if cap == "round" else f"path {square}"
        return Drawn(look, clip, [dot(x, y)], shape)
    edge = float(look["stroke-width"]) if rim == fill else 0.0
    own = {"fill": "none", "stroke": fill, "stroke-width": f"{20 * max(sides) + edge:.3g}"}
    own["stroke-linecap"] = cap
    if (opacity := look.get("fill-opacity", look.get("opacity", "1"))) != "1":
        own["stroke-opacity"] = opacity
    return Drawn(own, clip, [dot(x, y)])


def _joined(leaves: list[Leaf]) -> list[str]:
    """Elements as text. In each panel, lines of one look are one path, and words stand on top.

    What is filled keeps its place in the order. A panel begins with its white background.
    """
    out: list[str] = []
    paths: list[Drawn] = []
    texts: list[Words] = []
    known = Known({}, {})

    def close() -> None:
        out.extend([_element(_as_lines(drawn), known) for drawn in paths] + grouped(texts))
        paths.clear()
        texts.clear()

    for leaf in leaves:
        if isinstance(leaf, Words):
            texts.append(leaf)
        elif isinstance(leaf, Picture):
            close()
            out.append(f"<g{attributes({'clip-path': leaf.clip})}>{leaf.text}</g>")
        elif leaf.strokes:
            if leaf.look == GROUND:
                close()
            near = paths if leaf.thin else paths[-1:]
            same = (held for held in near if held.like(leaf))
            if (held := next(same, None)) is None:
                paths.append(leaf)
            else:
                held.strokes += leaf.strokes
    close()
    return out


def _element(drawn: Drawn, known: Known) -> str:
    """A path as text; a marker is defined before the first path that uses it."""
    about, before, steps = {"clip-path": drawn.clip}, "", ""
    if drawn.mark:
        before, name = known.mark(drawn)
        about["style"] = f"fill:none;marker:url(#{name})"
        steps = through([stroke.start for stroke in drawn.strokes])
    else:
        about["style"] = said(drawn.look)
        steps = path(drawn.strokes)
    if len(drawn.strokes) < CLOUD or not all(stroke.is_dot for stroke in drawn.strokes):
        return f'{before}<path{attributes(about)} d="{steps}"/>'
    return f"{before}<g{attributes(about)}>{known.cloud(drawn.strokes, steps)}</g>"


def _as_lines(drawn: Drawn) -> Drawn:
    """Many bars of one height as lines of that width; other paths are returned as they are."""
    bars = [BAR.fullmatch(stroke.steps) for stroke in drawn.strokes]
    heights = [int(bar[2]) for bar in bars if bar]
    same = len(heights) == len(bars) >= BARS and max(heights) - min(heights) <= 1
    if not same or drawn.look.keys() != {"fill"}:
        return drawn
    height = max(heights, key=abs)
    look = {"fill": "none", "stroke": drawn.look["fill"], "stroke-width": str(abs(height))}
    lines = []
    for bar, stroke in zip(bars, drawn.strokes):
        assert bar is not None, "there are as many heights as bars"
        x, y = stroke.start[0], stroke.start[1] + height // 2
        wide = int(bar[1])
        lines.append(Stroke((x, y), f"h{wide}", (x + wide, y), ((x, y), (x + wide, y))))
    return Drawn(look, drawn.clip, lines)


def _beyond(drawn: Drawn, box: Box) -> bool:
    """Whether a stroke leaves a box by more than rounding explains."""
    left, top, right, bottom = box
    return any(
        not (left - 1 <= x <= right + 1 and top - 1 <= y <= bottom + 1)
        for stroke in drawn.strokes
        for x, y in stroke.points
    )


def _box(rectangle: Tree.Element) -> Box:
    x, y, width, height = (float(rectangle.get(k, 0)) for k in ("x", "y", "width", "height"))
    left, top, right, bottom = (round(10 * n) for n in (x, y, x + width, y + height))
    return left, top, right, bottom


def _clip(k: int, box: Box) -> str:
    left, top, right, bottom = box
    return f'<clipPath id="c{k}"><path d="M{left} {top}H{right}V{bottom}H{left}"/></clipPath>'


def _look(node: Tree.Element) -> Look:
    """An element's style with lengths in tenths of a point; a line without a width has a point."""
    look = look_of(node)
    for key in LENGTHS:
        if key in look:
            look[key] = LENGTH.sub(lambda m: f"{10 * float(m[0]):g}", look[key])
    wide = {} if look.get("stroke", "none") == "none" else {"stroke-width": "10"}
    return wide | look
