"""What a sweeper makes small or large: a metric of training examples that a run leaves out.

Never of the test set, which would then choose the settings that it judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from mixup_repro.data import load
from mixup_repro.data.altered import left_out
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import network_of
from mixup_repro.evaluation.metrics import metrics
from mixup_repro.evaluation.predictor import in_memory, totals
from mixup_repro.schema import Config
from mixup_repro.store.folder import RunFolder

METRICS = ("accuracy", "cross_entropy", "ece", "brier")


def check_objective(job: Config) -> None:
    """Raise InputError, saying what to do, where a job cannot have the objective it asks for."""
    asked = f"evaluation.objective={job.evaluation.objective}"
    if job.evaluation.objective not in METRICS:
        raise InputError(f"{asked}: choose one of {', '.join(METRICS)}")
    if job.dataset.train_examples is None:
        raise InputError(
            f"{asked}: is measured on training examples that are left out, never on the test set; "
            f"say how many are trained on by dataset.train_examples=<n>"
        )
    for name in ("labels", "cue", "rare"):
        if getattr(job.dataset, name) is not None:
            raise InputError(f"{asked}: examples are left out as they come; drop dataset.{name}")
    if isinstance(job.method.alpha, list) and len(job.method.alpha) > 1:
        raise InputError(f"{asked}: is of one setting; give method.alpha one value")
    if job.hardware.slots:
        raise InputError(f"{asked}: hardware.slots runs jobs when all are known; leave it out")


def objective(job: Config, folders: Sequence[RunFolder], device: torch.device) -> float:
    """The mean over finished runs of a job's metric of the plain prediction on left-out examples.

    Their labels are the data set's own, without those that dataset.flipped makes wrong.
    """
    whole = in_memory(
        load(replace(job.dataset, train_examples=None, flipped=None)), "evaluation.objective"
    )
    held_out = left_out(whole, job.dataset.train_examples or 0).to(device)
    values = []
    for folder in folders:
        network = network_of(folder.run, folder.weights_path, held_out)
        (row,) = metrics(totals(network, held_out, "test", (None,))[None])
        values.append(float(row[str(job.evaluation.objective)]))
    return sum(values) / len(values)
