"""Merge finished runs into the committed results, draw every figure, and write REPORT.md.

python scripts/report.py                  all of it
python scripts/report.py --no-collect     figures and report from the committed results alone
"""

import argparse
import sys
from pathlib import Path

from mixup_repro import report, results
from mixup_repro.config import CHECKOUT
from mixup_repro.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs-dir", type=Path, default=CHECKOUT / "runs")
    parser.add_argument("--results-dir", type=Path, default=CHECKOUT / "results")
    parser.add_argument("--no-collect", action="store_true", help="leave runs.csv as it is")
    args = parser.parse_args()
    try:
        if not args.no_collect:
            count = results.collect(args.runs_dir, args.results_dir)
            print(f"{count} finished runs in {args.runs_dir.name}/ merged into runs.csv")
        found = report.items(args.results_dir)
        if not args.no_collect:
            report.prove(args.results_dir)
        report.draw(found, args.results_dir)
        report.write(found, args.results_dir)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for item in found:
        for claim, findings in item.findings:
            verdict = report.tally(findings).replace("*", "")
            print(f"{item.experiment} ({item.data.scale})  {claim.id}: {verdict}")
    print(f"figures, tables and REPORT.md are in {args.results_dir.name}/")


if __name__ == "__main__":
    main()
