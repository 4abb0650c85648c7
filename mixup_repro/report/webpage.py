"""report.html: the report as one page that needs no other file, with a filter for its verdicts."""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image

from mixup_repro.papers.claims import Setting
from mixup_repro.report.items import PAPERS, Entry
from mixup_repro.report.markdown import cell, row, summary
from mixup_repro.report.sections import (
    ABOUT,
    ABOUT_IMPORTED,
    CONTRADICTIONS,
    IMPORTED,
    Section,
    contradictions,
    imported,
    missing,
    pictures,
    section,
    theory,
)
from mixup_repro.report.verdicts import Verdict, verdicts
from mixup_repro.store.files import replacing

COLOURS = 256  # of an inlined figure: a third of the bytes, and no difference to the eye
INLINE = {r"`([^`]+)`": "code", r"\*\*([^*]+)\*\*": "b", r"\*(\w[^*]*\w)\*": "em"}
TEMPLATE = Path(__file__).with_name("template.html")


def write_webpage(found: list[Entry], folder: Path) -> None:
    """Write <folder>/report.html from the same results as REPORT.md, and the figures drawn there.

    A figure that is not there is left out.

    Raises:
        InputError: theorems.csv is malformed.
    """
    every = verdicts(found, folder)
    anchors = {(e.paper.name, e.name, e.data.scale): e.stem for e in found}
    body = []
    for paper in PAPERS:
        about = [f"<p>{_rich(paper.about)}</p>"] if paper.about else []
        body += [f"<h2>{escape(paper.title)}</h2>", *about, "<h3>Theorems</h3>"]
        body.append(_table(theory(paper, folder)) or "<p>Not checked here.</p>")
        shown = [_figure(folder, figure, caption) for _, figure, caption in pictures(paper)]
        body.append(f'<div class="pictures">{"".join(shown)}</div>')
        if len(table := contradictions(paper)):
            body += [f"<h3>{CONTRADICTIONS}</h3>", f'<div class="scroll">{_table(table)}</div>']
        body += [_section(e.stem, section(e), folder) for e in found if e.paper is paper]
        if absent := missing(paper, found):
            listed = "".join(f"<li>{_rich(commands)}</li>" for _, commands in absent)
            body.append(f"<h3>Not run here, or not all of it</h3><ul>{listed}</ul>")
    if not (table := imported(folder)).empty:
        body += [f"<h2>{IMPORTED}</h2>", f"<p>{_rich(ABOUT_IMPORTED)}</p>"]
        body.append(f'<div class="scroll">{_table(table)}</div>')
    words = dict.fromkeys(v.word for v in every)
    settings = [s for s in Setting if s in {v.setting for v in every}]
    parts = {
        "about": f"<p>{_rich(ABOUT)}</p><p>{_rich(summary(every))}</p>",
        "papers": "".join(_option(paper.name, paper.title) for paper in PAPERS),
        "kinds": "".join(_option(word, word) for word in words),
        "scales": "".join(_option(setting, setting) for setting in settings),
        "rows": "\n".join(_row(v, anchors) for v in every),
        "body": "\n".join(body),
    }
    page = TEMPLATE.read_text(encoding="utf-8")
    for name, text in parts.items():
        page = page.replace(f"<!-- {name} -->", text)
    with replacing(folder / "report.html") as file:
        file.write(page)


def _row(verdict: Verdict, anchors: dict[tuple[str, str, str], str]) -> str:
    (title,) = (paper.title for paper in PAPERS if paper.name == verdict.paper)
    cells = {"paper": title.split()[0]} | row(verdict)
    names = []
    for name in verdict.items:
        stem = anchors.get((verdict.paper, name, verdict.scale))
        code = f"<code>{escape(name)}</code>"
        names.append(f'<a href="#{escape(stem)}">{code}</a>' if stem else code)
    shown = {name: escape(cell(value)) for name, value in cells.items()}
    shown |= {"claim": f"<code>{shown['claim']}</code>", "says": _rich(verdict.says)}
    marked = f'<span class="mark {_class(verdict.word)}">{escape(verdict.words)}</span>'
    shown |= {"item": ", ".join(names), "verdict": marked}
    columns = "".join(f'<td class="{name}">{value}</td>' for name, value in shown.items())
    setting = escape(verdict.setting or "")
    return (
        f'<tr data-paper="{verdict.paper}" data-scale="{setting}" data-kinds="{verdict.word}">'
        f"{columns}</tr>"
    )


def _section(anchor: str, content: Section, folder: Path) -> str:
    facts = "".join(f"<dt>{escape(k)}</dt><dd>{_rich(text)}</dd>" for k, text in content.facts)
    tables = "".join(f'<div class="scroll">{_table(table)}</div>' for table in content.tables)
    return (
        f'<section id="{escape(anchor)}"><h3>{_rich(content.title)}</h3>'
        f"{_figure(folder, content.figure, '')}<dl>{facts}</dl>{tables}</section>"
    )


def _figure(folder: Path, name: str, caption: str) -> str:
    path = folder / "figures" / name
    if not path.exists():
        return ""
    buffer = BytesIO()
    with Image.open(path) as picture:
        flat = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        flat.save(buffer, "PNG", optimize=True)
        width = picture.width // 2  # drawn at twice the density of a plain screen
    data = b64encode(buffer.getvalue()).decode()
    image = f'<img src="data:image/png;base64,{data}" width="{width}" alt="{escape(path.stem)}">'
    caption = f"<figcaption>{_rich(caption)}</figcaption>" if caption else ""
    return f"<figure>{image}{caption}</figure>"


def _table(frame: pd.DataFrame) -> str:
    if frame.empty:
        return ""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in frame.columns)
    rows = []
    for values in frame.itertuples(index=False):
        cells = dict(zip(frame.columns, (escape(cell(value)) for value in values)))
        if text := cells.get("verdict"):
            cells["verdict"] = f'<span class="mark {_class(text)}">{text}</span>'
        rows.append(f"<tr>{''.join(f'<td>{text}</td>' for text in cells.values())}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _option(value: str, text: str) -> str:
    return f'<option value="{escape(value)}">{escape(text)}</option>'


def _class(kind: str) -> str:
    return kind.replace(" ", "-")


def _rich(text: str) -> str:
    """The report's own prose as HTML: `code`, **strong** and *emphasis*."""
    text = escape(text, quote=False)
    for pattern, tag in INLINE.items():
        text = re.sub(pattern, rf"<{tag}>\1</{tag}>", text)
    return text
