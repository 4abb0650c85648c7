"""Finished runs made of weights that somebody else trained, so that any evaluation can be asked.

Such a run has `method=imported`, which trains nothing, and its id is that of the data set, the
architecture and the file's sha256. Its record says under `imported` where the file comes from and
by which recipe it was trained, as told by whoever imports it. It has no curves, no training time.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import Timeout
from torch import Tensor

from mixup_repro import networks, tensors
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import complete
from mixup_repro.evaluation.predictor import evaluate
from mixup_repro.jobs import expand
from mixup_repro.networks import Replicas
from mixup_repro.networks.replicas import load_weights
from mixup_repro.schema import Config
from mixup_repro.store.files import read_zip
from mixup_repro.store.folder import LOOK_S, RunFolder
from mixup_repro.training.job import open_data
from mixup_repro.training.record import describe, device_name

COUNTER = "num_batches_tracked"  # of BatchNorm; nothing reads it, and old files have none
SHOWN = 6  # names of tensors in a message


@dataclass(frozen=True)
class Origin:
    """Where a file of weights comes from: its name and sha256, source and recipe in words."""

    file: str
    sha256: str
    source: str
    recipe: str


def read_weights(path: Path) -> tuple[str, dict[str, Tensor]]:
    """The sha256 of a file that torch.save wrote, and its tensors by name.

    The tensors are at the top of the file, or under its key `state_dict`; the prefix `module.` of
    DataParallel is taken off their names. Nothing in the file is executed.

    Raises:
        InputError: the file is not there or damaged, or holds something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if content.startswith(b"PK"):  # a zip file, with checksums; older PyTorch wrote another format
        content = read_zip(path).getvalue()
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # options of a script
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds, where torch.save did not write the file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: torch.load(weights_only=True) cannot read it ({reason})"
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    named = isinstance(found, Mapping) and all(isinstance(name, str) for name in found)
    if not (named and found and all(map(torch.is_tensor, found.values()))):
        raise InputError(f"{path}: holds no tensors by name, neither at its top nor in state_dict")
    prefix = "module." if all(name.startswith("module.") for name in found) else ""
    weights = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return hashlib.sha256(content).hexdigest(), weights


def fitted(weights: Mapping[str, Tensor], network: Replicas) -> dict[str, Tensor]:
    """The tensors of a file under the names of a network: each name has one, and none is left over.

    Names are the network's own, or those of published CIFAR ResNets (`layer2.0.conv1.weight`,
    `linear.weight`). Only BatchNorm's counter may be missing.

    Raises:
        InputError: says what is missing, left over, or of another shape.
    """
    own = network.replica_tensors(0)
    names = list(weights) if own.keys() == weights.keys() else _block_names(weights)
    given = dict(zip(names, weights.values()))
    missing = [name for name in own if name not in given and not name.endswith(COUNTER)]
    extra = [
        theirs for theirs, name in zip(weights, names) if name not in own or names.count(name) > 1
    ]
    other = [
        f"{name} ({tuple(given[name].shape)}, not {tuple(tensor.shape)})"
        for name, tensor in own.items()
        if name in given and given[name].shape != tensor.shape
    ]
    parts = (("lacks", missing), ("has besides", extra), ("has in another shape", other))
    if any(some for _, some in parts):
        told = "; ".join(f"{word} {_some(some)}" for word, some in parts if some)
        raise InputError(f"these are the weights of another network: the file {told}")
    return {name: given.get(name, torch.zeros_like(tensor)) for name, tensor in own.items()}


def _block_names(names: Iterable[str]) -> list[str]:
    """`layer2.0.` of published files, a stage and its block, as the `blocks.3.` of our ResNets."""
    pattern = re.compile(r"layer(\d+)\.(\d+)\.")
    found = (pattern.match(name) for name in names)
    places = sorted({(int(m[1]), int(m[2])) for m in found if m})
    row = {f"layer{stage}.{block}.": k for k, (stage, block) in enumerate(places)}
    return [
        re.sub(r"^linear\.", "fc.", pattern.sub(lambda m: f"blocks.{row[m[0]]}.", name, count=1))
        for name in names
    ]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def import_run(
    job: Config, weights: Mapping[str, Tensor], origin: Origin
) -> tuple[RunFolder, dict[str, Any]]:
    """Make the run of a file of weights, with every evaluation that the job asks for.

    job: with method=imported and the file's sha256. Returns the run and its record.

    Raises:
        InputError: the weights are another network's, or the run is there already. Nothing was
            written.
    """
    (run,) = expand(job)
    folder = RunFolder(run)
    _need_absent(folder)
    dataset = open_data(job)
    network = networks.build(job.architecture, dataset.input_shape, dataset.classes, [run.seed])
    try:
        load_weights(network, [fitted(weights, network)])
    except InputError as error:
        raise InputError(f"{origin.file}, architecture={job.architecture.name}: {error}") from error
    (rows,) = evaluate(network.to(dataset.device), dataset.for_seeds([run.seed]), [])
    folder.create()
    try:
        lock = folder.lock().acquire(timeout=LOOK_S)
    except Timeout as error:
        raise InputError(f"{folder} is in use by another process") from error
    with lock:
        _need_absent(folder)
        tensors.write(folder.weights_path, network.replica_tensors(0))
        record = describe(folder, dataset) | {
            "imported": asdict(origin),
            **dict.fromkeys(("wall_s", "stack", "switches", "best")),
            "device": device_name(next(network.parameters())),
            "curves": [],
            "evaluations": rows,
        }
        folder.write_record(record)
        record, _ = complete(folder, dataset)
    return folder, record


def _need_absent(folder: RunFolder) -> None:
    if folder.record_path.exists():
        raise InputError(
            f"{folder} is there already: mixup-repro evaluate asks it, mixup-repro clean removes it"
        )
