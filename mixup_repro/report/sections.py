"""What the report says of each item, before it is Markdown or HTML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mixup_repro import jobs
from mixup_repro.papers import style
from mixup_repro.report.items import MEASURED, PAPERS, Item, command, findings_table, proven
from mixup_repro.store import results

ABOUT = """A claim is *supported* where the 95 % interval of its effect excludes zero in the paper's
direction, *contradicted* where it excludes zero in the other, and else *inconclusive*. A number
*agrees* where the paper's lies within the 95 % t interval of the difference of two such means,
*differs* where it does not. Intervals are t intervals over seeds; differences are paired by seed;
none is corrected for the number of claims. Scale `paper` is the paper's own setting; `short` keeps
its design and cuts data, network, epochs or seeds, as each item says. Theorems are checked by
numbers in float64: scale `exact`, n the number of cases, supported where the worst error is what
rounding explains. *Not run* names the experiments that a claim can be tested on and was not."""

# What the authors' code does otherwise, by the stem of an item; Carratino et al. published that of
# ImageNet only (their footnote 1).
LINE = (
    "one Adam optimiser for its ten runs, as said; all other settings here are the code's (one "
    "lambda a batch, partners from the whole data set)."
)
MOONS = (
    "gradients and epochs, as said; all other settings here are the code's, and so is the way to "
    "draw the moons."
)
AUTHORS_CODE = {
    "carratino2020": {
        "imagenet_published": "initialises the last BatchNorm of a block with ones, here zeros.",
        "imagenet": "warms up for 11 epochs, decays weights by 2e-4 and BatchNorm's not at all, "
        "keeps pixels in [0, 1], resizes bicubically, pairs by reversal, takes lambda at least "
        "1/2: see `fig4_imagenet_published`.",
        "": "none is published for this item.",
    },
    "chidambaram2022": {
        "fig1_": LINE,
        "fig8_": LINE,
        "fig2_": "trains ERM again beside each alpha; all other settings of `fig2_mnist`, "
        "`fig2_cifar10` and `fig2_cifar100` are the code's (one lambda a batch, partners from the "
        "whole data set).",
        "fig3_": MOONS,
        "fig12_": MOONS,
        "table2_": "draws once; share of the data, normalisation and partners here are the code's.",
    },
}


@dataclass(frozen=True)
class Section:
    """A heading with a figure (below results/figures), labelled facts, and tables."""

    title: str
    figure: str
    facts: list[tuple[str, str]]
    tables: list[pd.DataFrame]


def section(item: Item) -> Section:
    """The paper's side, what differs, the command, the cost; findings and the item's table."""
    data, module = item.data, item.module
    about = data.runs.drop_duplicates([*{"run_id", "seed", "share"} & set(data.runs)])
    machine = ", ".join(sorted(about["device"].unique()))
    cost = f"{len(about)} runs, {about['wall_s'].sum() / 60:.1f} minutes on {machine}."
    low = about[about["precision"] == "bfloat16"] if "precision" in about else ()
    if len(low):
        cost += f" {len(low)} of them were trained in bfloat16; all were evaluated in float32."
    differs = module.DIFFERS.get(item.experiment, "")
    if data.scale != "paper":
        cuts = f"what scale `{data.scale}` cuts is in `configs/experiment/{item.name}.yaml`."
        differs = f"{differs} {cuts[0].upper() + cuts[1:]}" if differs else cuts
    facts = [
        ("The paper", module.PAPER),
        ("What differs from it here", differs or "nothing that we know of."),
        ("The authors' code", authors_code(item.name)),
        ("Command", f"`{item.command}`"),
        ("Cost", cost),
    ]
    title = f"{module.TITLE} (`{item.experiment}`, scale {data.scale})"
    tables = [table for table in (findings_table(item), item.table) if not table.empty]
    return Section(title, f"{item.stem}.png", facts, tables)


def authors_code(name: str) -> str:
    """What is known of the authors' code for an item."""
    paper, experiment = name.split("/")
    return next(text for part, text in AUTHORS_CODE[paper].items() if part in f"{experiment}_")


def theory(paper: str, folder: Path) -> pd.DataFrame:
    """Every part of a paper's theorems: cases, worst error, verdict."""
    frame = proven(folder)
    return frame[frame["paper"] == paper].drop(columns=["paper", "says"])


def pictures(paper: str) -> list[tuple[str, str, str]]:
    """Name, figure and caption of each picture of a paper's theory."""
    shown = PAPERS[paper].lecture.PICTURES
    return [(k, f"{paper}/theory_{k}.png", caption) for k, (_, caption) in shown.items()]


IMPORTED = "Networks that nobody here trained"
ABOUT_IMPORTED = """Published weights, measured by the same code: a row is one network, so one seed.
`scripts/import_weights.py` makes a run of a file, whose sha256 is in `imported.csv`, and
`scripts/evaluate.py` asks it. A cell is accuracy / cross-entropy / ECE of a prediction: plain,
rescaled at an alpha (with the mean of all training pictures), or scaled by a temperature fitted on
the other half of the test set. How a network was trained is told by its source. No verdict counts
them."""


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


def missing(paper: str, found: list[Item]) -> list[tuple[str, str]]:
    """Experiments that have no item, each with the command that runs it."""
    names = [name for name in jobs.experiments() if name.startswith(paper)]
    if MEASURED.startswith(paper):
        names.append(MEASURED)
    there = [item.name for item in found]
    return [
        (name, command(name))
        for name in names
        if name not in there and not (name == MEASURED and any(n.startswith(name) for n in there))
    ]
