"""Image sets too large for memory, such as ImageNet: read by worker processes as the plan says.

Workers decode and crop and hand over uint8 pixels; normalising and mixing happen on the device.
What is random about an example comes from its own seed in the plan, so the same run gives the same
pictures for any number of workers and ranks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from joblib import cpu_count
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from mixup_repro.config import DatasetConfig
from mixup_repro.data.batches import Batches
from mixup_repro.data.dataset import Dataset, affine
from mixup_repro.data.image_folder import SUFFIXES
from mixup_repro.distributed import add_up, from_main, rank, world_size
from mixup_repro.errors import InputError
from mixup_repro.plan import EpochPlan

CHUNK = 256  # pictures at once in the pass that finds x_bar
RATIO = (3 / 4, 4 / 3)  # shapes of random resized crops, as in torchvision


def imagenet(config: DatasetConfig) -> StreamedSet:
    """`config.root` with train/<class>/<picture> and val/<class>/<picture>, as ImageNet has them.

    Classes are numbered in the order of their folders' names, which is ImageNet's own.

    Raises:
        InputError: folders missing, pictures of val not in class folders, or classes that differ.
    """
    root = Path(config.root or "")
    for part in ("train", "val"):
        if not (root / part).is_dir():
            raise InputError(
                f"no folder {root / part}: dataset.root=<folder> must name one that holds "
                f"train/<class>/ and val/<class>/"
            )
    flat = sum(entry.name.endswith(".JPEG") for entry in os.scandir(root / "val"))
    if flat:
        raise InputError(
            f"{root / 'val'} holds {flat} pictures outside of class folders; sort them with "
            f"python scripts/sort_imagenet_val.py {root / 'val'} <LOC_val_solution.csv>"
        )
    if config.unreadable not in (None, "skip"):
        raise InputError(f"dataset.unreadable={config.unreadable}: skip, or null to stop")
    if config.interpolation not in ("bilinear", "bicubic"):
        raise InputError(f"dataset.interpolation={config.interpolation}: bilinear or bicubic")
    parts = [_list(root / part) for part in ("train", "val")]
    if parts[0][0] != parts[1][0]:
        odd = sorted(set(parts[0][0]) ^ set(parts[1][0]))
        raise InputError(f"{root}: class {odd[0]} is in only one of train and val")
    return StreamedSet(config, *parts)


def _list(part: Path) -> tuple[list[str], np.ndarray, Tensor]:
    """Class names, and the paths (bytes, below `part`) and classes of all pictures."""
    classes = sorted(entry.name for entry in os.scandir(part) if entry.is_dir())
    if len(classes) < 2:
        raise InputError(f"{part}: found {len(classes)} class folder, needs at least 2")
    paths, y = [], []
    for number, name in enumerate(classes):
        files = sorted(f for f in os.listdir(part / name) if Path(f).suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(f"{part / name}: no pictures in this class folder")
        paths += [os.fsencode(f"{name}/{file}") for file in files]
        y += [number] * len(files)
    # One array of bytes: a million Python strings would be copied into every worker.
    return classes, np.array(paths), torch.tensor(y)


class StreamedSet:
    """A classification set of pictures on disk; what `Dataset` is to sets in memory."""

    in_memory, is_image, per_replica = False, True, False
    draw = grid = None
    fingerprint, normalise = Dataset.fingerprint, Dataset.normalise

    def __init__(self, config: DatasetConfig, train: tuple, test: tuple) -> None:
        self.label = config.label or config.name
        self.config = config
        self.root = Path(config.root)
        self.classes = len(train[0])
        self.paths = {"train": train[1], "test": test[1]}
        self.y_train, self.y_test = train[2], test[2]
        self._affine = affine(config.mean, config.std, 255.0)
        self.unreadable: set[str] = set()

    def to(self, device: torch.device) -> StreamedSet:
        """The same, for batches on `device`."""
        self.y_train, self.y_test = self.y_train.to(device), self.y_test.to(device)
        self._affine = tuple(t.to(device) for t in self._affine)
        return self

    def for_seeds(self, seeds: list[int]) -> StreamedSet:
        return self

    @property
    def n_train(self) -> int:
        return len(self.y_train)

    @property
    def n_test(self) -> int:
        return len(self.y_test)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (3, self.config.size, self.config.size)

    def read(self, part: str, batches: list[list[tuple]], resized_crop: float) -> Iterator[tuple]:
        """Batches of pixels (b, H, W, 3) uint8 and classes (b,), on the device, in order.

        batches: lists of (index,) to crop at the centre, or (index, crop_seed, flip).

        Raises:
            InputError: a picture cannot be read, and dataset.unreadable is not skip.
        """
        workers = self.config.workers
        if workers is None:
            workers = cpu_count() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        device = self.y_train.device
        loader = DataLoader(
            _Pictures(self, part, resized_crop),
            batch_sampler=batches,
            num_workers=min(workers, len(batches)),
            collate_fn=_collate,
            pin_memory=device.type == "cuda",
        )
        for pixels, y, damaged in loader:
            if damaged and self.config.unreadable is None:
                raise InputError(
                    f"{damaged[0]} cannot be read as a picture; replace it, or go on without it by "
                    f"dataset.unreadable=skip"
                )
            self.unreadable.update(damaged)
            yield pixels.to(device, non_blocking=True), y.to(device, non_blocking=True)

    def chunks(
        self, part: str, size: int, replicas: int = 1, rank: int = 0, world_size: int = 1
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """As `Dataset.chunks`, from pictures resized and cropped at the centre."""
        n = len(self.paths[part])
        numbers = range(-(-n // size))[rank::world_size]
        todo = [[(i,) for i in range(k * size, min(k * size + size, n))] for k in numbers]
        for k, (pixels, y) in zip(numbers, self.read(part, todo, 1.0)):
            yield k, pixels.unsqueeze(0), y.unsqueeze(0)

    @cached_property
    def x_bar(self) -> Tensor:
        """(3, H, W), the mean training input without augmentation: one pass, then kept on disk."""
        cache = _cache_folder() / f"x_bar-{self._key()}.pt"
        # Ranks may have caches of their own: all do as the first does, for the pass is shared.
        total = from_main(lambda: torch.load(cache, weights_only=True) if cache.exists() else None)
        if total is None:
            total = torch.zeros(self.config.size, self.config.size, 3, dtype=torch.int64)
            total = total.to(self.y_train.device)
            for _, pixels, _ in self.chunks("train", CHUNK, 1, rank(), world_size()):
                total += pixels[0].sum(0, dtype=torch.int64)
            add_up([total])  # of whole numbers: exact for any number of ranks
            if rank() == 0:
                cache.parent.mkdir(parents=True, exist_ok=True)
                partial = cache.with_suffix(f".{os.getpid()}")
                torch.save(total.cpu(), partial)
                os.replace(partial, cache)
        scale, shift = self._affine
        mean = (total.double() / self.n_train).float().to(scale.device)
        return mean.movedim(-1, -3) * scale + shift

    def _key(self) -> str:
        """A hash of the pictures' names and of how they are cropped."""
        digest = hashlib.sha256(self.paths["train"].tobytes())
        config = self.config
        how = (self.root.resolve(), config.size, config.resize, config.interpolation)
        digest.update(repr(how).encode())
        return digest.hexdigest()[:16]

    @cached_property
    def y_bar(self) -> Tensor:
        """(classes,), the training set's class frequencies."""
        counts = torch.bincount(self.y_train, minlength=self.classes)
        return (counts.double() / self.n_train).float()


