"""mixup-repro clean, from a checkout: python scripts/clean.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("clean", sys.argv[1:]))
