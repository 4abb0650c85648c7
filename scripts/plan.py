"""What a command line of train.py would do: runs done and missing, hours and disk. Trains nothing.

python scripts/plan.py experiment=carratino2020/fig4_digits
python scripts/plan.py experiment=carratino2020/fig4_cifar10_lenet scale=short
"""

import sys
from collections import Counter

from hydra.errors import HydraException

from mixup_repro import experiments
from mixup_repro.config import expand
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.progress import Progress
from mixup_repro.runs import RunFolder, run_id
from mixup_repro.training.estimate import bytes_needed, seconds_left
from mixup_repro.training.job import device_of

STATES = ("done", "running", "interrupted", "failed", "absent")


def main(overrides: list[str]) -> None:
    progress = Progress()
    rows, hours, disk = [], 0.0, 0
    for job in list(experiments.jobs(overrides)):  # all are checked before any is timed
        device = device_of(job)
        dataset = load(job.dataset).to(device)
        hours += seconds_left(job, dataset, device) / 3600
        disk += bytes_needed(job, dataset)
        states: dict[str, Counter] = {}
        for run in expand(job):
            states.setdefault(run_id(run.config), Counter())[RunFolder(run).state()] += 1
        rows += [[name, *(str(count[s]) for s in STATES)] for name, count in states.items()]
    progress.table("Runs by state", ["run", *STATES], rows)
    left = sum(int(n) for row in rows for n in row[3:])
    progress.say(
        f"{left} runs to train on {device.type}: about {hours:.2g} hours from a timed probe, "
        f"{disk / 2**20:.3g} MiB of disk"
    )


if __name__ == "__main__":
    try:
        main([word for word in sys.argv[1:] if word not in ("-m", "--multirun")])
    except (InputError, HydraException) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
