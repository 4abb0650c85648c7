"""Test sets out of distribution: corrupted copies of a test set, and ImageNet's variants.

A benchmark's `label` names its results. Generated pictures are labelled `<dataset>-c-generated`, so
their results are never taken for those of released ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from torch import Tensor

from mixup_repro.data import DataSource
from mixup_repro.errors import InputError
from mixup_repro.schema import BenchmarkConfig
from mixup_repro.shifts import corrupted, imagenet_variants, people, video
from mixup_repro.shifts.sets import Chunk, Set


class Benchmark(Protocol):
    """Test sets that finished runs of one data set are evaluated on.

    source: changes when the pictures do, so that results of other pictures are not kept.
    sets: those that the job asks for, in order.
    n_test: how many examples (or sets of video frames) one result is the mean of.
    skipped: how many files in the folders are no pictures, and are passed over.
    """

    label: str
    source: str
    sets: list[Set]
    n_test: int
    skipped: int

    def chunks(self, which: Set, size: int, rank: int, world_size: int) -> Iterator[Chunk]:
        """A rank's chunks of a set: number, raw inputs (1, b, H, W, C) and what `score` needs."""

    def score(self, logits: Tensor, y: Tensor) -> Any:
        """What is kept of logits (R, b, classes) on a chunk: `+` joins it to the next chunk's."""

    def rows(self, total: Any) -> list[dict[str, Any]]:
        """Metrics of the sum of all chunks' scores, for each replica."""


@dataclass(frozen=True)
class Kind:
    """How a benchmark is made, and which fields of `benchmark` it reads besides name and root.

    Other fields are refused, since the results would not be those that were asked for.
    """

    make: Callable[[BenchmarkConfig, DataSource], Benchmark]
    reads: tuple[str, ...]


SETS = ("corruptions", "severities")
RELEASED = Kind(corrupted.Released, (*SETS, "examples"))
IMAGENET_C = Kind(imagenet_variants.ImageNetC, (*SETS, "examples", "released"))
IMAGENET_A = Kind(imagenet_variants.ImageNetA, ("examples", "released"))
KINDS = {
    "generated": Kind(corrupted.Generated, (*SETS, "examples")),
    "cifar10-h": Kind(people.People, ("examples",)),
    **dict.fromkeys(corrupted.RELEASED, RELEASED),
    **dict.fromkeys(("imagenet-c", "imagenet-c-resized"), IMAGENET_C),
    **dict.fromkeys(("imagenet-a", "imagenet-a-200"), IMAGENET_A),
    "imagenet-v2": Kind(imagenet_variants.ImageNetV2, ("examples", "released")),
    "objectnet": Kind(imagenet_variants.ObjectNet, ("examples", "released")),
    "imagenet-vid-robust": Kind(video.VidRobust, ("released",)),
    "ytbb-robust": Kind(video.YtbbRobust, ("released",)),
}


def benchmark(config: BenchmarkConfig, dataset: DataSource) -> Benchmark:
    """The benchmark a job asks for, checked: nothing it lacks is found out later.

    Raises:
        InputError: an unknown benchmark, a field that it does not read, a data set that it is not
            for, files that are missing, partial or of other examples.
    """
    if config.name not in KINDS:
        raise InputError(f"benchmark.name={config.name}: choose one of {', '.join(KINDS)}")
    if not config.root:
        raise InputError(f"benchmark.name={config.name}: needs benchmark.root=<folder>")
    if not dataset.is_image:
        raise InputError(f"benchmark={config.name}: is for pictures, and {dataset.label} has none")
    kind, untouched = KINDS[config.name], BenchmarkConfig(config.name, config.root)
    for field, value in asdict(config).items():
        if value != getattr(untouched, field) and field not in kind.reads:
            raise InputError(f"benchmark.{field}={value}: {config.name} does not read it")
    return kind.make(config, dataset)
