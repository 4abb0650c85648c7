"""Pictures read by processes of their own, in the order of a plan."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from joblib import cpu_count
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader

from mixup_repro.data.picture_files import Pictures
from mixup_repro.data.rgb import read_picture
from mixup_repro.errors import InputError
from mixup_repro.interrupt import held, leave_to_parent
from mixup_repro.schema import DatasetConfig

RATIO = (3 / 4, 4 / 3)  # shapes of random resized crops, as in torchvision


class Wanted(NamedTuple):
    """One picture of a batch: which, and the seed of its random crop; None crops at the centre."""

    example: int
    crop_seed: Optional[int] = None
    flip: bool = False


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
        worker_init_fn=_begin,
    )
    with held():
        reading = iter(loader)
    for pixels, y, damaged in reading:
        if damaged and config.unreadable is None:
            raise InputError(
                f"{damaged[0]} cannot be read as a picture; replace it, or go on without it by "
                f"dataset.unreadable=skip"
            )
        yield pixels, y, damaged


def _begin(worker: int) -> None:
    leave_to_parent()


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
            path = pictures.path(at)
            try:
                pixels = self._pixels(read_picture(path), item)
                return pixels, int(pictures.y[at]), damaged
            except InputError:
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
