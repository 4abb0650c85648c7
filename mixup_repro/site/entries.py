"""How claims, settings and places are told on every page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixup_repro.errors import InputError
from mixup_repro.site.findings import Copy
from mixup_repro.site.parts import Part, weakest
from mixup_repro.site.tables import Claim, Item, Page, Tables, Verdict
from mixup_repro.site.words import ERRATUM, EXACT, NOT_RUN, SETTINGS, STAND_IN, Word, plain

Context = dict[str, Any]


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

    def finding(self, page: Page) -> str:
        """What a page found; its title, where copy.toml does not say it yet."""
        return self.copy.sentences.get(page.name, page.items[0].title)

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
        return f"{said}, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n}" if n else said

    def place(self, page: Page) -> str:
        """Where in its paper a page is, such as `Figure 4`."""
        if page.items[0].theory:
            return "Theory"
        return page.items[0].title.partition(":")[0]

    def name(self, item: Item) -> str:
        """A setting of an item in short; where another of its page has the same, what it is apart.

        copy.toml says that, or else it is the item's own name.
        """
        if item.theory:
            return item.title[0].upper() + item.title[1:]
        name = self._trained(item) or item.item.replace("_", " ")
        page = self.tables.page_of[item.paper, item.item]
        alike = [i for i in page.run if self._trained(i) == self._trained(item)]
        if len(alike) < 2:
            return name
        apart = self.copy.names["apart"].get(item.item, item.item.replace("_", " "))
        return f"{name}, {apart}" if apart else name

    def _trained(self, item: Item) -> str:
        dataset = self.copy.dataset(item.dataset) if item.dataset else ""
        return " on ".join(filter(None, (item.network, dataset)))

    # ---- claims -----------------------------------------------------------------------------

    def claim(self, claim: Claim, full: bool, anchor: str = "") -> Context:
        """A claim as a row that opens. full: with all parts."""
        verdicts = [self.verdict(v) for v in claim.verdicts]
        best = next((s for s in SETTINGS if s in claim.settings), "")
        nearest = claim.at(best) if best else NOT_RUN
        said = nearest.said(best == STAND_IN)
        shown = next((s for s in SETTINGS if any(_measured(claim, s))), best)
        measured = list(_measured(claim, shown))
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
            "shown": weakest(measured),
            "of": len(measured),
            "apart": shown if shown != best else "",
            "verdicts": verdicts,
            "full": full,
            "words": " ".join(dict.fromkeys(words.lower().split())),
            "verdicts_said": "|".join(dict.fromkeys(v.word.text for v in claim.verdicts)),
            "settings_said": "|".join(claim.settings),
        }

    def verdict(self, v: Verdict) -> Context:
        page = self.tables.page(v)
        names = ", ".join(item.replace("_", " ") for item in v.items) or "nothing yet"
        measured = [p for p in v.parts if p.decides and p.half is not None]
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
            "shown": weakest(measured),
            "of": len(measured),
            "link": f"results/{page.name}.html#claim-{v.claim}" if page and page.run else "",
        }

    def link(self, claim: Claim) -> str:
        """Where a claim's square leads: its page's claim, or its row among all claims."""
        run = [v for v in claim.verdicts if v.run]
        page = self.tables.page(run[0]) if run else None
        if page is None:
            return f"claims.html#{claim.paper}-{claim.id}"
        return f"results/{page.name}.html#claim-{claim.id}"

    def nearest(self, claim: Claim) -> Word:
        """What is said of a claim at the setting that is nearest to the paper's."""
        best = next((s for s in SETTINGS if s in claim.settings), "")
        return claim.at(best) if best else NOT_RUN

    def square(self, claim: Claim, word: Word, setting: str) -> Context:
        said = word.said(setting == STAND_IN)
        label = f"{self.short(claim.paper)}, {claim.where}: {plain(claim.says)} {said}"
        return {"word": word, "link": self.link(claim), "label": label}

    def neighbour(self, page: Page) -> str:
        return f"{self.short(page.paper)}, {self.place(page)}"


def _measured(claim: Claim, setting: str) -> Iterator[Part]:
    """The parts with an interval that decide a claim at a setting."""
    for v in claim.verdicts:
        if v.setting == setting:
            yield from (p for p in v.parts if p.decides and p.half is not None)
