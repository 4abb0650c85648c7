"""The texts of matplotlib's SVG in a fraction of the bytes, as words instead of placed letters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias
from xml.etree import ElementTree as Tree
from xml.sax.saxutils import escape, quoteattr

FONT = re.compile(r"font: ((?:\w+ )*)([\d.]+px)[^;]*")
MOVED = re.compile(r"translate\(([\d.-]+) ([\d.-]+)\)")
TURNED = re.compile(r"rotate\(([\d.-]+)")
RELATIONS = frozenset("=<>≤≥≈+\N{MINUS SIGN}±→")
USUAL = {"stroke-dashoffset": "0", "text-anchor": "start"}
Look: TypeAlias = dict[str, str]  # what style="..." says
Span: TypeAlias = tuple[float, Look, str]  # height, look, letters


@dataclass(frozen=True)
class Words:
    """A text: its look, the attributes that place it, and its content as SVG."""

    look: Look
    place: Look
    text: str


def words(node: Tree.Element) -> Words:
    """Read a text of matplotlib's SVG, or the group of texts of one with mathematics."""
    told = node.get("transform", "")
    moved, turned = MOVED.search(told), TURNED.search(told)
    x, y = moved.groups() if moved else (node.get("x", "0"), node.get("y", "0"))
    place = {"x": _tenths(x), "y": _tenths(y)}
    if turned and float(turned[1]):
        place["transform"] = f"rotate({float(turned[1]):g} {place['x']} {place['y']})"
    if name_of(node) == "text":
        return Words(look_of(node), place, escape(node.text or ""))
    look, text = _formula(node[0])
    return Words(look, place, text)


def grouped(texts: Iterable[Words]) -> list[str]:
    """Texts as SVG elements, where those of one look share a group."""
    out = []
    for style, alike in groupby(sorted(texts, key=lambda t: said(t.look)), lambda t: said(t.look)):
        own = [f"<text{attributes(t.place)}>{t.text}</text>" for t in alike]
        out.append(f"<g{attributes({'style': style})}>{''.join(own)}</g>")
    return out


def _formula(node: Tree.Element) -> tuple[Look, str]:
    """A line with mathematics, whose letters matplotlib places one by one, as running text.

    Returns its most frequent look, and its text, in which parts of another look are marked.
    """
    letters = sorted(map(_letter, node), key=lambda letter: letter[0])
    full = max(_size(look) for *_, look in letters)
    spans: list[Span] = []
    for _, height, sign, look in letters:
        before = spans[-1][2] if spans else ""
        if sign in RELATIONS and _size(look) == full and before and before[-1] not in " ([=":
            sign = f" {sign} "  # in mathematics the spaces are places, not letters
        if before.endswith(" ") and not (sign := sign.lstrip()):
            continue
        if spans and unicodedata.combining(sign[0]):
            spans[-1] = (*spans[-1][:2], before + sign)
        elif (same := _ahead(spans, height, look)) is not None:
            spans[same] = (height, look, spans[same][2] + sign)
        else:
            spans.append((height, look, sign))
    return _flowing(spans, full)


def _ahead(spans: list[Span], height: float, look: Look) -> int | None:
    """The index of the span that a letter continues; None if it begins a new one.

    It is the last span, or the one before it where an exponent stands above an index: then the
    letters of both alternate.
    """
    for back in range(1, min(2, len(spans)) + 1):
        if spans[-back][:2] == (height, look):
            return len(spans) - back
        if abs(spans[-back][0] - height) < 30:  # not one above the other
            return None
    return None


def _flowing(spans: list[Span], full: float) -> tuple[Look, str]:
    """Spans as text, with its most frequent look; an exponent is moved back above its index.

    full: the size of letters that are neither exponent nor index.
    """
    lengths: Counter[str] = Counter()
    for _, look, text in spans:
        lengths[said(look)] += len(text)
    usual, out, at, last = lengths.most_common(1)[0][0], "", 0.0, ""
    for place, look, text in spans:
        height = place if abs(place) > 6 else 0.0  # rounding is no index
        about = {"dy": f"{height - at:.0f}"} if height != at else {}
        if height * at < 0 and _size(look) < full:
            about["dx"] = f"{-0.5 * _size(look) * len(last):.0f}"
        at, last = height, text
        about |= {} if said(look) == usual else {"style": said(look)}
        out += f"<tspan{attributes(about)}>{escape(text)}</tspan>" if about else escape(text)
    return next(look for _, look, _ in spans if said(look) == usual), out


def _letter(node: Tree.Element) -> tuple[float, float, str, Look]:
    """A letter's place along the line, height, character and look; an accent follows its letter."""
    look, sign = look_of(node), (node.text or " ").replace("\N{NO-BREAK SPACE}", " ")
    above = bool(unicodedata.combining(sign))
    x = 10 * float(node.get("x", 0)) - (0.6 * _size(look) if above else 0)
    return x, 0.0 if above else round(10 * float(node.get("y", 0))), sign, look


def _size(look: Look) -> float:
    return float(look["font-size"].removesuffix("px"))


def _tenths(number: str) -> str:
    return f"{10 * float(number):.0f}"


def look_of(node: Tree.Element) -> Look:
    """An element's style without the usual values; sizes of letters in tenths of a point."""
    text = FONT.sub(lambda m: f"{_slant(m[1])}font-size:{m[2]}", node.get("style", ""))
    pairs = (part.split(":", 1) for part in text.split(";") if ":" in part)
    look = {key.strip(): value.strip() for key, value in pairs}
    look.pop("font-family", None)
    if size := look.get("font-size"):
        look["font-size"] = f"{10 * float(size.removesuffix('px')):g}px"
    return {key: value for key, value in look.items() if USUAL.get(key) != value}


def _slant(words: str) -> str:
    slant = "font-style:italic;" if "italic" in words or "oblique" in words else ""
    return slant + ("font-weight:600;" if "bold" in words or "700" in words else "")


def said(look: Look) -> str:
    """A look as the text of a style."""
    return ";".join(f"{key}:{value}" for key, value in look.items())


def attributes(about: Look) -> str:
    """Attributes as text for an element's tag, without empty ones."""
    return "".join(f" {key}={quoteattr(value)}" for key, value in about.items() if value)


def name_of(node: Tree.Element) -> str:
    return node.tag.rpartition("}")[2]
