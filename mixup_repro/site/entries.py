"""How claims, settings and places are told on every page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixup_repro.errors import InputError
from mixup_repro.site.findings import Copy
from mixup_repro.site.parts import weakest
from mixup_repro.site.tables import Claim, Item, Page, Tables, Verdict
from mixup_repro.site.words import ERRATUM, EXACT, SETTINGS, STAND_IN, Word, plain

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
        """What a page found; its title, where copy.toml has no sentence for it yet."""
        return self.copy.sentences.get(page.name, page.items[0].title)

    def short(self, paper: str) -> str:
        """A paper in short, such as `Carratino et al.`.

        Raises:
            InputError: copy.toml does not have it.
        """
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
        """An item in short, such as `LeNet on CIFAR-10`.

        Where items of one page share network and data, what sets this one apart comes after it:
        what copy.toml says, or else the item's own name.
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
        word = claim.at(claim.nearest)
        shown = next((s for s in SETTINGS if claim.measured(s)), claim.nearest)
        measured = claim.measured(shown)
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
            "word": word,
            "said": word.said(claim.nearest == STAND_IN),
            "erratum": any(v.erratum for v in claim.verdicts) and word is not ERRATUM,
            "shown": weakest(measured),
            "of": len(measured),
            "apart": shown if shown != claim.nearest else "",
            "verdicts": [self.verdict(v) for v in claim.verdicts],
            "full": full,
            "words": " ".join(dict.fromkeys(words.lower().split())),
            "verdicts_said": "|".join(dict.fromkeys(v.word.text for v in claim.verdicts)),
            "settings_said": "|".join(claim.settings),
        }

    def verdict(self, v: Verdict) -> Context:
        """A verdict as a row below its claim. shown: of its parts, that with the least support."""
        page = self.tables.page(v)
        names = ", ".join(item.replace("_", " ") for item in v.items) or "nothing yet"
        return {
            "word": v.word,
            "said": v.said,
            "run": v.run,
            "setting": v.setting,
            "at": self.at(v.setting, v.network, v.dataset, v.n),
            "names": names,
            "parts": v.parts,
            "shown": weakest(v.measured),
            "of": len(v.measured),
            "link": f"results/{page.name}.html#claim-{v.claim}" if page and page.run else "",
        }

    def link(self, claim: Claim) -> str:
        """Where a claim's square leads: its page's claim, or its row among all claims."""
        run = [v for v in claim.verdicts if v.run]
        page = self.tables.page(run[0]) if run else None
        if page is None:
            return f"claims.html#{claim.paper}-{claim.id}"
        return f"results/{page.name}.html#claim-{claim.id}"

    def square(self, claim: Claim, word: Word, setting: str) -> Context:
        """A claim at one setting, as a square of the first page."""
        said = word.said(setting == STAND_IN)
        label = f"{self.short(claim.paper)}, {claim.where}: {plain(claim.says)} {said}"
        return {"word": word, "link": self.link(claim), "label": label}

    def neighbour(self, page: Page) -> str:
        """A page as other pages name it, such as `Carratino et al., Figure 4`."""
        return f"{self.short(page.paper)}, {self.place(page)}"
