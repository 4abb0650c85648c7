"""Figures, tables and REPORT.md from the committed results: nothing here trains or reads runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd

from mixup_repro import experiments, results
from mixup_repro.config import SCALES
from mixup_repro.errors import InputError
from mixup_repro.papers import carratino2020, chidambaram2022, style
from mixup_repro.papers.claims import Claim, Finding

PAPERS = {
    "carratino2020": "Carratino et al., On Mixup Regularization",
    "chidambaram2022": "Chidambaram et al., Towards Understanding the Data Dependency of "
    "Mixup-style Training",
}
THEORY = {"carratino2020": carratino2020, "chidambaram2022": chidambaram2022}
HEAD = """# Report

Written by `make report` from the runs in `runs.csv`; do not edit.

A claim is *supported* where the 95 % interval of its effect excludes zero in the paper's direction,
*contradicted* where it excludes zero in the other, and else *inconclusive*. A number *agrees* where
the paper's lies within the 95 % t interval of the difference of two such means, *differs* where it
does not. Intervals are t intervals over seeds; differences are paired by seed; none is corrected
for the number of claims. Scale `paper` is the paper's own setting; `short` keeps its design and
cuts data, network, epochs or seeds, as each item says. Theorems are checked by numbers in float64:
scale `exact`, n the number of cases, supported where the worst error is what rounding explains.
"""


@dataclass(frozen=True)
class Item:
    """One experiment at one scale, with the module that draws it."""

    name: str  # <paper>/<experiment>
    module: ModuleType
    data: results.ItemData

    @property
    def paper(self) -> str:
        return self.name.split("/")[0]

    @property
    def experiment(self) -> str:
        return self.name.split("/")[1]

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.data.scale}"

    @cached_property
    def findings(self) -> list[tuple[Claim, list[Finding]]]:
        claims = [c for c in self.module.CLAIMS if not c.items or self.experiment in c.items]
        return [(claim, claim.findings(self.data)) for claim in claims]


def module_of(name: str) -> ModuleType:
    """The module of an experiment: fig4_digits and fig4_cifar10 are both drawn by fig4."""
    paper, experiment = name.split("/")
    return import_module(f"mixup_repro.papers.{paper}.{experiment.split('_')[0]}")


def items(folder: Path) -> list[Item]:
    """Every experiment at each scale at which all that it compares has finished runs.

    Raises:
        InputError: there are no finished runs at all.
    """
    frame = results.load(folder)
    if frame.empty:
        raise InputError(f"{folder}: no finished runs yet; type make reproduce")
    found = []
    for name in experiments.names():
        for scale in SCALES:
            if scale not in set(frame["scale"].dropna()):
                continue
            data = results.item_data(folder, frame, name, scale)
            if data is not None:
                found.append(Item(name, module_of(name), data))
    for data in results.measured_data(folder / "distances.csv", "chidambaram2022/table2"):
        found.append(Item(data.name, module_of(data.name), data))
    return found


def prove(folder: Path) -> None:
    """Check every theorem, write <folder>/theorems.csv, and draw the theory's pictures."""
    rows = [
        {
            "paper": paper,
            "claim": theorem.id,
            "where": theorem.where,
            "says": theorem.sentence,
            "tested": check.part,
            "n": check.cases,
            "worst error": float(f"{check.worst_error:.1e}"),
            "allowed": check.allowed,
            "verdict": check.verdict,
        }
        for paper, module in THEORY.items()
        for theorem in module.theorems.THEOREMS
        for check in theorem.check()
    ]
    pd.DataFrame(rows).to_csv(folder / "theorems.csv", index=False, lineterminator="\n")
    for paper, module in THEORY.items():
        for name, (picture, _) in module.lecture.PICTURES.items():
            style.save(picture(), folder / "figures" / paper / f"theory_{name}")


def draw(found: list[Item], folder: Path) -> None:
    """Write each item's figure and table below `folder`."""
    for item in found:
        style.save(item.module.draw(item.data), folder / "figures" / item.stem)
        path = folder / "tables" / f"{item.stem}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        item.module.table(item.data).to_csv(
            path, index=False, float_format="%.6g", lineterminator="\n"
        )


