"""Why a run failed, in words that say what to do."""

from __future__ import annotations

import errno

import torch

from mixup_repro.store.folder import RunFolder

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def explain(error: Exception, folders: list[RunFolder]) -> str:
    """One line for an error that ended the training of these runs, which share a config."""
    config = folders[0].run.config
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return (
            f"no space left in runs_dir={config.runs_dir} ({error.strerror}): free some (see "
            f"mixup-repro clean), and give the same command again; it goes on from the last "
            f"checkpoint"
        )
    if isinstance(error, torch.cuda.OutOfMemoryError):
        batch = config.recipe.batch_size or "all"
        stack = f" and {len(folders)} runs stacked" if len(folders) > 1 else ""
        first = str(error).split(". ")[0]
        return (
            f"out of GPU memory at recipe.batch_size={batch}{stack} ({first}): set "
            f"recipe.microbatch=<n>, which adds up the gradients of parts of the batch"
            + ("; or give fewer runs at once, such as part=1/2" if stack else "")
        )
    first = next(filter(None, map(str.strip, str(error).splitlines())), "")
    return ": ".join(filter(None, (type(error).__name__, first)))
