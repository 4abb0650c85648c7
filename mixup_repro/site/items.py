"""The pages of the results, and their cards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from mixup_repro.errors import InputError
from mixup_repro.site import blend, figures
from mixup_repro.site.entries import Context, Site
from mixup_repro.site.tables import Item, Page, rows
from mixup_repro.site.words import EXACT, plain, together

HEAVY = 15_000  # bytes of a panel on a card
OPENED = 24  # parts on a page that shows all of them at once
BESIDE = 730  # pixels of a figure that leaves room for text beside it


def card(site: Site, page: Page, up: str) -> Context:
    """A page as a card. up: from the page that shows it to the folder of results."""
    claims = site.tables.on(page)
    run = [v for c in claims for v in c.verdicts if v.run]
    drawn = (site.folder / "figures" / f"{item.figure}-panel.svg" for item in page.run)
    thumb = max(drawn, key=_fullness)
    title = f"{site.short(page.paper)}, {site.place(page)}"
    finding = site.finding(page)
    words = f"{page.items[0].title} {' '.join(c.says for c in claims)}"
    return {
        "link": f"{up}{page.name}.html",
        "thumb": Markup(figures.inline(thumb, f"t{page.name}", f"{title}, one panel")),
        "finding": finding,
        "word": together(v.word for v in run) if run else None,
        "place": title,
        "settings": "; ".join(dict.fromkeys(item.setting for item in page.run)),
        "paper": page.paper,
        "words": plain(words).lower(),
        "verdicts_said": "|".join(dict.fromkeys(v.word.text for v in run)),
        "settings_said": "|".join(dict.fromkeys(item.setting for item in page.run)),
    }


def item_page(site: Site, page: Page, before: Page | None, after: Page | None) -> Context:
    """A page of the results."""
    claims = site.tables.on(page)
    run = [v for c in claims for v in c.verdicts if v.run]
    finding = site.finding(page)
    first = page.items[0]
    settings = "; ".join(
        dict.fromkeys(site.at(i.setting, i.network, i.dataset, _whole(i.n)) for i in page.run)
    )
    return {
        "paper": site.copy.names["papers"][page.paper],
        "place": site.place(page),
        "finding": finding,
        "word": together(v.word for v in run) if run else None,
        "settings": EXACT if first.theory else settings,
        "figures": [figure(site, item, k) for k, item in enumerate(page.run)],
        "says": "" if first.theory else first.says[:1].upper() + first.says[1:],
        "notes": page.paper == "notes",
        "differs": _distinct(i.differs for i in page.run),
        "code": _distinct(i.code for i in page.run),
        "claims": [site.claim(c, full=True) for c in claims],
        "opened": sum(len(v.parts) for c in claims for v in c.verdicts) <= OPENED,
        "runs": [] if first.theory else [how_to_run(site, item) for item in page.run],
        "unrun": [
            {"name": i.item.replace("_", " "), "command": i.command}
            for i in page.items
            if not i.figure
        ],
        "extra": moons(site) if page.name == "chidambaram2022-fig3" else "",
        "before": before and {"link": f"{before.name}.html", "place": site.neighbour(before)},
        "after": after and {"link": f"{after.name}.html", "place": site.neighbour(after)},
    }


def figure(site: Site, item: Item, k: int) -> Context:
    """A figure in both layouts."""
    stem = site.folder / "figures" / item.figure
    name = site.name(item)
    about = f"{plain(item.title)}; {name}. The numbers are below."
    wide = stem.with_name(f"{stem.name}.svg")
    narrow = stem.with_name(f"{stem.name}-narrow.svg")
    return {
        "name": name,
        "anchor": item.item,
        "wide": Markup(figures.inline(wide, f"w{k}", about)),
        "narrow": Markup(figures.inline(narrow, f"n{k}", about)),
        "beside": figures.width_of(wide) <= BESIDE,
        "table": not item.theory,
        "caption": item.says if item.theory else "",
    }


def how_to_run(site: Site, item: Item) -> Context:
    """How to run a setting again, and its files."""
    commands = re.findall(r"`([^`]+)`", item.command)
    kept = [(f"tables/{item.figure}.csv", "table"), ("runs.csv", "runs")]
    kept += [
        (f"figures/{item.figure}.png", "figure as PNG"),
        (f"figures/{item.figure}.pdf", "as PDF"),
    ]
    return {
        "name": site.name(item),
        "command": "\n".join(commands) or item.command,
        "cost": item.cost,
        "files": [(text, f"../../results/{path}") for path, text in kept],
    }


def moons(site: Site) -> Markup:
    """Maps of two moons by alpha, a map for each method; copy.toml says which runs.

    Raises:
        InputError: two settings of a method have one alpha, or a map is not there.
    """
    asked = site.copy.names["moons"]
    titles: dict[str, str] = asked["methods"]
    stops: dict[float | None, dict[str, str]] = {}  # by alpha, the run of each method
    for row in rows(site.folder / "runs.csv"):
        mine = row["dataset"] == asked["dataset"] and row["epochs"] == asked["epochs"]
        if mine and row["method"] in titles:
            alpha = float(row["alpha"]) if row["alpha"] else None
            one = stops.setdefault(alpha, {}).setdefault(row["method"], row["run_id"])
            if one != row["run_id"]:
                raise InputError(
                    f"{site.folder / 'runs.csv'}: {one} and {row['run_id']} are both of "
                    f"{row['method']} at one alpha; [moons] in copy.toml must tell them apart"
                )
    if not stops:
        return Markup("")
    grids = []
    for alpha in sorted(stops, key=lambda alpha: alpha or 0.0):
        shown = [(titles[m], stops[alpha][m]) for m in titles if m in stops[alpha]]
        grids.append(("none: ERM" if alpha is None else f"{alpha:g}", shown))
    head = '<h2 id="moons">The moons by α</h2>'
    head += "<p>The share of runs that say class 1, from blue over white to orange.</p>"
    return Markup(head) + blend.moons(site.folder, grids)


def _fullness(path: Path) -> int:
    """How much a panel shows, by its bytes; those that are heavy for a card come last."""
    size = path.stat().st_size if path.is_file() else 0
    return size if size <= HEAVY else -size


def _distinct(texts: Iterable[str]) -> list[str]:
    """The texts once each, as sentences."""
    found = dict.fromkeys(text.strip() for text in texts if text.strip())
    return [text[0].upper() + text[1:] for text in found]


def _whole(n: str) -> str:
    return n.removesuffix(".0")
