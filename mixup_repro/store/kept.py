"""What was computed from the same inputs before, so that a report makes anew only what changed."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mixup_repro.errors import DamagedError
from mixup_repro.paths import CONFIGS, PACKAGE
from mixup_repro.store.files import read_json, write_json

LIBRARIES = "hydra-core matplotlib numpy omegaconf pandas scikit-learn scipy torch".split()


@cache
def basis() -> str:
    """A hash of what a value rests on besides its inputs: our code, configs and libraries."""
    parts = [sys.version, *map(version, LIBRARIES)]
    for folder in (PACKAGE, CONFIGS):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                parts.append(f"{path.relative_to(folder)} {digest(path.read_bytes())}")
    return digest("\n".join(parts).encode())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Kept:
    """Values by kind in <folder>/.kept.json. Of other code, or damaged, it keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / ".kept.json"
        try:
            found = read_json(self.path)
        except (FileNotFoundError, DamagedError):
            found = {}
        self.values: dict[str, Any] = {"basis": basis()}
        if found.get("basis") == basis():
            self.values = found

    def of(self, kind: str) -> dict[str, Any]:
        """The values of a kind by name, to read and to add to."""
        values: dict[str, Any] = self.values.setdefault(kind, {})
        return values

    def has(self, name: str, inputs: bytes) -> bool:
        """Whether the files lie there as they were noted of the same inputs."""
        told = self.of("files").get(name, {})
        same = told.get("inputs") == digest(inputs)
        return same and told["outputs"] == self._digests(told["outputs"])

    def note(self, name: str, inputs: bytes, written: Iterable[Path]) -> None:
        """Files were written of these inputs."""
        names = [path.relative_to(self.folder).as_posix() for path in written]
        files = self.of("files")
        files[name] = {"inputs": digest(inputs), "outputs": self._digests(names)}

    def _digests(self, names: Iterable[str]) -> dict[str, str]:
        paths = {name: self.folder / name for name in names}
        return {name: digest(p.read_bytes()) for name, p in paths.items() if p.is_file()}

    def save(self) -> None:
        """Write it down, for the next process."""
        write_json(self.path, self.values)


@cache
def kept(folder: Path) -> Kept:
    """What is kept in a folder; one object in a process."""
    return Kept(folder)
