"""A job: find what is missing of its runs and evaluations, and make it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import torch
from filelock import Timeout

from mixup_repro import architectures
from mixup_repro.benchmarks import Benchmark, benchmark
from mixup_repro.config import Config, batch_size, expand, portion
from mixup_repro.data import Dataset, StreamedSet, load
from mixup_repro.distributed import from_main, local_rank, main_first, world_size
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.evaluation.finished import complete
from mixup_repro.evaluation.ood import evaluate_ood
from mixup_repro.methods.registry import METHODS
from mixup_repro.progress import Progress
from mixup_repro.runs import LOOK_S, Outcome, RunFolder, State, is_done
from mixup_repro.training import checkpoint
from mixup_repro.training.preconditions import check_job
from mixup_repro.training.record import check_data, check_science, identity
from mixup_repro.training.run import Result, Training


def device_of(config: Config) -> torch.device:
    """The device that hardware.device names; auto is a GPU where there is one.

    Of several processes each takes the GPU of its local rank.

    Raises:
        InputError: a device that is not there.
    """
    name = config.hardware.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and world_size() > 1:
        name = f"cuda:{local_rank()}"
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
    folders = [RunFolder(run) for run in expand(job)]
    if train or not from_main(lambda: all(is_done(folder.path) for folder in folders)):
        _ = METHODS[job.method.name].function  # what nobody trains here is refused at once
    device = device_of(job)
    if job.hardware.threads:
        torch.set_num_threads(job.hardware.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True  # shapes repeat: the fastest kernel is worth a search
    dataset = main_first(lambda: load(job.dataset)).to(device)
    other = None
    if job.benchmark.name:
        other = main_first(lambda: benchmark(job.benchmark, dataset))
    if job.retry == "failed":
        folders = from_main(lambda: [f for f in folders if f.state() == State.FAILED])
    if not folders:
        return []
    from_main(lambda: _check_finished(folders, dataset))
    if train:
        results = _train(job, folders, dataset, device, progress)
    else:
        finished = from_main(lambda: [f for f in folders if _is_finished(f, progress.say)])
        results = [Result(f, Outcome.NOT_TRAINED) for f in folders if f not in finished]
        results += _run_group(finished, dataset, device, progress)
    if other is not None:
        results = _on_benchmark(results, dataset, other, progress)
    return results


def _train(
    job: Config,
    folders: list[RunFolder],
    dataset: Dataset | StreamedSet,
    device: torch.device,
    progress: Progress,
) -> list[Result]:
    sample = folders[0].run
    network = architectures.build(  # what does not fit the data is found before any work
        job.architecture, dataset.input_shape, dataset.classes, [sample.seed]
    )
    check_job(job, dataset, network, world_size())
    from_main(lambda: [folder.create() for folder in folders])
    stacks = stack_count(job, len(folders), dataset, device)
    results: list[Result] = []
    for k in range(1, stacks + 1):
        place = f"[{k}/{stacks}] " if stacks > 1 else ""
        group = portion(folders, k, stacks)
        results += _run_group(group, dataset, device, progress.within(place))
    return results


def stack_count(
    job: Config, runs: int, dataset: Dataset | StreamedSet, device: torch.device
) -> int:
    """How many stacks so many runs of a job are trained in, on this device."""
    if not dataset.in_memory:  # each run reads pictures in an order of its own
        return runs
    size = batch_size(job.recipe, dataset.n_train)
    return -(-runs // architectures.stack_size(job.architecture, size, device))


def _run_group(
    group: list[RunFolder], dataset: Dataset | StreamedSet, device: torch.device, progress: Progress
) -> list[Result]:
    results, missing = [], []
    with ExitStack() as locks:
        # Of several processes the first takes the locks and reads the files; all do as it found.
        states = from_main(lambda: [_claim(f, locks, progress.say) for f in group])
        for folder, state in zip(group, states):
            if state == State.RUNNING:
                progress.say(f"{folder} is being trained by another process; skipped here")
                results.append(Result(folder, Outcome.RUNNING))
            elif state == State.DONE:
                check_data(folder, folder.read_record()["data"], dataset)
                record, grown = complete(folder, dataset, device)
                outcome = Outcome.EVALUATED if grown else Outcome.PRESENT
                results.append(Result(folder, outcome, record=record))
            else:
                missing.append(folder)
        available = from_main(lambda: [checkpoint.load_all(f.path, progress.say) for f in missing])
        for point, members in checkpoint.resume_points(available):
            folders = [missing[i] for i in members]
            stored = [available[i][point] for i in members if available[i]]
            for folder, state in zip(folders, stored):
                check_science(folder, state.get("identity", identity(folder)))  # 0.1.0 kept none
                check_data(folder, state["data"], dataset)
            results += Training(folders, dataset, device, progress).run(point, stored)
    return results


def _check_finished(folders: list[RunFolder], dataset: Dataset | StreamedSet) -> None:
    """Raise InputError, before hours of work, where a finished run is of other data."""
    for folder in folders:
        if folder.state() == State.DONE:
            check_data(folder, folder.read_record()["data"], dataset)


def _is_finished(folder: RunFolder, say: Callable[[str], None]) -> bool:
    """Whether a run has a record; one that is damaged or another run's is named."""
    if not folder.record_path.exists():
        return False
    try:
        folder.read_record()
    except InputError as error:
        say(f"passed over: {error}")
        return False
    return True


def _claim(folder: RunFolder, locks: ExitStack, say: Callable[[str], None]) -> State:
    """Lock a run: done, absent (or begun); or running, where another process has it.

    Raises:
        InputError: the folder holds another run's record.
    """
    try:
        locks.enter_context(folder.lock().acquire(timeout=LOOK_S))
    except Timeout:
        return State.RUNNING
    folder.tidy()
    if not folder.record_path.exists():
        return State.ABSENT
    try:
        folder.read_record()
    except DamagedError as error:
        aside = folder.record_path.with_suffix(".json.damaged")
        folder.record_path.rename(aside)
        say(f"{error}; kept as {aside.name}, and the run is trained again")
        return State.ABSENT
    return State.DONE


def _on_benchmark(
    results: list[Result],
    dataset: Dataset | StreamedSet,
    other: Benchmark,
    progress: Progress,
) -> list[Result]:
    """Evaluate the finished runs among these on other test sets."""
    finished = [result.folder for result in results if result.outcome.finished]
    with ExitStack() as locks:
        free = from_main(
            lambda: [_claim(folder, locks, progress.say) == State.DONE for folder in finished]
        )
        for folder in (f for f, is_free in zip(finished, free) if not is_free):
            progress.say(f"{folder} is in use by another process; skipped here")
        folders = [f for f, is_free in zip(finished, free) if is_free]
        grown = evaluate_ood(folders, dataset, other, progress)
    return [
        replace(r, outcome=Outcome.EVALUATED)
        if r.folder in grown and r.outcome == Outcome.PRESENT
        else r
        for r in results
    ]
