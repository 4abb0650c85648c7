"""The training of one group of runs, from their last checkpoints to their records."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from traceback import format_exc
from typing import Optional

import numpy as np
import torch

from mixup_repro import tensors
from mixup_repro.architectures import Single, Stack, bytes_of
from mixup_repro.data import Dataset, StreamedSet
from mixup_repro.distributed import anyone, merge, rank, world_size
from mixup_repro.evaluation.finished import along_training
from mixup_repro.evaluation.predictor import evaluate, predict
from mixup_repro.files import replacing
from mixup_repro.progress import Progress
from mixup_repro.runs import Outcome, RunFolder
from mixup_repro.tracking import Mirror
from mixup_repro.training import checkpoint, interrupt
from mixup_repro.training.failures import explain
from mixup_repro.training.loop import Steps, assemble, fit
from mixup_repro.training.record import describe, device_name, identity

LOGITS_CLASSES = 100  # test logits are kept up to this many classes
PREDICTION_EXAMPLES = 100  # probabilities go into the record up to this many test examples
CHECKPOINT_SHARE = 20  # training between two checkpoints takes at least this many times a write
ASK_RANKS = 50  # steps after which ranks ask each other for signals; the answer is waited for
SNAPSHOTS = 10  # weights are kept at this many epochs, the last one included ...
SNAPSHOT_BYTES = 2**19  # ... where they take at most this much


@dataclass(frozen=True)
class Result:
    """What became of one run."""

    folder: RunFolder
    outcome: Outcome
    reason: str = ""
    record: Optional[dict] = None


class Training:
    """The training of one group of runs as one stack (or one run), from one epoch on."""

    def __init__(
        self,
        folders: list[RunFolder],
        dataset: Dataset | StreamedSet,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.folders, self.device, self.progress = folders, device, progress
        runs = [folder.run for folder in folders]
        self.dataset = dataset.for_seeds([run.seed for run in runs])
        self.config = runs[0].config
        self.learner, self.batches, self.plans = assemble(runs, self.dataset, device)
        self.snapshots = snapshot_epochs(self.learner.network, self.config.recipe.epochs)
        self.curves: list[list[dict]] = [[] for _ in folders]
        self.mirrors: list[Mirror] = []
        self.results: dict[int, Result] = {}  # of those that have ended
        self.spent, self.write_s = 0.0, 0.0

    def run(self, point: checkpoint.Point, states: list[dict]) -> list[Result]:
        """Train from `point` (with the checkpoints' `states`, where there are any) to the records.

        Raises:
            Exception: what ended this process's part of a run on several, after recording it; the
                others wait for this one, so it must end.
        """
        steps: Steps = []
        if states:
            self.learner.load_states([s["learner"] for s in states])
            self.curves = [s["curves"] for s in states]
            self.spent = sum(s["wall_s"] for s in states)
            values = torch.stack([s["steps"] for s in states], -1).to(self.device)
            steps = [tuple(step) for step in values]
        self.started = self.saved = time.perf_counter()
        try:
            self._fit(point[0], steps)
            self._finish()
        except Exception as error:  # such as out of memory: the runs after these go on
            for replica in range(len(self.folders)):
                if replica not in self.results:
                    self._fail(replica, explain(error, self.folders), format_exc())
            if world_size() > 1:
                raise
        return [self.results[replica] for replica in range(len(self.folders))]

    def _fit(self, epoch: int, steps: Steps) -> None:
        name = str(self.folders[0]) if len(self.folders) == 1 else self._stack_name()
        self.mirrors = [Mirror(folder) for folder in self.folders if rank() == 0]
        with self.progress.task(name, self.config.recipe.epochs, epoch) as self.update:
            fit(
                self.learner,
                self.dataset,
                self.batches,
                self.plans,
                epoch,
                self._after_epoch,
                self._fail,
                steps,
                self._after_step,
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
                for mirror in self.mirrors[replica : replica + 1]:  # none on ranks after the first
                    mirror.log(row)
        if done in self.snapshots and rank() == 0:
            for replica in alive:
                weights = self.learner.replica_state(replica)["network"]
                tensors.write(self.folders[replica].snapshot_path(done), weights)
        self.update(done, rows)
        now = time.perf_counter()
        wait = max(self.config.hardware.checkpoint_seconds, CHECKPOINT_SHARE * self.write_s)
        stop = anyone(interrupt.requested(), self.device)
        if (stop or now - self.saved >= wait) and done < self.config.recipe.epochs:
            self._checkpoint(done, [], stop)

    def _after_step(self, epoch: int, steps: Steps) -> None:
        stop = interrupt.requested()
        if world_size() > 1:  # all or none: whoever goes on would wait for the others
            stop = len(steps) % ASK_RANKS == 0 and anyone(stop, self.device)
        due = time.perf_counter() - self.saved > 60 * self.config.hardware.checkpoint_minutes
        if stop or due:
            self._checkpoint(epoch, steps, stop)

    def _checkpoint(self, epoch: int, steps: Steps, stop: bool) -> None:
        """On rank 0, write the state after `epoch` epochs and these steps of the next.

        Raises:
            SystemExit: it was the last, because of a signal.
        """
        began = time.perf_counter()
        for replica, folder in enumerate(self.folders):
            if rank() == 0 and replica not in self.results:
                state = self._state(replica, steps)
                checkpoint.save(folder.path, epoch, state, len(steps))
        self.saved = time.perf_counter()
        self.write_s = self.saved - began
        if stop:
            interrupt.leave(self.progress.say)

    def _state(self, replica: int, steps: Steps) -> dict:
        values = [torch.stack(step)[:, replica].cpu() for step in steps]
        return {
            "learner": self.learner.replica_state(replica),
            "steps": torch.stack(values) if values else torch.zeros(0, 2),
            "curves": self.curves[replica],
            "identity": identity(self.folders[replica]),
            "data": self.dataset.fingerprint(),
            "wall_s": self._wall() / len(self.folders),
        }

    def _fail(self, replica: int, message: str, trace: str = "") -> None:
        folder = self.folders[replica]
        config = asdict(folder.run.config)
        self.results[replica] = Result(folder, Outcome.FAILED, message)
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
        asked = self.config.evaluation
        alphas = sorted(set().union(*(run.rescaled_at for run in runs)))
        network, dataset = self.learner.network, self.dataset
        at = [run.alpha for run in runs] if asked.temperature else None
        switches = self._switches()
        network.autocast = None  # whatever the training's precision, a run is judged in float32
        evaluations = evaluate(network, dataset, alphas, at)
        unreadable = merge({rank(): sorted(getattr(dataset, "unreadable", ()))})
        if rank() > 0:
            self.results |= {
                r: Result(f, Outcome.DONE)
                for r, f in enumerate(self.folders)
                if r not in self.results
            }
            return
        logits = None
        if dataset.in_memory and dataset.classes <= LOGITS_CLASSES:
            logits = predict(network, dataset, dataset.x_test).cpu()
        maps = None if dataset.grid is None else predict(network, dataset, dataset.grid).cpu()
        wall = self._wall()
        for r, folder in enumerate(self.folders):
            if r in self.results:
                continue
            keep = {None, *runs[r].rescaled_at}
            tensors.write(folder.weights_path, self.learner.replica_state(r)["network"])
            if logits is not None:
                with replacing(folder.logits_path, "wb") as file:
                    np.savez(file, logits=logits[r].numpy())
            record = describe(folder, dataset)
            record |= {
                "wall_s": wall / len(runs),
                "stack": len(runs),
                "device": device_name(next(network.parameters())),
                "switches": switches,
                "unreadable": sorted(set().union(*unreadable.values())),
                "curves": self.curves[r],
                "best": max(self.curves[r], key=lambda row: row["test_accuracy"]),
                "evaluations": [e for e in evaluations[r] if e["eval_alpha"] in keep],
            }
            if logits is not None and dataset.n_test <= PREDICTION_EXAMPLES:
                record["predictions"] = logits[r].double().softmax(-1).tolist()
            if maps is not None:
                record["map"] = maps[r].double().softmax(-1)[:, 1].tolist()
            if asked.terms:
                device = next(network.parameters()).device
                record["terms"] = along_training(folder, dataset, device, asked.terms)
            folder.write_record(record)
            self.results[r] = Result(folder, Outcome.DONE, record=record)
            self.mirrors[r].finish(record)

    def _switches(self) -> dict:
        """How the run was computed, besides what: nothing here is part of its id."""
        hardware, network = self.config.hardware, self.learner.network
        return {
            "precision": "float32" if network.autocast is None else "bfloat16",
            "tf32": torch.backends.cudnn.allow_tf32,  # on GPUs, in float32 convolutions
            "graph": self.learner.graph is not None,
            "processes": world_size(),
            "sync_batchnorm": hardware.sync_batchnorm,
        }


def snapshot_epochs(network: Single | Stack, epochs: int) -> set[int]:
    """The epochs at which weights are kept, besides the last: few, and of small networks only."""
    if bytes_of(network) > SNAPSHOT_BYTES:
        return set()
    return {round(epochs * k / SNAPSHOTS) for k in range(1, SNAPSHOTS)} - {0, epochs}
