"""Merge finished runs into the committed results, draw every figure, and write REPORT.md.

python scripts/report.py                  all of it
python scripts/report.py --no-collect     figures and report from the committed results alone

Writes REPORT.md, and report.html (one page with the figures in it and a filter for the verdicts;
git ignores it, because its bytes depend on the machine). Of the checkout's own results also the
table of verdicts in README.md. Exit codes: 0 fine; 2 bad input.
"""

import argparse
import sys
from pathlib import Path

from mixup_repro import report, results
from mixup_repro.config import CHECKOUT
from mixup_repro.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs-dir", type=Path, default=CHECKOUT / "runs")
    parser.add_argument("--results-dir", type=Path, default=CHECKOUT / "results")
    parser.add_argument("--no-collect", action="store_true", help="leave runs.csv as it is")
    args = parser.parse_args()
    try:
        if not args.no_collect:
            count = results.collect(args.runs_dir, args.results_dir)
            print(f"{count} finished runs in {args.runs_dir.name}/ merged into the results")
        found = report.items(args.results_dir)
        if not args.no_collect:
            report.prove(args.results_dir)
        report.draw(found, args.results_dir)
        report.write(found, args.results_dir)
        report.write_webpage(found, args.results_dir)
        readme = CHECKOUT / "README.md"
        if args.results_dir.resolve() == CHECKOUT / "results" and readme.exists():
            report.write_readme(found, args.results_dir, readme)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for verdict in report.verdicts(found, args.results_dir):
        if verdict.items and verdict.scale:
            words = verdict.words.replace("*", "")
            print(f"{verdict.items[0]} ({verdict.scale})  {verdict.claim}: {words}")
    print(f"figures, tables, REPORT.md and report.html are in {args.results_dir.name}/")


if __name__ == "__main__":
    main()
