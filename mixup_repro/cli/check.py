"""Check an erratum or a theorem of the papers: print its derivation, and compute its numbers anew.

    mixup-repro check             list all errata and theorems, a line each
    mixup-repro check eq19        an erratum: place, what is printed, what is right, the numbers
    mixup-repro check all         every erratum, in seconds
    mixup-repro check thm1        a theorem: the worst error of each of its parts

Exit codes: 0 the numbers confirm it; 1 they do not; 2 bad input.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import pandas as pd

from mixup_repro import report
from mixup_repro.cli.words import Parser
from mixup_repro.errors import InputError
from mixup_repro.papers.claims import CONTRADICTED, Theorem
from mixup_repro.papers.errata import Erratum, section
from mixup_repro.report.markdown import markdown


def main(words: Sequence[str]) -> int:
    parser = Parser("check", __doc__)
    parser.add_argument("id", nargs="?", help="an erratum or theorem, or all for every erratum")
    name = parser.parse_args(words).id
    every = report.checkable()
    if name is None:
        print("\n".join(map(line, every.values())))
        return 0
    if name != "all" and name not in every:
        near = get_close_matches(name, every, n=3, cutoff=0.4)
        what = f"did you mean {', '.join(near)}?" if near else "mixup-repro check lists them"
        raise InputError(f"{name}: no erratum or theorem of the papers; {what}")
    errata = [one for one in every.values() if isinstance(one, Erratum)]
    chosen = errata if name == "all" else [every[name]]
    return 0 if all([check(one) for one in chosen]) else 1


def line(one: Erratum | Theorem) -> str:
    """An erratum's place and kind, or a theorem's place and sentence, after its id."""
    says = f"theorem: {one.sentence}" if isinstance(one, Theorem) else f"erratum: {one.kind}"
    return f"{one.id:24} {one.where}, {says}"


def check(one: Erratum | Theorem) -> bool:
    """Compute and print an erratum or a theorem; returns whether its numbers confirm it."""
    if isinstance(one, Theorem):
        checks = one.check()
        rows = [
            {
                "tested": c.part,
                "cases": c.cases,
                "worst error": c.worst_error,
                "allowed": c.allowed,
                "verdict": c.verdict,
            }
            for c in checks
        ]
        print(f"### {one.id}: {one.where}\n\n{one.sentence}\n\n{markdown(pd.DataFrame(rows))}\n")
        failed = [c.part for c in checks if c.verdict == CONTRADICTED]
    else:
        numbers = one.witness()
        print(section(one, numbers))
        failed = [number.what for number in numbers if not number.confirms]
    print(f"Not confirmed: {'; '.join(failed)}\n" if failed else "The numbers confirm it.\n")
    return not failed
