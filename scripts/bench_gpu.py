"""Our speed on a GPU beside the plain loop's, both in one process: what `make bench-gpu` prints.

For each network four rows take turns, because a machine's speed drifts:
    A  the plain loop as people run it today (plain_loops.py: DataLoader, PIL, .item() each step)
    B  the plain loop tuned: most workers, pinned memory, channels last, bfloat16, no waiting
    C  ours in float32, as A (convolutions in TF32, PyTorch's default, in both)
    D  ours as it comes: bfloat16, and the step as one CUDA graph
ResNet-50 has synthetic 224-pixel input, already on the device for A and B. LeNet: ten runs stacked
against ten in turn. "of the floor" is D's share of what the chip's memory or arithmetic allows, for
an H200 (of which the bound is the lower).
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from functools import partial
from statistics import median

import torch
from bench import print_table, ratio
from our_loops import our_seconds, random_pictures
from plain_loops import Loader, Pictures, plain_epoch, tuned_epoch
from torch.utils.data import DataLoader

from mixup_repro import networks
from mixup_repro.data import Dataset
from mixup_repro.jobs import compose
from mixup_repro.schema import Config

FLOOR = {"resnet18": 237_000, "resnet34": 114_000, "resnet50": 15_000}  # images/s on an H200
AIM = {"resnet18": 95_000, "resnet34": 45_000, "resnet50": 5_000}


def job(network: str, seed: int, *fields: str) -> Config:
    """One epoch of mixup at batch 128, one lambda a batch as in the plain loop."""
    words = ["dataset=cifar10", f"architecture={network}", "recipe=carratino_resnet34"]
    words += ["recipe.epochs=1", "method=mixup", "method.lam_per=batch", f"seeds=[{seed}]"]
    (only,) = compose([*words, *fields])
    return only


def synthetic(pictures: int, size: int) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (pictures, size, size, 3), dtype=torch.uint8, generator=generator)
    y = torch.arange(pictures) % 10
    return Dataset("synthetic", pixels, y, pixels[:100], y[:100], 10, [0.5] * 3, [0.25] * 3)


def bench_network(network: str, dataset: Dataset, repeats: int, device: torch.device) -> list[str]:
    """A to D in turn; the first turn warms up."""
    fields = ["architecture=resnet50", "recipe.crop_padding=null"] if network == "resnet50" else []
    config = job(network, 0, *fields)
    rows = {}
    for name, epoch in (("A", plain_epoch), ("B", tuned_epoch)):
        made = networks.build(config.architecture, dataset.input_shape, 10, [0])
        assert isinstance(made, networks.Single)
        layout = torch.channels_last if name == "B" else torch.contiguous_format
        model = made.network.to(device).to(memory_format=layout)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
        loader = batches_of(dataset, network == "resnet50", name == "B", device)
        rows[name] = partial(epoch, model, optimizer, loader, device)
    there = dataset.to(device)
    for name, switches in (
        ("C", ["hardware.precision=float32", "hardware.graph=false"]),
        ("D", []),
    ):
        rows[name] = partial(our_seconds, job(network, 0, *fields, *switches), there)
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(repeats + 1):
        for name, run in rows.items():
            spent = run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[name] += [spent] * (turn > 0)
    speed = {name: dataset.n_train / median(values) for name, values in seconds.items()}
    shares = f"{speed['D'] / FLOOR[network]:.0%} of {FLOOR[network]:,}"
    ratios = [ratio(seconds[name], seconds["D"]) for name in ("A", "B")]
    return [network, *(f"{s:,.0f}" for s in speed.values()), *ratios, shares, f"{AIM[network]:,}"]


def batches_of(dataset: Dataset, on_device: bool, tuned: bool, device: torch.device) -> Loader:
    if on_device:
        x = dataset.normalise(dataset.x_train)
        pairs = zip(x.split(128), dataset.y_train.split(128))
        return [(a.to(device), b.to(device)) for a, b in pairs]
    workers = len(os.sched_getaffinity(0)) if tuned else min(8, len(os.sched_getaffinity(0)))
    return DataLoader(
        Pictures(dataset),
        128,
        shuffle=True,
        num_workers=workers,
        pin_memory=tuned and device.type == "cuda",
        persistent_workers=tuned,
    )


def bench_lenets(dataset: Dataset, repeats: int, device: torch.device) -> str:
    """Ten LeNets as one stack against ten in turn."""
    stacked, single = [], []
    there = dataset.to(device)
    ten = replace(job("lenet", 0, "recipe=carratino_lenet", "recipe.epochs=1"), seeds=10)
    for turn in range(repeats + 1):
        one = sum(our_seconds(replace(ten, seeds=[seed]), there) for seed in range(10))
        all_ten = our_seconds(ten, there)
        if turn:
            single.append(one)
            stacked.append(all_ten)
    return f"ten LeNets in turn over ten stacked: {ratio(single, stacked)}; aim >= 8"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeats", type=int, default=5, help="turns that are measured")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.exit(2, "error: no GPU here; --device cpu --quick only shows that it runs\n")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"PyTorch {torch.__version__}, {name}, {len(os.sched_getaffinity(0))} CPU cores")
    pictures, large = (16, 16) if options.quick else (50_000, 2_560)
    repeats = 1 if options.quick else options.repeats
    side = 32 if options.quick else 224
    rows = [["images/s", "A", "B", "C", "D", "D/A", "D/B", "of the floor", "aim for D"]]
    for network in ("resnet18", "resnet34"):
        rows.append(bench_network(network, random_pictures(pictures, 100), repeats, device))
    rows.append(bench_network("resnet50", synthetic(large, side), repeats, device))
    print_table(rows)
    print(bench_lenets(random_pictures(pictures, 100), repeats, device))


if __name__ == "__main__":
    main()
