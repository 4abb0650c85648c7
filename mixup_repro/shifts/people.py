"""CIFAR-10H (Peterson et al., 2019): what about 50 people say of each test picture of CIFAR-10.

The pictures are the test set's own, and the truth of one is the share of people for each class. So
accuracy is the share that agrees with the prediction, cross-entropy is never below the entropy of
people's votes, and a network is calibrated if it is as sure as they agree.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from mixup_repro.data import Dataset, DataSource
from mixup_repro.errors import InputError
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.schema import BenchmarkConfig
from mixup_repro.shifts.sets import Chunk, Set, chosen
from mixup_repro.store.files import published

FILE, MD5 = "cifar10h-counts.npy", "f1284b6fba48a67d3db69bbafb5685ad"
WHERE = "https://github.com/jcpeterson/cifar-10h (data/cifar10h-counts.npy)"


class People:
    """The test pictures of CIFAR-10 with the votes of <root>/cifar10h-counts.npy.

    Raises:
        InputError: another data set, or a file that is missing or not the published one.
    """

    skipped = 0

    def __init__(self, config: BenchmarkConfig, dataset: DataSource) -> None:
        if not isinstance(dataset, Dataset) or dataset.label != "cifar10":
            raise InputError(
                f"benchmark={config.name}: is for runs on dataset=cifar10, not for {dataset.label}"
            )
        content = published(Path(config.root or "") / FILE, MD5, WHERE, "benchmark.root")
        votes = torch.from_numpy(np.load(io.BytesIO(content))).float()
        self.shares = votes / votes.sum(1, keepdim=True)
        self.label = self.source = config.name or ""
        self.sets: list[Set] = [(None, None)]
        self.dataset = dataset
        self.index = torch.from_numpy(chosen(config, dataset.n_test))
        self.n_test = len(self.index)

    def chunks(self, which: Set, size: int, rank: int, world_size: int) -> Iterator[Chunk]:
        """As `Benchmark.chunks`; y (1, b, 10) are the shares of people."""
        for k, part in list(enumerate(self.index.split(size)))[rank::world_size]:
            x = self.dataset.x_test[part.to(self.dataset.device)]
            yield k, x.unsqueeze(0), self.shares[part].to(x.device).unsqueeze(0)

    score = staticmethod(sums)
    rows = staticmethod(metrics)
