"""REPORT.md, and the table of verdicts in README.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.papers.claims import NOT_RUN, SUPPORTED
from mixup_repro.report.items import PAPERS, Entry
from mixup_repro.report.sections import (
    ABOUT,
    ABOUT_IMPORTED,
    IMPORTED,
    Section,
    imported,
    missing,
    pictures,
    section,
    theory,
)
from mixup_repro.report.verdicts import MIXED, Verdict, outcomes, verdicts
from mixup_repro.store.files import remove_leftovers, replacing

BEGIN, END = "<!-- verdicts -->", "<!-- /verdicts -->"


def write(found: list[Entry], folder: Path) -> None:
    """Write <folder>/REPORT.md: the verdicts first, then each item.

    Raises:
        InputError: theorems.csv is malformed.
    """
    every = verdicts(found, folder)
    parts = [
        "# Report\n",
        "Written by `make report` from the runs in `runs.csv`; do not edit. `report.html`, written "
        "beside it, shows the same with a filter.\n",
        f"{ABOUT}\n",
        "## Verdicts\n",
        f"{summary(every)}\n",
    ]
    for paper in PAPERS:
        rows = [row(v) for v in every if v.paper == paper.name]
        parts += [f"### {paper.title}\n", markdown(pd.DataFrame(rows)), ""]
    for paper in PAPERS:
        parts += [f"## {paper.title}\n", "### Theorems\n"]
        parts += [markdown(theory(paper, folder)) or "Not checked here: `make report`.", ""]
        for name, figure, caption in pictures(paper):
            parts += [f"![{name}](figures/{figure})\n", f"{caption}\n"]
        parts += [_section(entry.name, section(entry)) for entry in found if entry.paper is paper]
        if absent := missing(paper, found):
            parts.append("### Not run here, or not all of it\n")
            parts += [f"- `{name}`: {commands}" for name, commands in absent]
            parts.append("")
    if not (table := imported(folder)).empty:
        parts += [f"## {IMPORTED}\n", f"{ABOUT_IMPORTED}\n", markdown(table)]
    with replacing(folder / "REPORT.md") as file:
        file.write("\n".join(parts).rstrip() + "\n")


def write_readme(found: list[Entry], folder: Path, readme: Path) -> None:
    """Replace what stands between the two comments in the README by the table of verdicts.

    For who holds the lock on the results: it is theirs too.

    Raises:
        InputError: it has not each of the two comments once, in this order.
    """
    remove_leftovers(readme.parent, readme.name)
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{readme}: the verdicts stand between {BEGIN} and {END}; put them back")
    table = readme_table(verdicts(found, folder))
    with replacing(readme) as file:
        file.write(f"{before}{begin}\n{table}\n{end}{after}")


def readme_table(every: list[Verdict]) -> str:
    """One row a claim: what became of it, and on which items at which scale.

    Theorems that hold in all their parts share a row, and so do claims without any run. Which
    experiments were not run is said in REPORT.md only.
    """
    parts = [f"{summary(every)}\n"]
    for paper in PAPERS:
        by_claim: dict[str, list[Verdict]] = {}
        for v in every:
            if v.paper == paper.name:
                by_claim.setdefault(v.claim, []).append(v)
        rows: dict[tuple[str, str], list[str]] = {}  # sentence and verdict: claims
        for claim, own in by_claim.items():
            run = [v for v in own if v.outcome != NOT_RUN]
            says = own[0].says
            if not run:
                says = "No runs yet: the report names what each needs."
            elif run[0].scale == "exact" and run[0].outcome == SUPPORTED:
                says = "Theorems, checked by numbers in float64."
            rows.setdefault((says, _by_words(run or own)), []).append(f"`{claim}`")
        frame = [(", ".join(claims), *told) for told, claims in rows.items()]
        parts += [markdown(pd.DataFrame(frame, columns=["claim", paper.title, "verdict"])), ""]
    return "\n".join(parts).rstrip()


def summary(every: list[Verdict]) -> str:
    """How many claims there are, and the verdicts on them."""
    counts = ", ".join(f"{n} **{outcome}**" for outcome, n in outcomes(every).items())
    claims = len({(v.paper, v.claim) for v in every})
    return f"{claims} claims, {len(every)} verdicts (one an item and scale): {counts}."


def row(verdict: Verdict) -> dict[str, object]:
    """A row of the table of verdicts."""
    return {
        "claim": verdict.claim,
        "says": verdict.says,
        "where": verdict.where,
        "item": ", ".join(verdict.items),
        "scale": verdict.scale,
        "n": verdict.n,
        "verdict": verdict.words,
    }


def cell(value: object) -> str:
    """A table's value as text, numbers with four significant digits."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.4g}"
    return str(value)


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table; nothing for an empty one."""
    if frame.empty:
        return ""
    lines = [list(frame.columns), ["---"] * frame.shape[1]]
    lines += [[cell(v).replace("|", "\\|") for v in r] for r in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _by_words(own: list[Verdict]) -> str:
    """The items of a claim by verdict: `**supported**: fig4_digits (short, n = 10)`."""
    at: dict[str, list[str]] = {}
    for v in own:
        words = v.words if v.outcome == MIXED else f"**{v.outcome}**"
        runs = [f"{name} ({v.scale}, n = {v.n})" for name in v.items if v.scale]
        at.setdefault(words, []).extend(runs)
    return "; ".join(f"{words}: {', '.join(runs)}" if runs else words for words, runs in at.items())


def _section(name: str, content: Section) -> str:
    facts = "\n".join(f"- {label}: {text}" for label, text in content.facts)
    image = f"![{name}](figures/{content.figure})"
    tables = [markdown(table) for table in content.tables]
    return "\n\n".join([f"### {content.title}", image, facts, *tables]) + "\n"
