"""What the report says of each item, before it is Markdown or HTML."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mixup_repro.papers import smallest, style
from mixup_repro.papers.items import On, Paper
from mixup_repro.report.items import Entry, findings_table, proven
from mixup_repro.store import results

ABOUT = f"""- **Parts.** A claim has parts, such as a metric, a method or an alpha each. A part is
  *supported* where the 95 % interval of its effect excludes zero in the paper's direction,
  *contradicted* where it excludes zero in the other direction, and *inconclusive* otherwise. It is
  *negligible* where the whole interval is smaller than the smallest effect that matters:
  {smallest.about()}. A number *agrees* where the paper's lies within the 95 % t interval of the
  difference of two such means, and *differs* otherwise.
- **Claims.** A claim *holds* where all its parts do, *holds in part* where some do or some were not
  run, *does not hold* where none does, and is *unclear* where the data are too few. What a paper
  says *always* happens does not hold as soon as one part is contradicted, and is unclear until all
  parts hold.
- **Settings.** The paper's own setting is its data, network, schedule and repetitions; what is cut
  short, or has fewer seeds, says so. A stand-in is another network or other data than the paper's.
  Its verdict is said with *here*, because it neither confirms nor contradicts the paper.
- **Intervals and tests.** Intervals are t intervals over seeds, and differences are paired by seed.
  What is counted in seeds is judged by an exact interval, at 95 % on each side. The p value of a
  part is corrected for the number of parts of its claim (Holm). A part that is no longer
  significant at 5 % is inconclusive, or agrees where it is a number; its interval is shown as it
  is. Each alpha is a part; a mean over alphas is shown and decides nothing.
- **Theorems** are checked by numbers in float64: n is the number of cases, and a part is supported
  where the worst error is no larger than rounding explains. The verdict is on the statement. Where
  a formula as printed beside it, or a constant of its proof, is wrong, that is an *erratum*, which
  counts neither way.
- **Not run** names the settings on which a claim can be tested and was not.

`verdicts.csv` has every part."""


@dataclass(frozen=True)
class Section:
    """A heading with a figure (below results/figures), labelled facts, and tables."""

    title: str
    figure: str
    facts: list[tuple[str, str]]
    tables: list[pd.DataFrame]


def section(entry: Entry) -> Section:
    """What the paper reports, what differs here, the command and its cost; findings and table."""
    data, on = entry.data, entry.on
    every = (data, *data.beside.values())  # what the command makes
    runs = pd.concat([each.runs for each in every], ignore_index=True)
    about = runs.drop_duplicates([*{"run_id", "seed", "share"} & set(runs)])
    cost = f"{len(about)} runs, {about['wall_s'].sum() / 60:.1f} minutes on {computed(about)}"
    if absent := sum(each.absent for each in every):
        cost += f" {absent} more runs have not finished."
    differs = on.differs
    if data.scale != "paper":
        cuts = f"what scale `{data.scale}` cuts is in `{on.source.origin}`."
        differs = f"{differs} {cuts[0].upper() + cuts[1:]}" if differs else cuts
    facts = [
        ("The paper", entry.item.paper),
        ("What differs from it here", differs or "nothing that we know of."),
        ("The authors' code", on.code),
        ("Command", typed(on, data.scale)),
        ("Cost", cost),
    ]
    title = f"{entry.item.title} (`{entry.name}`, scale {data.scale})"
    tables = [table for table in (findings_table(entry), entry.table) if not table.empty]
    return Section(title, f"{entry.stem}.png", facts, tables)


def computed(about: pd.DataFrame) -> str:
    """The machines of runs (a row each) and their precision, as a sentence.

    It warns where runs differ in device or precision. The number of threads, which stands in
    brackets behind a CPU's name, changes only rounding.
    """
    machines = ", ".join(sorted(about["device"].unique()))
    if "precision" not in about:
        return f"{machines}."
    low = "; evaluated in float32" if (about["precision"] == "bfloat16").any() else ""
    ways = about.groupby([about["device"].str.partition(" (")[0], "precision"])
    if len(ways) == 1:
        return f"{machines}, in {about['precision'].iloc[0]}{low}."
    told = ", ".join(f"{len(runs)} in {kind} on {where}" for (where, kind), runs in ways)
    return f"{machines}. **They were computed in different ways**: {told}{low}."


def typed(on: On, scale: str = "") -> str:
    """The commands that make the rows of a setting; "" for the scale is the grid's own."""
    commands = on.source.commands(scale)
    return ", then ".join(f"`python scripts/{c}.py {shlex.join(words)}`" for c, *words in commands)


CONTRADICTIONS = "Where it contradicts itself"
UNSAID = "What the paper does not say, and what we chose"


def theory(paper: Paper, folder: Path) -> pd.DataFrame:
    """Every part of a paper's theorems: cases, worst error, verdict."""
    frame = proven(folder)
    return frame[frame["paper"] == paper.name].drop(columns=["paper", "says"])


def unsaid(paper: Paper) -> pd.DataFrame:
    """What a paper leaves open, what is done here, and whether that decides a verdict."""
    columns = ["where", "not said", "here", "does it decide a verdict"]
    return pd.DataFrame(list(paper.unsaid), columns=columns)


def contradictions(paper: Paper) -> pd.DataFrame:
    """Where a paper contradicts itself, and what decides."""
    columns = ["it says", "and it says", "what decides"]
    return pd.DataFrame(list(paper.contradictions), columns=columns)


def pictures(paper: Paper) -> list[tuple[str, str, str]]:
    """Name, figure and caption of each picture of a paper's theory."""
    shown = paper.pictures.items()
    return [(name, f"{paper.name}/theory_{name}.png", caption) for name, (_, caption) in shown]


IMPORTED = "Networks that nobody here trained"
ABOUT_IMPORTED = """Published weights, evaluated by the same code. A row is one network, so one
seed; how it was trained is what its source says. `scripts/import_weights.py` makes a run of a file
of weights, whose sha256 is in `imported.csv`, and `scripts/evaluate.py` evaluates the run. A cell
is accuracy / cross-entropy / ECE of a prediction: plain, rescaled at an alpha (with the mean of all
training pictures), or scaled by a temperature that was fitted on the other half of the test set. No
verdict counts these networks."""


def imported(folder: Path) -> pd.DataFrame:
    """A row for each imported network: its recipe and source, and a cell for each prediction.

    Raises:
        InputError: imported.csv is malformed.
    """
    frame = results.imported(folder)
    at = frame["eval_alpha"].map(lambda alpha: "" if pd.isna(alpha) else f" at {alpha:g}")
    metrics = ("accuracy", "cross_entropy", "ece")
    columns = (frame[name].map("{:.4f}".format) for name in metrics)
    frame = frame.assign(
        prediction=frame["evaluation"] + at, cell=[*map(" / ".join, zip(*columns))]
    )
    ordered = frame.sort_values(["source", "recipe", "architecture"], kind="stable")
    rows = []
    for _, own in ordered.groupby("run_id", sort=False):
        head = own.iloc[0]
        cells = dict(zip(own["prediction"], own["cell"]))
        about = {
            "network": style.network(head["architecture"]),
            "data": head["dataset"],
            "trained by": head["recipe"],
        }
        rows.append(about | {"source": head["source"]} | cells)
    return pd.DataFrame(rows)


def missing(paper: Paper, found: list[Entry]) -> list[tuple[str, str]]:
    """Settings that have no entry, each with the commands that make its rows."""
    there = [entry.on for entry in found]
    absent = [on for _, on in paper.settings if on not in there]
    return [(f"{paper.name}/{on.name}", typed(on)) for on in absent]
