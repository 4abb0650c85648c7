"""mixup-repro reproduce, from a checkout: python scripts/reproduce.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("reproduce", sys.argv[1:]))
