"""mixup-repro plan, from a checkout: python scripts/plan.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("plan", sys.argv[1:]))
