"""Finished runs on test sets out of distribution (Carratino et al., Figures 5 and 6, Table 2).

Results lie beside a run's record, in `ood-<benchmark>.json`: `source`, which identifies the
pictures, and `rows`, one for each corruption, severity and prediction. An evaluation that was
stopped goes on where it was, except for the last seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Optional

import pandas as pd
import torch
from torch import Tensor

from mixup_repro.data import DataSource
from mixup_repro.distributed import from_main, rank, world_size
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import restore
from mixup_repro.evaluation.predictor import CHUNK, added_up, predictor
from mixup_repro.shifts import Benchmark
from mixup_repro.shifts.sets import Set
from mixup_repro.store.files import write_json
from mixup_repro.store.folder import RunFolder
from mixup_repro.store.records import read_beside
from mixup_repro.training.progress import Progress

KEY = ("corruption", "severity", "evaluation", "eval_alpha")
AT_ONCE = 32  # runs whose networks are in memory together: a picture is read once for all of them
WRITE_S = 5.0  # seconds between two writes of what was found

Prediction = tuple[str, Optional[float]]  # plain or rescaled, and the alpha it is rescaled at
Predictor = Callable[[Tensor], Tensor]  # normalised inputs (R, b, ...) to logits (R, b, c)


class Stored:
    """What a run folder holds of a benchmark; rows of other pictures do not count."""

    def __init__(self, folder: RunFolder, benchmark: Benchmark, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.path = folder.path / f"ood-{benchmark.label}.json"
        self.head = {"run_id": folder.id, "seed": folder.run.seed}
        self.head |= {"benchmark": benchmark.label, "source": benchmark.source}
        own = folder.run.alpha
        alphas = [own] if own else folder.run.config.evaluation.alphas or []
        self.predictions: list[Prediction] = [("plain", None)]
        self.predictions += [("rescaled", alpha) for alpha in alphas]
        self.rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.grown = self.unwritten = False
        self.failed = ""  # why it cannot be evaluated
        if self.path.exists():
            try:
                old = read_beside(self.path)
                if old["source"] == benchmark.source:
                    self.rows = {tuple(row[k] for k in KEY): row for row in old["rows"]}
            except (InputError, LookupError) as error:
                say(f"{error}; evaluating again")

    def lacks(self, which: Set, examples: int) -> bool:
        """Whether a prediction on this set is missing, or known for fewer examples only."""
        known = (self.rows.get((*which, *p)) for p in self.predictions)
        return any(row is None or row["n_test"] < examples for row in known)

    def add(self, which: Set, prediction: Prediction, row: dict[str, Any]) -> None:
        """Keep a row of metrics, without the bins; `write` puts it on the disk."""
        key = (*which, *prediction)
        self.rows[key] = dict(zip(KEY, key)) | {k: v for k, v in row.items() if k != "bins"}
        self.grown = self.unwritten = True

    def write(self) -> None:
        """Put what is new on the disk.

        Raises:
            InputError: the folder cannot be written.
        """
        if self.unwritten and rank() == 0:
            try:
                write_json(self.path, self.head | {"rows": list(self.rows.values())})
            except OSError as error:
                raise self.folder.unwritable(error) from error
        self.unwritten = False


def evaluate_folders(
    folders: list[RunFolder],
    dataset: DataSource,
    benchmark: Benchmark,
    progress: Progress,
) -> dict[RunFolder, str]:
    """Give finished runs the predictions they lack on a benchmark; returns what a `Question` does.

    Predictions are plain, and rescaled with x_bar and y_bar of the run's training set: at a run's
    own alpha, or for a run without one at those of `evaluation.alphas`.
    """
    stored = from_main(lambda: [Stored(folder, benchmark, progress.say) for folder in folders])
    for first in range(0, len(stored), AT_ONCE):
        group = stored[first : first + AT_ONCE]
        try:
            _evaluate_group(group, dataset, benchmark, progress)
        finally:
            for known in group:
                known.write()
    _say(benchmark, stored, progress)
    return {known.folder: known.failed for known in stored if known.grown or known.failed}


@torch.no_grad()
def _evaluate_group(
    group: list[Stored], dataset: DataSource, benchmark: Benchmark, progress: Progress
) -> None:
    """Predictions of one group of runs on every set where one of them lacks some."""
    lacking = {
        which: [i for i, known in enumerate(group) if known.lacks(which, benchmark.n_test)]
        for which in benchmark.sets
    }
    predictors: dict[int, dict[Prediction, Predictor]] = {}
    for i in sorted(set().union(*lacking.values())):
        try:
            predictors[i] = _predictors(group[i], dataset)
        except InputError as error:  # the others go on
            group[i].failed = str(error)
            progress.say(f"{group[i].folder} cannot be evaluated: {error}")
    able = {which: [i for i in some if i in predictors] for which, some in lacking.items()}
    asked = {which: some for which, some in able.items() if some}
    last = {which[0]: number for number, which in enumerate(asked, start=1)}
    written = time.monotonic()
    for number, (which, some) in enumerate(asked.items(), start=1):
        each = {(i, name): f for i in some for name, f in predictors[i].items()}
        chunks = benchmark.chunks(which, CHUNK, rank(), world_size())
        for (i, name), total in added_up(chunks, dataset, each, benchmark.score).items():
            (row,) = benchmark.rows(total)
            group[i].add(which, name, row)
        if time.monotonic() - written > WRITE_S:
            for known in group:
                known.write()
            written = time.monotonic()
        if number == last[which[0]]:
            of = f"{benchmark.label} {which[0] or ''}".strip()
            progress.say(f"{of} [{number}/{len(asked)}], {len(some)} runs")


def _predictors(known: Stored, dataset: DataSource) -> dict[Prediction, Predictor]:
    """Each prediction that is asked of a run, with the means of the training set of its own seed.

    Raises:
        InputError: its weights cannot be read.
    """
    network = restore(known.folder, dataset).eval()
    own = dataset.for_seeds([known.folder.run.seed])
    return {name: predictor(network, own, name[1]) for name in known.predictions}


def _say(benchmark: Benchmark, stored: list[Stored], progress: Progress) -> None:
    if benchmark.skipped:
        progress.say(f"{benchmark.label}: passed over {benchmark.skipped} files, no pictures")
    rows = [{"run": known.folder.id} | row for known in stored for row in known.rows.values()]
    if not rows:
        return
    table = []
    grouped = pd.DataFrame(rows).groupby(["run", "evaluation", "eval_alpha"], dropna=False)
    for (run, evaluation, alpha), part in grouped:
        means = [
            f"{part[metric].mean():.4f}" if metric in part else ""
            for metric in ("accuracy", "accuracy_pm0", "cross_entropy", "ece")
        ]
        name = evaluation if pd.isna(alpha) else f"{evaluation} at {alpha:g}"
        sets = len(part.drop_duplicates(["corruption", "severity"]))
        table.append([run, name, str(sets), *means])
    header = ["run", "prediction", "sets", "accuracy", "pm-0", "cross-entropy", "ECE"]
    progress.table(f"{benchmark.label} (mean over sets and seeds)", header, table)
