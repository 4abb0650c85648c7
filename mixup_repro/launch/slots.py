"""The slots of one machine: a GPU (or a share of one) or some CPU cores, for one process at a time.

A process takes a slot by locking a file below runs_dir. The operating system frees the lock when
the process ends, however it ends. So several sweeps can share one machine.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

import torch
from joblib import cpu_count

from mixup_repro.errors import InputError
from mixup_repro.schema import HardwareConfig


@dataclass(frozen=True)
class Slot:
    """Where one process runs: its name, its CPU threads, and what its environment says."""

    name: str
    threads: int
    environment: dict[str, str] = field(default_factory=dict)


def slots(hardware: HardwareConfig, device: torch.device) -> list[Slot]:
    """The slots that `hardware.slots` names: GPUs times runs_per_gpu, or parts of the CPU.

    Raises:
        InputError: a GPU that is not among the visible ones.
    """
    if device.type == "cpu":
        each = hardware.threads or 1
        numbers = range(max(1, cpu_count() // each))
        if hardware.slots != "auto":
            numbers = hardware.slots
            each = hardware.threads or max(1, cpu_count() // len(numbers))
        return [Slot(f"cpu{k}", each, {"OMP_NUM_THREADS": str(each)}) for k in numbers]
    if device.type == "mps":
        raise InputError("hardware.slots: mps takes one process; leave hardware=node out")
    visible = visible_gpus()
    chosen = visible if hardware.slots == "auto" else [str(k) for k in hardware.slots]
    if unknown := set(chosen) - set(visible):
        raise InputError(
            f"hardware.slots: no GPU {', '.join(sorted(unknown))} here; choose among "
            f"{', '.join(visible)}"
        )
    names = [(gpu, share) for share in range(hardware.runs_per_gpu) for gpu in chosen]
    each = hardware.threads or max(1, cpu_count() // len(names))
    return [Slot(f"gpu{gpu}-{share}", each, {"CUDA_VISIBLE_DEVICES": gpu}) for gpu, share in names]


def visible_gpus() -> list[str]:
    """The GPUs this process may use, by the names that CUDA_VISIBLE_DEVICES gives them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    return [str(k) for k in range(torch.cuda.device_count())]


def claim(slot: Slot, runs_dir: Path) -> int | None:
    """Lock the slot: a file descriptor that holds it until closed, None where it is taken.

    A process that inherits the descriptor holds the slot on, also when this one has closed it.

    Raises:
        InputError: nothing can be written below runs_dir.
    """
    import fcntl  # not on Windows, which this alone would keep from training at all

    path = runs_dir / ".slots" / f"{socket.gethostname()}-{slot.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # another user's, which can be locked as well
            descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(
            f"runs_dir={runs_dir}: cannot be written ({error.strerror}); choose another with "
            f"runs_dir=<folder>"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
