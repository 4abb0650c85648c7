"""Any folder of images, {train,test}/<class>/<picture>, decoded once into a uint8 cache."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mixup_repro.data.dataset import Dataset
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.schema import DatasetConfig
from mixup_repro.store.files import read_zip, replacing

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
CACHE = ".mixup_repro_cache.npz"
HELD_OUT = ("test", "val")
Folders = dict[str, dict[str, list[Path]]]  # pictures by part and class


def image_folder(config: DatasetConfig) -> Dataset:
    """Load `config.root`, whose `train` and `test` (or `val`) folders hold one folder a class.

    Pictures must all be of one size. They are decoded once; the cache lies beside them and is
    rebuilt when a file is added, removed or changed.

    Raises:
        InputError: no such folder, fewer than two classes, classes that differ between the two
            parts, pictures of unequal sizes, or a file that is no readable picture (named).
    """
    root = Path(config.root or "")
    if not config.root or not root.is_dir():
        raise InputError(f"no image folder at {config.root}: dataset.root=<folder> must name one")
    held_out = next((name for name in HELD_OUT if (root / name).is_dir()), None)
    if held_out is None or not (root / "train").is_dir():
        raise InputError(f"{root}: needs the folders train/<class>/ and test/<class>/")
    parts = {"train": _list(root / "train"), "test": _list(root / held_out)}
    classes = sorted(parts["train"])
    if len(classes) < 2:
        raise InputError(f"{root / 'train'}: found {len(classes)} class folder, needs at least 2")
    if sorted(parts["test"]) != classes:
        odd = sorted(set(classes) ^ set(parts["test"]))
        raise InputError(f"{root}: class {odd[0]} is in only one of train and {held_out}")
    arrays = _read_cache(root, parts) or _decode(root, parts)
    labels = {
        part: torch.tensor([k for k, name in enumerate(classes) for _ in folders[name]])
        for part, folders in parts.items()
    }
    return Dataset(
        config.label or root.absolute().name,
        torch.from_numpy(arrays["train"]),
        labels["train"],
        torch.from_numpy(arrays["test"]),
        labels["test"],
        classes=len(classes),
        mean=config.mean,
        std=config.std,
        class_names=classes,
    )


def is_picture(name: str) -> bool:
    """Whether a file in a class folder is a picture, by its name.

    Archives made on a Mac hold a hidden "._x.JPEG", which is none, beside each x.JPEG.
    """
    return Path(name).suffix.lower() in SUFFIXES and name[0] != "."


def _list(part: Path) -> dict[str, list[Path]]:
    """The pictures of each class, sorted by name."""
    listing = {}
    for folder in sorted(p for p in part.iterdir() if p.is_dir() and p.name[0] != "."):
        files = sorted(p for p in folder.iterdir() if is_picture(p.name))
        if not files:
            raise InputError(f"{folder}: no pictures in this class folder")
        listing[folder.name] = files
    return listing


def _stamp(root: Path, parts: dict[str, dict[str, list[Path]]]) -> str:
    """A hash over name, size and time of every file: it changes when the folder does."""
    digest = hashlib.sha256()
    for folders in parts.values():
        for files in folders.values():
            for path in files:
                stat = os.stat(path)
                digest.update(os.fsencode(path.relative_to(root)))
                digest.update(b" %d %d\n" % (stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


def _read_cache(root: Path, parts: Folders) -> dict[str, np.ndarray] | None:
    try:
        cache = np.load(read_zip(root / CACHE))
        if str(cache["stamp"]) == _stamp(root, parts):
            return {part: cache[part] for part in parts}
    except (DamagedError, ValueError, KeyError):
        pass  # absent or damaged: decode again
    return None


def _decode(root: Path, parts: Folders) -> dict[str, np.ndarray]:
    arrays, first = {}, None
    with ThreadPoolExecutor() as pool:
        for part, folders in parts.items():
            paths = [path for name in sorted(folders) for path in folders[name]]
            pictures = []
            for path, picture in zip(paths, pool.map(_read, paths)):
                first = first or (path, picture.shape)
                if picture.shape != first[1]:
                    size, other = picture.shape[1::-1], first[1][1::-1]
                    raise InputError(
                        f"{path} is {size[0]} x {size[1]} pixels but {first[0]} is "
                        f"{other[0]} x {other[1]}: all pictures must have one size"
                    )
                pictures.append(picture)
            arrays[part] = np.stack(pictures)
    # A read-only folder, or a full disk: decode anew each time.
    with suppress(OSError), replacing(root / CACHE, "wb") as file:
        content: dict[str, Any] = {"stamp": _stamp(root, parts), **arrays}
        np.savez(file, **content)
    return arrays


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error})") from error
