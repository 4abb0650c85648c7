"""NOTES.md: a line for each claim of the notes on Mixup and CutMix, with pictures; for teaching."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mixup_repro.papers.claims import NOT_RUN, SUPPORTED, Setting
from mixup_repro.papers.notes.paper import PAPER
from mixup_repro.report.items import Entry
from mixup_repro.report.markdown import markdown
from mixup_repro.report.sections import CONTRADICTIONS, contradictions, pictures
from mixup_repro.report.verdicts import Verdict, Word, verdicts
from mixup_repro.store.files import replacing

FEW = 4  # parts whose effects fit in a line

INTRO = """\
# What the notes say, and what holds

Written by `make report`; do not edit. Each claim of the three notes has one line: what is printed
(in our words, with its place), what came out, and how sure that is. *Exact* claims are mathematics,
checked in double precision by two routes (`mixup-repro check <claim>`). All others are measured on
the data and network in the heading, which are our choice since the notes describe no experiments:
so a claim holds or does not hold *here*. [`REPORT.md`](REPORT.md) has every part and number."""


def write_notes(found: list[Entry], folder: Path) -> None:
    """Write <folder>/NOTES.md.

    Raises:
        InputError: theorems.csv is malformed.
    """
    every = [v for v in verdicts(found, folder) if v.paper == PAPER.name]
    exact = [v for v in every if v.setting == Setting.EXACT]
    own = [entry for entry in found if entry.paper is PAPER]
    parts = [INTRO, PAPER.about, "## By mathematics", _table(exact)]
    for name, figure, caption in pictures(PAPER):
        parts += [f"![{name}](figures/{figure})", caption]
    for entry in own:
        data, network = entry.trained
        parts += [f"## {entry.item.title}: {network} on {data}", entry.item.paper]
        parts.append(f"![{entry.item.title}](figures/{entry.stem}.png)")
        parts.append(_table([v for v in every if entry.name in v.items and v.scale]))
    parts += [f"## {CONTRADICTIONS}", markdown(contradictions(PAPER))]
    waiting = [v for v in every if v.word == Word.NOT_RUN and not v.items]
    rows = [{"claim": f"`{v.claim}`", "printed": v.says, "where": v.where} for v in waiting]
    parts += ["## Not tested here", markdown(pd.DataFrame(rows)) or "Nothing."]
    with replacing(folder / "NOTES.md") as file:
        file.write("\n\n".join(part.rstrip() for part in parts if part) + "\n")


def _table(own: list[Verdict]) -> str:
    rows = [
        {
            "printed": f"{v.says} (`{v.claim}`, {v.where})",
            "came out": f"**{v.word}**{'' if v.setting == Setting.EXACT else ' here'}",
            "how sure": _how_sure(v),
        }
        for v in own
        if not v.ours
    ]
    return markdown(pd.DataFrame(rows))


def _how_sure(verdict: Verdict) -> str:
    """Of a theorem its number of cases and the parts that fail; of runs the effects and n.

    More than FEW parts are told without their numbers, which are in REPORT.md.
    """
    if verdict.setting == Setting.EXACT:
        wrong = [f.name for f in verdict.headline if f.verdict != SUPPORTED]
        but = f"; does not hold: {'; '.join(wrong)}" if verdict.word == Word.PART else ""
        return f"exact, {verdict.n} cases{but}"
    parts = [f for f in verdict.headline if f.effect and f.verdict != NOT_RUN]
    told = [f"{f.name + ': ' if f.name else ''}{f.effect} ({f.verdict})" for f in parts]
    if len(parts) > FEW:
        told = [verdict.by_finding or f"all {len(parts)} parts {parts[0].verdict}"]
    return "; ".join([*told, f"n = {verdict.n}"])
