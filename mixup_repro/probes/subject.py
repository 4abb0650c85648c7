"""What a probe is asked of: a stack of finished runs with their data and their random numbers."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mixup_repro import interrupt
from mixup_repro.data import Dataset
from mixup_repro.errors import InputError
from mixup_repro.methods.losses import convex
from mixup_repro.networks import Replicas
from mixup_repro.plan import stream
from mixup_repro.schema import Run

# (setting, metric): a value for each replica, (R,); nan where it is not defined.
Answers = dict[tuple[str, str], Tensor]

NUMBERS = 2**24  # in one tensor of a pass: 64 MiB of float32
EXAMPLES = 200  # in one pass, at most


def check_pictures(data: Dataset) -> None:
    """Raise InputError where the examples are no pictures."""
    if not data.is_image:
        raise InputError(f"needs pictures, and {data.label} has none")


@dataclass(frozen=True)
class Subject:
    """Finished runs of one job as a stack, in evaluation mode.

    probe: its name. runs: one for each replica; they differ in seed and alpha only. dataset: of the
    runs' seeds. Networks take inputs (R, b, ...), and give logits (R, b, c).
    """

    probe: str
    network: Replicas
    dataset: Dataset
    runs: Sequence[Run]

    @cached_property
    def rngs(self) -> list[np.random.Generator]:
        """A generator for each replica, of its seed and this probe."""
        purpose = zlib.crc32(self.probe.encode())
        return [stream(run.seed, "probe", purpose) for run in self.runs]

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return next(self.network.parameters()).dtype

    def drawn(self, draw: Callable[..., np.ndarray], *own: Sequence[float]) -> Tensor:
        """What `draw` returns for each replica, stacked (R, ...) on the data set's device.

        draw: of a generator, and of what is the replica's `own`.
        """
        values = torch.from_numpy(np.stack([draw(*each) for each in zip(self.rngs, *own)]))
        values = values.to(self.dtype) if values.is_floating_point() else values
        return values.to(self.dataset.device)

    def examples(self, part: str, most: int) -> tuple[Tensor, Tensor]:
        """Raw inputs (R, n, ...) and classes (R, n) of a part (train or test), drawn once a seed.

        n: `most`, or all examples where there are fewer.
        """
        n = self.dataset.n_train if part == "train" else self.dataset.n_test
        return self.at(part, self.drawn(lambda rng: rng.permutation(n)[:most]))

    def at(self, part: str, index: Tensor) -> tuple[Tensor, Tensor]:
        """Raw inputs (R, n, ...) and classes (R, n) of a part, at an index (R, n)."""
        x, y = (getattr(self.dataset, f"{name}_{part}") for name in "xy")
        if not self.dataset.per_replica:
            return x[index], y[index]
        replica = torch.arange(len(index), device=index.device).unsqueeze(1)
        return x[replica, index], y[replica, index]

    def inputs(self, raw: Tensor) -> Tensor:
        """Raw inputs as the network takes them."""
        return self.dataset.normalise(raw).to(self.dtype)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (R, n, c) at inputs (R, n, ...), in passes of few examples."""
        return torch.cat([self.network(part) for (part,) in self.chunks(x)], dim=1)

    def chunks(self, *tensors: Tensor, width: int = 1) -> Iterator[tuple[Tensor, ...]]:
        """Tensors (R, n, ...) in passes of few examples, each of which takes `width` numbers."""
        size = max(1, min(EXAMPLES, NUMBERS // (len(self.runs) * width)))
        for parts in zip(*(t.split(size, dim=1) for t in tensors)):
            interrupt.check()
            yield parts

    def mixed(self, x: Tensor, y: Tensor, alphas: Sequence[float]) -> tuple[Tensor, Tensor]:
        """Mixup of inputs (R, n, ...) and one-hot labels (R, n, c), at an alpha a replica.

        Each example has a partner drawn from all of them, and a lambda of its own.
        """
        n, replica = y.shape[1], torch.arange(len(y), device=y.device).unsqueeze(1)
        at = replica, self.drawn(lambda rng: rng.integers(n, size=n))
        lam = self.drawn(lambda rng, alpha: rng.beta(alpha, alpha, n), alphas)
        return convex(x, x[at], lam), convex(y, y[at], lam)
