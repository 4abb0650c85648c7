"""Merge finished runs into the committed results, draw every figure, and write REPORT.md.

mixup-repro report                  all of it
mixup-repro report --no-collect     figures and report from the committed results alone

Writes REPORT.md, NOTES.md (the notes, a line a claim), and what `mixup-repro site` makes pages of.
Theorems and ERRATA.md are computed anew where runs are merged. Of the checkout's own results also
the table of verdicts in README.md. Waits while another process writes the same results. Every file
is replaced as a whole: what is killed or fails leaves the old or the new one.
Exit codes: 0 fine; 1 a file cannot be written; 2 bad input.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mixup_repro import report
from mixup_repro.cli.words import Parser, whole_path
from mixup_repro.errors import InputError
from mixup_repro.paths import CHECKOUT, INSTALLED, home
from mixup_repro.store import results
from mixup_repro.store.files import locked
from mixup_repro.store.kept import kept


def main(words: Sequence[str]) -> int:
    parser = Parser("report", __doc__)
    runs = parser.add_mutually_exclusive_group()
    runs.add_argument("--runs-dir", type=whole_path, help="default: the checkout's, if it has one")
    runs.add_argument("--no-collect", action="store_true", help="leave runs.csv as it is")
    parser.add_argument("--results-dir", type=whole_path, default=home() / "results")
    args = parser.parse_args(words)
    if args.runs_dir is not None and not args.runs_dir.is_dir():
        raise InputError(f"--runs-dir {args.runs_dir}: there is no such folder")
    if args.no_collect and not args.results_dir.is_dir():
        raise InputError(f"--results-dir {args.results_dir}: there is no such folder")
    with locked(args.results_dir):
        make(args.results_dir, None if args.no_collect else args.runs_dir or home() / "runs")
    return 0


def make(folder: Path, runs_dir: Path | None) -> None:
    """Merge the runs into the results in `folder`, if any are named, and write all that shows them.

    Raises:
        InputError: a file is malformed, or there are no results.
        OSError: a file cannot be written.
    """
    if runs_dir is not None:
        count = results.collect(runs_dir, folder)
        print(f"{count} finished runs in {runs_dir.name}/ merged into the results")
    found = report.entries(folder)
    if runs_dir is not None:
        report.prove(folder)
        report.write_errata(folder)
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
