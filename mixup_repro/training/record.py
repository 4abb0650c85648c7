"""From trained networks to records: final evaluations, weights, logits, and what they ran on."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor

import mixup_repro
from mixup_repro import tensors
from mixup_repro.data import Dataset, DataSource
from mixup_repro.distributed import merge, rank, world_size
from mixup_repro.evaluation.finished import along_training
from mixup_repro.evaluation.predictor import evaluate, predict
from mixup_repro.networks import Replicas
from mixup_repro.paths import CHECKOUT, INSTALLED
from mixup_repro.store.files import replacing
from mixup_repro.store.folder import RunFolder
from mixup_repro.training.learner import Learner
from mixup_repro.training.loop import Stack

LOGITS_CLASSES = 100  # test logits are kept up to this many classes
PREDICTION_EXAMPLES = 100  # probabilities go into the record up to this many test examples


def finish(
    stack: Stack,
    folders: Mapping[int, RunFolder],
    curves: list[list[dict[str, Any]]],
    wall_s: float,
) -> Iterator[tuple[int, Optional[dict[str, Any]]]]:
    """Evaluate a trained stack, and write weights, logits and records of the runs in `folders`.

    folders: by replica, of the runs whose training ended well. curves: of all replicas.
    wall_s: seconds of training of each run.
    Yields each replica with its record, once that is written; None in its place but on rank 0.
    """
    network, dataset = stack.learner.network, stack.dataset
    asked = stack.runs[0].config.evaluation
    alphas = sorted(set().union(*(run.rescaled_at for run in stack.runs)))
    how = {"stack": len(stack.runs), "switches": switches(stack.learner)}
    network.autocast = None  # whatever the training's precision, a run is judged in float32
    at = [run.alpha for run in stack.runs] if asked.temperature else None
    evaluations = evaluate(network, dataset, alphas, at)
    unreadable = merge({rank(): sorted(dataset.unreadable)})
    if rank() > 0:
        yield from dict.fromkeys(folders).items()
        return
    how |= {"device": device_name(next(network.parameters()))}
    how |= {"unreadable": sorted(set().union(*unreadable.values()))}
    logits, maps = outputs(network, dataset)
    for r, folder in folders.items():
        tensors.write(folder.weights_path, stack.learner.weights(r))
        record = describe(folder, dataset) | {"wall_s": wall_s} | how
        record |= _found(folder, curves[r], evaluations[r])
        if logits is not None:
            record |= _keep_logits(folder, logits[r])
        if maps is not None:
            record["map"] = maps[r].cpu().double().softmax(-1)[:, 1].tolist()
        if asked.terms:
            record["terms"] = along_training(folder, dataset, asked.terms)
        folder.write_record(record)
        yield r, record


def _found(
    folder: RunFolder, curve: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """A run's curves and evaluations, without those at alphas that other runs of its stack have."""
    own = {None, *folder.run.rescaled_at}
    return {
        "curves": curve,
        "best": max(curve, key=lambda row: row["test_accuracy"]),
        "evaluations": [row for row in rows if row["eval_alpha"] in own],
    }


def _keep_logits(folder: RunFolder, logits: Tensor) -> dict[str, Any]:
    """Write test logits (n, classes) to their file, and give what of them the record has."""
    with replacing(folder.logits_path, "wb") as file:
        np.savez(file, logits=logits.numpy())
    if len(logits) > PREDICTION_EXAMPLES:
        return {}
    return {"predictions": logits.cpu().double().softmax(-1).tolist()}


def outputs(network: Replicas, dataset: DataSource) -> tuple[Optional[Tensor], Optional[Tensor]]:
    """Logits (R, n, classes) on the test set and on the data set's grid, where they are kept."""
    logits = maps = None
    if isinstance(dataset, Dataset) and dataset.classes <= LOGITS_CLASSES:
        logits = predict(network, dataset, dataset.x_test).cpu()
    if dataset.grid is not None:
        maps = predict(network, dataset, dataset.grid).cpu()
    return logits, maps


def switches(learner: Learner) -> dict[str, Any]:
    """How a run was computed, besides what: nothing here is part of its id."""
    return {
        "precision": "float32" if learner.network.autocast is None else "bfloat16",
        "tf32": torch.backends.cudnn.allow_tf32,  # on GPUs, in float32 convolutions
        "graph": learner.graph is not None,
        "processes": world_size(),
        "sync_batchnorm": learner.config.hardware.sync_batchnorm,
    }


def describe(folder: RunFolder, dataset: DataSource) -> dict[str, Any]:
    """The part of a record that says what the run is and what it ran on."""
    config = folder.run.config
    return {
        "run_id": folder.id,
        "seed": folder.run.seed,
        "config": asdict(config),
        "data": dataset.fingerprint() | {"label": dataset.label},
        "commit": commit(),
        "versions": {
            "mixup_repro": mixup_repro.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "instructions": torch.backends.cpu.get_cpu_capability(),  # such as AVX512
        },
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def device_name(tensor: torch.Tensor) -> str:
    """The device of a tensor as records name it; "2 x ..." where two processes have a part."""
    times = f"{world_size()} x " if world_size() > 1 else ""
    if tensor.is_cuda:
        return times + torch.cuda.get_device_name(tensor.device)
    if tensor.device.type == "mps":
        return f"mps ({platform.machine()})"
    return f"{times}cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


@cache
def commit() -> str:
    """The short commit of the code that runs, with a `+` where it has uncommitted changes."""
    if INSTALLED:  # a repository around the place of installation is another one
        return "unknown"
    try:

        def git(*words: str) -> str:
            out = subprocess.run(
                ["git", "-C", str(CHECKOUT), *words], capture_output=True, text=True, check=True
            )
            return out.stdout.strip()

        changed = git("status", "--porcelain", "--untracked-files=no", "--", "mixup_repro")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
