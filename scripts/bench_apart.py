"""What bench.py measures in processes of their own: memory, two runs side by side, the start."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from our_loops import our_seconds, pictures_job, random_pictures

SCRIPTS = Path(__file__).parent


def bench_memory(train: int, test: int) -> list[str]:
    words = [sys.executable, __file__, "memory", str(torch.get_num_threads()), str(train)]
    child = subprocess.run([*words, str(test)], stdout=subprocess.PIPE, check=True)
    seen = json.loads(child.stdout)
    print(f"memory: {seen['imports'] / 1e9:.2f} GB of it are there before any data, after imports")
    what = f"memory, {train:,} + {test:,} pictures"
    return [what, "-", f"{seen['peak'] / 1e9:.2f} GB", "-", "< 1.2 GB"]


def bench_side_by_side(pictures: int, repeats: int) -> list[str]:
    """LeNet in one process with all cores, and in one a core, as hardware=node starts them."""
    cores = torch.get_num_threads()
    speeds: dict[int, list[float]] = {1: [], cores: []}
    for _ in range(repeats):
        for processes, speed in speeds.items():
            threads = cores // processes
            words = [sys.executable, __file__, "epoch", str(threads), str(pictures)]
            started = [
                subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(processes)
            ]
            seconds = [float(child.communicate()[0]) for child in started]
            speed.append(sum(pictures / s for s in seconds))
    units = [f"{median(speed):,.0f} images/s" for speed in speeds.values()]
    gain = median(speeds[cores]) / median(speeds[1])
    what = f"{cores} processes of lenet (right) over one"
    return [what, units[0], units[-1], f"{gain:.1f}", "-"]


def bench_start(repeats: int) -> list[str]:
    """From the command line to the first word, against the imports that nobody can save."""
    commands = (["-c", "import torch, hydra"], [str(SCRIPTS / "train.py"), "--help"])
    seconds: list[list[float]] = [[], []]
    for turn in range(repeats + 1):
        for words, spent in zip(commands, seconds):
            start = perf_counter()
            subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
            spent += [perf_counter() - start] * (turn > 0)  # the first fills the page cache
    floor, ours = map(median, seconds)
    what = "train.py --help over import torch, hydra"
    return [what, f"{floor:.2f} s", f"{ours:.2f} s", f"{ours / floor:.1f}", "<= 1.3"]


def peak_bytes() -> int:
    """The largest resident set of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss may still hold the peak of the parent process
        lines = status.read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def child(kind: str, threads: str, *sizes: str) -> None:
    """memory: train LeNet for an epoch and print this process's memory; epoch: its seconds."""
    torch.set_num_threads(int(threads))
    if kind == "memory":
        imports = peak_bytes()
        our_seconds(pictures_job(0), random_pictures(*map(int, sizes)))
        print(json.dumps({"imports": imports, "peak": peak_bytes()}))
    else:
        dataset = random_pictures(int(sizes[0]), 100)
        our_seconds(pictures_job(1), dataset)
        print(our_seconds(pictures_job(0), dataset))


if __name__ == "__main__":
    child(*sys.argv[1:])
