"""Write the results as pages that open from the disk: site/index.html.

    mixup-repro site                    from results/ into site/, in seconds and without PyTorch

It reads the tables and figures that mixup-repro report wrote. It stops with one line where a
sentence no longer agrees with the verdicts, a figure is missing, or a link leads nowhere.
Exit codes: 0 fine; 1 a file cannot be written; 2 bad input.
"""

from __future__ import annotations

from collections.abc import Sequence

from mixup_repro.cli.words import Parser, whole_path
from mixup_repro.errors import InputError
from mixup_repro.paths import home
from mixup_repro.site import build


def main(words: Sequence[str]) -> int:
    parser = Parser("site", __doc__)
    parser.add_argument("--results-dir", type=whole_path, default=home() / "results")
    parser.add_argument("--site-dir", type=whole_path, default=home() / "site")
    args = parser.parse_args(words)
    if not args.results_dir.is_dir():
        raise InputError(f"--results-dir {args.results_dir}: there is no such folder")
    pages, size = build(args.results_dir, args.site_dir)
    print(f"{pages} pages, {size / 1e6:.1f} MB: {args.site_dir / 'index.html'}")
    return 0
