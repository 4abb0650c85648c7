"""mixup-repro site, from a checkout: python scripts/site.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("site", sys.argv[1:]))
