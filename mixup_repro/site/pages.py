"""What is on each page, from the tables: the templates only set it."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mixup_repro.beta import theta_bar
from mixup_repro.errors import InputError
from mixup_repro.site import blend, figures
from mixup_repro.site.errata import kinds, read_contradictions, read_errata
from mixup_repro.site.findings import Copy
from mixup_repro.site.tables import Claim, Item, Page, Tables, Verdict
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
    plain,
    together,
)

Context = dict[str, Any]
HEAVY = 15_000  # bytes of a panel on a card
OPENED = 24  # parts on a page that shows all of them at once
BESIDE = 730  # pixels of a figure that leaves room for text beside it
ROWS = {  # of the squares on the first page
    EXACT: "Theorems, in double precision",
    "the paper's own setting": "Figures and tables, at the paper’s own setting",
    "the paper's network and data, cut short": "The paper’s network and data, cut short",
    STAND_IN: "Stand-ins: a smaller network or other data",
}
THETA = (0.1, 0.2, 0.5, 1, 2, 4, 8, 32, 128, 1024)


@dataclass(frozen=True)
class Site:
    """All that pages are made of."""

    folder: Path
    tables: Tables
    copy: Copy

    def sentence(self, name: str) -> str:
        """A finding, by name.

        Raises:
            InputError: copy.toml has none.
        """
        if name not in self.copy.sentences:
            raise InputError(f"copy.toml has no sentence {name}")
        return self.copy.sentences[name]

    def short(self, paper: str) -> str:
        if paper not in self.copy.names["papers"]:
            raise InputError(f"copy.toml has no paper {paper}")
        return str(self.copy.names["papers"][paper]["short"])

    # ---- names ------------------------------------------------------------------------------

    def at(self, setting: str, network: str, dataset: str, n: int | str) -> str:
        """A setting in words, with n."""
        trained = " on ".join(
            filter(None, (network, self.copy.dataset(dataset) if dataset else ""))
        )
        if setting == EXACT:
            return EXACT + (f", {n} cases" if n else "")
        said = f"{setting}: {trained}" if trained else setting
        return f"{said}, n = {n}" if n else said

    def place(self, page: Page) -> str:
        """Where in its paper a page is, such as `Figure 4`."""
        if page.items[0].theory:
            return "Theory"
        return page.items[0].title.partition(":")[0]

    def name(self, item: Item) -> str:
        """A setting of an item in short."""
        if item.theory:
            return item.title[0].upper() + item.title[1:]
        trained = " on ".join(filter(None, (item.network, self.copy.dataset(item.dataset))))
        alike = "_code" in item.item
        name = trained or item.item.replace("_", " ")
        return f"{name}, as in the authors’ code" if alike else name

    # ---- claims -----------------------------------------------------------------------------

    def claim(self, claim: Claim, full: bool, anchor: str = "") -> Context:
        """A claim as a row that opens. full: with all parts."""
        verdicts = [self.verdict(v) for v in claim.verdicts]
        best = next((s for s in SETTINGS if s in claim.settings), "")
        nearest = claim.at(best) if best else NOT_RUN
        said = nearest.said(best == STAND_IN)
        words = f"{claim.id} {self.short(claim.paper)}"
        words += "".join(
            f" {v.network} {v.dataset} {self.copy.dataset(v.dataset)}" for v in claim.verdicts
        )
        return {
            "id": claim.id,
            "anchor": anchor or f"{claim.paper}-{claim.id}",
            "paper": claim.paper,
            "says": claim.says,
            "where": claim.where,
            "word": nearest,
            "said": said,
            "erratum": any(v.erratum for v in claim.verdicts) and nearest is not ERRATUM,
            "verdicts": verdicts,
            "full": full,
            "words": " ".join(dict.fromkeys(words.lower().split())),
            "verdicts_said": "|".join(dict.fromkeys(v.word.text for v in claim.verdicts)),
            "settings_said": "|".join(claim.settings),
        }

    def verdict(self, v: Verdict) -> Context:
        page = self.tables.page(v)
        names = ", ".join(item.replace("_", " ") for item in v.items) or "nothing yet"
        return {
            "claim": v.claim,
            "on": v.items,
            "word": v.word,
            "said": v.said,
            "run": v.run,
            "setting": v.setting,
            "at": self.at(v.setting, v.network, v.dataset, v.n),
            "names": names,
            "parts": v.parts,
            "link": f"results/{page.name}.html#claim-{v.claim}" if page and page.run else "",
            "link_text": "figure and numbers" if v.run else "the page it belongs to",
        }

    def link(self, claim: Claim) -> str:
        """Where a claim's square leads: its page's claim, or its row among all claims."""
        run = [v for v in claim.verdicts if v.run]
        page = self.tables.page(run[0]) if run else None
        if page is None:
            return f"claims.html#{claim.paper}-{claim.id}"
        return f"results/{page.name}.html#claim-{claim.id}"

    # ---- pages ------------------------------------------------------------------------------

    def card(self, page: Page, up: str) -> Context:
        """A page as a card. up: from the page that shows it to the folder of results."""
        claims = self.tables.on(page)
        run = [v for c in claims for v in c.verdicts if v.run]
        drawn = (self.folder / "figures" / f"{item.figure}-panel.svg" for item in page.run)
        thumb = max(drawn, key=_fullness)
        title = f"{self.short(page.paper)}, {self.place(page)}"
        finding = self.sentence(page.name)
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

    def item_page(self, page: Page, before: Page | None, after: Page | None) -> Context:
        """A page of the results."""
        claims = self.tables.on(page)
        run = [v for c in claims for v in c.verdicts if v.run]
        finding = self.sentence(page.name)
        first = page.items[0]
        settings = "; ".join(
            dict.fromkeys(self.at(i.setting, i.network, i.dataset, _whole(i.n)) for i in page.run)
        )
        return {
            "paper": self.copy.names["papers"][page.paper],
            "place": self.place(page),
            "finding": finding,
            "word": together(v.word for v in run) if run else None,
            "settings": EXACT if first.theory else settings,
            "figures": [self.figure(item, k, finding) for k, item in enumerate(page.run)],
            "says": "" if first.theory else first.says,
            "differs": _distinct(i.differs for i in page.run),
            "code": _distinct(i.code for i in page.run),
            "claims": [self.claim(c, full=True) for c in claims],
            "opened": sum(len(v.parts) for c in claims for v in c.verdicts) <= OPENED,
            "runs": [] if first.theory else [self.run(item) for item in page.run],
            "unrun": [
                {"name": i.item.replace("_", " "), "command": i.command}
                for i in page.items
                if not i.figure
            ],
            "extra": self.moons() if page.name == "chidambaram2022-fig3" else "",
            "before": before and {"link": f"{before.name}.html", "place": self.neighbour(before)},
            "after": after and {"link": f"{after.name}.html", "place": self.neighbour(after)},
        }

    def neighbour(self, page: Page) -> str:
        return f"{self.short(page.paper)}, {self.place(page)}"

    def figure(self, item: Item, k: int, finding: str) -> Context:
        """A figure in both layouts; large ones scroll in their box on a telephone."""
        stem = self.folder / "figures" / item.figure
        name = self.name(item)
        about = f"{plain(finding)}. {plain(item.title)}; {name}. The numbers are below."
        wide = stem.with_name(f"{stem.name}.svg")
        slender = stem.with_name(f"{stem.name}-narrow.svg")
        narrow = ""
        if slender.is_file():
            narrow = Markup(figures.inline(slender, f"n{k}", about))
        return {
            "name": name,
            "anchor": item.item,
            "wide": Markup(figures.inline(wide, f"w{k}", about)),
            "narrow": narrow,
            "beside": figures.width_of(wide) <= BESIDE,
            "table": not item.theory,
            "caption": item.says if item.theory else "",
        }

    def run(self, item: Item) -> Context:
        """How to run a setting again, and its files."""
        commands = re.findall(r"`([^`]+)`", item.command)
        kept = [(f"tables/{item.figure}.csv", "table"), ("runs.csv", "runs")]
        kept += [
            (f"figures/{item.figure}.png", "figure as PNG"),
            (f"figures/{item.figure}.pdf", "as PDF"),
        ]
        return {
            "name": self.name(item),
            "command": "\n".join(commands) or item.command,
            "cost": item.cost,
            "files": [(text, f"../../results/{path}") for path, text in kept],
        }

    def moons(self) -> Markup:
        """Maps of the moons far apart by alpha, with gradients zeroed and accumulated."""
        stems: dict[tuple[str, float], str] = {}
        for row in _rows(self.folder / "runs.csv"):
            if row["dataset"] == "moons-0.5" and row["epochs"] == "1500":
                stems[row["method"], float(row["alpha"] or 0)] = row["run_id"]
        kinds_of = (("mixup", "Mixup"), ("mixup_accumulated", "Mixup, gradients never zeroed"))
        grids = [("none: ERM", [("ERM", stems["erm", 0.0])])] if ("erm", 0.0) in stems else []
        for alpha in sorted({a for m, a in stems if m == "mixup"}):
            shown = [(title, stems[m, alpha]) for m, title in kinds_of if (m, alpha) in stems]
            grids.append((f"{alpha:g}", shown))
        if not grids:
            return Markup("")
        head = '<h2 id="moons">The moons by α</h2>'
        head += "<p>The share of runs that say class 1, from blue over white to orange.</p>"
        return Markup(head) + blend.moons(self.folder, grids)

    def index(self) -> Context:
        """The first page."""
        published = [c for c in self.tables.claims if c.paper != "notes" and not c.ours]
        strip = []
        for setting, name in ROWS.items():
            own = [c for c in published if setting in c.settings]
            strip.append(
                {"name": name, "squares": [self.square(c, c.at(setting), setting) for c in own]}
            )
        waiting = [c for c in published if not c.settings]
        strip.append(
            {"name": "Not run yet", "squares": [self.square(c, NOT_RUN, "") for c in waiting]}
        )
        counts = Counter(c.at(s) for c in published for s in SETTINGS[:3] if s in c.settings)
        errata = read_errata(self.folder)
        by_name = {page.name: page for page in self.tables.pages}
        return {
            "papers": self.copy.names["papers"],
            "claims_count": len(published),
            "counts": [(w, counts[w]) for w in WORDS if counts[w]],
            "strip": [row for row in strip if row["squares"]],
            "cards": [self.card(by_name[n], "results/") for n in self.copy.names["first"]["pages"]],
            "blend": blend.digits(),
            "errata_count": sum(len(group.entries) for group in errata),
            "errata": errata[0].entries[:3] if errata else [],
        }

    def nearest(self, claim: Claim) -> Word:
        """What is said of a claim at the setting that is nearest to the paper's."""
        best = next((s for s in SETTINGS if s in claim.settings), "")
        return claim.at(best) if best else NOT_RUN

    def square(self, claim: Claim, word: Word, setting: str) -> Context:
        said = word.said(setting == STAND_IN)
        label = f"{self.short(claim.paper)}, {claim.where}: {plain(claim.says)} {said}"
        return {"word": word, "link": self.link(claim), "label": label}

    def results(self) -> Context:
        """The gallery."""
        run = [page for page in self.tables.pages if page.run]
        missing = [
            {
                "where": f"{self.neighbour(page)} ({i.item.replace('_', ' ')})",
                "command": i.command,
            }
            for page in self.tables.pages
            for i in page.items
            if not i.figure
        ]
        groups = [
            {
                "name": name,
                "title": about["title"],
                "cards": [self.card(p, "") for p in run if p.paper == name],
            }
            for name, about in self.copy.names["papers"].items()
        ]
        return self.filter() | {"groups": groups, "missing": missing}

    def filter(self) -> Context:
        papers = self.copy.names["papers"].items()
        return {
            "paper_options": [(name, about["short"]) for name, about in papers],
            "words": [HOLDS, PART, FAILS, NEGLIGIBLE, UNCLEAR, NOT_RUN],
            "settings": SETTINGS,
        }

    def claims(self) -> Context:
        """Every claim once; questions of our own last."""
        groups = []
        for name, about in self.copy.names["papers"].items():
            own = [c for c in self.tables.claims if c.paper == name and not c.ours]
            groups.append(
                {
                    "name": name,
                    "title": about["title"],
                    "claims": [self.claim(c, False) for c in own],
                }
            )
        ours = [self.claim(c, False) for c in self.tables.claims if c.ours]
        groups.append(
            {"name": "ours", "title": "Questions of our own, which no count has", "claims": ours}
        )
        return self.filter() | {"groups": groups}

    def errata(self) -> Context:
        groups = read_errata(self.folder)
        return {"groups": groups, "kinds": kinds(groups)}

    def notes(self) -> Context:
        """The notes' statements by what holds."""
        own = [c for c in self.tables.claims if c.paper == "notes" and not c.ours]
        titles = {
            HOLDS: ("holds", "Holds as said"),
            PART: ("condition", "Holds with a condition, or in part"),
            FAILS: ("fails", "Does not hold"),
            UNCLEAR: ("unclear", "Too few data to say"),
            NOT_RUN: ("untested", "Not tested here"),
        }
        by_word: dict[Word, list[Context]] = {word: [] for word in titles}
        for claim in own:
            word = self.nearest(claim)
            word = {ERRATUM: PART, NEGLIGIBLE: UNCLEAR}.get(word, word)
            by_word[word].append(self.note(claim))
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
        contradictions = read_contradictions(self.folder)
        return {
            "total": len(own),
            "told": ", ".join(told),
            "groups": groups,
            "contradictions": contradictions,
        }

    def note(self, claim: Claim) -> Context:
        """A statement of the notes in a line; of mathematics that holds in part, where it fails."""
        about = self.claim(claim, False)
        v = next((v for v in claim.verdicts if v.run), claim.verdicts[0])
        wrong = [p.name for p in v.parts if p.decides and p.finding == "contradicted"]
        details = ""
        if v.setting == EXACT and v.word is PART:
            details = "fails " + "; ".join(wrong)
        elif v.word in (PART, UNCLEAR) and v.run and len(v.parts) > 1:
            good = sum(p.decides and p.finding in ("supported", "agrees") for p in v.parts)
            details = f"{good} of {sum(p.decides for p in v.parts)} parts"
        return about | {"link": self.link(claim) if v.run else "", "details": details}

    def use(self) -> Context:
        table = [[round(a, 4), round(theta_bar(a), 4)] for a in _steps(0.01, 1024, 60)]
        return {
            "use_cases": self.copy.names["cases"],
            "theta": [(f"{a:g}", f"{theta_bar(a):.3f}") for a in THETA],
            "theta_json": json.dumps(table),
            "code_rescale": (Path(__file__).parent / "rescale_example.txt")
            .read_text(encoding="utf-8")
            .strip(),
            "code_mixup": (Path(__file__).parent / "mixup_example.txt")
            .read_text(encoding="utf-8")
            .strip(),
        }

    def method(self) -> Context:
        """How it was done: counts by setting, one worked example, and machine time."""
        published = [
            v for c in self.tables.claims for v in c.verdicts if v.paper != "notes" and not v.ours
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
                {"says": v.says, "at": self.at(v.setting, v.network, v.dataset, v.n), "part": p}
                for v in published
                for p in v.parts
                if p.finding == "supported" and p.half and p.decides
            ),
            None,
        )
        seconds = {(r["run_id"], r["seed"]): r for r in _rows(self.folder / "runs.csv")}
        hours = sum(float(r["wall_s"] or 0) for r in seconds.values()) / 3600
        devices = Counter(r["device"].partition(" (")[0] for r in seconds.values())
        return {
            "words": shown,
            "ladder": ladder,
            "example": example,
            "runs": f"{len(seconds):,}",
            "hours": f"{hours:,.0f}",
            "devices": " and ".join(name for name, _ in devices.most_common()),
        }


def _fullness(path: Path) -> int:
    """How much a panel shows, by its bytes; those that are heavy for a card come last."""
    size = path.stat().st_size if path.is_file() else 0
    return size if size <= HEAVY else -size


def _steps(low: float, high: float, count: int) -> list[float]:
    """Numbers at equal ratios."""
    return [low * (high / low) ** (k / (count - 1)) for k in range(count)]


def _distinct(texts: Iterable[str]) -> list[str]:
    """The texts once each, as sentences."""
    found = dict.fromkeys(text.strip() for text in texts if text.strip())
    return [text[0].upper() + text[1:] for text in found]


def _whole(n: str) -> str:
    return n.removesuffix(".0")


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(f"{path}: is not there; mixup-repro report writes it")
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
