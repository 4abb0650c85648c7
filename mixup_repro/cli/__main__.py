"""python -m mixup_repro.cli: the same as mixup-repro."""

import sys

from mixup_repro.cli import main

if __name__ == "__main__":
    sys.exit(main())
