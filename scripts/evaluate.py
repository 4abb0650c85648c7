"""mixup-repro evaluate, from a checkout: python scripts/evaluate.py --help

Hydra's shell completion only looks into files that say @hydra.main.
"""

import sys

from mixup_repro.cli import run

if __name__ == "__main__":
    sys.exit(run("evaluate", sys.argv[1:]))
