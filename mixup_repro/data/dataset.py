"""Data sets in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.data import fingerprint
from mixup_repro.data.batches import Batches, MemoryBatches, modification
from mixup_repro.data.pixels import Affine, affine, normalised, pixel_statistics
from mixup_repro.errors import InputError
from mixup_repro.exact import host
from mixup_repro.live import phase
from mixup_repro.methods.registry import needs_means
from mixup_repro.schema import Config

TENSORS = ("x_train", "y_train", "x_test", "y_test")


@dataclass
class Dataset:
    """A classification data set in memory.

    x_train, x_test: uint8 pixels (n, H, W, C), or float32 features (n, d) that are used as is.
    y_train, y_test: int64 classes (n,).
    mean, std: per channel, with pixels scaled to [0, 1]; null takes those of the training pixels.
    draw: the data set of a seed, where every seed has its own; this one is then that of seed 0.
    y_clean: (n,) the training labels before any were made wrong; null: y_train.
    grid: (m, d) points at which a run's final predictions are kept.
    class_names: of the classes, in order; null: their numbers.
    content: hashes of the tensors and the class names, by name; null takes them when asked for.
    per_replica: tensors have a leading replica axis (`for_seeds`).
    """

    label: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: int
    mean: Optional[Sequence[float]] = None
    std: Optional[Sequence[float]] = None
    pixel_max: float = 255.0
    draw: Optional[Callable[[int], Dataset]] = None
    y_clean: Optional[Tensor] = None
    grid: Optional[Tensor] = None
    class_names: Optional[Sequence[str]] = None
    content: Optional[dict[str, str]] = None
    per_replica: bool = False
    unreadable: set[str] = field(default_factory=set)  # none: all was read
    _affine: Affine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise InputError(f"{self.label} has {self.classes} class: classification needs two")
        if self.n_train < 2:
            raise InputError(f"{self.label} has {self.n_train} training example: mixing needs two")
        if self.n_test < 1:
            raise InputError(f"{self.label} has no test examples, on which runs are evaluated")
        if not self.is_image:
            return
        channels = self.x_train.shape[-1]
        for name, given in (("mean", self.mean), ("std", self.std)):
            if given is not None and len(given) != channels:
                raise InputError(
                    f"dataset.{name}={list(given)}: {self.label} needs {channels} numbers, one a "
                    f"channel, or null for those of the training pixels"
                )
        if not (self.mean and self.std):
            mean, std = pixel_statistics(self.x_train)
            self.mean = self.mean or (mean / self.pixel_max).tolist()
            self.std = self.std or (std / self.pixel_max).tolist()
        if min(self.std) <= 0:
            raise InputError(
                f"dataset.std: must be > 0 in every channel, and a channel of {self.label} has one "
                f"value in all training pixels; give dataset.mean and dataset.std"
            )
        scale, shift = affine(self.mean, self.std, self.pixel_max)
        self._affine = scale.to(self.x_train.device), shift.to(self.x_train.device)

    def to(self, device: torch.device) -> Dataset:
        """The data set with its tensors on `device`."""
        tensors: dict[str, Any] = {name: getattr(self, name).to(device) for name in TENSORS}
        for name in ("grid", "y_clean"):
            value = getattr(self, name)
            tensors[name] = None if value is None else value.to(device)
        return replace(self, content=self.hashes(), **tensors)

    def for_seeds(self, seeds: Sequence[int]) -> Dataset:
        """As `DataSource.for_seeds`."""
        if self.draw is None:
            return self
        sets = [self.draw(seed) for seed in seeds]
        stacked: dict[str, Any] = {}
        for name in TENSORS + ("y_clean",) * (self.y_clean is not None):
            own = [getattr(s, name) for s in sets]
            shared = all(tensor is own[0] for tensor in own)  # then a view of one copy is enough
            first = own[0].to(self.device).unsqueeze(0)
            stacked[name] = first.expand(len(own), *own[0].shape) if shared else torch.stack(own)
        whole = replace(self, **stacked, content=self.hashes(), per_replica=True)
        return whole.to(self.y_train.device)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Raw training inputs (R, b, ...) and one-hot labels (R, b, c) at `index` (R, b)."""
        at: tuple[Tensor, ...] = (index,)
        if self.per_replica:
            at = (torch.arange(len(index), device=index.device).unsqueeze(1), index)
        return self.x_train[at], self.one_hot[at]

    def together(self, runs: int) -> int:
        """As `DataSource.together`: all of them."""
        return runs

    def check(self, job: Config, ranks: int) -> None:
        """As `DataSource.check`."""
        if job.recipe.resized_crop:
            raise InputError(
                "recipe.resized_crop is for dataset=imagenet; here use recipe.crop_padding"
            )
        padding = job.recipe.crop_padding or 0
        if padding and padding >= min(self.input_shape[1:]):
            raise InputError(
                f"recipe.crop_padding={padding}: a crop could miss pictures of "
                f"{self.input_shape[1]} x {self.input_shape[2]} pixels altogether; must be less"
            )

    def batches(self, config: Config, alphas: Sequence[Optional[float]]) -> Batches:
        """As `DataSource.batches`."""
        padding, flip = config.recipe.crop_padding or 0, bool(config.recipe.flip)
        mean = None
        if needs_means(config.method):
            mean = modification(self, [a for a in alphas if a is not None], padding, flip)
        return MemoryBatches(self, padding, config.method.pairing != "uniform", mean)

    def chunks(
        self, part: str, size: int, replicas: int = 1, rank: int = 0, world_size: int = 1
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """As `DataSource.chunks`."""
        x, y = (self.x_train, self.y_train) if part == "train" else (self.x_test, self.y_test)
        if not self.per_replica:
            x, y = x.expand(replicas, *x.shape), y.expand(replicas, *y.shape)
        pairs = zip(x.split(size, dim=1), y.split(size, dim=1))
        for k, (x, y) in list(enumerate(pairs))[rank::world_size]:
            yield k, x, y

    @property
    def true_labels(self) -> Tensor:
        """The training labels before any were made wrong."""
        return self.y_train if self.y_clean is None else self.y_clean

    @cached_property
    def one_hot(self) -> Tensor:
        """(n, classes) the training labels."""
        return F.one_hot(self.y_train, self.classes).float()

    @property
    def device(self) -> torch.device:
        """As `DataSource.device`."""
        return self.y_train.device

    @property
    def n_train(self) -> int:
        return self.y_train.shape[-1]

    @property
    def n_test(self) -> int:
        return self.y_test.shape[-1]

    @property
    def is_image(self) -> bool:
        return self.x_train.dtype == torch.uint8

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one network input: (C, H, W) or (d,)."""
        shape = tuple(self.x_train.shape[self.y_train.ndim :])
        return (shape[2], shape[0], shape[1]) if self.is_image else shape

    def hashes(self) -> dict[str, str]:
        """`content`, hashed once. Of sets drawn by seed, that of seed 0."""
        if self.content is None:
            names = self.class_names or [str(k) for k in range(self.classes)]
            with phase("hashing", self.n_train + self.n_test, "examples"):
                tensors = {name: fingerprint.of_tensor(getattr(self, name)) for name in TENSORS}
            self.content = tensors | {"class_names": fingerprint.of_names(names)}
        return self.content

    def fingerprint(self) -> dict[str, Any]:
        """As `DataSource.fingerprint`."""
        return fingerprint.of_source(self)

    def normalise(self, pixels: Tensor) -> Tensor:
        """As `DataSource.normalise`; features are left as they are."""
        return normalised(pixels, self._affine) if self.is_image else pixels

    @cached_property
    def x_bar(self) -> Tensor:
        """The mean training input after normalisation, without augmentation (paper: x-bar).

        (*input) for one data set; (R, 1, *input) for one a replica, which broadcasts over examples.
        """
        if not self.is_image:
            mean = host(self.x_train).double().mean(-2, keepdim=self.per_replica)
            return mean.float().to(self.device)
        chunks = self.x_train.split(4096, dim=-4)
        total = torch.stack([host(chunk).sum(-4, dtype=torch.float64) for chunk in chunks]).sum(0)
        scale, shift = self._affine
        mean = (total / self.n_train).movedim(-1, -3).float().to(self.device) * scale + shift
        return mean.unsqueeze(1) if self.per_replica else mean

    @cached_property
    def y_bar(self) -> Tensor:
        """(classes,) or (R, 1, classes), the training set's class frequencies (paper: y-bar)."""
        share = host(self.one_hot).double().mean(-2, keepdim=self.per_replica)
        return share.float().to(self.device)
