"""Distances between Mixup points and points of other classes: Table 2 of Chidambaram et al.

    mixup-repro distances dataset=mnist                       20 % of the data, 10 draws
    mixup-repro distances dataset=cifar10 --share 1 --draws 1

The rows are merged into results/distances.csv, which `make report` reads. A draw that is in the
table already is not measured again.
Exit codes: 0 fine; 1 the table could not be written; 2 bad input.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch

from mixup_repro.cli.words import Parser, source_of, whole_path
from mixup_repro.data import Dataset, load
from mixup_repro.errors import InputError
from mixup_repro.evaluation.predictor import in_memory
from mixup_repro.jobs import compose
from mixup_repro.papers.chidambaram2022.distances import mixup_distances
from mixup_repro.paths import home
from mixup_repro.store import results
from mixup_repro.store.files import locked
from mixup_repro.store.identity import safe_label
from mixup_repro.training.record import commit, device_name

ALPHA = 1024.0


def main(words: Sequence[str]) -> int:
    parser = Parser("distances", __doc__)
    parser.add_argument("overrides", nargs="+", help="such as dataset=mnist")
    parser.add_argument("--share", type=float, default=0.2, help="share of the data (default: 0.2)")
    parser.add_argument("--draws", type=int, default=10, help="number of draws (default: 10)")
    parser.add_argument(
        "--results-dir", type=whole_path, default=home() / "results", help="default: results/"
    )
    parser.add_source()
    args = parser.parse_args(words)
    if args.draws < 1:
        raise InputError(f"--draws {args.draws}: must be at least 1")
    if not 0 < args.share <= 1:
        raise InputError(f"--share {args.share:g}: a share of the data, in (0, 1]")
    jobs = list(compose([*args.overrides, "method=erm"], source_of(args)))
    if len(jobs) > 1:
        raise InputError(f"these words are {len(jobs)} jobs; name one data set")
    dataset = in_memory(load(jobs[0].dataset), "distances")
    if not dataset.is_image:
        raise InputError(f"{dataset.label} has no pictures; use dataset=mnist, for example")
    path = args.results_dir / "distances.csv"
    label = safe_label(dataset.label)
    with locked(args.results_dir):
        known = results.measured(path)
    for draw in range(args.draws):
        key = {"dataset": label, "alpha": ALPHA, "share": args.share, "draw": draw}
        if len(known) and (known[list(key)] == pd.Series(key)).all(axis=1).any():
            print(f"{label}, draw {draw}: measured before")
            continue
        rows = _measure(dataset, key)
        with locked(args.results_dir):
            results.merge_measured(path, pd.DataFrame(rows))
        told = (f"{row['part']} {row['minimum']:.3f} (mean {row['average']:.3f})" for row in rows)
        print(f"{label}, draw {draw}: {', '.join(told)}")
    return 0


def _measure(dataset: Dataset, key: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one draw: distances to training and to test points, and how long it took."""
    started = time.perf_counter()
    found = mixup_distances(dataset, key["alpha"], key["share"], key["draw"])
    about = {"wall_s": time.perf_counter() - started, "commit": commit()}
    about["device"] = device_name(torch.zeros(1))
    return [key | {"part": part} | n._asdict() | about for part, n in found.items()]
