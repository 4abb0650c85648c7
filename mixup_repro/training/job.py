"""A job: find what is missing of its runs and evaluations, and make it."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from filelock import Timeout

from mixup_repro import architectures
from mixup_repro.config import Config, expand
from mixup_repro.data import Dataset, load
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import complete
from mixup_repro.methods import DIFFERENTIATED
from mixup_repro.progress import Progress
from mixup_repro.runs import LOOK_S, RunFolder
from mixup_repro.theory.taylor import check_per_example
from mixup_repro.training import checkpoint
from mixup_repro.training.record import check_data, check_science, identity
from mixup_repro.training.run import Result, Training


def device_of(config: Config) -> torch.device:
    """The device that hardware.device names; auto is a GPU where there is one.

    Raises:
        InputError: a device that is not there.
    """
    name = config.hardware.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"hardware.device={name}: choose auto, cpu or cuda") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"hardware.device={name}: found {torch.cuda.device_count()} GPUs here; "
            f"use hardware.device=cpu"
        )
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"hardware.device={name}: choose auto, cpu or cuda")
    return device


def run_job(job: Config, progress: Progress, train: bool = True) -> list[Result]:
    """Train the runs of a job that are not finished, and give all what it asks of evaluations.

    train: False leaves runs that are not finished as they are. Returns what became of each.

    Raises:
        InputError: the job cannot run as asked. Nothing was trained.
    """
    device = device_of(job)
    if job.hardware.threads:
        torch.set_num_threads(job.hardware.threads)
    dataset = load(job.dataset).to(device)
    if not dataset.is_image:
        for name in _for_pictures(job):
            raise InputError(f"{name} is for pictures, and {dataset.label} has none")
    folders = [RunFolder(run) for run in expand(job)]
    if job.retry == "failed":
        folders = [f for f in folders if f.state() == "failed"]
    if not folders:
        return []
    if not train:
        idle = [f for f in folders if not f.record_path.exists()]
        folders = [f for f in folders if f not in idle]
        return [Result(f, "not trained") for f in idle] + _run_group(
            folders, dataset, device, progress
        )
    for folder in folders:
        folder.create()
    sample = folders[0].run
    network = architectures.build(  # what does not fit the data is found before any work
        job.architecture, dataset.input_shape, dataset.classes, [sample.seed]
    )
    if job.method.name in DIFFERENTIATED:
        try:
            check_per_example(network)
        except ValueError as error:
            raise InputError(
                f"method={job.method.name}: {error.args[0].split(';')[0]}; use a network without, "
                f"such as architecture=lenet"
            ) from error
    stacks = stack_count(job, len(folders), dataset, device)
    ends = [len(folders) * k // stacks for k in range(stacks + 1)]  # of stacks as even as they go
    groups = [folders[a:b] for a, b in zip(ends, ends[1:])]
    results: list[Result] = []
    for number, group in enumerate(groups, start=1):
        place = f"[{number}/{len(groups)}] " if len(groups) > 1 else ""
        results += _run_group(group, dataset, device, progress.within(place))
    return results


def stack_count(job: Config, runs: int, dataset: Dataset, device: torch.device) -> int:
    """How many stacks so many runs of a job are trained in, on this device."""
    batch_size = min(job.recipe.batch_size or dataset.n_train, dataset.n_train)
    return -(-runs // architectures.stack_size(job.architecture, batch_size, device))


def _for_pictures(job: Config) -> list[str]:
    """What the job asks for that only pictures can have."""
    asked = {
        "recipe.crop_padding": job.recipe.crop_padding,
        "recipe.flip": job.recipe.flip,
        "method=cutmix": job.method.name == "cutmix",
    }
    return [name for name, value in asked.items() if value]


def _run_group(
    group: list[RunFolder], dataset: Dataset, device: torch.device, progress: Progress
) -> list[Result]:
    results, missing = [], []
    with ExitStack() as locks:
        for folder in group:
            try:
                locks.enter_context(folder.lock().acquire(timeout=LOOK_S))
            except Timeout:
                progress.say(f"{folder} is being trained by another process; skipped here")
                results.append(Result(folder, "running"))
                continue
            if not folder.record_path.exists():
                missing.append(folder)
                continue
            check_data(folder, folder.read_record()["data"], dataset)
            record, grown = complete(folder, dataset, device)
            results.append(Result(folder, "evaluated" if grown else "present", record=record))
        available = [checkpoint.load_all(f.path, progress.say) for f in missing]
        for epoch, members in checkpoint.resume_points(available):
            folders = [missing[i] for i in members]
            states = [available[i][epoch] for i in members] if epoch else []
            for folder, state in zip(folders, states):
                check_science(folder, state.get("identity", identity(folder)))  # 0.1.0 kept none
                check_data(folder, state["data"], dataset)
            results += Training(folders, dataset, device, progress).run(epoch, states)
    return results
