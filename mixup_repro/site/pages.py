"""What is on each page but those of single results: the templates only set it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mixup_repro.beta import theta_bar
from mixup_repro.site import blend
from mixup_repro.site.entries import Context, Site
from mixup_repro.site.errata import kinds, read_contradictions, read_errata
from mixup_repro.site.items import card
from mixup_repro.site.tables import Claim, rows
from mixup_repro.site.words import (
    ERRATUM,
    EXACT,
    FAILS,
    HOLDS,
    NEGLIGIBLE,
    NOT_RUN,
    PART,
    SETTINGS,
    STAND_IN,
    UNCLEAR,
    WORDS,
    Word,
)

ROWS = {  # of the squares on the first page
    EXACT: "Theorems, in double precision",
    "the paper's own setting": "Figures and tables, at the paper’s own setting",
    "the paper's network and data, cut short": "The paper’s network and data, cut short",
    STAND_IN: "Stand-ins: a smaller network or other data",
}
THETA = (0.1, 0.2, 0.5, 1, 2, 4, 8, 32, 128, 1024)


def index(site: Site) -> Context:
    """The first page."""
    published = [c for c in site.tables.claims if c.paper != "notes" and not c.ours]
    strip = []
    for setting, name in ROWS.items():
        own = [c for c in published if setting in c.settings]
        strip.append(
            {"name": name, "squares": [site.square(c, c.at(setting), setting) for c in own]}
        )
    waiting = [c for c in published if not c.settings]
    strip.append({"name": "Not run yet", "squares": [site.square(c, NOT_RUN, "") for c in waiting]})
    counts = Counter(c.at(s) for c in published for s in SETTINGS[:3] if s in c.settings)
    errata = read_errata(site.folder)
    by_name = {page.name: page for page in site.tables.pages}
    return {
        "papers": site.copy.names["papers"],
        "claims_count": len(published),
        "counts": [(w, counts[w]) for w in WORDS if counts[w]],
        "strip": [row for row in strip if row["squares"]],
        "cards": [card(site, by_name[n], "results/") for n in site.copy.names["first"]["pages"]],
        "blend": blend.digits(),
        "errata_count": sum(len(group.entries) for group in errata),
        "errata": errata[0].entries[:3] if errata else [],
    }


def results(site: Site) -> Context:
    """The gallery."""
    run = [page for page in site.tables.pages if page.run]
    missing = [
        {
            "where": f"{site.neighbour(page)} ({i.item.replace('_', ' ')})",
            "command": i.command,
            "cost": i.cost,
        }
        for page in site.tables.pages
        for i in page.items
        if not i.figure
    ]
    groups = [
        {
            "name": name,
            "title": about["title"],
            "cards": [card(site, p, "") for p in run if p.paper == name],
        }
        for name, about in site.copy.names["papers"].items()
    ]
    return filter(site) | {
        "groups": groups,
        "missing": missing,
        "errata_count": sum(len(group.entries) for group in read_errata(site.folder)),
    }


def filter(site: Site) -> Context:
    """The choices by which claims and results are filtered."""
    papers = site.copy.names["papers"].items()
    return {
        "paper_options": [(name, about["short"]) for name, about in papers],
        "words": [HOLDS, PART, FAILS, NEGLIGIBLE, UNCLEAR, NOT_RUN],
        "settings": SETTINGS,
    }


def claims(site: Site) -> Context:
    """Every claim once; questions of our own last."""
    groups = []
    for name, about in site.copy.names["papers"].items():
        own = [c for c in site.tables.claims if c.paper == name and not c.ours]
        groups.append(
            {
                "name": name,
                "title": about["title"],
                "claims": [site.claim(c, False) for c in own],
            }
        )
    ours = [site.claim(c, False) for c in site.tables.claims if c.ours]
    groups.append(
        {"name": "ours", "title": "Questions of our own, which no count has", "claims": ours}
    )
    return filter(site) | {"groups": groups}


def errata(site: Site) -> Context:
    """Errata by paper, and how many are of which kind."""
    groups = read_errata(site.folder)
    return {"groups": groups, "kinds": kinds(groups)}


def notes(site: Site) -> Context:
    """The notes' statements by what holds."""
    own = [c for c in site.tables.claims if c.paper == "notes" and not c.ours]
    titles = {
        HOLDS: ("holds", "Holds as said"),
        PART: ("condition", "Holds with a condition, or in part"),
        FAILS: ("fails", "Does not hold"),
        UNCLEAR: ("unclear", "Too few data to say"),
        NOT_RUN: ("untested", "Not tested here"),
    }
    by_word: dict[Word, list[Context]] = {word: [] for word in titles}
    for claim in own:
        word = claim.at(claim.nearest)
        word = {ERRATUM: PART, NEGLIGIBLE: UNCLEAR}.get(word, word)
        by_word[word].append(note(site, claim))
    told = [
        f"{len(by_word[HOLDS])} hold as said",
        f"{len(by_word[PART])} need a condition or hold in part",
        f"{len(by_word[FAILS])} don’t hold",
    ]
    if by_word[UNCLEAR]:
        told.append(f"of {len(by_word[UNCLEAR])} it can’t be told")
    if by_word[NOT_RUN]:
        told.append(f"{len(by_word[NOT_RUN])} were not tested")
    groups = [
        {"name": name, "title": title, "claims": by_word[word]}
        for word, (name, title) in titles.items()
        if by_word[word]
    ]
    contradictions = read_contradictions(site.folder)
    return {
        "total": len(own),
        "told": ", ".join(told),
        "groups": groups,
        "contradictions": contradictions,
    }


