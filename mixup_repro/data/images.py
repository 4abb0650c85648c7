"""Image sets that come with a package: scikit-learn's digits, torchvision's MNIST and CIFAR."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

from mixup_repro.data.dataset import Dataset
from mixup_repro.errors import InputError
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


def torchvision_set(config: DatasetConfig) -> Dataset:
    """MNIST, CIFAR-10 or CIFAR-100, downloaded and checked by torchvision where missing.

    Raises:
        InputError: the files are neither there nor could be downloaded, or are damaged.
    """
    from torchvision import datasets

    name = {"mnist": "MNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}[config.name]
    source = getattr(datasets, name)
    root = Path(config.root or "")
    folders = [root / name / "raw", root / name, root]
    new = [folder for folder in folders if not folder.exists()]
    try:
        train, test = (source(root, train=t, download=False) for t in (True, False))
    except Exception:  # missing, or cut short in one of many ways
        try:
            train, test = (source(root, train=t, download=True) for t in (True, False))
        except Exception as error:  # torchvision raises many kinds: URL, checksum, archive
            for folder in new:
                with suppress(OSError):  # a part that did come is kept
                    folder.rmdir()
            raise InputError(
                f"{name} is missing or incomplete in {root} and could not be downloaded "
                f"({type(error).__name__}). Put its files there, or name their folder: "
                f"dataset.root=<folder> or MIXUP_REPRO_DATA=<folder>"
            ) from error
    pixels = [torch.as_tensor(part.data) for part in (train, test)]
    y = [torch.as_tensor(part.targets).long() for part in (train, test)]
    if pixels[0].ndim == 3:
        pixels = [p.unsqueeze(-1) for p in pixels]
    return Dataset(
        config.label or config.name,
        pixels[0],
        y[0],
        pixels[1],
        y[1],
        classes=len(train.classes),
        mean=config.mean,
        std=config.std,
        class_names=train.classes,
    )
