"""Toy data sets of the papers."""

import torch

from mixup_repro.config import DatasetConfig
from mixup_repro.data.dataset import Dataset
from mixup_repro.errors import InputError


def alternating_line(config: DatasetConfig) -> Dataset:
    """X_m^k: the points 0..m-1 on a line, each labelled with its value mod k.

    Chidambaram et al., Definitions 2.6 and D.1. The test set is the training set: the paper asks
    whether the points themselves are classified correctly.

    Raises:
        InputError: m < k or k < 2.
    """
    m, k = config.points, config.classes
    if not m or not k or not 2 <= k <= m:
        raise InputError(
            f"dataset.points={m}, dataset.classes={k}: X_m^k needs 2 <= classes <= points"
        )
    x = torch.arange(m, dtype=torch.float32).unsqueeze(1)
    y = torch.arange(m) % k
    return Dataset(f"x_{m}^{k}", x, y, x, y, classes=k)
