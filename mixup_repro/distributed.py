"""One run on N processes, started by torchrun: their numbers, and what they exchange.

With a single process every function returns at once what is right for it. Gradients are exchanged
by PyTorch's DistributedDataParallel (`training.learner`), all else by these functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any, Optional, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from mixup_repro.errors import InputError, LostError
from mixup_repro.patience import Watch

T = TypeVar("T")
LIMIT = timedelta(days=1)  # of an exchange; the watch gives up sooner
LOST = ("gloo", "connection closed by peer", "connection reset by peer")

_watch: Optional[Watch] = None


def rank() -> int:
    """This process's number, from 0."""
    return _told("RANK", 0)


def world_size() -> int:
    """How many processes have a part in the run."""
    return _told("WORLD_SIZE", 1)


def local_rank() -> int:
    """This process's number on its machine, from 0: the GPU it takes."""
    return _told("LOCAL_RANK", 0)


def _told(name: str, least: int) -> int:
    """The number that torchrun set in the environment under this name; `least` where it did not.

    Raises:
        InputError: what is there is no whole number, or smaller than `least`.
    """
    text = os.environ.get(name, str(least))
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise InputError(
            f"{name}={text}: torchrun sets a whole number >= {least} here; unset it, or start "
            f"the command by torchrun"
        )
    return int(text)


def _backend() -> str:
    """What ranks talk by, where the environment names them all.

    Raises:
        InputError: something of the environment is missing, or this PyTorch has no such backend.
    """
    places = ("RANK", "MASTER_ADDR", "MASTER_PORT")
    if unset := [name for name in places if not os.environ.get(name)]:
        raise InputError(
            f"WORLD_SIZE={world_size()}, but {', '.join(unset)} is not set: start several "
            f"processes by torchrun, or unset WORLD_SIZE"
        )
    if rank() >= world_size() or not os.environ["MASTER_PORT"].isdigit():
        told = " ".join(f"{name}={os.environ[name]}" for name in ("WORLD_SIZE", *places))
        raise InputError(f"{told}: do not fit each other; start the processes by torchrun")
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    there = dist.is_available() and dist.is_backend_available(backend)
    if not there:
        raise InputError(
            f"this PyTorch was built without {backend}, by which several processes talk; use one "
            f"process, or hardware=node for many runs"
        )
    return backend


@contextmanager
def process_group() -> Iterator[None]:
    """Join the other ranks, where torchrun started any.

    Raises:
        InputError: the environment does not say who they are, or there is no backend.
        LostError: another rank has ended in the middle.
    """
    global _watch
    if world_size() == 1:
        yield
        return
    backend = _backend()
    store, me, ranks = next(rendezvous("env://", timeout=LIMIT))
    group = PrefixStore("group", store)
    dist.init_process_group(backend, store=group, rank=me, world_size=ranks, timeout=LIMIT)
    _watch = Watch(PrefixStore("patience", store.clone()), me, ranks)
    try:
        with _watch.running():
            yield
    except Exception as error:
        if is_lost(error):
            raise LostError from error
        raise
    finally:
        _watch = None
        dist.destroy_process_group()


def be_patient(minutes: float) -> None:
    """From now on, ranks end if none of them gets on for so many minutes."""
    if _watch:
        _watch.minutes = minutes


def is_lost(error: Exception) -> bool:
    """Whether an error says that another rank has ended, in the words of gloo, nccl or our own."""
    said = isinstance(error, RuntimeError) and any(word in str(error).lower() for word in LOST)
    return world_size() > 1 and (said or isinstance(error, (dist.DistError, LostError)))


def begin_exchange() -> None:
    """To be called before ranks wait for each other."""
    if _watch:
        _watch.exchanges += 1


def from_main(make: Callable[[], T]) -> T:
    """What `make` returns on rank 0, on every rank; an exception is raised on every rank."""
    if world_size() == 1:
        return make()
    message: list[Any] = [None, None]
    begin_exchange()
    if rank() == 0:
        try:
            message[0] = make()
        except Exception as error:
            message[1] = error
    dist.broadcast_object_list(message)
    if message[1] is not None:
        raise message[1]
    return message[0]


def main_first(make: Callable[[], T]) -> T:
    """`make()` on every rank, rank 0 before the others: the first may download, or fill caches."""
    if world_size() == 1:
        return make()
    made: list[T] = []

    def unseen() -> T:
        with _watch.unseen() if _watch else nullcontext():
            return make()

    from_main(lambda: made.append(unseen()))  # what it raises there is raised by all
    return made[0] if rank() == 0 else unseen()


def merge(parts: dict[int, T]) -> dict[int, T]:
    """The union of all ranks' parts, in the order of their keys."""
    every = [parts] * world_size()
    if world_size() > 1:
        begin_exchange()
        dist.all_gather_object(every, parts)
    union = {k: value for part in every for k, value in part.items()}
    return dict(sorted(union.items()))


def add_up(tensors: list[Tensor]) -> None:
    """Replace tensors (of one type and device) by their sums over the ranks, in one all-reduce."""
    if world_size() == 1:
        return
    flat = torch.cat([t.reshape(-1) for t in tensors])
    begin_exchange()
    dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors])):
        tensor.copy_(part.view_as(tensor))


def broadcast(tensor: Tensor) -> None:
    """Overwrite a tensor on every rank by that of rank 0."""
    if world_size() > 1:
        begin_exchange()
        dist.broadcast(tensor, src=0)


def largest(values: list[float], device: torch.device) -> list[float]:
    """The largest of each value over the ranks. Of several, each waits for the device."""
    if world_size() == 1:
        return values
    tensor = torch.tensor(values, device=device)
    begin_exchange()
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return tensor.tolist()


def anyone(flag: bool, device: torch.device) -> bool:
    """Whether the flag is up on any rank."""
    return largest([float(flag)], device)[0] > 0
