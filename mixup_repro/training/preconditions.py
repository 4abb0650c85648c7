"""What a job asks of its data, its network and the number of processes, checked before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch

from mixup_repro.data import DataSource
from mixup_repro.errors import InputError
from mixup_repro.jobs import batch_size
from mixup_repro.methods.registry import METHODS
from mixup_repro.methods.second_order import check_per_example
from mixup_repro.networks import Replicas, bytes_of, normalises
from mixup_repro.plan import rank_slice
from mixup_repro.schema import Config
from mixup_repro.training.learner import has_bfloat16

COPIES = 3  # of the weights while they are trained: themselves, gradients, momentum


def check_job(job: Config, dataset: DataSource, network: Replicas, ranks: int) -> None:
    """Raise InputError, saying what to do, where a job cannot run on this data by these ranks."""
    method = METHODS[job.method.name]
    if not dataset.is_image:
        fields = ("crop_padding", "flip", "resized_crop")
        asked = [f"recipe.{name}" for name in fields if getattr(job.recipe, name)]
        for name in asked + [f"method={job.method.name}"] * method.pictures:
            raise InputError(f"{name} is for pictures, and {dataset.label} has none")
    dataset.check(job, ranks)
    _check_network(job, network)
    if method.differentiates:
        try:
            check_per_example(network)
        except ValueError as error:
            raise InputError(
                f"method={job.method.name}: {error.args[0].split(';')[0]}; use a network without, "
                f"such as architecture=lenet"
            ) from error
    if method.whole_batch and (ranks > 1 or job.recipe.microbatch):
        raise InputError(
            f"method={job.method.name} needs the whole batch in one pass: use one process, and "
            "recipe.microbatch=null"
        )
    if job.hardware.precision == "bfloat16" and not has_bfloat16(dataset.device):
        raise InputError(
            f"hardware.precision=bfloat16: this {dataset.device.type} has none, and would emulate "
            f"it, slower than float32; use hardware.precision=auto"
        )
    _check_memory(network, dataset.device)
    _check_ranks(job, dataset.n_train, network, ranks)
    _check_passes(job, dataset, network, ranks)


def _check_memory(network: Replicas, device: torch.device) -> None:
    """Raise InputError where weights, gradients and momentum alone exceed the device's memory."""
    if device.type == "cuda":
        _, room = torch.cuda.mem_get_info(device)
    else:
        room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needs = COPIES * bytes_of(network)
    if needs > room:
        raise InputError(
            f"training this network takes {needs / 2**30:.3g} GiB for its weights alone, and the "
            f"memory of {device} is {room / 2**30:.3g} GiB; make architecture's layers smaller"
        )


def _check_passes(job: Config, dataset: DataSource, network: Replicas, ranks: int) -> None:
    """Raise InputError where the network cannot take the smallest pass that training may have."""
    batch, n = batch_size(job.recipe, dataset.n_train), dataset.n_train
    last = n % batch or batch
    least = min(min(_passes(job, size, ranks)) for size in (batch, last))
    inputs = torch.empty(1, least, *dataset.input_shape, device="meta")
    try:
        with torch.no_grad():
            network.train()(inputs)
    except Exception as error:  # whatever a network of any library raises
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "more than 1 value per channel" in why:
            raise InputError(
                f"BatchNorm would meet a pass of {least} example in training (of {n} examples in "
                f"batches of {batch}), which it cannot normalise; use another recipe.batch_size"
                f"{' or recipe.microbatch' if job.recipe.microbatch else ''}"
            ) from error
        shape = " x ".join(map(str, dataset.input_shape))
        raise InputError(
            f"architecture={job.architecture.name} cannot take the inputs of {dataset.label}, "
            f"{shape}: {why}"
        ) from error


def _passes(job: Config, batch: int, ranks: int) -> Iterator[int]:
    """For each rank, how many examples BatchNorm sees in its smallest pass over a batch.

    batch: its size. Where sync_batchnorm joins the ranks, all of it is one pass.
    """
    part, group = job.recipe.microbatch, job.method.pairing_group or 1
    if job.hardware.sync_batchnorm and not part:
        yield batch
        return
    for rank in range(ranks):
        share = rank_slice(0, batch, rank, ranks, group)
        own = share.stop - share.start
        yield own % part or min(part, own) if part else own


def _check_network(job: Config, network: Replicas) -> None:
    """Raise InputError where the network lacks what method or recipe needs of it.

    A stage to mix in must be there. Singular values are known of our own networks only. A method
    that differentiates the network by an example needs one without dropout.
    """
    layers = job.method.layers or []
    if "layers" in METHODS[job.method.name].reads and max(layers) >= network.stages:
        raise InputError(
            f"method.layers={layers}: {job.architecture.name} has stages 0 to {network.stages - 1}"
        )
    if job.recipe.spectral and job.architecture.library:
        raise InputError(
            f"recipe.spectral: which weights of {job.architecture.name} are matrices is not known; "
            f"use a network of our own"
        )
    if network.drops and METHODS[job.method.name].differentiates:
        raise InputError(f"architecture.dropout: method={job.method.name} needs a network without")


def _check_ranks(job: Config, n: int, network: Replicas, ranks: int) -> None:
    """Raise InputError where the processes cannot share a batch so that the run stays the same.

    Each gets as many examples as the others, in whole pairing groups and whole microbatches, and
    BatchNorm is over as many examples as with one process.
    """
    batch, part = batch_size(job.recipe, n), job.recipe.microbatch
    group = job.method.pairing_group or 1
    if ranks > 1 and batch % (ranks * group):
        raise InputError(
            f"recipe.batch_size={batch}: {ranks} processes cannot share it equally in pairing "
            f"groups of {group}; start a number of processes that divides {batch // group}"
        )
    last = n % batch or batch
    if any(p.start >= p.stop for p in (rank_slice(0, last, r, ranks, group) for r in range(ranks))):
        raise InputError(
            f"the last batch of an epoch has {last} examples in pairing groups of {group}, too few "
            f"for {ranks} processes; start fewer"
        )
    if part and part < batch // ranks and batch // ranks % part:
        raise InputError(
            f"recipe.microbatch={part}: must divide the {batch // ranks} examples of each process"
        )
    if ranks > 1 and normalises(network) and not part and not job.hardware.sync_batchnorm:
        raise InputError(
            f"BatchNorm on {ranks} processes would be over {batch // ranks} examples, not the "
            f"recipe's {batch}: set hardware.sync_batchnorm=true (the same run), or "
            f"recipe.microbatch={batch // ranks} (a run of its own)"
        )
