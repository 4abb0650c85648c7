"""Data sets by name; pixels are uint8 until a batch is formed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pkgutil import resolve_name

from mixup_repro.data import fingerprint
from mixup_repro.data.altered import altered
from mixup_repro.data.dataset import Dataset
from mixup_repro.data.source import DataSource
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

__all__ = ["LOADERS", "DataSource", "Dataset", "load"]

ALTERATIONS = ("train_examples", "labels", "flipped", "cue", "rare")


@dataclass(frozen=True)
class Loader:
    """How a data set is made.

    make: the function, below mixup_repro, that makes it of its config: imported when asked for.
    reads: the fields of `dataset` that it reads, besides those of every set; others are refused.
    """

    make: str
    reads: tuple[str, ...]


PIXELS = ("mean", "std")
FILES = ("root", "fingerprint", "label", *PIXELS)
FITTED = ("size", "resize", "interpolation")
LOADERS = {
    "alternating_line": Loader("data.toy:alternating_line", ("points", "classes")),
    "two_moons": Loader("data.toy:two_moons", ("points", "noise")),
    "circles": Loader("data.toy:circles", ("points", "noise", "ratio")),
    "separated_moons": Loader("data.toy:separated_moons", ("points", "noise", "separation")),
    "gaussians": Loader("data.toy:gaussians", ("points", "layout")),
    "digits": Loader("data.images:digits", PIXELS),
    "digits_graph": Loader("data.neighbours:digits_graph", ("points", "hops")),
    "mnist": Loader("data.torchvision_sets:torchvision_set", FILES),
    "cifar10": Loader("data.torchvision_sets:torchvision_set", FILES),
    "cifar100": Loader("data.torchvision_sets:torchvision_set", FILES),
    "torchvision": Loader("data.torchvision_sets:torchvision_set", (*FILES, *FITTED)),
    "npz": Loader("data.arrays:npz", (*FILES, *FITTED)),
    "csv": Loader("data.table:csv", ("root", "label", "column")),
    "huggingface": Loader("data.hub:huggingface", (*FILES, *FITTED, "column")),
    "image_folder": Loader("data.image_folder:image_folder", (*FILES, *FITTED)),
    "imagenet": Loader("imagenet.streamed:imagenet", (*FILES, *FITTED, "workers", "unreadable")),
}


def load(config: DatasetConfig) -> DataSource:
    """Load a data set by the name in its config.

    A known set that was altered is refused, unless it has a label of its own.

    Raises:
        InputError: unknown name, a field that the set does not read, or files missing, partial,
            altered or unreadable (says what to do).
    """
    if config.name not in LOADERS:
        raise InputError(f"dataset.name={config.name}: choose one of {', '.join(LOADERS)}")
    loader = LOADERS[config.name]
    for field, value in asdict(config).items():
        if value is not None and field not in ("name", *loader.reads, *ALTERATIONS):
            readers = ", ".join(name for name, other in LOADERS.items() if field in other.reads)
            raise InputError(
                f"dataset.{field}={value}: is for {readers}; {config.name} does not read it"
            )
    dataset: DataSource = resolve_name(f"mixup_repro.{loader.make}")(config)
    if config.fingerprint and not config.label:
        place = str(config.root)
        fingerprint.check_known(config.name, place, dataset.hashes(), config.fingerprint)
    asked = [n for n in ALTERATIONS if getattr(config, n) is not None]
    if asked and not isinstance(dataset, Dataset):
        raise InputError(f"dataset.{asked[0]}: {dataset.label} is streamed and cannot be altered")
    return altered(dataset, config) if isinstance(dataset, Dataset) else dataset
