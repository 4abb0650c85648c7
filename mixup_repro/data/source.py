"""What every data set is to the rest of the project, in memory or streamed from disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Optional, Protocol

import torch
from torch import Tensor

from mixup_repro.data.batches import Batches
from mixup_repro.schema import Config


class DataSource(Protocol):
    """A classification data set, split into training and test examples.

    label: its name in results.
    unreadable: names of the files that were passed over so far.
    """

    label: str
    classes: int
    y_test: Tensor
    grid: Optional[Tensor]  # points (m, d) at which a run's final predictions are kept
    unreadable: set[str]

    @property
    def device(self) -> torch.device:
        """Where its batches are."""

    @property
    def n_train(self) -> int: ...

    @property
    def n_test(self) -> int: ...

    @property
    def is_image(self) -> bool:
        """Whether its examples are pictures."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one network input: (C, H, W) or (d,)."""

    @property
    def x_bar(self) -> Tensor:
        """The mean training input after normalisation, without augmentation (paper: x-bar)."""

    @property
    def y_bar(self) -> Tensor:
        """The training set's class frequencies (paper: y-bar)."""

    def to(self, device: torch.device) -> DataSource:
        """The same, for batches on `device`."""

    def for_seeds(self, seeds: Sequence[int]) -> DataSource:
        """What a stack of runs with these seeds trains on: itself, or a data set for each."""

    def together(self, runs: int) -> int:
        """How many of so many runs can be trained on it as one stack."""

    def check(self, job: Config, ranks: int) -> None:
        """Raise InputError, saying what to do, where a job asks of it what it cannot give."""

    def batches(self, config: Config, alphas: Sequence[Optional[float]]) -> Batches:
        """Its training examples as a run's recipe and method want them.

        config: of the runs of a stack; alphas: theirs, one a replica.
        """

    def chunks(
        self, part: str, size: int, replicas: int = 1, rank: int = 0, world_size: int = 1
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """A rank's chunks of a part (train or test): number, raw inputs (R, b, ...), y (R, b).

        Ranks take turns with the chunks, which have `size` examples, but for the last.
        """

    def normalise(self, pixels: Tensor) -> Tensor:
        """Raw inputs to what a network takes: pixels (..., H, W, C) to (..., C, H, W) float32."""

    def hashes(self) -> dict[str, str]:
        """Hashes of its content: examples, labels and class names, by name."""

    def fingerprint(self) -> dict[str, Any]:
        """What must agree when a stored run is used with this data set again."""
