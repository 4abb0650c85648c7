"""Remove runs: only those that you name, and of these only the ones in a state that you name.

    mixup-repro clean failed experiment=carratino2020/fig4_digits
    mixup-repro clean interrupted failed dataset=digits method.alpha=1 seeds=10
    mixup-repro clean done digits-mlp-mixup-a1-0fd53858 runs_dir=runs --yes
    mixup-repro clean leftovers runs_dir=runs

States are failed, interrupted and done. Runs are named by the words of a train command line, or by
their ids. Without --yes nothing is removed: this lists the runs that would be, and the files in
their folders that mixup-repro did not write. A run that is being trained is never removed, nor a
folder that is reached by a symbolic link.
leftovers stands for run folders that hold no record, no failure and no checkpoint, and for files
that killed processes left in the folders of finished runs. Where you name no run, it looks at all
runs in runs_dir.
Exit codes: 0 fine; 2 bad input, and nothing was removed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from filelock import Timeout

from mixup_repro.cli.words import Parser, source_of
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.jobs import Source, compose, expand
from mixup_repro.store.files import half_written
from mixup_repro.store.folder import LOOK_S, RunFolder, State, bytes_in, lock_of, state_of
from mixup_repro.store.records import is_done, read_record
from mixup_repro.training.progress import Progress

STATES = (State.FAILED, State.INTERRUPTED, State.DONE)
LEFTOVERS = "leftovers"
# The files that the product writes into a run's folder.
OWN = re.compile(
    r"lock|record\.json(\.damaged)?|failed\.json|logits\.npz|(ood|probe)-.+\.json|\..+\.\d+"
    r"|weights(-epoch\d+)?\.pt|epoch\d+-step\d+\.pt"
)


def named(words: list[str], source: Source, every: bool) -> list[Path]:
    """The folders of the runs that overrides or ids name.

    every: where none is named, those of all runs in runs_dir.

    Raises:
        InputError: no run is named, an id has no run, or a folder is reached by a link.
    """
    ids = [word for word in words if "=" not in word]
    overrides = [word for word in words if "=" in word]
    unnamed = not ids and all(word.startswith("runs_dir=") for word in overrides)
    if unnamed and not every:
        raise InputError("name runs by experiment=<paper>/<item>, other fields, or their ids")
    jobs = list(compose(overrides, source))
    runs_dir = Path(jobs[0].runs_dir)
    if unnamed:
        return [f for f in sorted(runs_dir.glob("*/seed*")) if not _linked(f) and f.is_dir()]
    if ids:
        folders = [folder for name in ids for folder in _of_id(name, runs_dir)]
    else:
        folders = list(dict.fromkeys(RunFolder(run).path for job in jobs for run in expand(job)))
    for folder in filter(_linked, folders):
        raise InputError(
            f"{folder} is reached by a link, and its files lie elsewhere: remove the link itself, "
            f"or name the runs_dir that they lie in"
        )
    return folders


def _linked(folder: Path) -> bool:
    return folder.is_symlink() or folder.parent.is_symlink()


def _of_id(name: str, runs_dir: Path) -> list[Path]:
    """The folders of a run's id, or of one of its seeds: <id> or <id>/seed<k>."""
    known = re.fullmatch(r"([^/]+-[0-9a-f]{8})(/seed\d+)?", name)
    found = sorted((runs_dir / known[1]).glob((known[2] or "/seed*")[1:])) if known else []
    if not found:
        raise InputError(f"{name}: no state ({', '.join(STATES)}), and no run in {runs_dir}")
    return found


def leftovers(folder: Path) -> list[Path]:
    """What can be removed from a run's folder without loss: all of it, or files, or nothing."""
    state = state_of(folder)
    if state == State.DONE:
        checkpoints = sorted(folder.glob("epoch*.pt"))  # of no use beside a record
        return half_written(folder) + checkpoints
    if state != State.ABSENT or not folder.is_dir():
        return []
    if (folder / "record.json").exists():
        try:
            read_record(folder)
        except DamagedError:
            pass
        except InputError:  # another run's whole record, which a person put there
            return []
    return [folder]


def remove(found: dict[Path, list[Path]], states: list[str]) -> None:
    """Remove the paths found in each run folder: all of them, or none where one cannot be removed.

    Raises:
        InputError: a run is being trained, or has finished since it was listed, or its folder
            cannot be written.
    """
    with ExitStack() as locks:
        for folder in found:
            name = f"{folder.parent.name}/{folder.name}"
            try:
                locks.enter_context(lock_of(folder).acquire(timeout=LOOK_S))
            except Timeout as error:
                raise InputError(f"{name} is in use elsewhere; nothing was removed") from error
            except OSError as error:
                raise InputError(
                    f"{name} cannot be written ({error.strerror}); nothing was removed"
                ) from error
            if folder in found[folder] and State.DONE not in states and is_done(folder):
                raise InputError(f"{name} has finished meanwhile; nothing was removed")
        for folder, paths in found.items():
            for path in paths:
                shutil.rmtree(path) if path == folder else path.unlink(missing_ok=True)
            if folder in paths and not any(folder.parent.iterdir()):
                folder.parent.rmdir()


def foreign(folder: Path) -> list[Path]:
    """The files in a run's folder that the product did not write."""
    return [
        p for p in sorted(folder.rglob("*")) if not (p.parent == folder and OWN.fullmatch(p.name))
    ]


def main(words: Sequence[str]) -> int:
    parser = Parser("clean", __doc__)
    parser.add_argument("words", nargs="*", metavar="state|override|id")
    parser.add_argument("--yes", action="store_true", help="remove; without it, only list")
    parser.add_source()
    args = parser.parse_intermixed_args(words)
    asked = (*STATES, LEFTOVERS)
    states = [word for word in args.words if word in asked]
    if not states:
        raise InputError(f"say which runs by their state: {', '.join(asked)}")
    names = [word for word in args.words if word not in asked]
    folders = named(names, source_of(args), every=states == [LEFTOVERS])
    progress, found = Progress(), {}
    for folder in folders:
        paths = [folder] if state_of(folder) in states else []
        if not paths and LEFTOVERS in states:
            paths = leftovers(folder)
        if paths:
            found[folder] = paths
    if not found:
        progress.say(f"none of these {len(folders)} runs: {' or '.join(states)}")
        return 0
    rows, with_it, size = _rows(found, states)
    if args.yes:
        remove(found, states)
    progress.table("Removed" if args.yes else "Would be removed", ["run", "state", "MiB"], rows)
    for path in with_it:
        progress.say(f"with it: {path}")
    more = "removed" if args.yes else "add --yes to remove them"
    progress.say(f"{len(found)} runs, {size:.3g} MiB{' ' if args.yes else '; '}{more}")
    return 0


def _rows(
    found: dict[Path, list[Path]], states: list[str]
) -> tuple[list[list[str]], list[Path], float]:
    """A row for each run; files of other origin that go with them; and all their MiB."""
    rows, others, total = [], [], 0.0
    for folder, paths in found.items():
        whole, state = folder in paths, state_of(folder)
        size = sum(bytes_in(p) if p.is_dir() else p.lstat().st_size for p in paths) / 2**20
        total += size
        word = state if whole and state in states else LEFTOVERS
        if not whole:
            word += ": " + ", ".join(path.name for path in paths)
        rows.append([f"{folder.parent.name}/{folder.name}", word, f"{size:.3g}"])
        others += foreign(folder) if whole else []
    return rows, others, total
