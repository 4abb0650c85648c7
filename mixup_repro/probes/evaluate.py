"""Asks finished runs the probes; answers lie beside a run's record, in `probe-<name>.json`.

A file has `source`, which is the version of the question, and `rows`, each with setting, metric and
value. It is written as soon as a stack of runs has answered, so that an evaluation that was stopped
goes on with the next stack.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mixup_repro import interrupt
from mixup_repro.data import DataSource
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import restore, restore_all
from mixup_repro.evaluation.predictor import in_memory
from mixup_repro.jobs import portion
from mixup_repro.probes import PROBES
from mixup_repro.probes.subject import Subject
from mixup_repro.store.files import write_json
from mixup_repro.store.folder import RunFolder
from mixup_repro.store.records import read_beside
from mixup_repro.training.job import stack_count
from mixup_repro.training.progress import Progress

AT_ONCE = 10  # runs in a stack: a probe holds thousands of inputs of each


def probe_folders(
    folders: list[RunFolder], names: list[str], dataset: DataSource, progress: Progress
) -> dict[RunFolder, str]:
    """Ask finished runs of one job what they have not answered; returns what a `Question` does."""
    answers: dict[RunFolder, str] = {}
    for name in names:
        missing = [folder for folder in folders if not _has(folder, name, progress.say)]
        answers |= _unreadable([f for f in missing if not answers.get(f)], dataset, progress.say)
        missing = [folder for folder in missing if not answers.get(folder)]
        stacks = _stacks(missing, dataset)
        for k in range(1, stacks + 1):
            interrupt.check()
            group = portion(missing, k, stacks)
            _ask(group, name, dataset)
            answers |= dict.fromkeys(group, "")
            progress.say(f"{name} [{k}/{stacks}], {len(group)} runs")
        _say(name, [folder for folder in folders if not answers.get(folder)], progress)
    return answers


def _unreadable(
    folders: list[RunFolder], dataset: DataSource, say: Callable[[str], None]
) -> dict[RunFolder, str]:
    """The runs whose weights cannot be read, and why: they hold up no other of their stack."""
    found = {}
    for folder in folders:
        try:
            restore(folder, dataset)
        except InputError as error:
            say(f"{folder} cannot be evaluated: {error}")
            found[folder] = str(error)
    return found


def _stacks(folders: list[RunFolder], dataset: DataSource) -> int:
    """How many stacks these runs are asked in."""
    if not folders:
        return 0
    return max(
        -(-len(folders) // AT_ONCE), stack_count(folders[0].run.config, len(folders), dataset)
    )


def _path(folder: RunFolder, name: str) -> Path:
    return folder.path / f"probe-{name}.json"


def _source(name: str) -> str:
    return f"version {PROBES[name].version}"


def _has(folder: RunFolder, name: str, say: Callable[[str], None]) -> bool:
    """Whether a run has answered this version of a probe; a damaged file is named."""
    path = _path(folder, name)
    if not path.exists():
        return False
    try:
        return bool(read_beside(path)["source"] == _source(name))
    except (InputError, LookupError) as error:
        say(f"{error}; asking again")
        return False


def _ask(group: list[RunFolder], name: str, source: DataSource) -> None:
    """Ask a stack of runs, and write their rows; a value that is not finite has none."""
    runs = [folder.run for folder in group]
    dataset = in_memory(source.for_seeds([run.seed for run in runs]), f"probe={name}")
    network = restore_all(group, source).eval()
    try:
        answers = PROBES[name].ask(Subject(name, network, dataset, runs))
    except InputError as error:
        raise InputError(f"probe={name}: {error} ({group[0]})") from error
    found = {key: value.detach().cpu().double() for key, value in answers.items()}
    for r, folder in enumerate(group):
        rows: list[dict[str, Any]] = [
            {"setting": setting, "metric": metric, "value": value[r].item()}
            for (setting, metric), value in found.items()
            if torch.isfinite(value[r])
        ]
        head = {"run_id": folder.id, "seed": folder.run.seed, "probe": name}
        try:
            write_json(_path(folder, name), head | {"source": _source(name), "rows": rows})
        except OSError as error:
            raise folder.unwritable(error) from error


def _say(name: str, folders: list[RunFolder], progress: Progress) -> None:
    """A table of what was found, of each run's mean over seeds."""
    rows = [
        {"run": folder.id} | row
        for folder in folders
        for row in read_beside(_path(folder, name))["rows"]
    ]
    if not rows:
        return
    grouped = pd.DataFrame(rows).groupby(["run", "setting", "metric"], sort=False)["value"]
    table = [[*key, f"{value:.4g}"] for key, value in grouped.mean().items()]
    progress.table(f"{name} (mean over seeds)", ["run", "setting", "metric", "value"], table)
