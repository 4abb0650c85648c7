"""Files that are made anew where their inputs or our code changed, on all cores."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, cpu_count, delayed

from mixup_repro.live import phase
from mixup_repro.store.kept import kept

FEW = 8  # so many figures take about as long as starting another process


@dataclass(frozen=True)
class Files:
    """Files to write, under a name: the same inputs and code give the same files."""

    name: str
    inputs: bytes
    write: Callable[[], list[Path]]


@contextmanager
def making(files: list[Files], folder: Path, what: str, things: str) -> Iterator[None]:
    """Write those that are not there, or were made by other code or from other inputs.

    On several cores it begins at once, beside the work inside; its end waits for the last file.

    what, things: what is shown meanwhile, such as: drawing 12 of 40 figures.
    """
    made = kept(folder)
    changed = [one for one in files if not made.has(one.name, one.inputs)]
    written = _written(changed)
    try:
        yield
    except BaseException:
        with warnings.catch_warnings():  # joblib's, of the files that are given up
            warnings.simplefilter("ignore")
            written.close()
        raise
    with phase(what, len(changed), things) as at:
        for one, paths in zip(changed, written):
            made.note(one.name, one.inputs, paths)
            at.done += 1


def _written(changed: list[Files]) -> Generator[list[Path], None, None]:
    """The paths of each, in order; several processes write them where there are many."""
    processes = min(cpu_count(), len(changed) // FEW)
    if processes < 2:
        return (_write(one) for one in changed)
    return Parallel(processes, return_as="generator")(delayed(_write)(one) for one in changed)


def _write(one: Files) -> list[Path]:
    collect_seldom()
    return one.write()


def collect_seldom() -> None:
    """Let Python look for cycles of garbage more seldom from now on.

    Configs and figures are many small objects that live long, among which looking takes time and
    finds next to nothing.
    """
    gc.set_threshold(100_000, 20, 20)
