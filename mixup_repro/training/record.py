"""What a record says of a run besides its numbers: data, code, versions, device."""

from __future__ import annotations

import platform
import subprocess
import time
from dataclasses import asdict
from functools import lru_cache

import numpy as np
import torch

import mixup_repro
from mixup_repro.config import CHECKOUT
from mixup_repro.data import Dataset
from mixup_repro.errors import InputError
from mixup_repro.runs import RunFolder, science


def check_data(folder: RunFolder, stored: dict, dataset: Dataset) -> None:
    """Raise InputError where a stored run was trained on another data set than this one."""
    here, there = flat(dataset.fingerprint()), flat(stored)
    for name, value in here.items():
        if there.get(name) != value:
            was = there.get(name, "unknown, as by version 0.1.0")
            raise InputError(
                f"{folder} was trained on other data than {dataset.label} here: {name} {was} "
                f"there, {value} here. Check dataset.root; or give this data a name of its own by "
                f"dataset.label=<name>; or remove the run by scripts/clean.py"
            )


def check_science(folder: RunFolder, stored: dict) -> None:
    """Raise InputError where a checkpoint is of another run than the folder it lies in."""
    here, there = flat(identity(folder)), flat(stored)
    for name in sorted(here | there):
        if here.get(name) != there.get(name):
            raise InputError(
                f"{folder} has a checkpoint of another run: {name}={there.get(name)} there, "
                f"{here.get(name)} here; was the folder copied? Move its epoch*.pt away, and the "
                f"run starts anew"
            )


def identity(folder: RunFolder) -> dict:
    """What makes a run this one: the science of its config, and its seed."""
    return science(folder.run.config) | {"seed": folder.run.seed}


def flat(fields: dict) -> dict:
    """{"recipe.lr": ...} of {"recipe": {"lr": ...}}."""
    out = {}
    for name, value in fields.items():
        inner = flat(value) if isinstance(value, dict) else {"": value}
        out |= {f"{name}.{k}".rstrip("."): v for k, v in inner.items()}
    return out


def describe(folder: RunFolder, dataset: Dataset) -> dict:
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
        },
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def device_name(tensor: torch.Tensor) -> str:
    """The machine part that a tensor lies on, for the record."""
    if tensor.is_cuda:
        return torch.cuda.get_device_name(tensor.device)
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


@lru_cache(maxsize=1)
def commit() -> str:
    """The short commit of the code that runs, with a `+` where it has uncommitted changes."""
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
