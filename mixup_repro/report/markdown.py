"""REPORT.md, and the table of verdicts in README.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mixup_repro.errors import InputError
from mixup_repro.papers.claims import Setting
from mixup_repro.papers.items import Paper
from mixup_repro.report.items import PAPERS, Entry
from mixup_repro.report.published import (
    ABOUT_PUBLISHED,
    CAPTION,
    CURVES,
    FIGURE,
    PUBLISHED,
    published,
)
from mixup_repro.report.sections import (
    ABOUT,
    ABOUT_IMPORTED,
    CONTRADICTIONS,
    IMPORTED,
    UNSAID,
    Section,
    contradictions,
    imported,
    missing,
    pictures,
    section,
    theory,
    unsaid,
)
from mixup_repro.report.verdicts import Verdict, Word, by_chance, counted, verdicts, write_verdicts
from mixup_repro.store.files import remove_leftovers, replacing

BEGIN, END = "<!-- verdicts -->", "<!-- /verdicts -->"


def write(found: list[Entry], folder: Path) -> None:
    """Write <folder>/REPORT.md: the verdicts first, then each paper with its items; verdicts.csv.

    Raises:
        InputError: a table of the results is malformed.
    """
    every = verdicts(found, folder)
    write_verdicts(every, folder)
    parts = [
        "# Report",
        "Written by `make report` from the runs in `runs.csv`; do not edit. "
        "[`site/index.html`](../site/index.html) shows the same as pages with a filter. "
        "[`ERRATA.md`](ERRATA.md) has what the papers misprint, what needs a condition that they "
        "leave out, and what is false.",
        "## What came out",
        *(came_out(paper, every) for paper in PAPERS),
        "## How claims are judged",
        ABOUT,
        "## Verdicts",
        summary(every),
    ]
    for paper in PAPERS:
        rows = [row(v) for v in every if v.paper == paper.name and not v.ours]
        parts += [f"### {paper.title}", markdown(pd.DataFrame(rows))]
    ours = [row(v) for v in every if v.ours]
    parts += ["### Questions of our own, which no count has", markdown(pd.DataFrame(ours))]
    for paper in PAPERS:
        parts += _of_paper(paper, found, folder)
    parts += _of_others(folder)
    with replacing(folder / "REPORT.md") as file:
        file.write("\n\n".join(part.rstrip() for part in parts if part) + "\n")


def _of_paper(paper: Paper, found: list[Entry], folder: Path) -> list[str]:
    """A paper's theorems with pictures, what it leaves open, its items, and what was not run."""
    parts = [f"## {paper.title}", paper.about, "### Theorems"]
    parts.append(markdown(theory(paper, folder)) or "Not checked here: `make report`.")
    for name, figure, caption in pictures(paper):
        parts += [f"![{name}](figures/{figure})", caption]
    for title, table in ((CONTRADICTIONS, contradictions(paper)), (UNSAID, unsaid(paper))):
        parts += [f"### {title}", markdown(table)] if len(table) else []
    parts += [_section(entry.name, section(entry)) for entry in found if entry.paper is paper]
    if absent := missing(paper, found):
        lines = [f"- `{name}`: {commands}" for name, commands in absent]
        parts += ["### Not run here, or not all of it", "\n".join(lines)]
    return parts


def _of_others(folder: Path) -> list[str]:
    """Networks that others trained, and numbers that others published."""
    parts = []
    if not (table := imported(folder)).empty:
        parts += [f"## {IMPORTED}", ABOUT_IMPORTED, markdown(table)]
    if not (table := published(folder)).empty:
        parts += [f"## {PUBLISHED}", ABOUT_PUBLISHED, markdown(table)]
        if (folder / CURVES).exists():
            parts += [f"![published runs](figures/{FIGURE})", CAPTION]
    return parts


