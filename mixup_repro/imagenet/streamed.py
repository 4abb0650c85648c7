"""Image sets too large for memory, such as ImageNet: read by worker processes as the plan says.

Workers decode and crop and hand over uint8 pixels; normalising and mixing happen on the device.
What is random about an example comes from its own seed in the plan, so the same run gives the same
pictures for any number of workers and ranks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro import interrupt, tensors
from mixup_repro.data import fingerprint
from mixup_repro.data.batches import Batch, Batches
from mixup_repro.data.picture_files import Pictures, class_folders, in_class_folders, tell_others
from mixup_repro.data.pixels import affine, normalised
from mixup_repro.data.rgb import READER
from mixup_repro.distributed import add_up, from_main, rank, world_size
from mixup_repro.errors import InputError
from mixup_repro.exact import host
from mixup_repro.imagenet.pictures import Wanted, read
from mixup_repro.live import phase
from mixup_repro.methods.registry import METHODS, PAIRS, needs_means
from mixup_repro.plan import EpochPlan
from mixup_repro.schema import Config, DatasetConfig

CHUNK = 256  # pictures at once in the pass that finds x_bar


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
    if not (config.size and config.mean and config.std):
        raise InputError("dataset=imagenet needs dataset.size, dataset.mean and dataset.std")
    if config.interpolation not in ("bilinear", "bicubic"):
        raise InputError(f"dataset.interpolation={config.interpolation}: bilinear or bicubic")
    names = class_folders(root, "train", "val")
    numbers = {name: number for number, name in enumerate(names)}
    parts = {"train": "train", "test": "val"}
    pictures = {
        part: in_class_folders(root / folder, numbers, resize=config.resize)
        for part, folder in parts.items()
    }
    tell_others(pictures.values())
    return StreamedSet(config, names, pictures)


class StreamedSet:
    """A classification set of pictures on disk: a `DataSource`."""

    is_image = True
    grid: Optional[Tensor] = None
    content: Optional[dict[str, str]] = None

    def __init__(
        self, config: DatasetConfig, class_names: list[str], pictures: dict[str, Pictures]
    ) -> None:
        self.label = config.label or config.name
        self.config = config
        self.size = config.size or 0  # pixels of a side
        self.class_names = class_names
        self.classes = len(class_names)
        self.pictures = pictures
        self.y_train, self.y_test = (torch.from_numpy(pictures[p].y) for p in ("train", "test"))
        self._affine = affine(config.mean or (), config.std or (), 255.0)
        self.unreadable: set[str] = set()

    def to(self, device: torch.device) -> StreamedSet:
        """The same, for batches on `device`."""
        self.y_train, self.y_test = self.y_train.to(device), self.y_test.to(device)
        scale, shift = self._affine
        self._affine = scale.to(device), shift.to(device)
        return self

    def for_seeds(self, seeds: Sequence[int]) -> StreamedSet:
        """As `DataSource.for_seeds`: itself, whatever the seeds."""
        return self

    def together(self, runs: int) -> int:
        """As `DataSource.together`: each run reads pictures in an order of its own."""
        return 1

    def check(self, job: Config, ranks: int) -> None:
        """As `DataSource.check`."""
        method, recipe, asked = job.method, job.recipe, job.evaluation
        if not recipe.resized_crop:
            raise InputError(
                "recipe.resized_crop: dataset=imagenet needs the smallest share of a picture that "
                "a random crop may have, such as 0.08"
            )
        impossible = {
            "recipe.crop_padding": recipe.crop_padding,
            f"method={method.name}": needs_means(method),
            "method.pairing=uniform": method.pairing == "uniform",
            "evaluation.temperature": asked.temperature,
            "evaluation.terms": asked.terms,
        }
        for name in (name for name, is_asked in impossible.items() if is_asked):
            raise InputError(f"{name}: needs a data set in memory, and {self.label} is streamed")
        if ranks > 1 and PAIRS in METHODS[method.name].draws and not method.pairing_group:
            raise InputError(
                f"method.pairing_group=null: {self.label} is streamed, and on {ranks} processes a "
                f"partner must be on its example's; set method.pairing_group=128, say"
            )

    def batches(self, config: Config, alphas: Sequence[Optional[float]]) -> StreamedBatches:
        """As `DataSource.batches`."""
        area, group = config.recipe.resized_crop or 1.0, config.method.pairing_group or 1
        return StreamedBatches(self, area, group)

    def normalise(self, pixels: Tensor) -> Tensor:
        """As `DataSource.normalise`."""
        return normalised(pixels, self._affine)

    def fingerprint(self) -> dict[str, Any]:
        """As `DataSource.fingerprint`."""
        return fingerprint.of_source(self)

    @property
    def device(self) -> torch.device:
        """As `DataSource.device`."""
        return self.y_train.device

    @property
    def n_train(self) -> int:
        return len(self.y_train)

    @property
    def n_test(self) -> int:
        return len(self.y_test)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (3, self.size, self.size)

    def read(
        self, pictures: Pictures, batches: list[list[Wanted]], resized_crop: float = 1.0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of pixels (b, H, W, 3) uint8 and numbers y (b,), on the device: see `read`."""
        device = self.y_train.device
        pinned = device.type == "cuda"
        for pixels, y, damaged in read(pictures, self.config, batches, resized_crop, pinned):
            self.unreadable.update(damaged)
            yield pixels.to(device, non_blocking=True), y.to(device, non_blocking=True)

    def chunks(
        self, part: str | Pictures, size: int, replicas: int = 1, rank: int = 0, world_size: int = 1
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """As `DataSource.chunks`, cropped at the centre; or of other pictures."""
        pictures = self.pictures[part] if isinstance(part, str) else part
        n = len(pictures)
        numbers = range(-(-n // size))[rank::world_size]
        todo = [[Wanted(i) for i in range(k * size, min(k * size + size, n))] for k in numbers]
        for k, (pixels, y) in zip(numbers, self.read(pictures, todo)):
            yield k, pixels.unsqueeze(0), y.unsqueeze(0)

    @cached_property
    def x_bar(self) -> Tensor:
        """(3, H, W), the mean training input without augmentation: one pass, then kept on disk."""
        cache = _cache_folder() / f"x_bar-{self._key()}.pt"
        shape = (self.size, self.size, 3)
        # Ranks may have caches of their own: all do as the first does, for the pass is shared.
        total = from_main(lambda: _cached_sum(cache, shape))
        if total is None:
            total = torch.zeros(shape, dtype=torch.int64, device=self.y_train.device)
            own = self.n_train // world_size()
            with phase("averaging", own, "pictures") as at:
                for _, pixels, _ in self.chunks("train", CHUNK, 1, rank(), world_size()):
                    interrupt.check()
                    total += pixels[0].sum(0, dtype=torch.int64)
                    at.done += pixels.shape[1]
            add_up([total])  # of whole numbers: exact for any number of ranks
            if rank() == 0:
                cache.parent.mkdir(parents=True, exist_ok=True)
                tensors.write(cache, total.cpu())
        scale, shift = self._affine
        mean = (host(total).double() / self.n_train).float().to(scale.device)
        return mean.movedim(-1, -3) * scale + shift

    def hashes(self) -> dict[str, str]:
        """As `DataSource.hashes`, by names and sizes of the files, read once."""
        if self.content is None:
            self.content = {"class_names": fingerprint.of_names(self.class_names)}
            for part, pictures in self.pictures.items():
                with phase("looking at", len(pictures), "files"):
                    sizes = pictures.sizes()
                self.content[f"x_{part}"] = fingerprint.of_files(pictures.paths, sizes)
                self.content[f"y_{part}"] = fingerprint.of_tensor(torch.from_numpy(pictures.y))
        return self.content

    def _key(self) -> str:
        """A hash of the training pictures and of how they are cropped."""
        config = self.config
        how = (config.size, config.resize, config.interpolation, READER)
        return fingerprint.of_names([self.hashes()["x_train"], *map(str, how)])

    @cached_property
    def y_bar(self) -> Tensor:
        """(classes,), the training set's class frequencies."""
        counts = torch.bincount(self.y_train, minlength=self.classes)
        return (host(counts).double() / self.n_train).float().to(counts.device)


class StreamedBatches(Batches):
    """Batches read from disk. Every partner is in its example's pairing group, on the same rank."""

    def __init__(self, dataset: StreamedSet, resized_crop: float, group: int) -> None:
        super().__init__(within_batch=True, group=group)
        self.dataset = dataset
        self.resized_crop = resized_crop

    def __call__(self, plan: EpochPlan, batch_size: int, first: int = 0) -> Iterator[Batch]:
        parts = self.parts(plan, batch_size, first)
        order, seed = plan.order[0].tolist(), plan.crop_seed[0].tolist()
        flip = [False] * len(order) if plan.flip is None else plan.flip[0].tolist()
        todo = [list(map(Wanted, order[p], seed[p], flip[p])) for p, _ in parts]
        self._read = self.dataset.read(self.dataset.pictures["train"], todo, self.resized_crop)
        for part, size in parts:
            yield self.batch(plan, part, size)

    def examples(self, plan: EpochPlan, at: Any) -> tuple[Tensor, Tensor]:
        pixels, y = next(self._read)
        x = self.dataset.normalise(pixels).unsqueeze(0)
        return x, F.one_hot(y, self.dataset.classes).float().unsqueeze(0)


def _cached_sum(path: Path, shape: tuple[int, ...]) -> Optional[Tensor]:
    """A sum of pictures that was kept; None where it is absent or damaged."""
    try:
        total = tensors.read(path)
    except InputError:
        return None
    fits = isinstance(total, Tensor) and total.shape == shape and total.dtype == torch.int64
    return total if fits else None


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mixup_repro"
