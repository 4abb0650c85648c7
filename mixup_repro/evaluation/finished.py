"""Evaluate finished runs again, without training: rescaled predictions at further alphas."""

from __future__ import annotations

import torch

from mixup_repro import architectures
from mixup_repro.architectures import Single, Stack
from mixup_repro.config import Config, expand
from mixup_repro.data import Dataset, load
from mixup_repro.errors import InputError
from mixup_repro.evaluation.predictor import evaluate
from mixup_repro.progress import Progress
from mixup_repro.runs import RunFolder
from mixup_repro.training.job import Result, device_of
from mixup_repro.training.learner import load_weights
from mixup_repro.training.record import check_data


def evaluate_job(job: Config, progress: Progress) -> list[Result]:
    """Add the evaluations a job asks for to the records of its runs that are finished.

    Raises:
        InputError: the data set is not the one a run was trained on.
    """
    device = device_of(job)
    dataset = load(job.dataset).to(device)
    results = []
    for run in expand(job):
        folder = RunFolder(run)
        if not folder.record_path.exists():
            results.append(Result(folder, "not trained"))
            continue
        record = folder.read_record()
        has = {row["eval_alpha"] for row in record["evaluations"]}
        asked = {run.alpha, *(job.evaluation.alphas or ())} - {None}
        if asked - has:
            network = restore(folder, dataset, device)
            (rows,) = evaluate(network, dataset, sorted(asked - has))
            record["evaluations"] += [row for row in rows if row["eval_alpha"] not in has]
            folder.write_record(record)
        results.append(Result(folder, "evaluated" if asked - has else "present", record=record))
    return results


def restore(folder: RunFolder, dataset: Dataset, device: torch.device) -> Single | Stack:
    """The trained network of a finished run.

    Raises:
        InputError: the run is not finished, or was trained on other data.
    """
    if not folder.record_path.exists():
        raise InputError(f"{folder} is not finished ({folder.state()}); train it first")
    check_data(folder, folder.read_record()["data"], dataset)
    run = folder.run
    network = architectures.build(
        run.config.architecture, dataset.input_shape, dataset.classes, [run.seed]
    )
    weights = torch.load(folder.weights_path, map_location="cpu", weights_only=True)
    load_weights(network, [weights])
    return network.to(device)
