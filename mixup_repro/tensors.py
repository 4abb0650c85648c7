"""Files of tensors: weights, checkpoints, sums. Written whole, read with their checksums."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from mixup_repro.errors import DamagedError
from mixup_repro.store.files import read_zip, replacing


def write(path: Path, value: Any) -> None:
    """Save atomically: the file is either the old one or the whole new one.

    value: tensors, numbers, strings, lists and dicts only.

    Raises:
        OSError: it cannot be written, such as on a full disk. What was there before is still there.
    """
    whole = io.BytesIO()  # torch.save into a file hides which error the file system reported
    torch.save(value, whole)
    with replacing(path, "wb") as file:
        file.write(whole.getbuffer())


def read(path: Path) -> Any:
    """What `write` saved, on the CPU.

    Raises:
        DamagedError: the file is damaged, or is not there.
    """
    whole = read_zip(path)
    try:
        return torch.load(whole, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds, where torch.save did not write the file
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from error
