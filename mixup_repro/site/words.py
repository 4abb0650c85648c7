"""The words of verdicts, each with a sign, and texts of the tables as a reader wants them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from mixup_repro.errors import InputError


@dataclass(frozen=True)
class Word:
    """A verdict's word, its sign, and the class that gives its colours."""

    text: str
    sign: str
    look: str

    def said(self, here: bool) -> str:
        """The word, of a stand-in with `here`."""
        if not here or self is NOT_RUN:
            return self.text
        return "holds here in part" if self is PART else f"{self.text} here"


HOLDS = Word("holds", "●", "holds")
PART = Word("holds in part", "◐", "part")
FAILS = Word("does not hold", "×", "fails")
NEGLIGIBLE = Word("negligible", "≈", "negligible")
UNCLEAR = Word("unclear", "–", "unclear")
ERRATUM = Word("erratum", "E", "erratum")
NOT_RUN = Word("not run", "", "notrun")
WORDS = (HOLDS, PART, FAILS, NEGLIGIBLE, UNCLEAR, ERRATUM, NOT_RUN)

EXACT = "a theorem, in double precision"
PAPER = "the paper's own setting"
REDUCED = "the paper's network and data, cut short"
STAND_IN = "a stand-in"
SETTINGS = (EXACT, PAPER, REDUCED, STAND_IN)


def word(verdict: str, where: str) -> Word:
    """The word that a verdict of the table begins with, its `here` and details left out.

    Raises:
        InputError: it begins with no word of WORDS.
    """
    said = verdict.partition(" (")[0].replace(" here", "")
    for known in WORDS:
        if said == known.text:
            return known
    raise InputError(f"{where}: {verdict!r} is no verdict")


def together(words: Iterable[Word]) -> Word:
    """What is said of several verdicts at once; those that were not run do not count.

    Their one word; `holds` of verdicts that hold or have an erratum; else `holds in part` where
    one of them holds or holds in part, and `unclear` where none does.
    """
    run = {w for w in words if w is not NOT_RUN}
    if len(run) < 2:
        return run.pop() if run else NOT_RUN
    if run <= {HOLDS, ERRATUM}:
        return HOLDS
    return PART if run & {HOLDS, PART} else UNCLEAR


SIGNS = {
    r"\btheta_bar\b": "θ̄",
    r"\b([xy])_bar\b": "\\1\N{COMBINING MACRON}",
    r"\balpha\b": "α",
    r"\blambda\b|\blam\b": "λ",
    r"\btheta\b": "θ",
    r"\beps(?:ilon)?\b": "ε",
    r"\bdelta\b": "δ",
    r"\bgamma\b": "γ",
    r"\bsigma\b": "σ",
    r"\bh_(?:eps|ε)\b": "h<sub>ε</sub>",
    r"\bX_(\d+)\^(\d+)(?!\d)": r"X<sub>\1</sub><sup>\2</sup>",
    r"\bSigma\b": "Σ",
    r"\bR([1-4])\b": r"R<sub>\1</sub>",
    "&gt;=": "≥",
    "&lt;=": "≤",
    r" - (?=[A-Z\d(])": " − ",
}
INLINE = {r"\*\*([^*]+)\*\*": r"<b>\1</b>", r"\[([^\]]+)\]\(([^)\s]+)\)": r'<a href="\2">\1</a>'}


def rich(text: str, up: str = "") -> str:
    """A text of the tables as HTML: `code`, **strong**, [links](x.html), and Greek as signs.

    up: what leads from the page to the site's folder, for links.
    """
    out = []
    for k, piece in enumerate(text.split("`")):
        piece = escape(piece, quote=False)
        if k % 2:
            out.append(f"<code>{piece}</code>")
            continue
        for pattern, sign in SIGNS.items():
            piece = re.sub(pattern, sign, piece)
        for pattern, tag in INLINE.items():
            piece = re.sub(pattern, tag, piece)
        out.append(piece)
    return re.sub(r'href="(?![a-z]+:|#)', f'href="{up}', "".join(out))


def plain(text: str) -> str:
    """The same without tags, for attributes."""
    return re.sub(r"<[^>]+>", "", rich(text))
