"""Scikit-learn's handwritten digits, which come with the package."""

from __future__ import annotations

import torch

from mixup_repro.data.dataset import Dataset
from mixup_repro.schema import DatasetConfig


def digits(config: DatasetConfig) -> Dataset:
    """Scikit-learn's handwritten digits: 1,797 real 8 x 8 scans, pixels 0..16.

    Half of each class is for training (898) and half for testing (899), a fixed stratified split.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans = load_digits()
    pixels = torch.from_numpy(scans.images).to(torch.uint8).unsqueeze(-1)
    y = torch.from_numpy(scans.target).long()
    train, test = train_test_split(
        range(len(y)), test_size=0.5, random_state=0, stratify=scans.target
    )
    return Dataset(
        "digits",
        pixels[train],
        y[train],
        pixels[test],
        y[test],
        classes=10,
        mean=config.mean,
        std=config.std,
        pixel_max=16.0,
    )
