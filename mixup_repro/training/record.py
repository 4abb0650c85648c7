"""What a record says of a run besides its numbers: data, code, versions, device."""

from __future__ import annotations

import platform
import subprocess
import time
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
import torch

import mixup_repro
from mixup_repro.data import DataSource
from mixup_repro.jobs import CHECKOUT
from mixup_repro.store.folder import RunFolder


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
