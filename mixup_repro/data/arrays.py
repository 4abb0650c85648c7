"""Arrays in one .npz file, by the names that Keras, scikit-learn's users and MedMNIST give them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.given import as_dataset, numbered, stacked
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

NAMES = (  # inputs and labels for training, and for testing
    ("x_train", "y_train", "x_test", "y_test"),
    ("X_train", "y_train", "X_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)


def npz(config: DatasetConfig) -> Dataset:
    """Load `config.root`, an .npz file with the arrays that one of NAMES names.

    Pictures are uint8 (n, H, W), (n, H, W, C) or (n, C, H, W) with 1 or 3 channels; features are
    numbers (n, d), used as they are. Labels are whole numbers or words, (n,) or (n, 1).

    Raises:
        InputError: no such file, arrays missing, or of another shape or type than these.
    """
    path = Path(config.root or "")
    if not path.is_file():
        raise InputError(f"no file at {config.root}: dataset.root=<file>.npz must name one")
    arrays = _read(path)
    names = next((names for names in NAMES if arrays.keys() >= set(names)), None)
    if names is None:
        wanted = "; or ".join(", ".join(names) for names in NAMES)
        there = ", ".join(arrays) or "none"
        raise InputError(f"{path}: its arrays are {there}, and these are needed: {wanted}")
    x_train, y_train, x_test, y_test = (arrays[name] for name in names)
    y = numbered((y_train, y_test), str(path))
    for name, inputs, labels in ((names[0], x_train, y[0]), (names[2], x_test, y[1])):
        if len(inputs) != len(labels):
            raise InputError(f"{path}: {name} has {len(inputs)} examples and {len(labels)} labels")
    x = _inputs({names[0]: x_train, names[2]: x_test}, config, path)
    return as_dataset(config, path.stem, x, y)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no .npz file of plain arrays, or damaged ({error})") from error


def _inputs(arrays: dict[str, np.ndarray], config: DatasetConfig, path: Path) -> list[Tensor]:
    """Both arrays as pixels (n, H, W, C) or features (n, d)."""
    own = []
    for name, array in arrays.items():
        if array.dtype == np.uint8 and array.ndim == 3:
            array = array[..., None]
        if array.dtype == np.uint8 and array.ndim == 4:
            if array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
                array = np.moveaxis(array, 1, 3)
            fine = array.shape[3] in (1, 3)
        else:
            fine = array.ndim == 2 and array.dtype.kind in "fiub" and np.isfinite(array).all()
        if not fine:
            raise InputError(
                f"{path}: {name} has shape {arrays[name].shape} and type {array.dtype}; must be "
                f"pictures, uint8 (n, H, W[, C]) with 1 or 3 channels, or finite features (n, d)"
            )
        own.append(array)
    if own[0].shape[1:] != own[1].shape[1:]:
        shapes = " and ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"{path}: examples of two shapes, {shapes}")
    if own[0].ndim == 2:
        for field in ("size", "resize", "interpolation", "mean", "std"):
            if getattr(config, field) is not None:
                raise InputError(f"dataset.{field}: is for pictures, and {path} has features")
        return [torch.from_numpy(array.astype(np.float32)) for array in own]
    if config.size is None:
        return [torch.from_numpy(np.ascontiguousarray(array)) for array in own]
    pictures = {
        name: (Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p) for p in array)
        for name, array in zip(arrays, own)
    }
    return list(stacked(pictures, config, str(path)).values())
