"""ImageNet-C, ImageNet-A, ImageNetV2 and ObjectNet as released, read from their folders.

A released folder numbers or names classes in its own way; here each becomes ImageNet's index, which
is the place of a class's WordNet id among the sorted ones of the training set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mixup_repro.data import DataSource
from mixup_repro.data.picture_files import Pictures, in_class_folders
from mixup_repro.errors import InputError
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.imagenet.streamed import StreamedSet
from mixup_repro.schema import BenchmarkConfig
from mixup_repro.shifts.sets import Chunk, Set, chosen, corrupted_sets, of_set

CLASSES = 1000


@cache
def class_table(name: str) -> dict[str, str]:
    """A mapping of `imagenet_classes.json`."""
    return json.loads(Path(__file__).with_name("imagenet_classes.json").read_text())[name]


def indices(text: str) -> list[int]:
    """ "7-9,20" as [7, 8, 9, 20]."""
    ends = [part.partition("-") for part in text.split(",") if part]
    return [i for low, _, high in ends for i in range(int(low), int(high or low) + 1)]


def membership(table: dict[str, str]) -> Tensor:
    """(groups, 1000) bool: which ImageNet classes belong to each group of a table."""
    member = torch.zeros(len(table), CLASSES, dtype=torch.bool)
    for group, text in enumerate(table.values()):
        member[group, indices(text)] = True
    return member


@dataclass(frozen=True)
class Hits:
    """Whether each example was right, (R, n) bool: parts of a set are joined in order."""

    right: Tensor

    def __add__(self, other: Hits) -> Hits:
        return Hits(torch.cat([self.right, other.right], dim=1))

    def cpu(self) -> Hits:
        return Hits(self.right.cpu())


class Streamed:
    """What the released folders of pictures share: one set, scored by accuracy and calibration.

    Raises:
        InputError: a data set that is not ImageNet, a folder that is missing, partial or of other
            classes.
    """

    label: str
    root: Path
    config: BenchmarkConfig
    dataset: StreamedSet
    device: torch.device
    wnids: dict[str, int]  # the index of each class
    listed: Pictures

    def __init__(self, config: BenchmarkConfig, dataset: DataSource) -> None:
        if not isinstance(dataset, StreamedSet):
            raise InputError(
                f"benchmark={config.name}: is for runs on ImageNet, not for {dataset.label}"
            )
        names = dataset.class_names
        known = class_table("imagenet-a").items()
        odd = [w for i, w in known if len(names) != CLASSES or names[int(i)] != w]
        if odd:
            raise InputError(
                f"benchmark={config.name}: needs runs on the {CLASSES} classes of ImageNet; "
                f"{dataset.label} at {dataset.config.root} has {len(names)}, and {odd[0]} is not "
                f"where ImageNet has it"
            )
        self.config, self.dataset = config, dataset
        self.label = self.source = config.name or ""
        self.root = Path(config.root or "")
        self.device = dataset.device
        self.wnids = {wnid: index for index, wnid in enumerate(names)}
        if not self.root.is_dir():
            raise InputError(
                f"no folder {self.root}: download {config.name} and unpack it there, or name its "
                f"folder by benchmark.root=<folder>"
            )
        self.sets: list[Set] = [(None, None)]
        self.listed = self.found()
        self.skipped = self.listed.skipped
        self.n_test = self.count()
        if config.released not in (None, self.n_test):
            raise InputError(
                f"{self.listed.folder} holds {self.n_test:,} examples, and {self.label} has "
                f"{config.released:,}: the download or its unpacking is not complete; "
                f"benchmark.released=null takes it as it is"
            )
        if config.examples is not None:
            index = chosen(config, self.n_test)
            paths, y = self.listed.paths[index], self.listed.y[index]
            self.listed, self.n_test = replace(self.listed, paths=paths, y=y), len(index)

    def found(self) -> Pictures:
        """All pictures of the (first) set, with what `score` needs of each as y."""
        raise NotImplementedError

    def count(self) -> int:
        """How many examples that makes."""
        return len(self.listed)

    def pictures(self, which: Set) -> Pictures:
        """The pictures of a set."""
        return self.listed

    def chunks(self, which: Set, size: int, rank: int, world_size: int) -> Iterator[Chunk]:
        """As `Benchmark.chunks`."""
        return self.dataset.chunks(self.pictures(which), size, 1, rank, world_size)

    def score(self, logits: Tensor, y: Tensor) -> Any:
        return sums(logits, y)

    def rows(self, total: Any) -> list[dict[str, Any]]:
        return metrics(total)


class ImageNetC(Streamed):
    """<root>/<corruption>/<severity>/<wnid>/*.JPEG, 224 x 224 pixels, the same names in every set.

    `imagenet-c` takes them as they are (Hendrycks and Dietterich, 2019); `imagenet-c-resized`
    treats them like any test picture, as the authors' code does: the border is lost, the rest
    enlarged.
    """

    def found(self) -> Pictures:
        self.sets = [*corrupted_sets(self.config)]
        first, *others = map(self._list, self.sets)
        for other in others:
            odd = set(first.paths.tolist()) ^ set(other.paths.tolist())
            if odd:
                raise InputError(
                    f"{other.folder} and {first.folder} differ by {len(odd)} pictures, such as "
                    f"{min(odd).decode()}: the download or its unpacking is not complete"
                )
        return first

    def _list(self, which: Set) -> Pictures:
        folder = self._folder(which)
        if not folder.is_dir():
            raise InputError(
                f"no folder {folder}: unpack the archive that holds {which[0]}, or choose others "
                f"by benchmark.corruptions and benchmark.severities"
            )
        resize = None if self.label == "imagenet-c" else self.dataset.config.resize
        listed = in_class_folders(folder, self.wnids, resize=resize)
        with Image.open(folder / os.fsdecode(listed.paths[0])) as picture:
            if resize is None and picture.size != (self.dataset.size,) * 2:
                raise InputError(
                    f"{os.fsdecode(listed.paths[0])} has {picture.size} pixels, and the runs were "
                    f"trained on {self.dataset.size}: benchmark=imagenet_c_resized resizes it"
                )
        return listed

    def _folder(self, which: Set) -> Path:
        corruption, severity = of_set(which)
        return self.root / corruption / str(severity)

    def pictures(self, which: Set) -> Pictures:
        return replace(self.listed, folder=self._folder(which))


class ImageNetA(Streamed):
    """<root>/<wnid>/*.jpg of 200 classes: `imagenet-a` among all 1000, `imagenet-a-200` of the 200.

    Which of the two is not in the paper; its numbers, and its authors' code, fit the first.
    """

    def found(self) -> Pictures:
        table = class_table("imagenet-a")
        numbers = {wnid: self.wnids[wnid] for wnid in table.values()}
        if self.config.name == "imagenet-a-200":
            numbers = {wnid: k for k, wnid in enumerate(table.values())}
        self.among = torch.tensor([int(i) for i in table], device=self.device)
        return in_class_folders(self.root, numbers, resize=self.dataset.config.resize)

    def score(self, logits: Tensor, y: Tensor) -> Any:
        if self.config.name == "imagenet-a-200":
            logits = logits[..., self.among]
        return sums(logits, y)


class ImageNetV2(Streamed):
    """<root>/<0..999>/*.jpeg: a folder's name is the class's index, whatever its place when sorted.

    An older archive names folders by WordNet id.
    """

    def found(self) -> Pictures:
        numbered = (self.root / "0").is_dir()
        numbers = {str(k): k for k in range(CLASSES)} if numbered else self.wnids
        return in_class_folders(self.root, numbers, resize=self.dataset.config.resize)


class ObjectNet(Streamed):
    """<root>/images/<folder>/*.png: 113 of 313 folders stand for one to three ImageNet classes.

    A picture has a red border of one pixel; two are cut off each side. A prediction among all 1000
    classes is right if it is any of the folder's (the paper's numbers fit this).
    """

    def found(self) -> Pictures:
        table = class_table("objectnet")
        self.member = membership(table).to(self.device)
        numbers = {folder: group for group, folder in enumerate(table)}
        how = {"resize": self.dataset.config.resize, "border": 2}
        return in_class_folders(self.root / "images", numbers, **how)

    def score(self, logits: Tensor, y: Tensor) -> Hits:
        return Hits(self.member[y, logits.argmax(-1)])

    def rows(self, total: Hits) -> list[dict[str, Any]]:
        return [{"accuracy": r.double().mean().item(), "n_test": len(r)} for r in total.right]
