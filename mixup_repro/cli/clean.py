"""Remove runs: those named, in the states named, and nothing else.

    mixup-repro clean failed experiment=carratino2020/fig4_digits
    mixup-repro clean interrupted failed dataset=digits method.alpha=1 seeds=10
    mixup-repro clean done digits-mlp-mixup-a1-0fd53858 runs_dir=runs --yes

States: failed, interrupted, done. Runs are named by the words of a train command line, or by
their ids. Without --yes this lists what would go. A run that is being trained is never removed.
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
from mixup_repro.errors import InputError
from mixup_repro.jobs import Source, compose, expand
from mixup_repro.store.folder import LOOK_S, RunFolder, State, bytes_in, lock_of, state_of
from mixup_repro.training.progress import Progress

STATES = (State.FAILED, State.INTERRUPTED, State.DONE)


def named(words: list[str], source: Source) -> list[Path]:
    """The folders of the runs that overrides, or ids, name."""
    overrides = [word for word in words if "=" in word]
    ids = [word for word in words if "=" not in word]
    if not words or (overrides == words and all(w.startswith("runs_dir=") for w in words)):
        raise InputError("name runs by experiment=<paper>/<item>, other fields, or their ids")
    jobs = list(compose(overrides, source))
    if not ids:
        return list({str(f): f.path for job in jobs for f in map(RunFolder, expand(job))}.values())
    runs_dir = Path(jobs[0].runs_dir)
    folders = []
    for name in ids:
        known = re.fullmatch(r"([^/]+-[0-9a-f]{8})(/seed\d+)?", name)
        found = sorted((runs_dir / known[1]).glob((known[2] or "/seed*")[1:])) if known else []
        if not found:
            raise InputError(f"{name}: no state ({', '.join(STATES)}), and no run in {runs_dir}")
        folders += found
    return folders


def remove(folders: list[Path], states: list[str]) -> None:
    """Remove run folders, all or none.

    Raises:
        InputError: a run is being trained, or has finished since it was listed.
    """
    with ExitStack() as locks:
        for folder in folders:
            name = f"{folder.parent.name}/{folder.name}"
            try:
                locks.enter_context(lock_of(folder).acquire(timeout=LOOK_S))
            except Timeout as error:
                raise InputError(f"{name} is in use elsewhere; nothing was removed") from error
            if State.DONE not in states and (folder / "record.json").exists():
                raise InputError(f"{name} has finished meanwhile; nothing was removed")
        for folder in folders:
            shutil.rmtree(folder)
            if not any(folder.parent.iterdir()):
                folder.parent.rmdir()


def main(words: Sequence[str]) -> int:
    parser = Parser("clean", __doc__)
    parser.add_argument("words", nargs="*", metavar="state|override|id")
    parser.add_argument("--yes", action="store_true", help="remove; without it, only list")
    parser.add_source()
    args = parser.parse_intermixed_args(words)
    states = [word for word in args.words if word in STATES]
    if not states:
        raise InputError(f"say which runs by their state: {', '.join(STATES)}")
    folders = named([word for word in args.words if word not in STATES], source_of(args))
    progress = Progress()
    found = [(folder, state) for folder in folders if (state := state_of(folder)) in states]
    if not found:
        progress.say(f"none of these {len(folders)} runs is {' or '.join(states)}")
        return 0
    sizes = [bytes_in(folder) / 2**20 for folder, _ in found]
    rows = [
        [f"{folder.parent.name}/{folder.name}", state, f"{size:.3g}"]
        for (folder, state), size in zip(found, sizes)
    ]
    if args.yes:
        remove([folder for folder, _ in found], states)
    progress.table("Removed" if args.yes else "Would be removed", ["run", "state", "MiB"], rows)
    if args.yes:
        progress.say(f"{len(found)} runs, {sum(sizes):.3g} MiB removed")
    else:
        progress.say(f"{len(found)} runs, {sum(sizes):.3g} MiB; add --yes to remove them")
    return 0
