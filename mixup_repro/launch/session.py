"""One call of train or evaluate: job after job, then a table of what came of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from mixup_repro import interrupt
from mixup_repro.data import DataSource
from mixup_repro.distributed import main_first, world_size
from mixup_repro.errors import InputError
from mixup_repro.evaluation.objective import check_objective, objective
from mixup_repro.jobs import Source, compose, expand, grid_size, register, resolve
from mixup_repro.launch.summary import summarise
from mixup_repro.schema import Config
from mixup_repro.store.folder import Outcome, RunFolder, State
from mixup_repro.training.job import Question, ask, device_of, open_data, run
from mixup_repro.training.progress import Progress
from mixup_repro.training.run import Result

Work = Callable[[Config, Progress], list[Result]]


def run_job(job: Config, progress: Progress, train: bool = True) -> list[Result]:
    """Train the runs of a job that are not finished, and give all what it asks of evaluations.

    train: False leaves runs that are not finished as they are. Returns what became of each.

    Raises:
        InputError: the job cannot run as asked. Nothing was trained.
    """
    dataset = open_data(job)
    questions = _questions(job, dataset, progress)
    results = run(job, dataset, progress, train)
    for question in questions:
        results = ask(results, question, progress.say)
    return results


def _questions(job: Config, dataset: DataSource, progress: Progress) -> list[Question]:
    """What a job asks of finished runs besides the evaluations in their records, checked.

    The modules are imported here, since most jobs do without them.
    """
    questions: list[Question] = []
    if job.benchmark.name:
        from mixup_repro import shifts
        from mixup_repro.shifts.evaluate import evaluate_folders

        benchmark = main_first(lambda: shifts.benchmark(job.benchmark, dataset))
        questions.append(lambda folders: evaluate_folders(folders, dataset, benchmark, progress))
    if job.probe is not None:
        from mixup_repro import probes
        from mixup_repro.probes.evaluate import probe_folders

        names = probes.named(job.probe, dataset, job.architecture)
        questions.append(lambda folders: probe_folders(folders, names, dataset, progress))
    return questions


class Session:
    """Runs jobs; a job that fails does not stop the ones after it.

    With hardware.slots, jobs are queued, and `close` runs them side by side. A launcher of Hydra's
    may call `add` in other processes, on a copy of this; then `close` reads the results from disk.

    command: train or evaluate. words: the overrides of the command line. source: where configs are
    composed from. work: what is done with a job, such as `run_job`.
    """

    def __init__(self, command: str, words: Sequence[str], source: Source, work: Work) -> None:
        self.command, self.words, self.source, self.work = command, list(words), source, work
        self.progress = Progress()
        self.added = 0  # jobs in this process
        self.queue: list[tuple[Config, list[str]]] = []  # jobs, and the words that they are
        self.results: list[Result] = []
        self.bad_input: list[str] = []

    def add(self, cfg: DictConfig) -> float | None:
        """Run one composed job, or queue it; returns the value of its `evaluation.objective`.

        None where it has none, or where a run failed: a sweeper counts this trial as failed.

        Raises:
            SystemExit: the process was asked to stop, with exit code 75; all progress is on disk.
        """
        register()  # a launcher's process has not run the script that did
        self.added += 1
        value = None
        with interrupt.watching():
            try:
                job = resolve(cfg)
                self._hint()
                value = self._run(job)
            except InputError as error:
                self.refuse(str(error))
            except interrupt.Stop:
                interrupt.leave(self.progress.say)
            if interrupt.requested():
                interrupt.leave(self.progress.say)
        return value

    def _run(self, job: Config) -> float | None:
        if job.evaluation.objective is not None:
            check_objective(job)
        sweep = HydraConfig.get().mode == RunMode.MULTIRUN
        self.progress.sweep.begin(job, HydraConfig.get().job.num + 1 if sweep else 0)
        if job.hardware.slots:
            self.queue.append((job, self._words()))
            return None
        results = self.work(job, self.progress)
        self.results += results
        finished = all(result.outcome.finished for result in results)
        if job.evaluation.objective is None or not finished:
            return None
        return objective(job, [result.folder for result in results], device_of(job))

    def _hint(self) -> None:
        """Without -m Hydra runs one job of an experiment's grid: say so before it is trained."""
        hydra = HydraConfig.get()
        if hydra.mode != RunMode.RUN:
            return
        jobs = grid_size(hydra.sweeper.params or {}, self.words)
        if jobs > 1:
            words = shlex.join(["mixup-repro", self.command, "-m", *self.words])
            self.progress.say(f"note: this is one job of {jobs}; all of them: {words}")

    def refuse(self, line: str) -> None:
        """Say what is wrong with a job; the others go on, and the exit code will be 2."""
        self.bad_input.append(line)
        self.progress.say(f"error: {line}")

    def _words(self) -> list[str]:
        """The overrides of the job that Hydra is running.

        Raises:
            InputError: it runs on a cluster, where this queue would never be worked through, or on
                several processes.
        """
        if world_size() > 1:
            raise InputError("hardware.slots: is for runs of one process; torchrun starts several")
        hydra = HydraConfig.get()
        if not hydra.launcher._target_.endswith("BasicLauncher"):
            raise InputError(
                "hardware.slots is for one machine; where a launcher starts the jobs, give it more "
                "of them with part=1/2,2/2"
            )
        places = [w for w in hydra.overrides.hydra if w.startswith("hydra.searchpath=")]
        return [*places, *hydra.overrides.task]

    def close(self) -> int:
        """Print the summary; returns the exit code.

        0 fine, 1 a run failed or was cut short, 2 bad input.
        """
        try:
            if self.queue:
                from mixup_repro.launch.node import Node  # other sessions do without

                node = Node(self.queue, self.progress, [self.command, *self.source.options()])
                node.run()
                self.results += node.results
                self.bad_input += node.bad_input
            if not self.added:
                self.results = self._on_disk()
        except InputError as error:
            self.refuse(str(error))
        summarise(self.results, self.progress)
        failed = [r for r in self.results if r.outcome == Outcome.FAILED]
        for result in failed:
            self.progress.say(f"failed: {result.folder}: {result.reason}")
        missing = sum(result.outcome == Outcome.MISSING for result in self.results)
        if missing and self.command == "evaluate":
            self.progress.say(
                f"{missing} runs are not finished, so there is nothing to evaluate; "
                f"mixup-repro train with the same words trains them"
            )
        if len(self.bad_input) > 1 or (self.bad_input and self.results):
            for line in self.bad_input:
                self.progress.say(f"not run: {line}")
        interrupted = any(r.outcome == Outcome.INTERRUPTED for r in self.results)
        # Runs of a launcher's jobs that are missing on disk: their jobs ended without them.
        cut_short = interrupted or (missing and not self.added)
        return 2 if self.bad_input else int(bool(failed or cut_short))

    def _on_disk(self) -> list[Result]:
        """The results of a command line whose jobs ran elsewhere."""

        def refuse(error: Exception) -> None:
            if isinstance(error, InputError):  # Hydra's own were said when the jobs were sent off
                self.refuse(str(error))

        jobs = compose(self.words, self.source, refuse)
        folders = {str(f): f for job in jobs for f in map(RunFolder, expand(job))}
        results = []
        for folder in folders.values():
            state = folder.state()
            record = folder.read_record() if state == State.DONE else None
            reason = folder.reason() if state == State.FAILED else ""
            results.append(Result(folder, Outcome(state), reason, record))
        return results
