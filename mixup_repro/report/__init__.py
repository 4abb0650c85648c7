"""Figures, tables, REPORT.md and the README's verdicts from the committed results.

Nothing here trains or reads runs, and what is said of an item is in its record (papers.items).
`items` says what there is to show, `verdicts` what became of each claim, `figures` draws it under
that, `custom` draws runs that are no results, and `sections` is what the report says of an entry;
`markdown` writes it down, `notes` what the notes say, `errata` what is wrong in the papers, and
`listing` what the site needs.
"""

from mixup_repro.report.custom import draw_custom
from mixup_repro.report.errata import checkable, write_errata
from mixup_repro.report.figures import draw, drawn
from mixup_repro.report.items import PAPERS, Entry, entries, findings_table, prove, setting
from mixup_repro.report.listing import write_items
from mixup_repro.report.markdown import write, write_readme
from mixup_repro.report.notes import write_notes
from mixup_repro.report.verdicts import verdicts

__all__ = [
    "PAPERS",
    "Entry",
    "checkable",
    "draw",
    "draw_custom",
    "drawn",
    "entries",
    "findings_table",
    "prove",
    "setting",
    "verdicts",
    "write",
    "write_errata",
    "write_items",
    "write_notes",
    "write_readme",
]
