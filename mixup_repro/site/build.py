"""Writes the pages, and looks at every link in them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mixup_repro.errors import InputError
from mixup_repro.site.entries import Context, Site
from mixup_repro.site.figures import SHEET, alone, shared
from mixup_repro.site.findings import read_copy
from mixup_repro.site.formulas import mathml
from mixup_repro.site.items import item_page
from mixup_repro.site.pages import PAGES, results
from mixup_repro.site.parts import Part
from mixup_repro.site.tables import read
from mixup_repro.site.words import plain, rich
from mixup_repro.store.files import replacing

HERE = Path(__file__).parent
ASSETS = ("style.css", "site.js")
FONTS = ("*.woff2", "OFL.txt")
OPTIONAL = re.compile(r"</(?:td|th|tr|li|dt|dd)>(?=\s*<(?:td|th|tr|li|dt|dd|/))")
APOSTROPHE = re.compile(r"&#(?:39|x27);")  # no attribute that has any stands in single quotes
TAG = re.compile(r"<[a-z][^<>]*>")
QUOTED = re.compile(r' ([\w-]+)="([\w.-]+)"(?=[ >])')
ABOUT = "The theory of mixup, run again: what two papers say, and what came out."


def build(folder: Path, out: Path, copy: Path = HERE / "copy.toml") -> tuple[int, int]:
    """Write the site into `out`; returns how many pages and bytes it has.

    Raises:
        InputError: something in the results or in what is said of them is missing, malformed or no
            longer true, or a link leads nowhere.
    """
    tables = read(folder)
    site = Site(folder, tables, read_copy(copy, tables))
    texts, drawings = shared(dict(_pages(site)))
    texts = {name: _smaller(text) for name, text in texts.items()}
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        with replacing(out / name) as file:
            file.write(text)
    with replacing(out / SHEET) as file:
        file.write(drawings)
    for asset in ASSETS:
        shutil.copyfile(HERE / asset, out / asset)
    (out / "fonts").mkdir(exist_ok=True)
    for pattern in FONTS:
        for font in (HERE / "fonts").glob(pattern):
            shutil.copyfile(font, out / "fonts" / font.name)
    picture = folder / "figures" / site.copy.names["first"]["picture"]
    for mode in ("light", "dark"):
        sheet = (HERE / "style.css").read_text(encoding="utf-8")
        with replacing(out / f"first-{mode}.svg") as file:
            file.write(alone(picture, sheet, dark=mode == "dark"))
    _remove_others(out, {*texts})
    check_links(out, texts, folder)
    return len(texts), sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def _pages(site: Site) -> Iterator[tuple[str, str]]:
    """Name and text of each page."""
    render = _renderer(site)
    for name, context in PAGES.items():
        yield f"{name}.html", render(f"{name}.html", f"{name}.html", context(site))
    yield "results/index.html", render("results.html", "results/index.html", results(site))
    run = [page for page in site.tables.pages if page.run]
    for before, page, after in zip([None, *run], run, [*run[1:], None]):
        path = f"results/{page.name}.html"
        yield path, render("item.html", path, item_page(site, page, before, after))


def _renderer(site: Site):  # type: ignore[no-untyped-def]
    folder = FileSystemLoader(HERE / "templates")
    environment = Environment(
        loader=folder, undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    stamp = _stamp(site.folder)

    def render(template: str, path: str, context: Context) -> str:
        up = "../" * path.count("/")
        environment.filters["rich"] = lambda text: Markup(rich(text, up))
        environment.filters["plain"] = plain
        environment.filters["formula"] = mathml
        environment.filters["interval"] = interval
        fixed = {"up": up, "here": path, "stamp": stamp, "description": ABOUT}
        say = {"s": lambda name: Markup(rich(site.sentence(name), up))}
        return environment.get_template(template).render(fixed | say | context)

    return render


def _stamp(results: Path) -> str:
    """Which results these are: how many settings (ids of runs) they have, and how many rows."""
    rows = (results / "runs.csv").read_text(encoding="utf-8").splitlines()[1:]
    return f"of {len({row.partition(',')[0] for row in rows}):,} settings, {len(rows):,} rows"


def interval(part: Part) -> Markup:
    """An effect and its interval as a small picture: the bound that is asked for, zero without one,
    as a line, the paper's number as a diamond. Hollow: the interval has the bound in it."""
    if part.effect is None or part.low is None or part.high is None:
        return Markup("")
    side, bound = part.asked or (">", 0.0)
    values = [part.low, part.high, bound]
    low, high = min(values), max(values)
    room = (high - low or abs(high) or 1.0) * 0.08
    low, high = low - room, high + room

    def x(value: float) -> str:
        return f"{120 * (value - low) / (high - low):.0f}"

    number, asked = not side, x(bound if side else 0.0)
    line = f'<path d="M{asked} 0v16"/>' if not number or low <= 0 <= high else ""
    bar = f'<path class="b" d="M{x(part.low)} 8H{x(part.high)}"/>'
    hollow = part.low <= bound <= part.high and not number
    at = x(part.effect)
    hole = f'<circle class="h" cx="{at}" cy="8" r="3"/>'
    dot = hole if hollow else f'<path class="d" d="M{at} 8z"/>'
    mark = f'<path d="M{x(bound)} 4l4 4l-4 4l-4-4z"/>' if number else ""
    return Markup(f'<svg class="iv">{line}{bar}{dot}{mark}</svg>')


def _smaller(text: str) -> str:
    """Without indentation and empty lines, and without end tags, quotes and escaped apostrophes
    that HTML does not need; what stands in <pre> is left alone."""
    pieces = re.split(r"(<pre.*?</pre>)", text, flags=re.DOTALL)
    for k in range(0, len(pieces), 2):
        piece = re.sub(r"\n\s*", "\n", pieces[k])
        piece = APOSTROPHE.sub("'", OPTIONAL.sub("", piece))
        pieces[k] = TAG.sub(lambda tag: QUOTED.sub(r" \1=\2", tag[0]), piece)
    return "".join(pieces).strip() + "\n"


def _remove_others(out: Path, pages: set[str]) -> None:
    """Remove pages of an earlier build that this one does not have."""
    for path in out.rglob("*.html"):
        if str(path.relative_to(out)) not in pages:
            path.unlink()


class _Links(HTMLParser):
    """Every address and every anchor of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" and value:
                self.anchors.add(value)
            if key in ("href", "src") and value:
                self.addresses.append(value)


def check_links(out: Path, texts: dict[str, str], results: Path) -> None:
    """Every relative address leads to a file, every anchor to a place on its page.

    A site that is written elsewhere than beside its results is checked as if it were there.

    Raises:
        InputError: one does not; names page and address.
    """
    found = {name: _Links(text) for name, text in texts.items()}
    for name, links in found.items():
        for address in links.addresses:
            parts = urlsplit(address)
            if parts.scheme:
                continue
            path = (Path(name).parent / unquote(parts.path)) if parts.path else Path(name)
            where = _normal(path)
            target = results.parent / where[3:] if where.startswith("../") else out / where
            if not target.exists():
                raise InputError(f"{name}: the link {address} leads to no file")
            place = "" if "=" in parts.fragment else unquote(parts.fragment)
            if place and where in found and place not in found[where].anchors:
                raise InputError(f"{name}: the link {address} leads to no place on its page")


def _normal(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
