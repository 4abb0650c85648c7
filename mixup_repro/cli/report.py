"""Merge finished runs into the committed results, draw every figure, and write REPORT.md.

    mixup-repro report                  all of it
    mixup-repro report --no-collect     figures and report from the committed results alone
    mixup-repro report experiment=carratino2020/fig4_digits recipe.epochs=1     these runs alone

Without words it writes the figures, REPORT.md, NOTES.md (a line for each claim of the notes), and
the tables that `mixup-repro site` makes pages of. Where runs are merged, theorems and ERRATA.md are
computed anew. For the checkout's own results it also writes the table of verdicts in README.md.
With words as for train, it draws only the finished runs that the words name, marked as custom, in a
folder of their own below results/custom/, which git ignores. Nothing else in results/ changes.
It waits while another process writes the same results. Every file is replaced as a whole: a process
that fails or is killed leaves the old file or the new one, never a part.
Exit codes: 0 fine; 1 a file cannot be written; 2 bad input.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mixup_repro import report
from mixup_repro.cli.words import Parser, source_of, whole_path
from mixup_repro.errors import InputError
from mixup_repro.jobs import Source, compose
from mixup_repro.launch.status import Status
from mixup_repro.paths import CHECKOUT, INSTALLED, home
from mixup_repro.store import results
from mixup_repro.store.files import locked
from mixup_repro.store.folder import State
from mixup_repro.store.kept import digest, kept


def main(words: Sequence[str]) -> int:
    parser = Parser("report", __doc__)
    runs = parser.add_mutually_exclusive_group()
    runs.add_argument("--runs-dir", type=whole_path, help="default: the checkout's, if it has one")
    runs.add_argument("--no-collect", action="store_true", help="merge no runs into the results")
    parser.add_argument("overrides", nargs="*", help="as for train")
    parser.add_argument("-m", "--multirun", action="store_true", help="as for train; always on")
    parser.add_source()
    parser.add_argument(
        "--results-dir", type=whole_path, default=home() / "results", help="default: results/"
    )
    args = parser.parse_intermixed_args(words)
    if args.overrides:
        if args.no_collect or args.runs_dir is not None:
            parser.error("--no-collect and --runs-dir do not go with words; use runs_dir=...")
        draw_words(args.overrides, source_of(args), args.results_dir / "custom")
        return 0
    if args.runs_dir is not None and not args.runs_dir.is_dir():
        raise InputError(f"--runs-dir {args.runs_dir}: there is no such folder")
    if args.no_collect and not args.results_dir.is_dir():
        raise InputError(f"--results-dir {args.results_dir}: there is no such folder")
    report.collect_seldom()
    with locked(args.results_dir):
        make(args.results_dir, None if args.no_collect else args.runs_dir or home() / "runs")
    return 0


def make(folder: Path, runs_dir: Path | None) -> None:
    """Merge the runs in `runs_dir` into the results in `folder`, and write all that shows them.

    runs_dir: None to merge nothing.

    Raises:
        InputError: a file is malformed, or there are no results.
        OSError: a file cannot be written.
    """
    theory: list[report.Files] = []
    if runs_dir is not None:
        theory.append(report.Files("theorems", b"", partial(report.prove, folder)))
        theory.append(report.Files("errata", b"", partial(report.write_errata, folder)))
        theory += report.theory_pictures(folder)
    with report.making(theory, folder, "checking", "files of the theory"):
        if runs_dir is not None:
            count = results.collect(runs_dir, folder)
            print(f"{count} finished runs in {runs_dir.name}/ merged into the results")
        found = report.entries(folder)
    report.draw(found, folder)
    report.write(found, folder)
    report.write_notes(found, folder)
    report.write_items(found, folder)
    kept(folder).save()
    readme = CHECKOUT / "README.md"
    if not INSTALLED and folder.resolve() == CHECKOUT / "results" and readme.exists():
        report.write_readme(found, folder, readme)
    for verdict in report.verdicts(found, folder):
        if verdict.items and verdict.scale:
            print(f"{verdict.items[0]} ({verdict.scale})  {verdict.claim}: {verdict.words}")
    print(f"figures, tables and REPORT.md are in {folder.name}/")


def draw_words(words: Sequence[str], source: Source, results_dir: Path) -> None:
    """Draw the runs that the words stand for, in a folder below `results_dir` named after them.

    Raises:
        InputError: the words are wrong, or a run is not finished.
        OSError: a file cannot be written.
    """
    jobs = list(compose(words, source))
    status = Status(jobs)
    if set(status.count()) != {State.DONE}:
        raise InputError(
            f"{status.line()} of these runs: `mixup-repro train -m {shlex.join(words)}` trains "
            f"what is missing"
        )
    only = {f"{name}/seed{seed}" for name, seeds in status.ids.items() for seed in seeds}
    named = [w.removeprefix("experiment=") for w in words if w.startswith("experiment=")]
    stem = named[0].rpartition("/")[2] if named else jobs[0].dataset.name
    folder = results_dir / f"{stem}-{digest(' '.join(sorted(only)).encode())[:8]}"
    with locked(results_dir):
        shutil.rmtree(folder, ignore_errors=True)  # of the same runs, as they were before
        for runs_dir in {job.runs_dir for job in jobs}:
            results.collect(Path(runs_dir), folder, only)
        picture = report.draw_custom(words, folder)
    print(f"custom: {len(only)} runs are drawn in {folder}; see index.md and {picture}")
