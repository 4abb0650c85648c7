"""Records of finished runs: read whole, and believed in their own folders only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from mixup_repro.errors import DamagedError, InputError
from mixup_repro.store.files import read_json
from mixup_repro.store.identity import run_id


def is_done(folder: Path) -> bool:
    """Whether a folder holds the record of the run that it is named after."""
    path = folder / "record.json"
    try:
        return _believed(path, *_version(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _version(path: Path) -> tuple[int, int]:
    """What changes when a file is replaced."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@cache  # a record is read again when it changes only: `plan --watch` looks often
def _believed(path: Path, mtime_ns: int, size: int) -> bool:
    try:
        _parsed(path, mtime_ns, size)
    except InputError:
        return False
    return True


def read_record(folder: Path) -> dict[str, Any]:
    """The record of the run in a folder.

    It is believed only under the folder's own id and seed: the id is that of the config it holds.

    Raises:
        DamagedError: it is no whole record.
        InputError: there is none, or it is another run's.
    """
    path = folder / "record.json"
    try:
        return deepcopy(_parsed(path, *_version(path)))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path} is not there: the run is not finished") from error


@lru_cache(maxsize=256)  # of as many runs as a stack may have: each is read once a visit
def _parsed(path: Path, mtime_ns: int, size: int) -> dict[str, Any]:
    folder, record = path.parent, read_json(path)
    try:
        stated = f"{record['run_id']}/seed{record['seed']}"
        computed = run_id(record["config"])
        _check_content(record)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from error
    if stated != f"{folder.parent.name}/{folder.name}" or computed != folder.parent.name:
        raise InputError(
            f"{path} is of another run than its folder: {stated}, with the config of {computed}; "
            f"move the folder away"
        )
    return record


def _check_content(record: dict[str, Any]) -> None:
    """What every reader of a record counts on; raises what a reader would, or ValueError.

    A bit that flips on a disk often leaves JSON, with another word or number in it.
    """
    for row in record["evaluations"]:
        name, alpha = row["evaluation"], row["eval_alpha"]
        numbers = 0 <= row["accuracy"] <= 1 and 0 <= row["ece"] <= 1 and row["cross_entropy"] >= 0
        if not (isinstance(name, str) and (alpha is None or alpha > 0) and numbers):
            raise ValueError
    spent = record.get("wall_s", 0.0)
    timed = spent >= 0 if spent is not None else "imported" in record
    lists = [record.get(name, []) for name in ("curves", "terms")]
    whole = record["evaluations"] and timed and all(isinstance(part, list) for part in lists)
    if not (whole and isinstance(record["data"], dict)):
        raise ValueError


# Rows of benchmarks and probes lie beside a run's record, in `<kind>-<name>.json`; by kind, the key
# that holds the name.
BESIDE = {"ood": "benchmark", "probe": "probe"}


def read_beside(path: Path) -> dict[str, Any]:
    """Rows beside a run's record, of a benchmark or a probe: its name, `source`, and `rows`.

    Raises:
        InputError: the file is not there, or it is damaged or another run's.
    """
    folder, kind = path.parent, path.name.split("-")[0]
    try:
        found = read_json(path)
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is not there") from error
    try:
        of = f"{found['run_id']}/seed{found['seed']}"
        whole = path.name == f"{kind}-{found[BESIDE[kind]]}.json" and all(
            isinstance(row, dict) for row in found["rows"]
        )
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedError(f"{path} is damaged ({type(error).__name__})") from error
    if of != f"{folder.parent.name}/{folder.name}" or not whole:
        raise InputError(f"{path} is not of this run and {BESIDE[kind]}, but of {of}")
    return found


def finished_records(runs_dir: Path, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The records of all finished runs below `runs_dir`, in a fixed order.

    Each with `ood` and `probe`, the rows of every benchmark and probe that the run was asked. What
    is no record of the run whose folder it lies in is named by `say`, and passed over.
    """
    for path in sorted(runs_dir.glob("*/seed*/record.json")):
        try:
            record = read_record(path.parent)
        except InputError as error:
            say(f"passed over: {error}")
            continue
        yield record | {kind: _rows_beside(path.parent, kind, say) for kind in BESIDE}


def _rows_beside(folder: Path, kind: str, say: Callable[[str], None]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob(f"{kind}-*.json")):
        try:
            found = read_beside(path)
        except InputError as error:
            say(f"passed over: {error}")
            continue
        rows += [{BESIDE[kind]: found[BESIDE[kind]]} | row for row in found["rows"]]
    return rows
