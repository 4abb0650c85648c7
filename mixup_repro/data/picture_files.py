"""Picture files in class folders: which there are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Optional

import numpy as np

from mixup_repro.distributed import rank
from mixup_repro.errors import InputError

# Formats of single pictures that Pillow reads, by the names that files have.
SUFFIXES = frozenset(
    ".apng .avif .bmp .dib .gif .ico .j2k .jfif .jp2 .jpe .jpeg .jpg .jpx .pbm .pcx .pgm .png .pnm "
    ".ppm .tga .tif .tiff .webp".split()
)
NAMED = 3  # of the files that are passed over, so many are named; all are counted
AT_ONCE = 64  # parts of a folder's files whose sizes are asked for at the same time


@dataclass(frozen=True)
class Pictures:
    """Pictures below a folder.

    paths: (n,) bytes, below `folder`. One array: a million Python strings would be copied into
        every reading process.
    y: (n,) int64, a number for each picture: its class, or whatever else identifies it.
    resize: the shorter side before a picture is cropped at the centre; None crops it as it is.
    border: pixels that are cut off each side before anything else.
    others: names of files in the class folders that are no pictures, hidden ones aside.
    skipped: how many files there are no pictures, hidden ones among them.
    """

    folder: Path
    paths: np.ndarray
    y: np.ndarray
    resize: Optional[int] = None
    border: int = 0
    others: tuple[str, ...] = ()
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, k: int) -> Path:
        """Where the k-th lies."""
        return self.folder / os.fsdecode(self.paths[k])

    def sizes(self) -> list[int]:
        """The bytes of each file, many asked for at once: a network drive answers each one late."""
        root = os.fsencode(self.folder)

        def measure(paths: np.ndarray) -> list[int]:
            return [os.path.getsize(os.path.join(root, path)) for path in paths]

        with ThreadPoolExecutor() as pool:
            parts = pool.map(measure, np.array_split(self.paths, AT_ONCE))
            return [size for part in parts for size in part]


def class_folders(root: Path, train: str, test: str) -> list[str]:
    """The names of the class folders of <root>/<train> and <root>/<test>, sorted.

    Raises:
        InputError: fewer than two, or the two parts have different ones.
    """
    here, there = (
        sorted(e.name for e in os.scandir(root / part) if e.is_dir() and e.name[0] != ".")
        for part in (train, test)
    )
    if len(here) < 2:
        raise InputError(f"{root / train}: found {len(here)} class folder, needs at least 2")
    if here != there:
        odd = sorted(set(here) ^ set(there))
        raise InputError(f"{root}: class {odd[0]} is in only one of {train} and {test}")
    return here


def in_class_folders(folder: Path, numbers: dict[str, int], **how: Any) -> Pictures:
    """The pictures of <folder>/<name>/ for each name, which stand for the class of this number.

    In the order given, and by file name within a class. how: further fields of `Pictures`.

    Raises:
        InputError: a class folder that is missing, or holds no pictures.
    """
    paths, y, others, skipped = [], [], [], 0
    for name, number in numbers.items():
        try:
            found = os.listdir(folder / name)
        except OSError as error:
            there = sum((folder / name).is_dir() for name in numbers)
            raise InputError(
                f"{folder / name}: no such class folder; {folder} holds {there} of {len(numbers)}"
            ) from error
        files = sorted(filter(is_picture, found))
        if not files:
            raise InputError(f"{folder / name}: no pictures in this class folder")
        skipped += len(found) - len(files)
        others += [f"{name}/{x}" for x in sorted(found) if not is_picture(x) and x[0] != "."]
        paths += [os.fsencode(f"{name}/{file}") for file in files]
        y += [number] * len(files)
    return Pictures(
        folder, np.array(paths), np.array(y), others=tuple(others), skipped=skipped, **how
    )


def is_picture(name: str) -> bool:
    """Whether a file in a class folder is a picture, by its name.

    Archives made on a Mac hold a hidden "._x.JPEG", which is none, beside each x.JPEG.
    """
    return Path(name).suffix.lower() in SUFFIXES and name[0] != "."


def tell_others(parts: Iterable[Pictures]) -> None:
    """Say which files in class folders are passed over, on standard error and once a process."""
    for pictures in parts:
        if pictures.others and rank() == 0:
            n, some = len(pictures.others), ", ".join(pictures.others[:NAMED])
            count = "1 file, no picture" if n == 1 else f"{n} files, no pictures"
            more = ", ..." if n > NAMED else ""
            _say_once(f"{pictures.folder}: passed over {count}: {some}{more}")


@cache
def _say_once(line: str) -> None:
    print(os.fsencode(line).decode(errors="backslashreplace"), file=sys.stderr)
