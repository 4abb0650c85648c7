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

__all__ = ["LOADERS", "DataSource", "Dataset", "Sizes", "load", "loader_of"]

ALTERATIONS = ("train_examples", "labels", "flipped", "cue", "rare")


@dataclass(frozen=True)
class Sizes:
    """What is known of a released set without its files."""

    n_train: int
    n_test: int
    classes: int
    input_shape: tuple[int, ...]


@dataclass(frozen=True)
class Loader:
    """How a data set is made.

    make: the function, below mixup_repro, that makes it of its config: imported when asked for.
    reads: the fields of `dataset` that it reads, besides those of every set; others are refused.
    sizes: of a set that is released in files; None where it must be made to be known.
    """

    make: str
    reads: tuple[str, ...]
    sizes: Sizes | None = None


PIXELS = ("mean", "std")
FILES = ("root", "fingerprint", "label", *PIXELS)
MNIST = Sizes(60_000, 10_000, 10, (1, 28, 28))
CIFAR10, CIFAR100 = (Sizes(50_000, 10_000, classes, (3, 32, 32)) for classes in (10, 100))
IMAGENET = Sizes(1_281_167, 50_000, 1000, (3, 224, 224))
FITTED = ("size", "resize", "interpolation")
LOADERS = {
    "alternating_line": Loader("data.toy:alternating_line", ("points", "classes")),
    "two_moons": Loader("data.toy:two_moons", ("points", "noise")),
    "circles": Loader("data.toy:circles", ("points", "noise", "ratio")),
    "separated_moons": Loader("data.toy:separated_moons", ("points", "noise", "separation")),
    "gaussians": Loader("data.toy:gaussians", ("points", "layout")),
    "digits": Loader("data.images:digits", PIXELS),
    "digits_graph": Loader("data.neighbours:digits_graph", ("points", "hops")),
    "mnist": Loader("data.torchvision_sets:torchvision_set", FILES, MNIST),
    "cifar10": Loader("data.torchvision_sets:torchvision_set", FILES, CIFAR10),
    "cifar100": Loader("data.torchvision_sets:torchvision_set", FILES, CIFAR100),
    "torchvision": Loader("data.torchvision_sets:torchvision_set", (*FILES, *FITTED)),
    "npz": Loader("data.arrays:npz", (*FILES, *FITTED)),
    "csv": Loader("data.table:csv", ("root", "label", "column")),
    "huggingface": Loader("data.hub:huggingface", (*FILES, *FITTED, "column")),
    "image_folder": Loader("data.image_folder:image_folder", (*FILES, *FITTED)),
    "imagenet": Loader(
        "imagenet.streamed:imagenet", (*FILES, *FITTED, "workers", "unreadable"), IMAGENET
    ),
}


def loader_of(config: DatasetConfig) -> Loader:
    """How the data set of a config is made.

    Raises:
        InputError: unknown name, or a field that the set does not read.
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
    return loader


def load(config: DatasetConfig) -> DataSource:
    """Load a data set by the name in its config.

    A known set that was altered is refused, unless it has a label of its own.

    Raises:
        InputError: as `loader_of`, or files missing, partial, altered or unreadable (says what to
            do).
    """
    loader = loader_of(config)
    dataset: DataSource = resolve_name(f"mixup_repro.{loader.make}")(config)
    if config.fingerprint and not config.label:
        place = str(config.root)
        fingerprint.check_known(config.name, place, dataset.hashes(), config.fingerprint)
    asked = [n for n in ALTERATIONS if getattr(config, n) is not None]
    if asked and not isinstance(dataset, Dataset):
        raise InputError(f"dataset.{asked[0]}: {dataset.label} is streamed and cannot be altered")
    return altered(dataset, config) if isinstance(dataset, Dataset) else dataset
