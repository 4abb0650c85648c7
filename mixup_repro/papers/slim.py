"""SVG in a fraction of matplotlib's bytes: text stays text, marks of one look are one path."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias
from xml.etree import ElementTree as Tree
from xml.sax.saxutils import escape, quoteattr

from mixup_repro.papers.polyline import Point, fewer, go

NUMBER = re.compile(r"-?\d+\.\d+")
FONT = re.compile(r"font: ((?:\w+ )*)([\d.]+px)[^;]*")
STROKE = re.compile(r"M[^a-zA-Z]+[hvl][^a-zA-Z]+")  # one straight line
GROUND = "fill:#ffffff"  # of a panel
RELATIONS = frozenset("=<>≤≥≈+\N{MINUS SIGN}±→")
PLACES = frozenset("x y transform width height viewBox".split())
Look: TypeAlias = dict[str, str]  # what style="..." says


def slim(svg: str) -> str:
    """The same picture in a fraction of the bytes, as matplotlib's SVG has an element a mark.

    A tenth of a point is what the eye sees. Marks that follow one another in one look become one
    path, a dot a line of no length with round ends.
    """
    root = Tree.fromstring(svg)
    marks = {node.get("id", ""): node for node in root.iter() if _name(node) == "path"}
    clips = {node.get("id", ""): node for node in root.iter() if _name(node) == "clipPath"}
    names = {f"url(#{name})": f"url(#c{k})" for k, name in enumerate(clips)}
    parts = _joined(_leaves(root, marks, names, None))
    for k, clip in enumerate(clips.values()):
        parts.append(f'<clipPath id="c{k}">{"".join(map(_rectangle, clip))}</clipPath>')
    box = root.get("viewBox")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _leaves(
    node: Tree.Element, marks: dict[str, Tree.Element], names: Look, clip: str | None
) -> list[tuple[Look, str] | str]:
    """What is drawn, in order: paths as attributes and steps, everything else as text."""
    out: list[tuple[Look, str] | str] = []
    for child in node:
        name, inner = _name(child), names.get(child.get("clip-path", ""), clip)
        about = {} if inner is None else {"clip-path": inner}
        if name == "g" and child.get("transform"):
            out.append(_element(child))
        elif name == "g":
            out += _leaves(child, marks, names, inner)
        elif name == "path":
            out.append((about | {"style": _style(child)}, _steps(child.get("d", ""))))
        elif name == "use":
            mark = marks[next(v for k, v in child.attrib.items() if k.endswith("href"))[1:]]
            out += _mark(child, mark, about)
        elif name == "text":
            out.append(_element(child))
        elif name == "image":
            out.append(f"<g{_attributes(about)}>{_element(child)}</g>")
    return out


def _mark(use: Tree.Element, mark: Tree.Element, about: Look) -> list[tuple[Look, str] | str]:
    """A mark at its place: its outline moved there; a dot, or two, where it is round or square."""
    look = _look(use) | _look(mark)
    x, y = float(use.get("x", 0)), float(use.get("y", 0))
    outline = mark.get("d", "")
    numbers = [float(word) for word in outline.split() if not word.isalpha()]
    sides = set(map(abs, numbers))
    cap = "round" if "C" in outline else "square" if len(numbers) == 8 and len(sides) == 1 else ""
    if not cap:
        return [(about | {"style": _said(look)}, _steps(outline, x, y))]
    size = 2 * max(sides)
    edge = float(look.get("stroke-width", 1)) if look.get("stroke", "none") != "none" else 0.0
    fill = look.get("fill", "#000000")
    opacity = look.get("fill-opacity", look.get("opacity", "1"))
    dot = _pair("M", [(round(10 * x), round(10 * y))]) + "h0"
    out: list[tuple[Look, str] | str] = []
    sizes = {look.get("stroke", "none"): size + edge, fill: size - edge}
    if look.get("stroke") == fill:
        sizes = {fill: size + edge}
    for colour, width in sizes.items():
        if colour != "none":
            style = f"fill:none;stroke:{colour};stroke-width:{width:.3g};stroke-linecap:{cap}"
            style += "" if opacity == "1" else f";stroke-opacity:{opacity}"
            out.append((about | {"style": style}, dot))
    return out


def _joined(leaves: list[tuple[Look, str] | str]) -> list[str]:
    """Elements as text. Of each panel, lines of one look are one path, and words stand on top.

    What is filled keeps its place, and a panel begins with its ground, which is white.
    """
    out: list[str] = []
    paths: list[tuple[Look, list[str]]] = []
    words: list[str] = []

    def close() -> None:
        out.extend(f'<path d="{_one(steps)}"{_attributes(look)}/>' for look, steps in paths)
        out.extend(words)
        paths.clear()
        words.clear()

    for leaf in leaves:
        if isinstance(leaf, str):
            words.append(leaf)
            if "<image" in leaf:
                close()
            continue
        about, steps = leaf
        if not re.search("[a-zLCQ]", steps):  # it goes nowhere
            continue
        style = about.get("style", "")
        if style == GROUND:
            close()
        thin = "fill:none" in style or STROKE.fullmatch(steps)
        near = paths if thin else paths[-1:]
        same = next((held for look, held in near if look == about), None)
        if same is None:
            paths.append((about, [steps]))
        else:
            same.append(steps)
    close()
    return out


def _one(steps: list[str]) -> str:
    """Paths one after the other; a dot as a step from the dot before it."""
    out, at = "", None
    for step in steps:
        if not step.endswith("h0"):
            out, at = out + step, None
            continue
        x, y = (round(10 * float(number)) for number in step[1:-2].split())
        out += step if at is None else f"m{_tenths(x - at[0], 0)}{_tenths(y - at[1])}h0"
        at = (x, y)
    return out


def _steps(outline: str, x: float = 0.0, y: float = 0.0) -> str:
    """A path moved by x and y, in tenths: straight lines as steps, curves as they are."""
    words = outline.split()
    out, at, k = "", (0, 0), 0
    steps: list[Point] = []
    while k < len(words):
        letter = words[k]
        count = {"z": 0, "M": 2, "L": 2, "Q": 4, "C": 6}[letter]
        numbers = [float(w) for w in words[k + 1 : k + 1 + count]]
        points = [
            (round(10 * (a + x)), round(10 * (b + y))) for a, b in zip(numbers[::2], numbers[1::2])
        ]
        k += 1 + count
        if letter == "L":
            go(steps, (points[0][0] - at[0], points[0][1] - at[1]))
        else:
            out += _lines(fewer(steps)) + _pair(letter, points)
            steps = []
        at = points[-1] if points else at
    return out + _lines(fewer(steps))


def _lines(steps: list[Point]) -> str:
    out, before = "", ""
    for dx, dy in steps:
        letter = "h" if not dy else "v" if not dx else "l"
        first = 1 if letter == before else 0
        numbers = _tenths(dx, first) if letter == "h" else _tenths(dy, first)
        if letter == "l":
            numbers = _tenths(dx, first) + _tenths(dy)
        out += numbers if first else letter + numbers
        before = letter
    return out


def _pair(letter: str, points: list[tuple[int, int]]) -> str:
    return letter + "".join(f"{_tenths(x, k)}{_tenths(y)}" for k, (x, y) in enumerate(points))


def _tenths(number: int, place: int = 1) -> str:
    """A number of tenths as short as SVG has it, with what parts it from the number before."""
    text = f"{number / 10:g}".replace("0.", ".", 1) if abs(number) < 10 else f"{number / 10:g}"
    return text if place == 0 or text.startswith("-") else f" {text}"


def _element(node: Tree.Element) -> str:
    """Text, a picture, or a group of them, as it is."""
    places = {key.rpartition("}")[2]: _short(key, v) for key, v in node.attrib.items()}
    turned = places.get("transform", "")
    about = {k: v for k, v in places.items() if k not in ("id", "style", "clip-path") and v}
    if turned.startswith("rotate(-0 "):
        del about["transform"]
    if said := _style(node):
        about["style"] = said
    inside = escape(node.text or "") if (node.text or "").strip() else ""
    if any(child.get("x") for child in node):
        return f'<text{_attributes(about)} xml:space="preserve">{_formula(node)}</text>'
    for child in node:
        inside += _element(child) + (escape(child.tail or "") if (child.tail or "").strip() else "")
    return f"<{_name(node)}{_attributes(about)}>{inside}</{_name(node)}>"


def _formula(node: Tree.Element) -> str:
    """A line with mathematics, which matplotlib places letter by letter, as words that flow."""
    letters = sorted(map(_letter, node), key=lambda letter: letter[0])
    full = max(_pixels(look) for *_, look in letters)
    spans: list[tuple[float, Look, str]] = []
    for _, height, sign, look in letters:
        before = spans[-1][2] if spans else ""
        if sign in RELATIONS and _pixels(look) == full and before and before[-1] not in " ([=":
            sign = f" {sign} "  # in mathematics the spaces are places, not letters
        if before.endswith(" ") and not (sign := sign.lstrip()):
            continue
        if spans and (unicodedata.combining(sign[0]) or spans[-1][:2] == (height, look)):
            spans[-1] = (*spans[-1][:2], before + sign)
        else:
            spans.append((height, look, sign))
    out, at = "", 0.0
    for height, look, text in spans:
        shift = {"dy": f"{height - at:.1f}"} if abs(height - at) > 0.5 else {}
        at = height if shift else at
        out += f"<tspan{_attributes({**shift, 'style': _said(look)})}>{escape(text)}</tspan>"
    return out


def _letter(node: Tree.Element) -> tuple[float, float, str, Look]:
    """Place along the line, height, sign and look of a letter; an accent is above one before it."""
    look, sign = _look(node), (node.text or " ").replace("\N{NO-BREAK SPACE}", " ")
    x = float(node.get("x", 0)) - (0.6 * _pixels(look) if unicodedata.combining(sign) else 0)
    low = 0.0 if unicodedata.combining(sign) else round(float(node.get("y", 0)), 1)
    return x, low, sign, look


def _pixels(look: Look) -> float:
    return float(look["font-size"].removesuffix("px"))


def _rectangle(node: Tree.Element) -> str:
    about = {key: _short(key, value) for key, value in node.attrib.items()}
    return f"<{_name(node)}{_attributes(about)}/>"


def _short(key: str, value: str) -> str:
    if key not in PLACES:
        return value
    return NUMBER.sub(lambda m: f"{float(m.group()):.1f}".removesuffix(".0"), value)


def _style(node: Tree.Element) -> str:
    return _said(_look(node))


def _look(node: Tree.Element) -> Look:
    text = FONT.sub(lambda m: f"{_slant(m[1])}font-size:{m[2]}", node.get("style", ""))
    pairs = (part.split(":", 1) for part in text.split(";") if ":" in part)
    look = {key.strip(): value.strip() for key, value in pairs}
    look.pop("font-family", None)
    return look


def _slant(words: str) -> str:
    slant = "font-style:italic;" if "italic" in words or "oblique" in words else ""
    return slant + ("font-weight:600;" if "bold" in words or "700" in words else "")


def _said(look: Look) -> str:
    return ";".join(f"{key}:{value}" for key, value in look.items())


def _attributes(about: Look) -> str:
    return "".join(f" {key}={quoteattr(value)}" for key, value in about.items() if value)


def _name(node: Tree.Element) -> str:
    return node.tag.rpartition("}")[2]
