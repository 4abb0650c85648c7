"""Finished runs on corrupted test sets (Carratino et al., Figures 5 and 6).

Results lie beside a run's record, in `ood-<benchmark>.json`: `source`, which tells the pictures,
and `rows`, one for each corruption, severity and prediction. The file is written after every
corruption of every run, so that a stopped evaluation goes on where it was.
"""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Optional

import numpy as np
import pandas as pd
import torch

from mixup_repro.config import BenchmarkConfig
from mixup_repro.data import Dataset
from mixup_repro.data.corrupted import Benchmark
from mixup_repro.data.corruptions import CORRUPTIONS
from mixup_repro.evaluation.finished import restore
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.evaluation.predictor import predict
from mixup_repro.progress import Progress
from mixup_repro.runs import RunFolder, write_json

KEY = ("corruption", "severity", "evaluation", "eval_alpha")


class Stored:
    """What a run folder holds of a benchmark; rows of other pictures do not count."""

    def __init__(self, folder: RunFolder, benchmark: Benchmark) -> None:
        self.folder = folder
        self.path = folder.path / f"ood-{benchmark.label}.json"
        self.head = {"benchmark": benchmark.label, "source": benchmark.source}
        alpha = folder.run.alpha
        self.predictions: list[tuple[str, Optional[float]]] = [("plain", None)]
        self.predictions += [("rescaled", alpha)] if alpha else []
        self.rows: dict[tuple, dict] = {}
        self.grown = False
        if self.path.exists():
            old = json.loads(self.path.read_text())
            if old["source"] == benchmark.source:
                self.rows = {tuple(row[k] for k in KEY): row for row in old["rows"]}

    def lacks(self, corruption: str, severity: int, examples: int) -> bool:
        """Whether a prediction on this set is missing, or known for fewer examples only."""
        known = (self.rows.get((corruption, severity, *p)) for p in self.predictions)
        return any(row is None or row["n_test"] < examples for row in known)

    def write(self) -> None:
        write_json(self.path, self.head | {"rows": list(self.rows.values())})
        self.grown = True


def evaluate_ood(
    folders: list[RunFolder],
    dataset: Dataset,
    benchmark: Benchmark,
    asked: BenchmarkConfig,
    progress: Progress,
) -> list[RunFolder]:
    """Give finished runs the predictions they lack on a benchmark; returns the runs that grew.

    Predictions are plain and, for runs with an alpha, rescaled at it with the training set's x_bar.
    Each corrupted set is made or read once for all runs.
    """
    index = chosen(asked.examples, dataset.n_test)
    y = dataset.y_test[torch.from_numpy(index).to(dataset.y_test.device)]
    stored = [Stored(folder, benchmark) for folder in folders]
    names = asked.corruptions or list(CORRUPTIONS)
    for number, corruption in enumerate(names, start=1):
        pixels = cache(partial(benchmark.pixels, corruption))  # a corruption's severities at most
        grown = 0
        for known in stored:
            missing = [s for s in asked.severities if known.lacks(corruption, s, len(index))]
            if not missing:
                continue
            network = restore(known.folder, dataset, y.device)
            for severity in missing:
                x = in_units_of(dataset, pixels(severity)[index])
                for evaluation, alpha in known.predictions:
                    (row,) = metrics(sums(predict(network, dataset, x, alpha), y))
                    key = (corruption, severity, evaluation, alpha)
                    known.rows[key] = dict(zip(KEY, key)) | {k: row[k] for k in row if k != "bins"}
            known.write()
            grown += 1
        if grown:
            progress.say(f"{benchmark.label}: {corruption} [{number}/{len(names)}], {grown} runs")
    _say(benchmark, stored, progress)
    return [known.folder for known in stored if known.grown]


def chosen(examples: Optional[int], n: int) -> np.ndarray:
    """Which of n test examples are used, in order: all, or some that are drawn once for an n.

    Not the first, since a test set may be sorted by class.
    """
    return np.sort(np.random.default_rng(0).permutation(n)[:examples])


def in_units_of(dataset: Dataset, pixels: np.ndarray) -> torch.Tensor:
    """Pixels from 0 to 255 as the data set counts them, on its device."""
    x = torch.from_numpy(pixels).to(dataset.y_test.device)
    return x if dataset.pixel_max == 255 else x * (dataset.pixel_max / 255)


def _say(benchmark: Benchmark, stored: list[Stored], progress: Progress) -> None:
    rows = [{"run": known.folder.id} | row for known in stored for row in known.rows.values()]
    if not rows:
        return
    table = [
        [run, evaluation, str(len(part.drop_duplicates(["corruption", "severity"])))]
        + [f"{part['accuracy'].mean():.2%}"]
        + [f"{part[metric].mean():.4f}" for metric in ("cross_entropy", "ece")]
        for (run, evaluation), part in pd.DataFrame(rows).groupby(["run", "evaluation"])
    ]
    header = ["run", "prediction", "sets", "accuracy", "cross-entropy", "ECE"]
    progress.table(f"{benchmark.label} (mean over sets and seeds)", header, table)
