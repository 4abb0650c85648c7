"""Files that are whole or not there: written aside, then renamed; read with their checksums."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from mixup_repro.errors import DamagedError, InputError


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A file to write that takes the place of `path` in the end, and leaves nothing on an error.

    It is on the disk before it takes the place: a power cut too leaves the old or the new file.
    mode: "w" for text in UTF-8, "wb" for bytes.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(partial, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def half_written(folder: Path, name: str = "*") -> list[Path]:
    """The files that killed processes left half-written in a folder: of all files, or of one."""
    return [p for p in sorted(folder.glob(f".{name}.*")) if re.fullmatch(r"\..+\.\d+", p.name)]


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove `half_written` files.

    The caller holds the lock on the folder: the file of another writer would be removed as well.
    """
    for path in half_written(folder, name):
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder of files: other processes that want to change it wait meanwhile.

    Makes the folder, and removes the half-written files of processes that were killed.

    Raises:
        InputError: the folder cannot be written.
    """
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=1)
        except Timeout:
            print(f"waiting for another process that writes {folder}", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    try:
        for inner in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            remove_leftovers(inner)
        yield
    finally:
        lock.release()


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write atomically, with a checksum: the file is either the old one or the whole new one."""
    value = json.loads(json.dumps(value))  # as it will be read: every key is text
    with replacing(path) as file:
        json.dump({"checksum": _checksum(value)} | value, file, indent=1, sort_keys=True)


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote. A file without a checksum, of version 0.1.0, is read as it is.

    Raises:
        DamagedError: another content than was written, such as one digit that a disk changed.
        FileNotFoundError: it is not there.
    """
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told = value.pop("checksum", None)
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from error
    if told is not None and told != _checksum(value):
        raise DamagedError(f"{path} is damaged (its checksum is another)")
    return value


def _checksum(value: dict[str, Any]) -> str:
    """CRC-32 of the value, whatever the order and the layout of its text."""
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"


def copy_whole(path: Path, copy: Path, most: int) -> None:
    """Copy a file of tensors or arrays over another, once it is verified; not a larger one.

    most: bytes.

    Raises:
        DamagedError: it is damaged, or is not there.
    """
    whole = read_zip(path).getbuffer()
    if len(whole) > most:
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    with replacing(copy, "wb") as file:
        file.write(whole)


def published(path: Path, md5: str, where: str, field: str) -> bytes:
    """The content of a file that others have published.

    md5: its checksum. where: what it can be had from. field: of a config, which names its folder.

    Raises:
        InputError: it is not there, or is not the published one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"no file {path}: get it from {where}, or name its folder by {field}=<folder>"
        ) from error
    if hashlib.md5(content).hexdigest() != md5:
        raise InputError(f"{path} is not the published file; get it again from {where}")
    return content


def read_zip(path: Path) -> io.BytesIO:
    """The content of a file that `torch.save` or `np.savez` wrote, verified.

    Both write zip files, which hold a CRC-32 of each part. torch.load alone does not look at it,
    and would load most flipped bits as other numbers.

    Raises:
        DamagedError: the file is damaged, or is not there.
    """
    try:
        whole = io.BytesIO(path.read_bytes())
        with zipfile.ZipFile(whole) as content:
            wrong = content.testzip()
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is not there") from error
    # A flipped bit may also say that a part is encrypted (RuntimeError) or compressed.
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError, zlib.error) as error:
        raise DamagedError(f"{path} is damaged ({error})") from error
    if wrong is not None:
        raise DamagedError(f"{path} is damaged (the checksum of its part {wrong} is another)")
    whole.seek(0)
    return whole
