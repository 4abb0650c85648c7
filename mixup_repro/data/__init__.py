"""Data sets: in memory, or streamed from disk; pixels are uint8 until a batch is formed."""

from mixup_repro.config import DatasetConfig
from mixup_repro.data import fingerprint
from mixup_repro.data.dataset import Dataset
from mixup_repro.data.image_folder import image_folder
from mixup_repro.data.images import digits, torchvision_set
from mixup_repro.data.streamed import StreamedSet, imagenet
from mixup_repro.data.toy import alternating_line, gaussians, separated_moons, two_moons
from mixup_repro.errors import InputError

__all__ = ["Dataset", "StreamedSet", "load"]

LOADERS = {
    "alternating_line": alternating_line,
    "two_moons": two_moons,
    "separated_moons": separated_moons,
    "gaussians": gaussians,
    "digits": digits,
    "mnist": torchvision_set,
    "cifar10": torchvision_set,
    "cifar100": torchvision_set,
    "image_folder": image_folder,
    "imagenet": imagenet,
}


def load(config: DatasetConfig) -> Dataset | StreamedSet:
    """Load a data set by the name in its config.

    A known set that was altered is refused, unless it has a label of its own.

    Raises:
        InputError: unknown name, or files missing, partial, altered or unreadable (says what to
            do).
    """
    if config.name not in LOADERS:
        raise InputError(f"dataset.name={config.name}: choose one of {', '.join(LOADERS)}")
    dataset = LOADERS[config.name](config)
    if config.fingerprint and not config.label:
        fingerprint.check_known(config.name, config.root, dataset.hashes(), config.fingerprint)
    return dataset
