"""The record of the notes.

An item is added as in any paper (CONTRIBUTING.md): a module beside this one with its ITEM, and a
grid below configs/experiment/notes where it trains. What needs no runs is a Theorem in `theorems/`.
"""

from mixup_repro.papers.items import Paper
from mixup_repro.papers.notes.contradictions import CONTRADICTIONS
from mixup_repro.papers.notes.errata import ERRATA, MISPRINTS
from mixup_repro.papers.notes.lecture import PICTURES
from mixup_repro.papers.notes.theorems import THEOREMS

PAPER = Paper(
    name="notes",
    title="Notes on Mixup and CutMix",
    theorems=THEOREMS,
    errata=ERRATA,
    misprints=MISPRINTS,
    pictures=PICTURES,
    untested=(),
    unsaid=(),
    published=False,
    about="Three short notes that newcomers read: A, on vicinal risk, linearity and calibration; "
    "B, on principles and applications; C, on Mixup beside CutMix. A8 is line 8 of A's text. What "
    "is said to hold in part holds under a condition: the parts name it.",
    contradictions=CONTRADICTIONS,
)
