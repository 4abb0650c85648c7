"""Figures, tables, REPORT.md and the README's verdicts from the committed results.

Nothing here trains or reads runs. What is said of an item is in its record (papers.items).

items: what there is to show, as entries; the check of all theorems.
verdicts: what became of each claim. figures: of entries under their verdicts, and of the theory.
sections: what the report says of an entry. markdown: REPORT.md and the README's table.
notes: NOTES.md. errata: ERRATA.md. listing: items.csv, for the site.
published: what others published. custom: pictures of runs that are not in the results.
files: what is made anew where something changed. one_run: pictures of one run.
"""

from mixup_repro.report.custom import draw_custom
from mixup_repro.report.errata import checkable, write_errata
from mixup_repro.report.figures import draw, drawn, theory_pictures
from mixup_repro.report.files import Files, collect_seldom, making
from mixup_repro.report.items import PAPERS, Entry, entries, findings_table, prove, setting
from mixup_repro.report.listing import write_items
from mixup_repro.report.markdown import write, write_readme
from mixup_repro.report.notes import write_notes
from mixup_repro.report.verdicts import verdicts

__all__ = [
    "PAPERS",
    "Entry",
    "Files",
    "checkable",
    "collect_seldom",
    "draw",
    "draw_custom",
    "drawn",
    "entries",
    "findings_table",
    "making",
    "prove",
    "setting",
    "theory_pictures",
    "verdicts",
    "write",
    "write_errata",
    "write_items",
    "write_notes",
    "write_readme",
]
