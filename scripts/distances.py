"""mixup-repro distances, from a checkout: python scripts/distances.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("distances", sys.argv[1:]))
