"""Compare this code's speed with the plain PyTorch loop it replaces, in one process on the CPU.

    python scripts/bench.py            # about five minutes on two cores
    python scripts/bench.py --quick    # seconds; its numbers mean little

Prints one row for each of
    lenet    mixup on CIFAR-sized pictures, images per second of a training epoch;
    resnet20, resnet18  the same, beside the loop in float32, and in bfloat16 where the CPU has it;
    2 processes         LeNet by a process a core, as hardware=node trains, over one with all cores;
    X_3^2    one run of 5,000 steps on three points, where ours trains 40 runs as one stack;
    approx   a step of approximate mixup on LeNet, beside one of mixup and one with whole Jacobians;
    Table 2  distances of points to the nearest mixed point of two other classes;
    memory   the peak resident set of a process that trains LeNet on as many pictures as CIFAR-10;
    --help   the seconds until train.py shows its help, over those of imports it cannot do without.
The plain loops are the ones people write today (plain_loops.py). Plain and ours take turns, because
a machine's speed drifts; a ratio is that of the medians, its range that of the turns.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from bench_apart import bench_memory, bench_side_by_side, bench_start
from our_loops import line_job, our_seconds, pictures_job, random_pictures
from plain_loops import (
    Pictures,
    plain_distances,
    plain_epoch,
    plain_line,
    textbook_lenet,
    tuned_epoch,
)
from torch import nn
from torch.utils.data import DataLoader

from mixup_repro import networks
from mixup_repro.data import Dataset, load
from mixup_repro.evaluation.predictor import in_memory
from mixup_repro.jobs import expand
from mixup_repro.papers.chidambaram2022.distances import nearest
from mixup_repro.training.learner import has_bfloat16
from mixup_repro.training.loop import Stack

CPU = torch.device("cpu")
AIMS = {"lenet": ">= 5", "resnet20": ">= 1.8", "resnet18": ">= 1.8"}


def bench_network(network: str, pictures: int, repeats: int) -> list[list[str]]:
    """A row beside the loop in float32, and where the CPU has bfloat16 one beside that in it."""
    dataset = random_pictures(pictures, test=10)  # which the plain loops do without
    workers = _best_workers(network, dataset)
    loops: dict[str, Callable[[], float]] = {"": _loop(plain_epoch, network, dataset, workers)}
    if network != "lenet" and has_bfloat16(CPU):
        loops[", loop in bfloat16"] = _loop(tuned_epoch, network, dataset, workers)
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    ours = []
    for seed in range(repeats + 1):
        spent = {name: loop() for name, loop in loops.items()}
        own = our_seconds(pictures_job(seed, network), dataset)
        if seed:  # the first warms up
            ours.append(own)
            for name in loops:
                seconds[name].append(spent[name])

    stack = Stack.of(expand(pictures_job(0, network)), dataset)
    batches, plans = stack.batches, stack.plans
    start = perf_counter()
    for _ in batches(plans.epoch(0), 128):
        pass
    share = (perf_counter() - start) / median(ours)
    print(f"{network}, ours: plan and batches take {share:.0%} of an epoch, steps the rest")
    rows = []
    for name, plain in seconds.items():
        units = [f"{pictures / median(each):,.0f} images/s" for each in (plain, ours)]
        aim = "-" if name else AIMS[network]
        rows.append([f"{network}, {pictures:,} pictures{name}", *units, ratio(plain, ours), aim])
    return rows


def _loop(
    epoch: Callable[..., float], network: str, dataset: Dataset, workers: int
) -> Callable[[], float]:
    """An epoch of a loop, on a network and a loader of its own."""
    model: nn.Module = textbook_lenet()
    if network != "lenet":
        config = pictures_job(0, network).architecture
        made = networks.build(config, dataset.input_shape, 10, [0])
        assert isinstance(made, networks.Single)
        layout = torch.channels_last if epoch is tuned_epoch else torch.contiguous_format
        model = made.network.to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    loader = DataLoader(
        Pictures(dataset), 128, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return partial(epoch, model, optimizer, loader)


def _best_workers(network: str, dataset: Dataset) -> int:
    """The number of workers with which the plain loop is fastest."""
    if network != "lenet":
        return 1
    speed = {}
    for workers in (0, 1, 2):
        loop = _loop(plain_epoch, network, dataset, workers)
        loop()  # the first epoch starts the workers
        speed[workers] = dataset.n_train / loop()
    print(f"{network}, plain loop, images/s by workers:", {w: round(s) for w, s in speed.items()})
    return max(speed, key=lambda workers: speed[workers])


def bench_line(steps: int, plain_steps: int, seeds: int, repeats: int) -> list[str]:
    job = line_job(steps, seeds)
    runs = len(expand(job))
    dataset = in_memory(load(job.dataset), "scripts/bench.py")
    plain_line(dataset, 1.0, 50)
    our_seconds(line_job(50, seeds), dataset)
    plain, ours = [], []
    for repeat in range(repeats):
        alpha = job.method.alpha[repeat % len(job.method.alpha)]
        plain.append(plain_line(dataset, alpha, plain_steps) * steps / plain_steps)
        ours.append(our_seconds(job, dataset) / runs)
    print(f"X_3^2: plain timed for {plain_steps} steps and scaled to {steps:,}; ours in full")
    units = [f"{median(seconds):.3g} s/run" for seconds in (plain, ours)]
    return [f"X_3^2, {steps:,} steps, {runs} runs", *units, ratio(plain, ours), ">= 60"]


def bench_approximate(pictures: int, repeats: int) -> list[list[str]]:
    dataset = random_pictures(pictures, test=100)
    methods = ("mixup", "approx_mixup", "approx_mixup_exact")
    steps: dict[str, list[float]] = {method: [] for method in methods}
    for seed in range(repeats + 1):
        for method in methods:
            seconds = our_seconds(pictures_job(seed, method=method), dataset)
            seconds /= -(-pictures // 128)
            steps[method] += [seconds] * (seed > 0)  # the first round warms up

    def row(what: str, method: str, other: str, aim: str) -> list[str]:
        times = [f"{1e3 * median(steps[m]):.3g} ms/step" for m in (other, method)]
        return [what, *times, ratio(steps[method], steps[other]), aim]

    return [
        row("approximate mixup (right) over mixup", "approx_mixup", "mixup", "<= 2.3"),
        row("whole Jacobians (right) over it", "approx_mixup_exact", "approx_mixup", "-"),
    ]


def bench_distances(pictures: int, plain_points: int, repeats: int) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    x, mixed = (torch.randn(pictures, 3072, generator=generator) for _ in range(2))
    y, both = torch.arange(pictures) % 10, torch.randint(10, (pictures, 2), generator=generator)
    plain, ours = [], []
    for turn in range(repeats + 1):
        seconds = plain_distances(x[:plain_points], y, mixed, both) / plain_points
        start = perf_counter()
        nearest(x, y, mixed, both)
        if turn:  # the first warms up
            plain.append(seconds)
            ours.append((perf_counter() - start) / pictures)
    print(f"Table 2: plain timed for {plain_points} points, ours for {pictures:,}")
    units = [f"{1e3 * median(seconds):.3g} ms/point" for seconds in (plain, ours)]
    return [f"Table 2, {pictures:,} pictures", *units, ratio(plain, ours), ">= 50"]


def ratio(plain: list[float], ours: list[float]) -> str:
    turns = [p / o for p, o in zip(plain, ours)]
    return f"{median(plain) / median(ours):.1f} ({min(turns):.1f} to {max(turns):.1f})"


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def print_table(rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, {processor()}, {torch.get_num_threads()} threads")
    if options.quick:
        rows = bench_network("lenet", pictures=256, repeats=1)
        rows += [bench_side_by_side(pictures=256, repeats=1)]
        rows += bench_network("resnet20", pictures=16, repeats=1)
        rows += bench_network("resnet18", pictures=8, repeats=1)
        rows += [bench_line(steps=100, plain_steps=50, seeds=10, repeats=1)]
        rows += bench_approximate(pictures=256, repeats=1)
        rows += [bench_distances(pictures=500, plain_points=10, repeats=1)]
        rows += [bench_memory(1000, 200), bench_start(repeats=1)]
    else:
        rows = bench_network("lenet", pictures=10_000, repeats=7)
        rows += [bench_side_by_side(pictures=10_000, repeats=3)]
        rows += bench_network("resnet20", pictures=1024, repeats=3)
        rows += bench_network("resnet18", pictures=256, repeats=3)
        rows += [bench_line(steps=5000, plain_steps=500, seeds=10, repeats=7)]
        rows += bench_approximate(pictures=2560, repeats=5)
        rows += [bench_distances(pictures=10_000, plain_points=40, repeats=5)]
        rows += [bench_memory(50_000, 10_000), bench_start(repeats=5)]
    rows.insert(0, ["what", "plain loop", "ours", "ratio", "aim"])
    print_table(rows)


if __name__ == "__main__":
    main()
