"""A job: find what is missing of its runs and evaluations, and make it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import torch
from filelock import Timeout

from mixup_repro import networks
from mixup_repro.data import DataSource, load
from mixup_repro.distributed import be_patient, from_main, local_rank, main_first, world_size
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.evaluation.finished import complete
from mixup_repro.jobs import batch_size, expand, portion
from mixup_repro.live import phase
from mixup_repro.methods.registry import METHODS
from mixup_repro.schema import Config
from mixup_repro.store.folder import LOOK_S, Outcome, RunFolder, State
from mixup_repro.store.identity import check_data, check_science, identity
from mixup_repro.training import checkpoint
from mixup_repro.training.preconditions import check_job
from mixup_repro.training.progress import Progress
from mixup_repro.training.run import Result, Training

Say = Callable[[str], None]
Question = Callable[[list[RunFolder]], dict[RunFolder, str]]  # see `ask`
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def device_of(config: Config) -> torch.device:
    """The device that hardware.device names; auto is a GPU where there is one.

    Of several processes each takes the GPU of its local rank.

    Raises:
        InputError: a device that is not there.
    """
    name = config.hardware.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{local_rank()}"
    device = torch.device(name)
    gpus = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= gpus:
        fewer = f"start at most {gpus} processes a machine" if gpus and world_size() > 1 else ""
        raise InputError(
            f"hardware.device={name}: found {gpus} GPUs here; {fewer or 'use hardware.device=cpu'}"
        )
    if device.type == "cpu" and world_size() > 1 and torch.cuda.is_available():
        raise InputError(
            f"hardware.device={name}: where there are GPUs, processes talk by nccl, which is for "
            f"GPUs alone; hide them by CUDA_VISIBLE_DEVICES="
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"hardware.device={name}: there is none here; use hardware.device=cpu")
    if device.type == "mps" and world_size() > 1:
        raise InputError(f"hardware.device={name}: one process only; use hardware.device=cpu")
    return device


def open_data(job: Config) -> DataSource:
    """The job's data set on its device, with PyTorch set up as `hardware` asks.

    Raises:
        InputError: no such device, or as `load`.
    """
    device = device_of(job)
    be_patient(job.hardware.patience_minutes)
    if job.hardware.threads:
        torch.set_num_threads(job.hardware.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True  # shapes repeat: the fastest kernel is worth a search
    return main_first(lambda: load(job.dataset)).to(device)


def run(job: Config, dataset: DataSource, progress: Progress, train: bool = True) -> list[Result]:
    """Train the runs of a job that are not finished, and give all what it asks of evaluations.

    train: False leaves runs that are not finished as they are. Returns what became of each.

    Raises:
        InputError: the job cannot run as asked. Nothing was trained.
    """
    folders = [RunFolder(run) for run in expand(job)]
    if job.retry == "failed":
        folders = from_main(lambda: [f for f in folders if f.state() == State.FAILED])
    say = (lambda _: None) if train else progress.say  # what trains it again says so itself
    done = from_main(lambda: [_finished(folder, dataset, say) for folder in folders])
    if train or not all(done):
        METHODS[job.method.name].check_trainable()
    if not folders:
        return []
    if not train:
        finished = [folder for folder, is_done in zip(folders, done) if is_done]
        others = [Result(f, Outcome.MISSING) for f in folders if f not in finished]
        return others + _visit(finished, dataset, progress)
    check_fits(job, dataset)
    from_main(lambda: _create(folders))
    stacks = stack_count(job, len(folders), dataset)
    results = []
    for k in range(1, stacks + 1):
        place = f"stack {k} of {stacks}: " if stacks > 1 else ""
        results += _visit(portion(folders, k, stacks), dataset, progress.within(place))
    return results


def ask(results: list[Result], question: Question, say: Say) -> list[Result]:
    """Ask the finished runs among these, under their locks; returns what became of each.

    question: writes what it finds beside the runs' records. Of the runs that have new rows it
        returns an empty text, and of those that could not be asked the reason.
    """
    finished = [result.folder for result in results if result.outcome.finished]
    with ExitStack() as locks:
        free = from_main(lambda: [claim(folder, locks, say) == State.DONE for folder in finished])
        for folder in (f for f, is_free in zip(finished, free) if not is_free):
            say(f"{folder} is in use by another process; skipped here")
        answers = question([f for f, is_free in zip(finished, free) if is_free])
    return [_answered(result, answers.get(result.folder)) for result in results]


def _answered(result: Result, reason: str | None) -> Result:
    if reason:
        return replace(result, outcome=Outcome.FAILED, reason=reason)
    if reason == "" and result.outcome == Outcome.PRESENT:
        return replace(result, outcome=Outcome.EVALUATED)
    return result


def check_fits(job: Config, dataset: DataSource) -> None:
    """Find what does not fit the data, or this machine, before any work.

    Raises:
        InputError: the job cannot run as asked.
    """
    with torch.device("meta"):  # shapes alone
        network = networks.build(job.architecture, dataset.input_shape, dataset.classes, [0])
    check_job(job, dataset, network, world_size())


def stack_size(job: Config, runs: int, dataset: DataSource) -> int:
    """How many of so many runs of a job make one stack, at most, on the data set's device."""
    size = batch_size(job.recipe, dataset.n_train)
    most = networks.stack_size(job.architecture, size, dataset.device)
    return min(runs, most, dataset.together(runs))


