"""mixup-repro report, from a checkout: python scripts/report.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("report", sys.argv[1:]))
