"""Figures, tables, REPORT.md, report.html and the README's verdicts from the committed results.

Nothing here trains or reads runs. `items` says what there is to show, `verdicts` what became of
each claim, `sections` what the report says of an item; `markdown` and `webpage` write it down.
"""

from mixup_repro.report.items import Item, draw, findings_table, items, module_of, prove, tally
from mixup_repro.report.markdown import write, write_readme
from mixup_repro.report.verdicts import Verdict, verdicts
from mixup_repro.report.webpage import write_webpage

__all__ = [
    "Item",
    "Verdict",
    "draw",
    "findings_table",
    "items",
    "module_of",
    "prove",
    "tally",
    "verdicts",
    "write",
    "write_readme",
    "write_webpage",
]
