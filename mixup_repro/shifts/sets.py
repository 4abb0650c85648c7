"""The sets and examples of a benchmark, and which of them are asked for."""

from __future__ import annotations

from itertools import product
from typing import Optional

import numpy as np
from torch import Tensor

from mixup_repro.errors import InputError
from mixup_repro.schema import BenchmarkConfig
from mixup_repro.shifts.corruptions import CORRUPTIONS, SEVERITIES

Set = tuple[Optional[str], Optional[int]]  # corruption and severity; None where there are none
Chunk = tuple[int, Tensor, Tensor]  # number, raw inputs (1, b, H, W, C), what `score` needs of each


def of_set(which: Set) -> tuple[str, int]:
    """The corruption and severity of a set that has them."""
    corruption, severity = which
    assert corruption is not None and severity is not None
    return corruption, severity


def corrupted_sets(config: BenchmarkConfig) -> list[tuple[str, int]]:
    """Corruptions by severities, corruption by corruption.

    Raises:
        InputError: one that does not exist, or none at all.
    """
    names = list(config.corruptions or CORRUPTIONS)
    for field, values, known in (
        ("corruptions", names, tuple(CORRUPTIONS)),
        ("severities", config.severities, SEVERITIES),
    ):
        if not values or any(v not in known for v in values):
            raise InputError(
                f"benchmark.{field}={values}: choose from {', '.join(map(str, known))}"
            )
    return list(product(names, config.severities))


def chosen(config: BenchmarkConfig, n: int) -> np.ndarray:
    """The indices of the test examples that are used, in order: benchmark.examples of n, or all.

    They are drawn at random, since a test set may be sorted by class; of the same n, always the
    same ones.

    Raises:
        InputError: fewer than one is asked for, or more than there are.
    """
    examples: Optional[int] = config.examples
    if examples is not None and not 1 <= examples <= n:
        raise InputError(
            f"benchmark.examples={examples}: {config.name} has {n} for testing; choose from 1 to "
            f"that, or null for all"
        )
    return np.sort(np.random.default_rng(0).permutation(n)[:examples])