def write_readme(found: list[Entry], folder: Path, readme: Path) -> None:
    """Replace what stands between BEGIN and END in the README by the table of verdicts.

    Call it while holding the lock on the results, so that no other process writes it meanwhile.

    Raises:
        InputError: the README lacks BEGIN, or END behind it; or theorems.csv is malformed.
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
    """How many verdicts on the papers' claims have which word: a row for each setting.

    Questions of our own, and the claims of the notes, are not counted.
    """
    counts = [v for v in every if v.paper not in _apart()]
    claims, run = _claims(counts)
    by_setting = {setting: counted(counts, setting) for setting in Setting}
    words = [word for word in Word if any(word in own for own in by_setting.values())]
    rows = [
        {"setting": str(setting)} | {str(word): str(own.get(word, "")) for word in words}
        for setting, own in by_setting.items()
    ]
    said = f"{claims} claims, {claims - run} of them not run; a claim may be tried at two settings."
    here = "What holds on a stand-in holds *here*, and says nothing against the paper."
    return "\n\n".join([f"{said} {here}", markdown(pd.DataFrame(rows))])


def summary(every: list[Verdict]) -> str:
    """How many claims there are, and how many verdicts of each word, a line for each setting."""
    counts = [v for v in every if v.paper not in _apart()]
    claims, run = _claims(counts)
    tested, wrong = by_chance(counts)
    lines = [
        f"{claims} claims, {claims - run} of them not run. {tested} verdicts rest on tests of "
        f"runs. If there were no effects at all, about {wrong:.1f} of these would still have a "
        f"part that is supported or contradicted, by chance. Verdicts by setting:\n"
    ]
    for setting in Setting:
        told = _told(counted(counts, setting)) or "none yet"
        lines.append(f"- {setting}: {told}")
    for name, title in _apart().items():
        own = [v for v in every if v.paper == name]
        claims, run = _claims(own)
        told = "; ".join(
            f"{setting}: {words}" for setting in Setting if (words := _told(counted(own, setting)))
        )
        lines.append(f"- {title}, counted apart: {claims} claims, {claims - run} of them not run")
        lines[-1] += f" ({told})" if told else ""
    return "\n".join(lines)


def _apart() -> dict[str, str]:
    """Titles by name of papers that are no publications (the notes): they are counted apart."""
    return {paper.name: paper.title for paper in PAPERS if not paper.published}


def _claims(every: list[Verdict]) -> tuple[int, int]:
    """How many claims there are, without questions of our own, and how many of them were run."""
    own = [v for v in every if not v.ours]
    run = {(v.paper, v.claim) for v in own if v.word != Word.NOT_RUN}
    return len({(v.paper, v.claim) for v in own}), len(run)


def _told(counts: dict[Word, int]) -> str:
    return ", ".join(f"{n} {word}" for word, n in counts.items())


def came_out(paper: Paper, every: list[Verdict]) -> str:
    """The claims of a paper that were run: a line for each setting and word."""
    lines = [f"**{paper.title}**\n"]
    run = [v for v in every if v.paper == paper.name and v.setting and not v.ours]
    for setting in Setting:
        for word in Word:
            claims: dict[str, list[str]] = {}
            for v in run:
                if (v.setting, v.word) == (setting, word) and word != Word.NOT_RUN:
                    on = _on(v, [other for other in run if other.claim == v.claim])
                    claims.setdefault(v.claim, []).extend([on] if on else [])
            told = (
                f"`{claim}`" + (f" ({'; '.join(on)})" if on else "") for claim, on in claims.items()
            )
            if claims:
                lines.append(f"- {setting}, **{word}**: {', '.join(told)}")
    return "\n".join(lines)


def row(verdict: Verdict) -> dict[str, object]:
    """A row of the table of verdicts."""
    return {
        "claim": verdict.claim,
        "says": verdict.says,
        "where": verdict.where,
        "item": ", ".join(verdict.items),
        "setting": verdict.setting or "",
        "network": verdict.network,
        "data": verdict.dataset,
        "n": verdict.n,
        "verdict": f"**{verdict.words}**",
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


def _on(verdict: Verdict, own: list[Verdict]) -> str:
    """Network and data; the setting's name too where another verdict of the claim has the same."""
    alike = [v for v in own if (v.network, v.dataset) == (verdict.network, verdict.dataset)]
    names = [f"`{name}`" for name in verdict.items] if len(alike) > 1 else []
    return ", ".join(filter(None, (verdict.network, verdict.dataset, *names)))


def _section(name: str, content: Section) -> str:
    facts = "\n".join(f"- {label}: {text}" for label, text in content.facts)
    image = f"![{name}](figures/{content.figure})"
    tables = [markdown(table) for table in content.tables]
    return "\n\n".join([f"### {content.title}", image, facts, *tables])
