"""Any folder of images, {train,test}/<class>/<picture>, decoded once into a uint8 cache."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.given import Fit, fit_of, fitted
from mixup_repro.data.picture_files import Pictures, class_folders, in_class_folders, tell_others
from mixup_repro.data.rgb import READER, read_picture
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.live import phase
from mixup_repro.schema import DatasetConfig
from mixup_repro.store.files import read_zip, replacing

CACHE = ".mixup_repro_cache.npz"
HELD_OUT = ("test", "val")
Parts = dict[str, Pictures]  # train and test


def image_folder(config: DatasetConfig) -> Dataset:
    """Load `config.root`, whose `train` and `test` (or `val`) folders hold one folder a class.

    Pictures must all be of one size, unless `config.size` is given: then each is cropped at its
    centre to a square and resized to so many pixels a side. They are decoded once; the cache lies
    beside them and is rebuilt when a file is added, removed or changed, or is to be read otherwise.

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
    classes = class_folders(root, "train", held_out)
    numbers = {name: number for number, name in enumerate(classes)}
    parts = {
        "train": in_class_folders(root / "train", numbers),
        "test": in_class_folders(root / held_out, numbers),
    }
    tell_others(parts.values())
    fit = fit_of(config)
    with phase("looking at", sum(map(len, parts.values())), "files"):
        stamp = _stamp(root, parts, fit)
    arrays = _read_cache(root, parts, stamp) or _decode(root, parts, stamp, fit)
    labels = {part: torch.from_numpy(pictures.y) for part, pictures in parts.items()}
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


def _stamp(root: Path, parts: Parts, fit: Fit) -> str:
    """A hash over name, size and time of every file, and how it is read.

    Raises:
        InputError: a file cannot be looked at, such as a link to nowhere (named).
    """
    digest = hashlib.sha256(f"{READER} {fit}\n".encode())
    for pictures in parts.values():
        folder = os.fsencode(pictures.folder.relative_to(root))
        for path in pictures.paths:
            place = os.path.join(os.fsencode(pictures.folder), path)
            try:
                stat = os.stat(place)
            except OSError as error:  # such as a link to nowhere
                name = place.decode(errors="backslashreplace")
                raise InputError(
                    f"{name}: cannot be read as a picture ({error.strerror})"
                ) from error
            digest.update(folder + b"/" + path)
            digest.update(b" %d %d\n" % (stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


def _read_cache(root: Path, parts: Parts, stamp: str) -> dict[str, np.ndarray] | None:
    try:
        cache = np.load(read_zip(root / CACHE))
        if str(cache["stamp"]) == stamp:
            return {part: cache[part] for part in parts}
    except (DamagedError, ValueError, KeyError):
        pass  # absent or damaged: decode again
    return None


def _decode(root: Path, parts: Parts, stamp: str, fit: Fit) -> dict[str, np.ndarray]:
    arrays, first = {}, None
    total = sum(map(len, parts.values()))
    with ThreadPoolExecutor() as pool, phase("decoding", total, "pictures") as at:
        for part, pictures in parts.items():
            paths = [pictures.path(k) for k in range(len(pictures))]
            decoded = []
            for path, pixels in zip(paths, pool.map(partial(_pixels, fit=fit), paths)):
                first = first or (path, pixels.shape)
                if pixels.shape != first[1]:
                    size, other = pixels.shape[1::-1], first[1][1::-1]
                    raise InputError(
                        f"{path} is {size[0]} x {size[1]} pixels but {first[0]} is "
                        f"{other[0]} x {other[1]}: all pictures must have one size, or give one "
                        f"by dataset.size=<pixels of a side>"
                    )
                decoded.append(pixels)
                at.done += 1
            arrays[part] = np.stack(decoded)
    # A read-only folder, or a full disk: decode anew each time.
    with suppress(OSError), replacing(root / CACHE, "wb") as file:
        content: dict[str, Any] = {"stamp": stamp, **arrays}
        np.savez(file, **content)
    return arrays


def _pixels(path: Path, fit: Fit) -> np.ndarray:
    return fitted(read_picture(path), fit)