def write(found: list[Item], folder: Path) -> None:
    """Write <folder>/REPORT.md: the verdicts first, then each item."""
    theorems = pd.read_csv(folder / "theorems.csv")
    verdicts = [
        {
            "claim": claim,
            "says": rows["says"].iloc[0],
            "item": rows["where"].iloc[0],
            "scale": "exact",
            "n": rows["n"].sum(),
            "verdict": _count(list(rows["verdict"])),
        }
        for claim, rows in theorems.groupby("claim", sort=False)
    ]
    verdicts += [
        {
            "claim": claim.id,
            "says": claim.sentence,
            "item": item.experiment,
            "scale": item.data.scale,
            "n": item.data.seeds(),
            "verdict": tally(findings),
        }
        for item in found
        for claim, findings in item.findings
    ]
    parts = [HEAD, "## Verdicts\n", markdown(pd.DataFrame(verdicts))]
    for paper, title in PAPERS.items():
        parts.append(f"\n## {title}\n")
        checked = theorems[theorems["paper"] == paper].drop(columns=["paper", "says"])
        parts += ["### Theorems\n", markdown(checked), ""]
        for name, (_, caption) in THEORY[paper].lecture.PICTURES.items():
            parts += [f"![{name}](figures/{paper}/theory_{name}.png)\n", f"{caption}\n"]
        parts += [_section(item) for item in found if item.paper == paper]
        missing = [n for n in experiments.names() if n.startswith(paper)]
        missing = [n for n in missing if n not in {item.name for item in found}]
        if missing:
            parts.append("### Not run here, or not all of it\n")
            parts += [f"- `{n}`: `python scripts/train.py -m experiment={n}`" for n in missing]
    (folder / "REPORT.md").write_text("\n".join(parts).rstrip() + "\n")


def findings_table(item: Item) -> pd.DataFrame:
    """Every tested part of an item's claims: the paper's side, ours, n and verdict."""
    return pd.DataFrame(
        [
            {
                "claim": claim.id,
                "tested": f.part,
                "paper": f.expected,
                "ours": f.effect or "",
                "n": f.effect.n if f.effect else "",
                "verdict": f.verdict,
            }
            for claim, findings in item.findings
            for f in findings
        ]
    )


def _section(item: Item) -> str:
    data, module = item.data, item.module
    about = data.runs.drop_duplicates([*{"run_id", "seed", "share"} & set(data.runs)])
    cost = f"{len(about)} runs, {about['wall_s'].sum() / 60:.1f} minutes"
    machine = ", ".join(sorted(about["device"].unique()))
    command = f"python scripts/train.py -m experiment={item.name} scale={data.scale}"
    if item.name not in experiments.names():
        command = "python scripts/distances.py dataset=..., see --help"
    differs = module.DIFFERS.get(item.experiment, "nothing that we know of.")
    return "\n".join(
        [
            f"### {module.TITLE} (`{item.experiment}`, scale {data.scale})\n",
            f"![{item.experiment}](figures/{item.stem}.png)\n",
            f"- The paper: {module.PAPER}",
            f"- What differs here: {differs}",
            f"- Command: `{command}`",
            f"- Cost: {cost} on {machine}.\n",
            markdown(findings_table(item)),
            "",
            markdown(module.table(data)),
            "",
        ]
    )


def tally(findings: list[Finding]) -> str:
    """The verdicts of a claim's headline parts, such as `supported` or `8 agrees, 1 differs`."""
    return _count([f.verdict for f in findings if f.headline])


def _count(verdicts: list[str]) -> str:
    kinds = sorted(set(verdicts), key=verdicts.index)
    if len(kinds) == 1:
        return f"**{kinds[0]}**" + (f" ({len(verdicts)} parts)" if len(verdicts) > 1 else "")
    return ", ".join(f"{verdicts.count(kind)} **{kind}**" for kind in kinds)


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table, numbers with four significant digits."""
    if frame.empty:
        return ""

    def text(value: object) -> str:
        if isinstance(value, float):
            return "" if pd.isna(value) else f"{value:.4g}"
        return str(value).replace("|", "\\|")

    lines = [list(frame.columns), ["---"] * frame.shape[1]]
    lines += [[text(v) for v in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
