"""Compare this code's speed with the plain PyTorch loop it replaces, in one process on the CPU.

    python scripts/bench.py            # about three minutes on two cores
    python scripts/bench.py --quick    # seconds; its numbers mean little

Prints one row for each of
    lenet    mixup on CIFAR-sized pictures, images per second of a training epoch;
    resnet18 the same; its convolutions leave a CPU little else to save;
    X_3^2    one run of 5,000 steps on three points, where ours trains 40 runs as one stack;
    approx   a step of approximate mixup on LeNet, beside one of mixup and one with whole Jacobians;
    Table 2  distances of points to the nearest mixed point of two other classes;
    memory   the peak resident set of a process that trains LeNet on as many pictures as CIFAR-10.
The plain loops are the ones people write today (plain_loops.py). Plain and ours take turns, because
a machine's speed drifts; a ratio is that of the medians, its range that of the turns.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from plain_loops import Pictures, plain_distances, plain_epoch, plain_line, textbook_lenet
from torch import nn
from torch.utils.data import DataLoader

from mixup_repro import networks
from mixup_repro.data import Dataset, load
from mixup_repro.evaluation.predictor import in_memory
from mixup_repro.jobs import compose, expand
from mixup_repro.papers.chidambaram2022.distances import nearest
from mixup_repro.schema import Config
from mixup_repro.training.loop import Stack, Watcher, fit

CPU = torch.device("cpu")


# ---- ours -----------------------------------------------------------------------------------


def our_seconds(job: Config, dataset: Dataset) -> float:
    """Seconds to train all runs of `job` as one stack, with the evaluations its recipe asks for."""
    stack = Stack.of(expand(job), dataset)
    start = perf_counter()
    fit(stack, Watcher())
    return perf_counter() - start


def pictures_job(seed: int, network: str = "lenet", method: str = "mixup") -> Config:
    # One lambda a batch, as in the plain loop; one lambda an example costs the same.
    words = ["dataset=cifar10", f"architecture={network}", "recipe=carratino_lenet"]
    words += ["recipe.epochs=1", f"method={method}", "method.lam_per=batch", f"seeds=[{seed}]"]
    (job,) = compose(words)
    return job


def line_job(steps: int, seeds: int) -> Config:
    words = ["experiment=chidambaram2022/fig1", "method=mixup", "method.alpha=[1,8,32,128]"]
    (job,) = compose([*words, f"seeds={seeds}", f"recipe.epochs={steps}"])
    return job


def random_pictures(train: int, test: int) -> Dataset:
    """A data set like CIFAR-10 in all but content."""
    cifar = pictures_job(0).dataset
    generator = torch.Generator().manual_seed(0)

    def pixels(n: int) -> torch.Tensor:
        return torch.randint(256, (n, 32, 32, 3), dtype=torch.uint8, generator=generator)

    y_train, y_test = torch.arange(train) % 10, torch.arange(test) % 10
    return Dataset(
        "random", pixels(train), y_train, pixels(test), y_test, 10, cifar.mean, cifar.std
    )


# ---- the comparisons ------------------------------------------------------------------------


def bench_network(network: str, pictures: int, repeats: int) -> list[str]:
    dataset = random_pictures(pictures, test=100)
    model: nn.Module = textbook_lenet()
    if network != "lenet":
        config = pictures_job(0, network).architecture
        made = networks.build(config, dataset.input_shape, 10, [0])
        assert isinstance(made, networks.Single)
        model = made.network.to(memory_format=torch.contiguous_format)  # as people leave it
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def loader(workers: int) -> DataLoader[Any]:
        keep = workers > 0
        return DataLoader(
            Pictures(dataset), 128, shuffle=True, num_workers=workers, persistent_workers=keep
        )

    speed = {}
    for workers in (0, 1, 2) if network == "lenet" else (1,):
        loaded = loader(workers)
        seconds = [plain_epoch(model, optimizer, loaded) for _ in range(2)]
        speed[workers] = pictures / seconds[1]  # the first epoch starts the workers
        del loaded
    best = max(speed, key=lambda workers: speed[workers])
    print(f"{network}, plain loop, images/s by workers:", {w: round(s) for w, s in speed.items()})
    loaded = loader(best)
    plain_epoch(model, optimizer, loaded)
    our_seconds(pictures_job(repeats, network), dataset)
    plain, ours = [], []
    for seed in range(repeats):
        plain.append(plain_epoch(model, optimizer, loaded))
        ours.append(our_seconds(pictures_job(seed, network), dataset))

    stack = Stack.of(expand(pictures_job(0, network)), dataset)
    batches, plans = stack.batches, stack.plans
    start = perf_counter()
    for _ in batches(plans.epoch(0), 128):
        pass
    share = (perf_counter() - start) / median(ours)
    print(f"{network}, ours: plan and batches take {share:.0%} of an epoch, steps the rest")
    what = f"{network}, {pictures:,} pictures"
    units = [f"{pictures / median(seconds):,.0f} images/s" for seconds in (plain, ours)]
    return [what, *units, ratio(plain, ours), ">= 5" if network == "lenet" else "-"]


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
        row("approximate mixup (right) over mixup", "approx_mixup", "mixup", "<= 2.5"),
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


def bench_memory(train: int, test: int) -> list[str]:
    words = [sys.executable, __file__, "--threads", str(torch.get_num_threads())]
    child = subprocess.run(
        [*words, "--memory-of", str(train), str(test)], stdout=subprocess.PIPE, check=True
    )
    seen = json.loads(child.stdout)
    print(f"memory: {seen['imports'] / 1e9:.2f} GB of it are there before any data, after imports")
    what = f"memory, {train:,} + {test:,} pictures"
    return [what, "-", f"{seen['peak'] / 1e9:.2f} GB", "-", "< 1.2 GB"]


def memory_child(train: int, test: int) -> None:
    """Train LeNet for an epoch and print this process's memory, for `bench_memory`."""
    imports = peak_bytes()
    our_seconds(pictures_job(0), random_pictures(train, test))
    print(json.dumps({"imports": imports, "peak": peak_bytes()}))


def peak_bytes() -> int:
    """The largest resident set of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss may still hold the peak of the parent process
        lines = status.read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


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
    parser.add_argument("--memory-of", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.memory_of:
        return memory_child(*options.memory_of)
    print(f"PyTorch {torch.__version__}, {processor()}, {torch.get_num_threads()} threads")
    if options.quick:
        rows = [bench_network("lenet", pictures=256, repeats=1)]
        rows += [bench_network("resnet18", pictures=8, repeats=1)]
        rows += [bench_line(steps=100, plain_steps=50, seeds=10, repeats=1)]
        rows += bench_approximate(pictures=256, repeats=1)
        rows += [bench_distances(pictures=500, plain_points=10, repeats=1)]
        rows += [bench_memory(1000, 200)]
    else:
        rows = [bench_network("lenet", pictures=10_000, repeats=7)]
        rows += [bench_network("resnet18", pictures=256, repeats=3)]
        rows += [bench_line(steps=5000, plain_steps=500, seeds=10, repeats=7)]
        rows += bench_approximate(pictures=2560, repeats=5)
        rows += [bench_distances(pictures=10_000, plain_points=40, repeats=5)]
        rows += [bench_memory(50_000, 10_000)]
    rows.insert(0, ["what", "plain loop", "ours", "ratio", "aim"])
    print_table(rows)


if __name__ == "__main__":
    main()
