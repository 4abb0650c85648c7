"""Picture files on disk: which there are, and how reading processes make pixels of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from joblib import cpu_count
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader

from mixup_repro.data.image_folder import is_picture
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

AT_ONCE = 64  # portions of a folder's files that are measured side by side
RATIO = (3 / 4, 4 / 3)  # shapes of random resized crops, as in torchvision


class Wanted(NamedTuple):
    """One picture of a batch: which, and the seed of its random crop; None crops at the centre."""

    example: int
    crop_seed: Optional[int] = None
    flip: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures below a folder.

    paths: (n,) bytes, below `folder`. One array: a million Python strings would be copied into
        every reading process.
    y: (n,) int64, a number for each picture: its class, or whatever else identifies it.
    resize: the shorter side before a picture is cropped at the centre; None crops it as it is.
    border: pixels that are cut off each side before anything else.
    skipped: files in the class folders that are no pictures.
    """

    folder: Path
    paths: np.ndarray
    y: np.ndarray
    resize: Optional[int]
    border: int = 0
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def sizes(self) -> list[int]:
        """The bytes of each file. Some at once, since a network drive answers each one late."""
        root = os.fsencode(self.folder)

        def measure(paths: np.ndarray) -> list[int]:
            return [os.path.getsize(os.path.join(root, path)) for path in paths]

        with ThreadPoolExecutor() as pool:
            parts = pool.map(measure, np.array_split(self.paths, AT_ONCE))
            return [size for part in parts for size in part]


def in_class_folders(folder: Path, numbers: dict[str, int], **how: Any) -> Pictures:
    """The pictures of <folder>/<name>/ for each name, which stand for the class of this number.

    In the order given, and by file name within a class. how: further fields of `Pictures`.

    Raises:
        InputError: a class folder that is missing, or holds no pictures.
    """
    paths, y, skipped = [], [], 0
    for name, number in numbers.items():
        try:
            found = os.listdir(folder / name)
        except OSError as error:
            there = sum((folder / name).is_dir() for name in numbers)
            raise InputError(
                f"{folder / name}: no such class folder; {folder} holds {there} of {len(numbers)}"
            ) from error
        files = sorted(filter(is_picture, found))
        if not files:
            raise InputError(f"{folder / name}: no pictures in this class folder")
        skipped += len(found) - len(files)
        paths += [os.fsencode(f"{name}/{file}") for file in files]
        y += [number] * len(files)
    return Pictures(folder, np.array(paths), np.array(y), skipped=skipped, **how)


def read(
    pictures: Pictures,
    config: DatasetConfig,
    batches: list[list[Wanted]],
    resized_crop: float = 1.0,
    pinned: bool = False,
) -> Iterator[tuple[Tensor, Tensor, list[str]]]:
    """Batches of pixels (b, H, W, 3) uint8, their numbers y (b,), and paths passed over, in order.

    Raises:
        InputError: a picture cannot be read, and dataset.unreadable is not skip.
    """
    workers = config.workers
    if workers is None:
        workers = cpu_count() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    loader = DataLoader(
        _Reader(pictures, config, resized_crop),
        batch_sampler=batches,
        num_workers=min(workers, len(batches)),
        collate_fn=_collate,
        pin_memory=pinned,
    )
    for pixels, y, damaged in loader:
        if damaged and config.unreadable is None:
            raise InputError(
                f"{damaged[0]} cannot be read as a picture; replace it, or go on without it by "
                f"dataset.unreadable=skip"
            )
        yield pixels, y, damaged


class _Reader(torch.utils.data.Dataset[Any]):
    """What runs in the reading processes: path to pixels."""

    def __init__(self, pictures: Pictures, config: DatasetConfig, resized_crop: float) -> None:
        self.pictures, self.config, self.resized_crop = pictures, config, resized_crop

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, item: Wanted) -> tuple[np.ndarray, int, list[str]]:
        """Pixels, number and the paths of pictures that could not be read.

        A damaged picture's place is taken by the next one in the list that is whole.
        """
        pictures = self.pictures
        damaged: list[str] = []
        for attempt in range(len(self)):
            at = (item.example + attempt) % len(self)
            path = pictures.folder / os.fsdecode(pictures.paths[at])
            try:
                with Image.open(path) as picture:
                    pixels = self._pixels(picture.convert("RGB"), item)
                    return pixels, int(pictures.y[at]), damaged
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                damaged.append(str(path))
        raise InputError(f"{pictures.folder}: no picture can be read")

    def _pixels(self, picture: Image.Image, item: Wanted) -> np.ndarray:
        import torchvision.transforms as T
        import torchvision.transforms.functional as V

        config, how = self.config, V.InterpolationMode(self.config.interpolation)
        if self.pictures.border:
            picture = ImageOps.crop(picture, self.pictures.border)
        if item.crop_seed is None:
            if self.pictures.resize:
                picture = V.resize(picture, self.pictures.resize, how)
            picture = V.center_crop(picture, config.size)
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(item.crop_seed)
                box = T.RandomResizedCrop.get_params(picture, (self.resized_crop, 1.0), RATIO)
            picture = V.resized_crop(picture, *box, [config.size] * 2, how)
        return np.asarray(V.hflip(picture) if item.flip else picture)


def _collate(
    items: Iterable[tuple[np.ndarray, int, list[str]]],
) -> tuple[Tensor, Tensor, list[str]]:
    pixels, y, damaged = zip(*items)
    names = [name for some in damaged for name in some]
    return torch.from_numpy(np.stack(pixels)), torch.tensor(y), names
