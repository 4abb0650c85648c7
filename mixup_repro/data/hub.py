"""Data sets of pictures as the package `datasets` of Hugging Face reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.given import as_dataset, numbered, stacked
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

TEST = ("test", "validation", "valid", "val")  # the first there is


def huggingface(config: DatasetConfig) -> Dataset:
    """Load `config.root`: <owner>/<name> of the hub, or a folder that `save_to_disk` wrote.

    Its pictures are the only column of pictures; its labels `config.column`, else the only column
    of classes.

    Raises:
        InputError: no package `datasets`, nothing to load, no training or test examples, or columns
            that are missing or ambiguous.
    """
    root = config.root or ""
    parts = _load(root)
    test = next((name for name in TEST if name in parts), None)
    if "train" not in parts or test is None:
        raise InputError(
            f"{root}: has {', '.join(parts)}, and needs train and one of {', '.join(TEST)}"
        )
    own = {"train": parts["train"], "test": parts[test]}
    features = own["train"].features
    pictures = _only(features, "Image", root, "of pictures")
    column = config.column or _only(features, "ClassLabel", root, "of classes")
    if column not in features:
        raise InputError(f"dataset.column={column}: {root} has {', '.join(features)}")
    y = numbered((np.array(part[column]) for part in own.values()), root)
    names = getattr(features[column], "names", None)
    if names:
        y = (y[0], y[1], [names[int(k)] for k in y[2]])
    x = stacked({name: _pictures(part, pictures) for name, part in own.items()}, config, root)
    return as_dataset(config, Path(root).absolute().name, x.values(), y)


def _load(root: str) -> dict[str, Any]:
    """The parts of a data set by name."""
    try:
        import datasets
    except ImportError as error:
        raise InputError("dataset=huggingface needs a package: pip install datasets") from error
    try:
        if Path(root, "dataset_dict.json").is_file():
            return dict(datasets.load_from_disk(root))
        return dict(datasets.load_dataset(root))
    except Exception as error:  # of many kinds: the hub's, of files, of formats
        line = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"dataset.root={root}: cannot be loaded ({type(error).__name__}: {line})"
        ) from error


def _only(features: dict[str, Any], kind: str, root: str, what: str) -> str:
    """The one column of this kind of feature."""
    found = [name for name, feature in features.items() if type(feature).__name__ == kind]
    if len(found) != 1:
        there = ", ".join(f"{name} ({type(f).__name__})" for name, f in features.items())
        more = "; name the labels' by dataset.column=<name>" if kind == "ClassLabel" else ""
        raise InputError(f"{root}: {len(found)} columns {what}, and one is needed: {there}{more}")
    return found[0]


def _pictures(part: Any, column: str) -> Iterator[Any]:
    for row in part:
        yield row[column]
