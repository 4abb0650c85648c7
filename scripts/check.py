"""mixup-repro check, from a checkout: python scripts/check.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("check", sys.argv[1:]))
