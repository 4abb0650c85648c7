"""The training of one group of runs, from their last checkpoints to their records."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from traceback import format_exc
from typing import Optional

import numpy as np
import torch

from mixup_repro.architectures import Single, Stack, bytes_of
from mixup_repro.data import Dataset
from mixup_repro.evaluation.finished import along_training
from mixup_repro.evaluation.predictor import evaluate, predict
from mixup_repro.progress import Progress
from mixup_repro.runs import RunFolder
from mixup_repro.tracking import Mirror
from mixup_repro.training import checkpoint, interrupt
from mixup_repro.training.failures import explain
from mixup_repro.training.loop import assemble, fit
from mixup_repro.training.record import describe, device_name, identity

LOGITS_CLASSES = 100  # test logits are kept up to this many classes
PREDICTION_EXAMPLES = 100  # probabilities go into the record up to this many test examples
CHECKPOINT_SHARE = 20  # training between two checkpoints takes at least this many times a write
SNAPSHOTS = 10  # weights are kept at this many epochs, the last one included ...
SNAPSHOT_BYTES = 2**19  # ... where they take at most this much


@dataclass(frozen=True)
class Result:
    """What became of one run.

    done, present (finished before), evaluated (finished before, with new evaluations), running
    (elsewhere), interrupted, missing, not trained (nor asked to be), or failed.
    """

    folder: RunFolder
    outcome: str
    reason: str = ""
    record: Optional[dict] = None


class Training:
    """The training of one group of runs as one stack (or one run), from one epoch on."""

    def __init__(
        self,
        folders: list[RunFolder],
        dataset: Dataset,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.folders, self.progress = folders, progress
        runs = [folder.run for folder in folders]
        self.dataset = dataset.for_seeds([run.seed for run in runs])
        self.config = runs[0].config
        self.learner, self.batches, self.plans = assemble(runs, self.dataset, device)
        self.snapshots = snapshot_epochs(self.learner.network, self.config.recipe.epochs)
        self.curves: list[list[dict]] = [[] for _ in folders]
        self.mirrors: list[Mirror] = []
        self.results: dict[int, Result] = {}  # of those that have ended
        self.spent, self.write_s = 0.0, 0.0

    def run(self, epoch: int, states: list[dict]) -> list[Result]:
        """Train from `epoch` (with the checkpoints' `states`, where epoch > 0) to the records."""
        if states:
            self.learner.load_states([s["learner"] for s in states])
            self.curves = [s["curves"] for s in states]
            self.spent = sum(s["wall_s"] for s in states)
        self.started = self.saved = time.perf_counter()
        try:
            self._fit(epoch)
            self._finish()
        except Exception as error:  # such as out of memory: the runs after these go on
            for replica in range(len(self.folders)):
                if replica not in self.results:
                    self._fail(replica, explain(error, self.folders), format_exc())
        return [self.results[replica] for replica in range(len(self.folders))]

    def _fit(self, epoch: int) -> None:
        name = str(self.folders[0]) if len(self.folders) == 1 else self._stack_name()
        self.mirrors = [Mirror(folder) for folder in self.folders]
        with self.progress.task(name, self.config.recipe.epochs, epoch) as self.update:
            fit(
                self.learner,
                self.dataset,
                self.batches,
                self.plans,
                epoch,
                self._after_epoch,
                self._fail,
            )

    def _stack_name(self) -> str:
        alphas = {f.run.alpha for f in self.folders}
        grid = f", {len(alphas)} alphas" if len(alphas) > 1 else ""
        return f"{self.folders[0].id} ({len(self.folders)} runs stacked{grid})"

    def _wall(self) -> float:
        return self.spent + time.perf_counter() - self.started

    def _after_epoch(self, done: int, rows: list[dict]) -> None:
        alive = [r for r in range(len(self.folders)) if r not in self.results]
        if rows:
            rows = [rows[r] for r in alive]
            for replica, row in zip(alive, rows):
                self.curves[replica].append(row)
                self.mirrors[replica].log(row)
        if done in self.snapshots:
            for replica in alive:
                weights = self.learner.replica_state(replica)["network"]
                checkpoint.write(self.folders[replica].snapshot_path(done), weights)
        self.update(done, rows)
        now = time.perf_counter()
        wait = max(self.config.hardware.checkpoint_seconds, CHECKPOINT_SHARE * self.write_s)
        stop = interrupt.requested()
        if (stop or now - self.saved >= wait) and done < self.config.recipe.epochs:
            for replica in alive:
                checkpoint.save(self.folders[replica].path, done, self._state(replica))
            self.saved = time.perf_counter()
            self.write_s = self.saved - now
            if stop:
                interrupt.leave(self.progress.say)

    def _state(self, replica: int) -> dict:
        return {
            "learner": self.learner.replica_state(replica),
            "curves": self.curves[replica],
            "identity": identity(self.folders[replica]),
            "data": self.dataset.fingerprint(),
            "wall_s": self._wall() / len(self.folders),
        }

    def _fail(self, replica: int, message: str, trace: str = "") -> None:
        folder = self.folders[replica]
        config = asdict(folder.run.config)
        self.results[replica] = Result(folder, "failed", message)
        try:
            folder.write_failure({"error": message, "traceback": trace, "config": config})
        except OSError as error:  # a full disk has no room for this either
            self.progress.say(f"{folder.failed_path} could not be written ({error.strerror})")
        for mirror in self.mirrors[replica : replica + 1]:  # none yet, where wandb itself failed
            mirror.finish(failed=True)
        self.progress.say(f"{folder} failed: {message}")

    def _finish(self) -> None:
        """Evaluate, keep weights and logits, and write the records of the runs that finished."""
        if len(self.results) == len(self.folders):
            return
        runs = [folder.run for folder in self.folders]
        own = {run.alpha for run in runs if run.alpha}
        asked = self.config.evaluation
        alphas = sorted(own | set(asked.alphas or ()))
        network, dataset = self.learner.network, self.dataset
        at = [run.alpha for run in runs] if asked.temperature else None
        evaluations = evaluate(network, dataset, alphas, at)
        logits = predict(network, dataset, dataset.x_test).cpu()
        maps = None if dataset.grid is None else predict(network, dataset, dataset.grid).cpu()
        wall = self._wall()
        for r, folder in enumerate(self.folders):
            if r in self.results:
                continue
            keep = {None, runs[r].alpha, *(asked.alphas or ())}
            checkpoint.write(folder.weights_path, self.learner.replica_state(r)["network"])
            if dataset.classes <= LOGITS_CLASSES:
                np.save(folder.path / "logits.npy", logits[r].numpy())
            record = describe(folder, dataset)
            record |= {
                "wall_s": wall / len(runs),
                "stack": len(runs),
                "device": device_name(next(network.parameters())),
                "curves": self.curves[r],
                "best": max(self.curves[r], key=lambda row: row["test_accuracy"]),
                "evaluations": [e for e in evaluations[r] if e["eval_alpha"] in keep],
            }
            if dataset.n_test <= PREDICTION_EXAMPLES:
                record["predictions"] = logits[r].double().softmax(-1).tolist()
            if maps is not None:
                record["map"] = maps[r].double().softmax(-1)[:, 1].tolist()
            if asked.terms:
                device = next(network.parameters()).device
                record["terms"] = along_training(folder, dataset, device, asked.terms)
            folder.write_record(record)
            self.results[r] = Result(folder, "done", record=record)
            self.mirrors[r].finish(record)


def snapshot_epochs(network: Single | Stack, epochs: int) -> set[int]:
    """The epochs at which weights are kept, besides the last: few, and of small networks only."""
    if bytes_of(network) > SNAPSHOT_BYTES:
        return set()
    return {round(epochs * k / SNAPSHOTS) for k in range(1, SNAPSHOTS)} - {0, epochs}