def note(site: Site, claim: Claim) -> Context:
    """A statement of the notes in a line; of mathematics that holds in part, where it fails."""
    about = site.claim(claim, False)
    v = next((v for v in claim.verdicts if v.run), claim.verdicts[0])
    wrong = [p.name for p in v.parts if p.decides and p.finding == "contradicted"]
    details = ""
    if v.setting == EXACT and v.word is PART:
        details = "fails " + "; ".join(wrong)
    elif v.word in (PART, UNCLEAR) and v.run and len(v.parts) > 1:
        good = sum(p.decides and p.finding in ("supported", "agrees") for p in v.parts)
        details = f"{good} of {sum(p.decides for p in v.parts)} parts"
    return about | {"link": site.link(claim) if v.run else "", "details": details}


def use(site: Site) -> Context:
    """When to rescale and how, with theta_bar at some alphas; site.js computes it at others."""
    return {
        "use_cases": site.copy.names["cases"],
        "theta": [(f"{a:g}", f"{theta_bar(a):.3f}") for a in THETA],
        "code_rescale": _lines("rescale_example.txt"),
        "code_mixup": _lines("mixup_example.txt"),
    }


def _lines(name: str) -> str:
    """The lines of code of a file beside this one, to be copied from a page."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8").strip()


def method(site: Site) -> Context:
    """How it was done: counts by setting, one worked example, and machine time."""
    published = [
        v for c in site.tables.claims for v in c.verdicts if v.paper != "notes" and not v.ours
    ]
    shown = [w for w in WORDS if w is not ERRATUM]
    ladder = [
        {
            "name": s,
            "counts": [sum(v.setting == s and v.word is w for v in published) for w in shown],
        }
        for s in SETTINGS
    ]
    example = next(
        (
            {"says": v.says, "at": site.at(v.setting, v.network, v.dataset, v.n), "part": p}
            for v in published
            for p in v.parts
            if p.finding == "supported" and p.half and p.decides
        ),
        None,
    )
    runs = {(r["run_id"], r["seed"]): r for r in rows(site.folder / "runs.csv")}
    hours = sum(float(r["wall_s"] or 0) for r in runs.values()) / 3600
    devices = Counter(r["device"].partition(" (")[0] for r in runs.values())
    return {
        "words": shown,
        "ladder": ladder,
        "example": example,
        "runs": f"{len(runs):,}",
        "hours": f"{hours:,.0f}",
        "devices": " and ".join(name for name, _ in devices.most_common()),
    }


PAGES: dict[str, Callable[[Site], Context]] = {
    "index": index,
    "claims": claims,
    "errata": errata,
    "notes": notes,
    "use": use,
    "method": method,
}
