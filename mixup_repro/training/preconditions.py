"""What a job asks of its data, its network and the number of processes, checked before any work."""

from __future__ import annotations

from mixup_repro.data import DataSource
from mixup_repro.errors import InputError
from mixup_repro.jobs import batch_size
from mixup_repro.methods.registry import METHODS
from mixup_repro.methods.second_order import check_per_example
from mixup_repro.networks import Replicas, normalises
from mixup_repro.plan import rank_slice
from mixup_repro.schema import Config


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
    _check_ranks(job, dataset.n_train, network, ranks)


def _check_network(job: Config, network: Replicas) -> None:
    """A layer to mix in must be there; derivatives of an example are not for random networks."""
    layers = job.method.layers or []
    if "layers" in METHODS[job.method.name].reads and max(layers) >= network.stages:
        raise InputError(
            f"method.layers={layers}: {job.architecture.name} has stages 0 to {network.stages - 1}"
        )
    if network.drops and METHODS[job.method.name].differentiates:
        raise InputError(f"architecture.dropout: method={job.method.name} needs a network without")


def _check_ranks(job: Config, n: int, network: Replicas, ranks: int) -> None:
    """The global batch is the recipe's; its parts must be equal, and BatchNorm's as stated."""
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
