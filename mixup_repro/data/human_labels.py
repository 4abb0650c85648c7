"""Labels that people gave to the training pictures of CIFAR-10 and CIFAR-100 (Wei et al., 2022).

CIFAR-10N has three people's labels of each picture: one of them (random1 to random3), their
majority (aggregate), and a wrong one where there is any (worst). CIFAR-100N has one.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig
from mixup_repro.store.files import published

WHERE = "https://github.com/UCSC-REAL/cifar-10-100n (data/)"
FILES = {  # of a data set: the released file and its MD5
    "cifar10": ("CIFAR-10_human.pt", "96644db5574813cae939af5f7f2a0aec"),
    "cifar100": ("CIFAR-100_human.pt", "a67b45c1d7992051865b5c755bd68bb1"),
}
LABELS = {  # of a value of dataset.labels: the data set, and the file's name for it
    "cifar10n_aggregate": ("cifar10", "aggre_label"),
    "cifar10n_random1": ("cifar10", "random_label1"),
    "cifar10n_random2": ("cifar10", "random_label2"),
    "cifar10n_random3": ("cifar10", "random_label3"),
    "cifar10n_worst": ("cifar10", "worse_label"),
    "cifar100n": ("cifar100", "noisy_label"),
}


def human_labels(config: DatasetConfig) -> Tensor:
    """(50000,) the labels that `dataset.labels` names, in the order of torchvision's pictures.

    Raises:
        InputError: another data set, or a file that is missing or not the published one.
    """
    if config.labels not in LABELS:
        raise InputError(f"dataset.labels={config.labels}: choose one of {', '.join(LABELS)}")
    dataset, key = LABELS[config.labels]
    if config.name != dataset:
        raise InputError(f"dataset.labels={config.labels}: is for dataset={dataset}")
    name, md5 = FILES[dataset]
    content = published(Path(config.root or "") / name, md5, WHERE, "dataset.root")
    return torch.from_numpy(_read(content)[key]).long()


def _read(content: bytes) -> dict[str, Any]:
    """A pickle of NumPy arrays by their names; nothing else in it is run."""
    rebuild = np.zeros(0).__reduce__()[0]
    known: list[Any] = [(rebuild, "numpy.core.multiarray._reconstruct"), rebuild]
    known += [np.ndarray, np.dtype, type(np.dtype("int64"))]
    with torch.serialization.safe_globals(known):
        labels: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True)
    return labels
