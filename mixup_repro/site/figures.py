"""Drawings in pages: colours that follow the page's, names that are the page's own."""

from __future__ import annotations

import re
import string
from collections import Counter
from html import escape
from pathlib import Path

from mixup_repro.errors import InputError

# Colours of papers.style by the style sheet's names; tests/test_site.py holds the two together.
TOKENS = {
    "#ffffff": "bg",
    "#1b2230": "ink",
    "#5a6270": "soft",
    "#dde1e7": "line",
    "#edf0f4": "wash",
    "#e7f2fb": "help",
    "#85888e": "m-erm",
    "#5c6068": "t-erm",
    "#0a66c2": "m-mixup",
    "#0a5cb0": "t-mixup",
    "#e4622f": "m-resc",
    "#b8431a": "t-resc",
    "#5b1f57": "m-approx",
    "#064a2a": "m-mod",
    "#000000": "ink",
}
RAMP = ((0xA9, 0xAF, 0xB9), (0x1B, 0x22, 0x30))  # of what has an order: from grey to ink
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
GROUND = re.compile(r'<path style="fill:#ffffff" d="M[\d -]+h-?\d+v-?\d+h-?\d+z"/>')
CLIP = re.compile(r"url\(#c\d+\)")
STYLE = re.compile(r' style="([^"]*)"')
BITMAP = re.compile(r'<image [^>]*href="data:[^>]*/>')
DRAWING = re.compile(r"<svg.*?</svg>", re.DOTALL)
SCALE = 4 / 30  # pixels of a tenth of a point, in which drawings are
HEAD = re.compile(r'<svg xmlns="[^"]+" viewBox="0 0 (\d+) (\d+)">')
SHEET = "drawings.css"


def inline(path: Path, key: str, about: str) -> str:
    """A figure as SVG in a page.

    key: no other figure of the page has it; about: what it shows, for who does not see it.

    Raises:
        InputError: the figure is missing, or is not one that the report writes.
    """
    if not path.is_file():
        raise InputError(f"{path}: the figure is missing; make report draws it")
    svg = path.read_text(encoding="utf-8")
    head = HEAD.match(svg)
    if head is None:
        raise InputError(f"{path}: is no figure of make report")
    width, height = (SCALE * float(number) for number in head.groups())
    start = f'<svg viewBox="0 0 {head[1]} {head[2]}" width="{width:.0f}" height="{height:.0f}" '
    start += f'role="img" aria-label="{escape(about)}">'
    lines = [line for line in svg[head.end() :].splitlines() if not GROUND.fullmatch(line)]
    fixed = {clip[0] for line in lines if "<image" in line and (clip := CLIP.search(line))}
    for k, line in enumerate(lines):  # what lies on a bitmap, which no mode changes, keeps its look
        if (clip := CLIP.search(line)) is None or clip[0] not in fixed:
            lines[k] = COLOUR.sub(lambda m: _colour(m[0].lower()), line)
    return start + re.sub(r'(id="|url\(#|href="#)', rf"\1{key}", "".join(lines))


def alone(path: Path, sheet: str, dark: bool) -> str:
    """A figure as a file of its own in the colours of a mode of the style sheet, for the README.

    Raises:
        InputError: the figure is missing.
    """
    if not path.is_file():
        raise InputError(f"{path}: the figure is missing; make report draws it")
    light, _, other = sheet.partition("@media(prefers-color-scheme:dark)")
    told = dict(re.findall(r"--([\w-]+):(#\w+)", other if dark else light))
    svg = path.read_text(encoding="utf-8")
    svg = svg.replace("<svg ", '<svg font-family="Helvetica,Arial,sans-serif" ', 1)

    def colour(match: re.Match[str]) -> str:
        name = TOKENS.get(match[0].lower(), "")
        return told.get(name, match[0])

    return COLOUR.sub(colour, svg)


def width_of(path: Path) -> float:
    """Pixels that a figure is wide."""
    head = HEAD.match(path.read_text(encoding="utf-8"))
    return SCALE * float(head[1]) if head else 0.0


def shared(pages: dict[str, str]) -> tuple[dict[str, str], str]:
    """Pages by name, with what their drawings' elements share said once, and the sheet of it.

    An address within a page stays there: in a sheet, some browsers take it for one of the sheet's.
    """
    styles = Counter(match[1] for page in pages.values() for match in STYLE.finditer(page))
    common = [style for style, n in styles.most_common() if n > 2 and "url(" not in style]
    names = {style: _name(k) for k, style in enumerate(common)}

    def short(match: re.Match[str]) -> str:
        return f' class="{names[match[1]]}"' if match[1] in names else match[0]

    out = {}
    for name, page in pages.items():
        link = f'<link rel="stylesheet" href="{"../" * name.count("/")}{SHEET}">\n</head>'
        new = DRAWING.sub(lambda match: STYLE.sub(short, match[0]), once(page))
        out[name] = new.replace("</head>", link, 1) if new != page else page
    return out, "".join(f".{name}{{{style}}}\n" for style, name in names.items())


def once(page: str) -> str:
    """A page that has each of its drawings' bitmaps once, and uses it where it comes again."""
    names: dict[str, str] = {}

    def short(match: re.Match[str]) -> str:
        if name := names.get(match[0]):
            return f'<use href="#{name}"/>'
        names[match[0]] = f"i{len(names)}"
        return match[0].replace("<image", f'<image id="{names[match[0]]}"', 1)

    return BITMAP.sub(short, page)


def _name(number: int) -> str:
    """K, and a letter or two: capitals, which no class of the style sheet has."""
    first, last = divmod(number, 26)
    letter = string.ascii_uppercase
    return f"K{letter[first - 1] if first else ''}{letter[last]}"


def _colour(colour: str) -> str:
    """A colour as a variable of the page; one between grey and ink as a mixture of the two."""
    if name := TOKENS.get(colour):
        return f"var(--{name})"
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    low, high = RAMP
    share = (low[0] - red) / (low[0] - high[0])
    near = all(abs(a + share * (b - a) - c) < 4 for a, b, c in zip(low, high, (red, green, blue)))
    if near and -0.02 <= share <= 1.02:
        return f"color-mix(in srgb,var(--ink) {100 * share:.0f}%,var(--ramp))"
    return colour