class StreamedBatches(Batches):
    """Batches read from disk. Every partner is in its example's pairing group, on the same rank."""

    def __init__(self, dataset: StreamedSet, resized_crop: float, group: int) -> None:
        super().__init__(dataset, crop_padding=0, within_batch=True, group=group)
        self.within_batch = True
        self.resized_crop = resized_crop

    def __call__(self, plan: EpochPlan, batch_size: int, first: int = 0):
        parts = self.parts(plan, batch_size, first)
        columns = (plan.order, plan.crop_seed, plan.flip)
        order, seed, flip = (None if c is None else c[0].tolist() for c in columns)
        flip = flip or [False] * len(order)
        todo = [list(zip(order[p], seed[p], flip[p])) for p, _ in parts]
        self._read = self.dataset.read("train", todo, self.resized_crop)
        for part, size in parts:
            yield self.batch(plan, part, size)

    def _examples(self, plan: EpochPlan, at: tuple) -> tuple[Tensor, Tensor]:
        pixels, y = next(self._read)
        x = self.dataset.normalise(pixels).unsqueeze(0)
        return x, F.one_hot(y, self.dataset.classes).float().unsqueeze(0)


class _Pictures(torch.utils.data.Dataset):
    """What runs in the workers: path to pixels."""

    def __init__(self, dataset: StreamedSet, part: str, resized_crop: float) -> None:
        folder = "train" if part == "train" else "val"
        self.folder, self.paths = dataset.root / folder, dataset.paths[part]
        self.y = (dataset.y_train if part == "train" else dataset.y_test).cpu().numpy()
        self.config, self.resized_crop = dataset.config, resized_crop

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: tuple) -> tuple[np.ndarray, int, list[str]]:
        """Pixels, class and the paths of pictures that could not be read.

        A damaged picture's place is taken by the next one in the list that is whole.
        """
        index, *how = item
        damaged: list[str] = []
        for attempt in range(len(self)):
            at = (index + attempt) % len(self)
            path = self.folder / os.fsdecode(self.paths[at])
            try:
                with Image.open(path) as picture:
                    return self._pixels(picture.convert("RGB"), *how), int(self.y[at]), damaged
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                damaged.append(str(path))
        raise InputError(f"{self.folder}: no picture can be read")

    def _pixels(self, picture: Image.Image, crop_seed: int | None = None, flip: bool = False):
        import torchvision.transforms as T
        import torchvision.transforms.functional as V

        config, how = self.config, V.InterpolationMode(self.config.interpolation)
        if crop_seed is None:
            picture = V.center_crop(V.resize(picture, config.resize, how), config.size)
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(crop_seed)
                box = T.RandomResizedCrop.get_params(picture, (self.resized_crop, 1.0), RATIO)
            picture = V.resized_crop(picture, *box, [config.size] * 2, how)
        return np.asarray(V.hflip(picture) if flip else picture)


def _collate(items: Iterable[tuple]) -> tuple[Tensor, Tensor, list[str]]:
    pixels, y, damaged = zip(*items)
    names = [name for some in damaged for name in some]
    return torch.from_numpy(np.stack(pixels)), torch.tensor(y), names


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mixup_repro"