def stack_count(job: Config, runs: int, dataset: DataSource) -> int:
    """How many stacks so many runs of a job are trained in; at least one run."""
    return -(-runs // stack_size(job, runs, dataset))


def _create(folders: list[RunFolder]) -> None:
    for folder in folders:
        if folder.state() != State.DONE:  # those of another user, or on a read-only disk, are read
            folder.create()


def _finished(folder: RunFolder, dataset: DataSource, say: Say) -> bool:
    """Whether a run has a record; one that is damaged or another run's is named.

    Raises:
        InputError: it was trained on other data: better said now than after hours of work.
    """
    if not folder.record_path.exists():
        return False
    try:
        record = folder.read_record()
    except InputError as error:
        say(f"passed over: {error}")
        return False
    check_data(folder, record["data"], dataset)
    return True


def _visit(group: list[RunFolder], dataset: DataSource, progress: Progress) -> list[Result]:
    """Lock these runs; complete the finished ones, train the others as stacks."""
    results, missing = [], []
    with ExitStack() as locks:
        # Of several processes the first takes the locks and reads the files; all do as it found.
        states = from_main(lambda: [claim(f, locks, progress.say) for f in group])
        with phase("evaluating", len(group), "runs") as at:
            for folder, state in zip(group, states):
                if state == State.RUNNING:
                    progress.say(f"{folder} is being trained by another process; skipped here")
                    results.append(Result(folder, Outcome.RUNNING))
                elif state == State.DONE:
                    results.append(_complete(folder, dataset, progress))
                elif state == State.FAILED:
                    results.append(Result(folder, Outcome.FAILED, "its folder is another run's"))
                else:
                    missing.append(folder)
                at.done += 1
        available = from_main(lambda: [checkpoint.load_all(f.path, progress.say) for f in missing])
        for point, members in checkpoint.resume_points(available):
            folders = [missing[i] for i in members]
            stored = [available[i][point] for i in members if available[i]]
            for folder, saved in zip(folders, stored):
                own = identity(folder.run)
                check_science(folder, folder.run, saved.get("identity", own))  # 0.1.0 kept none
                check_data(folder, saved["data"], dataset)
            keep_freed_memory()
            results += Training(folders, dataset, progress).run(point, stored)
    return results


def keep_freed_memory() -> None:
    """Let the C library keep what a training step frees for the next one.

    glibc gives arrays of more than 32 MB back to the system at once, and gets them anew, page by
    page, in the next step, which large stacks spend much of their time on.
    Called when the data has been read, so that what reading freed is given back. Other C libraries
    have no `mallopt`, or none that does anything.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, 64 << 20)
        mallopt(M_TRIM_THRESHOLD, 256 << 20)


def _complete(folder: RunFolder, dataset: DataSource, progress: Progress) -> Result:
    """A finished run with the evaluations it lacked; one that cannot get them holds up no other."""
    try:
        record, grown = complete(folder, dataset)
    except InputError as error:
        progress.say(f"{folder} cannot be evaluated: {error}")
        return Result(folder, Outcome.FAILED, str(error))
    return Result(folder, Outcome.EVALUATED if grown else Outcome.PRESENT, record=record)


def claim(folder: RunFolder, locks: ExitStack, say: Say) -> State:
    """Lock a run until `locks` are closed; returns its state.

    DONE; ABSENT, also where there are checkpoints; RUNNING where another process holds the lock;
    FAILED where its folder holds another run's record, which is named and left alone. A finished
    run that this process may not write to is DONE all the same, without a lock.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        locks.enter_context(folder.lock().acquire(timeout=LOOK_S))
    except Timeout:
        return State.RUNNING
    except OSError as error:
        if folder.state() == State.DONE:
            return State.DONE
        raise folder.unwritable(error) from error
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
    except InputError as error:
        say(f"passed over: {error}")
        return State.FAILED
    return State.DONE
