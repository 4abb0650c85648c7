"""What a data set's content is known by: hashes of its pixels, labels and class names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from mixup_repro.data.source import DataSource

from mixup_repro.errors import InputError

DIGITS = 16  # hexadecimal digits of a part's hash: two sets share one with probability 2^-64


def of_tensor(tensor: Tensor) -> str:
    """The hash of a tensor's type, shape and values."""
    values = tensor.detach().cpu().contiguous().numpy()
    return _digest(f"{values.dtype} {values.shape}".encode(), values.data)


def of_names(names: Iterable[str]) -> str:
    """The hash of a list of names, in order; names of files need not be UTF-8."""
    return _digest(*(part for name in names for part in (os.fsencode(name), b"\0")))


def of_files(paths: Iterable[bytes], sizes: Iterable[int]) -> str:
    """The hash of files' names and sizes, in order."""
    return _digest(*(b"%s\0%d\0" % pair for pair in zip(paths, sizes)))


def combined(parts: Mapping[str, str]) -> str:
    """One fingerprint of all parts: 64 hexadecimal digits."""
    text = "\n".join(f"{name} {value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def of_source(source: DataSource) -> dict[str, Any]:
    """What must agree when a stored run is used with a data set again."""
    return {
        "n_train": source.n_train,
        "n_test": source.n_test,
        "classes": source.classes,
        "input_shape": list(source.input_shape),
        "content": source.hashes(),
        "fingerprint": combined(source.hashes()),
    }


def check_known(name: str, place: str, parts: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Raise InputError where a known set is not what is in its place."""
    odd = [part for part, value in parts.items() if known.get(part, value) != value]
    if odd:
        raise InputError(
            f"{place} does not hold {name}: its {', '.join(odd)} are others. Remove its files, and "
            f"they are downloaded again; or give altered data a name of their own: "
            f"dataset.label=<name>"
        )


def _digest(*content: bytes | memoryview) -> str:
    digest = hashlib.sha256()
    for part in content:
        digest.update(part)
    return digest.hexdigest()[:DIGITS]
