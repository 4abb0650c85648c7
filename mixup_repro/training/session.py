"""One call of train.py or evaluate.py: job after job, then a table of what came of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from omegaconf import DictConfig

from mixup_repro.config import Config, resolve
from mixup_repro.errors import InputError
from mixup_repro.progress import Progress
from mixup_repro.training.run import Result

Work = Callable[[Config, Progress], list[Result]]


class Session:
    """Runs jobs; a job that fails does not stop the ones after it."""

    def __init__(self, progress: Progress, work: Work) -> None:
        self.progress, self.work = progress, work
        self.results: list[Result] = []
        self.bad_input: list[str] = []

    def add(self, cfg: DictConfig) -> None:
        """Run one composed job."""
        try:
            self.results += self.work(resolve(cfg), self.progress)
        except InputError as error:
            self.bad_input.append(str(error))
            self.progress.say(f"error: {self.bad_input[-1]}")

    def close(self) -> int:
        """Print the summary; returns the exit code: 0 fine, 1 a run failed, 2 bad input."""
        rows = defaultdict(list)
        for result in self.results:
            rows[result.folder.id].append(result)
        if rows:
            table = [_summary(run_id, results) for run_id, results in rows.items()]
            header = ["run", "seeds", "test accuracy", "cross-entropy", "ECE", "state"]
            self.progress.table("Runs (plain prediction, mean over seeds)", header, table)
        failed = [r for r in self.results if r.outcome == "failed"]
        for result in failed:
            self.progress.say(f"failed: {result.folder}: {result.reason}")
        if len(self.bad_input) > 1 or (self.bad_input and self.results):
            for line in self.bad_input:
                self.progress.say(f"not run: {line}")
        return 2 if self.bad_input else int(bool(failed))


def _summary(run_id: str, results: list[Result]) -> list[str]:
    plain = [
        row
        for result in results
        if result.record
        for row in result.record["evaluations"]
        if row["evaluation"] == "plain"
    ]

    def mean(name: str) -> float:
        return sum(row[name] for row in plain) / len(plain)

    numbers = ["", "", ""]
    if plain:
        numbers = [f"{mean('accuracy'):.2%}", f"{mean('cross_entropy'):.4f}", f"{mean('ece'):.4f}"]
    states = sorted({r.outcome for r in results})
    counts = ", ".join(f"{sum(r.outcome == s for r in results)} {s}" for s in states)
    return [run_id, str(len(results)), *numbers, counts]
