"""Torchvision's data sets: MNIST and CIFAR by configs of their own, any other by its name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.given import Labels, as_dataset, numbered, stacked
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

KNOWN = {"mnist": "MNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}
SPLITS = {"train": ("train", "trainval"), "test": ("test", "val", "valid")}  # the first there is
Parts = dict[str, Any]  # train and test, as torchvision's objects


def torchvision_set(config: DatasetConfig) -> Dataset:
    """A classification set of torchvision, downloaded and checked by it where missing.

    `dataset=torchvision` takes the one that `config.label` names, such as FashionMNIST.

    Raises:
        InputError: no such set, one that is not split or has no classes, pictures of several sizes
            without dataset.size, or files that are damaged, or missing and not to be downloaded.
    """
    name = KNOWN.get(config.name, config.label or "")
    parts = _open(name, Path(config.root or ""))
    own = [_arrays(part) for part in parts.values()]
    place = f"torchvision's {name}"
    if config.size is None and own[0] and own[1]:
        x, y = zip(*own)
    else:
        labels: dict[str, list[Any]] = {part: [] for part in parts}
        pictures = {part: _pictures(parts[part], labels[part]) for part in parts}
        x = tuple(stacked(pictures, config, place).values())
        y = tuple(np.array(values) for values in labels.values())
    names = list(getattr(parts["train"], "classes", ()))
    return as_dataset(config, config.name, x, _classes(y, names, place))


def _classes(parts: Sequence[np.ndarray], names: list[str], place: str) -> Labels:
    """Classes as torchvision counts and names them; where it does not, as they are found."""
    both = np.concatenate(parts)
    if both.ndim == 1 and both.dtype.kind in "iu" and 0 <= both.min() <= both.max() < len(names):
        y_train, y_test = (torch.from_numpy(y.astype(np.int64)) for y in parts)
        return y_train, y_test, names
    return numbered(parts, place)


def _open(name: str, root: Path) -> Parts:
    """Both parts of a set: as they lie there, else downloaded."""
    from torchvision import datasets

    source = getattr(datasets, name, None)
    if name not in datasets.__all__ or not hasattr(source, "__getitem__"):
        near = get_close_matches(name, datasets.__all__, 3, 0.4) or ["FashionMNIST", "SVHN"]
        raise InputError(
            f"dataset.label={name}: torchvision has no such set; name one of its classes, such as "
            f"{', '.join(near)}"
        )
    folders = [root / name / "raw", root / name, root]
    new = [folder for folder in folders if not folder.exists()]
    try:
        return _parts(source, root, download=False)
    except InputError:
        raise
    except Exception:  # missing, or cut short in one of many ways
        lock = FileLock(root / ".download.lock")
        try:
            root.mkdir(parents=True, exist_ok=True)
            with lock:
                with suppress(Exception):  # another process has brought it
                    return _parts(source, root, download=False)
                return _parts(source, root, download=True)
        except Exception as error:  # torchvision raises many kinds: URL, checksum, archive
            with suppress(OSError):
                Path(lock.lock_file).unlink()
            for folder in new:
                with suppress(OSError):  # a part that did come is kept
                    folder.rmdir()
            raise InputError(
                f"{name} is missing or incomplete in {root} and could not be downloaded "
                f"({type(error).__name__}). Put its files there, or name their folder: "
                f"dataset.root=<folder> or MIXUP_REPRO_DATA=<folder>"
            ) from error


def _parts(source: Any, root: Path, download: bool) -> Parts:
    return {part: _part(source, part, root, download) for part in SPLITS}


def _part(source: Any, part: str, root: Path, download: bool) -> Any:
    """The training or test part of a set, by whichever of torchvision's arguments it takes."""
    takes = inspect.signature(source).parameters
    more = {"download": download} if "download" in takes else {}
    if "train" in takes:
        return source(root, train=part == "train", **more)
    for split in SPLITS[part] if "split" in takes else ():
        try:
            return source(root, split=split, **more)
        except ValueError as error:
            if "Valid values are" not in str(error):  # else a set that has no split of this name
                raise
    raise InputError(
        f"dataset.label={source.__name__}: torchvision does not split this set into training and "
        f"test examples"
    )


def _arrays(part: Any) -> tuple[Tensor, np.ndarray] | None:
    """All pixels (n, H, W, C) and classes of a set that holds them as arrays; None: it does not."""
    if not (hasattr(part, "data") and hasattr(part, "targets")):
        return None
    pixels, y = torch.as_tensor(part.data), np.asarray(part.targets)
    if pixels.ndim == 3:
        pixels = pixels.unsqueeze(-1)
    fine = pixels.ndim == 4 and pixels.shape[-1] in (1, 3) and pixels.dtype == torch.uint8
    return (pixels, y) if fine and y.ndim == 1 else None


def _pictures(part: Any, labels: list[Any]) -> Iterator[Any]:
    """The pictures of a set, one after the other; their classes go into `labels`."""
    for k in range(len(part)):
        picture, label = part[k][:2]
        labels.append(label)
        yield picture
