"""The training of one group of runs, from their last checkpoints to their records."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from traceback import format_exc
from typing import TYPE_CHECKING, Any, Optional

import torch

from mixup_repro import interrupt, tensors
from mixup_repro.data import DataSource
from mixup_repro.distributed import is_lost, rank, world_size
from mixup_repro.jobs import batch_size
from mixup_repro.networks import Replicas, bytes_of
from mixup_repro.store.folder import Outcome, RunFolder
from mixup_repro.store.identity import identity
from mixup_repro.training import checkpoint
from mixup_repro.training.failures import explain
from mixup_repro.training.loop import Stack, Steps, Watcher, fit, summed
from mixup_repro.training.progress import Progress
from mixup_repro.training.record import finish

if TYPE_CHECKING:
    from mixup_repro.training.tracking import Mirror

SNAPSHOTS = 10  # weights are kept at this many epochs, the last one included ...
SNAPSHOT_BYTES = 2**19  # ... where they take at most this much


@dataclass(frozen=True)
class Result:
    """What became of one run."""

    folder: RunFolder
    outcome: Outcome
    reason: str = ""
    record: Optional[dict[str, Any]] = None


class Training(Watcher):
    """The training of one group of runs as one stack, or of one run.

    Is told by `fit` how training goes: it keeps the curves, writes checkpoints and snapshots, and
    ends each run as done or failed.
    """

    def __init__(self, folders: list[RunFolder], dataset: DataSource, progress: Progress) -> None:
        self.folders, self.dataset, self.progress = folders, dataset, progress
        self.config = folders[0].run.config
        self.saver = checkpoint.Saver(self.config.hardware, dataset.device)
        self.curves: list[list[dict[str, Any]]] = [[] for _ in folders]
        self.mirrors: list[Mirror] = []
        self.results: dict[int, Result] = {}  # of those that have ended
        self.spent = 0.0  # seconds before the checkpoint that this began from

    def run(self, point: checkpoint.Point, states: list[dict[str, Any]]) -> list[Result]:
        """Train from `point` (with the checkpoints' `states`, where there are any) to the records.

        Raises:
            Exception: what ended this process's part of a run on several, after recording it; the
                others wait for this one, so it must end.
        """
        with ExitStack() as at_end:
            try:
                self.stack = Stack.of([folder.run for folder in self.folders], self.dataset)
                at_end.callback(self.stack.learner.release)
                self._work(point[0], self._load(states))
            except Exception as error:  # such as out of memory: the runs after these go on
                for replica in self._alive() if not is_lost(error) else ():
                    self._fail(replica, explain(error, self.folders), format_exc())
                if world_size() > 1:
                    raise
        return [self.results[replica] for replica in range(len(self.folders))]

    def _work(self, epoch: int, steps: Steps) -> None:
        self.at, self.started = (epoch, steps), time.perf_counter()
        try:
            self._train(epoch, steps)
            self._finish()
        except interrupt.Stop:  # in an evaluation, which another process makes anew
            self.saver.stop = True
            self._save(*self.at)

    def _load(self, states: list[dict[str, Any]]) -> Steps:
        """Go on from the states of checkpoints; returns the steps of the epoch they are in."""
        if not states:
            return []
        self.stack.learner.load_states([s["learner"] for s in states])
        self.curves = [s["curves"] for s in states]
        self.spent = sum(s["wall_s"] for s in states)
        values = torch.stack([s["steps"] for s in states], -1)
        return [(loss, weight) for loss, weight in values.to(self.dataset.device)]

    def _alive(self) -> list[int]:
        return [r for r in range(len(self.folders)) if r not in self.results]

    def _train(self, epoch: int, steps: Steps) -> None:
        if self.config.wandb.mode != "disabled" and rank() == 0:
            from mixup_repro.training.tracking import Mirror

            self.mirrors = [Mirror(folder, self.progress.say) for folder in self.folders]
        n = self.dataset.n_train
        whole = -(-n // batch_size(self.config.recipe, n))
        runs, begun = [str(folder) for folder in self.folders], epoch + len(steps) / whole
        epochs = self.config.recipe.epochs
        self.snapshots = snapshot_epochs(self.stack.learner.network, epochs)
        with self.progress.task(self._name(), runs, epochs, whole, begun) as self.task:
            fit(self.stack, self, epoch, steps)

    def _name(self) -> str:
        if len(self.folders) == 1:
            return str(self.folders[0])
        alphas = {f.run.alpha for f in self.folders}
        grid = f", {len(alphas)} alphas" if len(alphas) > 1 else ""
        return f"{self.folders[0].id} ({len(self.folders)} runs stacked{grid})"

    def _wall_s(self) -> float:
        """Seconds of training of each run so far."""
        return (self.spent + time.perf_counter() - self.started) / len(self.folders)

    def after_step(self, epoch: int, steps: Steps) -> None:
        """As `Watcher.after_step`."""
        self.at = epoch, steps
        self.task.at = epoch, len(steps)
        if self.saver.due_after_step():
            self._save(epoch, summed(steps))

    def after_epoch(self, done: int, rows: list[dict[str, Any]]) -> None:
        """As `Watcher.after_epoch`."""
        self.at = done, []
        alive = self._alive()
        rows = [rows[r] for r in alive] if rows else []
        for replica, row in zip(alive, rows):
            self.curves[replica].append(row)
            for mirror in self.mirrors[replica : replica + 1]:  # none, unless asked for
                mirror.log(row)
        if done in self.snapshots and rank() == 0:
            for replica in alive:
                weights = self.stack.learner.weights(replica)
                tensors.write(self.folders[replica].snapshot_path(done), weights)
        self.task.at = done, 0
        if rows:
            self.task.note = _note(rows)
        if self.saver.due_after_epoch():  # also after the last: final evaluations may take long
            self._save(done, [])

    def diverged(self, replica: int, message: str) -> None:
        """As `Watcher.diverged`."""
        self._fail(replica, message)

    def _save(self, epoch: int, steps: Steps) -> None:
        """On rank 0, write the state after `epoch` epochs and these steps of the next.

        Raises:
            SystemExit: it was the last, because of a signal.
        """
        with self.saver.writing():
            for replica in self._alive() if rank() == 0 else ():
                state = self._state(replica, steps)
                checkpoint.save(self.folders[replica].path, epoch, state, len(steps))
        if self.saver.stop:
            interrupt.leave(self.progress.say)

    def _state(self, replica: int, steps: Steps) -> dict[str, Any]:
        values = [torch.stack(step)[:, replica].cpu() for step in steps]
        return {
            "learner": self.stack.learner.replica_state(replica),
            "steps": torch.stack(values) if values else torch.zeros(0, 2),
            "curves": self.curves[replica],
            "identity": identity(self.folders[replica].run),
            "data": self.stack.dataset.fingerprint(),
            "wall_s": self._wall_s(),
        }

    def _fail(self, replica: int, message: str, trace: str = "") -> None:
        folder = self.folders[replica]
        config = asdict(folder.run.config)
        self.results[replica] = Result(folder, Outcome.FAILED, message)
        try:
            folder.write_failure({"error": message, "traceback": trace, "config": config})
        except OSError as error:  # a full disk has no room for this either
            self.progress.say(f"{folder.failed_path} could not be written ({error.strerror})")
        for mirror in self.mirrors[replica : replica + 1]:
            mirror.finish(failed=True)
        self.progress.say(f"{folder} failed: {message}")

    def _finish(self) -> None:
        alive = {replica: self.folders[replica] for replica in self._alive()}
        if not alive:
            return
        for replica, record in finish(self.stack, alive, self.curves, self._wall_s()):
            self.results[replica] = Result(alive[replica], Outcome.DONE, record=record)
            for mirror in self.mirrors[replica : replica + 1]:
                mirror.finish(record)


def _note(rows: list[dict[str, Any]]) -> str:
    """Means over the runs of a stack, such as: loss 0.7085, test accuracy 98.44%."""
    loss, accuracy = (sum(r[k] for r in rows) / len(rows) for k in ("mixed_loss", "test_accuracy"))
    return f"loss {loss:.4f}, test accuracy {accuracy:.2%}"


def snapshot_epochs(network: Replicas, epochs: int) -> set[int]:
    """The epochs at which weights are kept, besides the last: few, and of small networks only."""
    if bytes_of(network) > SNAPSHOT_BYTES:
        return set()
    return {round(epochs * k / SNAPSHOTS) for k in range(1, SNAPSHOTS)} - {0, epochs}
