"""items.csv: what there is of each item. The site is made from this and the other tables alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from mixup_repro.jobs import compose, expand
from mixup_repro.launch.estimate import Left, bills
from mixup_repro.papers.claims import NOT_RUN, Setting
from mixup_repro.papers.items import Item, On, Paper
from mixup_repro.report.items import PAPERS, Entry
from mixup_repro.report.sections import pictures, section, typed
from mixup_repro.report.verdicts import of_entry
from mixup_repro.store.folder import RunFolder
from mixup_repro.store.identity import run_id
from mixup_repro.store.kept import digest, kept
from mixup_repro.store.tables import write_table

COLUMNS = (
    "paper page item title says setting scale dataset network n differs code command cost figure"
).split()


def write_items(found: list[Entry], folder: Path) -> None:
    """Write <folder>/items.csv: a row for each setting of an item, and each picture of a theory.

    page: the page of the site that the item is on, such as fig4. n: seeds that its verdicts rest
    on. figure: its path below figures/, without the file's ending; empty where nothing was run,
    where the command and the cost are those of the runs that are missing.
    """
    rows = []
    for paper in PAPERS:
        for name, figure, caption in pictures(paper):
            about = {"paper": paper.name, "page": "theory", "item": f"theory_{name}"}
            about |= {"title": name.replace("_", " "), "says": caption, "setting": Setting.EXACT}
            rows.append(about | {"figure": figure.removesuffix(".png"), "scale": "exact"})
        rows += [_of_entry(entry) for entry in found if entry.paper is paper]
        there = [entry.on for entry in found]
        for item in paper.items:
            for on in item.on:
                if on not in there:
                    told = {"command": typed(on), "cost": would_cost(on, folder)}
                    rows.append(_fixed(paper, item, on.name) | told)
    write_table(folder / "items.csv", pd.DataFrame(rows, columns=COLUMNS).fillna(""), None)


def would_cost(on: On, folder: Path) -> str:
    """What training all runs of a setting would cost on each kind of device, from costs.csv.

    Kept in the folder until costs.csv changes: hundreds of jobs are composed for it.
    """
    known, table = kept(folder).of("costs"), folder / "costs.csv"
    of = digest(table.read_bytes() if table.exists() else b"")
    commands = list(on.source.commands(""))
    key = " ".join(word for words in commands for word in words)
    if known.get(key, {}).get("of") != of:
        known[key] = {"of": of, "says": _would_cost(commands, folder)}
    return known[key]["says"]


def _would_cost(commands: Iterable[Sequence[str]], folder: Path) -> str:
    """The same, composed and priced.

    Without evaluations of finished runs, and whatever checkpoints this machine has: the same
    results give the same words on every machine.
    """
    runs: dict[str, list[RunFolder]] = {}
    for command, *words in commands:
        own = [w for w in words if w != "-m"] if command == "train" else []
        for job in compose([*own, f"runs_dir={folder / 'none'}"]) if own else ():
            for run in expand(job):
                runs.setdefault(run_id(run.config), []).append(RunFolder(run))
    if not runs:
        return ""
    missing = [Left(folders) for folders in runs.values()]
    total, hardware = sum(map(len, runs.values())), missing[0].config.hardware
    told = [bill.line(total, hardware) for bill in bills(missing, [], folder)]
    return f"{total} runs: {'; or '.join(told) or 'not measured yet'}."


def _fixed(paper: Paper, item: Item, name: str) -> dict[str, str]:
    """What is said of a setting, run or not."""
    about = {"paper": paper.name, "page": name.partition("_")[0], "item": name}
    return about | {"title": item.title, "says": item.paper, "setting": NOT_RUN}


def _seeds(entry: Entry) -> int:
    """The smallest number of seeds behind a verdict; behind a row of the table if there is none.

    Not every run is evaluated on everything, so an item can rest on fewer seeds than were trained.
    """
    judged = [verdict.n for verdict in of_entry(entry) if verdict.n]
    rows = [int(n) for n in entry.table.get("n", ()) if n > 0]
    return min(judged or rows, default=entry.data.seeds())


def _of_entry(entry: Entry) -> dict[str, str]:
    """The row of a setting that was run."""
    data, network = entry.trained
    told = dict(section(entry).facts)
    return _fixed(entry.paper, entry.item, entry.name) | {
        "setting": entry.setting,
        "scale": entry.data.scale,
        "dataset": data,
        "network": network,
        "n": str(_seeds(entry)),
        "differs": entry.on.differs,
        "code": entry.on.code,
        "command": told["Command"],
        "cost": told["Cost"],
        "figure": entry.stem,
    }
