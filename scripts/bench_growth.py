"""Time what must not slow down faster than the number of runs grows.

    python scripts/bench_growth.py                 # 500 and 1,000 finished runs, a minute or two
    python scripts/bench_growth.py --runs 20 80    # seconds; its numbers mean little

Makes finished runs up in a temporary folder, of ten evaluations each (so that 1,000 give runs.csv
10,000 rows), and prints the CPU seconds that each of these takes at both sizes, with their ratio:
    merge    report's reading of all runs, into results that are empty
    again    the same, into results that hold them all
    read     report's reading of the committed results, and the verdicts' entries
    plan     of a grid of which every second run is finished
    present  a sweep over a grid that finds every run finished
    slots    the same with hardware.slots, which looks at all runs before it starts a process
Time that grows with the number of runs has their ratio, and a constant share makes it smaller. What
is quadratic has the square of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import torch
from bench import print_table, processor

from mixup_repro import cli, report
from mixup_repro.data import load
from mixup_repro.jobs import compose, expand
from mixup_repro.schema import Run
from mixup_repro.store import results
from mixup_repro.store.folder import RunFolder

EVALUATIONS, SEEDS, EPOCHS = 10, 10, 40


def grid(runs: int, runs_dir: Path) -> list[str]:
    """Words of train for so many runs: ten seeds, and as many alphas as it takes."""
    alphas = [1 + k / 1000 for k in range(-(-runs // SEEDS))]
    own = ["dataset=digits", "architecture=mlp", "method=mixup", f"recipe.epochs={EPOCHS}"]
    own += [f"method.alpha={alphas}", f"seeds={SEEDS}", "hardware.device=cpu"]
    return [*own, "recipe.batch_size=64", f"runs_dir={runs_dir}"]


def make_up(run: Run, data: dict[str, Any]) -> None:
    """Write the record of a finished run with numbers that mean nothing."""
    folder = RunFolder(run)
    folder.create()
    bins = dict.fromkeys(("count", "correct", "confidence"), [1] * 15)
    numbers = {"accuracy": 0.9, "cross_entropy": 0.3, "ece": 0.05, "brier": 0.2, "n_test": 899}
    at = [None, run.alpha, *range(2, EVALUATIONS)]
    curve = {"mixed_loss": 0.5, "test_accuracy": 0.9, "test_cross_entropy": 0.3}
    folder.write_record(
        {
            "run_id": folder.id,
            "seed": run.seed,
            "config": asdict(run.config),
            "data": data,
            "commit": "made up",
            "device": "cpu (made up, 1 threads)",
            "wall_s": 1.0,
            "switches": {"precision": "float32"},
            "curves": [curve | {"epoch": epoch + 1} for epoch in range(EPOCHS)],
            "evaluations": [
                {"evaluation": "plain" if a is None else "rescaled", "eval_alpha": a}
                | numbers
                | {"bins": bins}
                for a in at
            ],
        }
    )


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call; what it prints is left out, unless it fails."""
    start = process_time()
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        failed = call()
    if isinstance(failed, int) and failed:
        sys.exit(out.getvalue())
    return process_time() - start


def measure(runs: int, folder: Path) -> dict[str, float]:
    """Seconds of each, by name, with so many finished runs in a folder of its own."""
    runs_dir, committed = folder / "runs", folder / "results"
    (job,) = compose(grid(runs, runs_dir))
    dataset = load(job.dataset)
    data = dataset.fingerprint() | {"label": dataset.label}
    for run in expand(job):
        make_up(run, data)

    def merge() -> None:
        results.collect(runs_dir, committed)

    def read() -> None:
        report.entries(committed)

    once, twice = grid(runs, runs_dir), grid(2 * runs, runs_dir)
    return {
        "merge": seconds(merge),
        "again": seconds(merge),
        "read": seconds(read),
        "plan": seconds(lambda: cli.run("plan", twice)),
        "present": seconds(lambda: cli.run("train", once)),
        "slots": seconds(lambda: cli.run("train", [*once, "hardware.slots=[0]"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs=2, default=[500, 1000], help="the two sizes")
    sizes = parser.parse_args().runs
    print(f"PyTorch {torch.__version__}, {processor()}")
    found = []
    for runs in [min(sizes), *sizes]:  # the first warms up
        with TemporaryDirectory() as folder:
            found.append(measure(runs, Path(folder)))
    _, small, large = found
    rows = [["what", *(f"{n:,} runs" for n in sizes), f"ratio (of runs: {sizes[1] / sizes[0]:g})"]]
    for name in small:
        times = [f"{found[name]:.2f} s" for found in (small, large)]
        rows.append([name, *times, f"{large[name] / small[name]:.1f}"])
    print_table(rows)


if __name__ == "__main__":
    main()
