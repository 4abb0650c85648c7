"""mixup-repro import-weights, from a checkout: python scripts/import_weights.py --help"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("import-weights", sys.argv[1:]))
