"""Data sets by name; pixels are uint8 until a batch is formed."""

from __future__ import annotations

from pkgutil import resolve_name

from mixup_repro.data import fingerprint
from mixup_repro.data.altered import altered
from mixup_repro.data.dataset import Dataset
from mixup_repro.data.source import DataSource
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

__all__ = ["LOADERS", "DataSource", "Dataset", "load"]

ALTERATIONS = ("train_examples", "labels", "flipped", "cue", "rare")
# The function, below mixup_repro, that makes each from its config: imported when asked for.
LOADERS = {
    "alternating_line": "data.toy:alternating_line",
    "two_moons": "data.toy:two_moons",
    "circles": "data.toy:circles",
    "separated_moons": "data.toy:separated_moons",
    "gaussians": "data.toy:gaussians",
    "digits": "data.images:digits",
    "mnist": "data.images:torchvision_set",
    "cifar10": "data.images:torchvision_set",
    "cifar100": "data.images:torchvision_set",
    "image_folder": "data.image_folder:image_folder",
    "imagenet": "imagenet.streamed:imagenet",
}


def load(config: DatasetConfig) -> DataSource:
    """Load a data set by the name in its config.

    A known set that was altered is refused, unless it has a label of its own.

    Raises:
        InputError: unknown name, or files missing, partial, altered or unreadable (says what to
            do).
    """
    if config.name not in LOADERS:
        raise InputError(f"dataset.name={config.name}: choose one of {', '.join(LOADERS)}")
    dataset: DataSource = resolve_name(f"mixup_repro.{LOADERS[config.name]}")(config)
    if config.fingerprint and not config.label:
        place = str(config.root)
        fingerprint.check_known(config.name, place, dataset.hashes(), config.fingerprint)
    asked = [n for n in ALTERATIONS if getattr(config, n) is not None]
    if asked and not isinstance(dataset, Dataset):
        raise InputError(f"dataset.{asked[0]}: {dataset.label} is streamed and cannot be altered")
    return altered(dataset, config) if isinstance(dataset, Dataset) else dataset
