"""Questions to finished runs, answered from their weights: nothing here trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from mixup_repro import interrupt, networks, tensors
from mixup_repro.data import DataSource
from mixup_repro.distributed import rank
from mixup_repro.errors import InputError
from mixup_repro.evaluation.predictor import evaluate
from mixup_repro.evaluation.terms import terms
from mixup_repro.networks import Replicas
from mixup_repro.networks.replicas import load_weights
from mixup_repro.schema import Run
from mixup_repro.store.folder import RunFolder
from mixup_repro.store.identity import check_data

Asked = tuple[str, Optional[float]]  # an evaluation, and the alpha it is at


def complete(folder: RunFolder, dataset: DataSource) -> tuple[dict[str, Any], bool]:
    """The record of a finished run with every evaluation its config asks for, and whether it grew.

    The data set must be the one the run was trained on.

    Raises:
        InputError: its weights are damaged, or its record cannot be written.
    """
    record, asked, alpha = folder.read_record(), folder.run.config.evaluation, folder.run.alpha
    wanted, terms_alpha = lacking(folder, record)
    if wanted:
        network = restore(folder, dataset)
        seen = dataset.for_seeds([folder.run.seed])
        alphas, at = sorted(folder.run.rescaled_at), [alpha] if asked.temperature else None
        (rows,) = evaluate(network, seen, alphas, at)
        record["evaluations"] += [r for r in rows if (r["evaluation"], r["eval_alpha"]) in wanted]
    if terms_alpha:
        more = along_training(folder, dataset, terms_alpha)
        record["terms"] = record.get("terms", []) + more
    grown = bool(wanted or terms_alpha)
    if grown and rank() == 0:
        try:
            folder.write_record(record)
        except OSError as error:
            raise folder.unwritable(error) from error
    return record, grown


def lacking(folder: RunFolder, record: dict[str, Any]) -> tuple[set[Asked], float | None]:
    """What the config asks for that the record has not: evaluations, and an alpha for terms."""
    asked, alpha = folder.run.config.evaluation, folder.run.alpha
    wanted: set[Asked] = {("rescaled", a) for a in folder.run.rescaled_at}
    if asked.temperature:
        wanted |= {("temperature", None), ("temperature", alpha)}
    has = {(row["evaluation"], row["eval_alpha"]) for row in record["evaluations"]}
    known = {row["terms_alpha"] for row in record.get("terms", [])}
    return wanted - has, asked.terms if asked.terms not in known else None


def along_training(folder: RunFolder, dataset: DataSource, alpha: float) -> list[dict[str, Any]]:
    """`terms` at every epoch whose weights the run has kept."""
    seen = dataset.for_seeds([folder.run.seed])
    rows = []
    for epoch, path in folder.kept_weights().items():
        interrupt.check()
        found = terms(_load(folder, path, dataset), seen, alpha)
        rows.append({"terms_alpha": alpha, "epoch": epoch} | found)
    return rows


def restore(folder: RunFolder, dataset: DataSource) -> Replicas:
    """The trained network of a finished run.

    Raises:
        InputError: the run is not finished, was trained on other data, or its weights are damaged.
    """
    check_data(folder, folder.read_record()["data"], dataset)
    return _load(folder, folder.weights_path, dataset)


def restore_all(folders: Sequence[RunFolder], dataset: DataSource) -> Replicas:
    """The trained networks of finished runs of one job as one stack.

    Raises:
        InputError: as `restore`.
    """
    single = [restore(folder, dataset) for folder in folders]
    if len(single) == 1:
        return single[0]
    shape, seeds = dataset.input_shape, [folder.run.seed for folder in folders]
    network = networks.build(folders[0].run.config.architecture, shape, dataset.classes, seeds)
    load_weights(network, [one.replica_tensors(0) for one in single])
    return network.to(dataset.device)


def _load(folder: RunFolder, path: Path, dataset: DataSource) -> Replicas:
    try:
        return network_of(folder.run, path, dataset)
    except InputError as error:
        raise InputError(
            f"{error}; remove the run by mixup-repro clean done {folder} and train it again"
        ) from error


def network_of(run: Run, path: Path, dataset: DataSource) -> Replicas:
    """The network of a run from a file of its weights, such as results/weights/<run_id>.pt.

    Raises:
        InputError: the file is damaged, not there, or of another network.
    """
    network = networks.build(
        run.config.architecture, dataset.input_shape, dataset.classes, [run.seed]
    )
    weights = tensors.read(path)
    try:
        load_weights(network, [weights])
    except (LookupError, RuntimeError, TypeError) as error:
        raise InputError(f"{path} is of another network") from error
    return network.to(dataset.device)
