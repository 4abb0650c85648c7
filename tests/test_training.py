"""Training: stacks, resuming, failures, schedules and records, on runs of a second or less."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from helpers import HARDWARE, job, make_image_folder

from mixup_repro import networks
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import restore
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.store import records
from mixup_repro.store.folder import RunFolder
from mixup_repro.training import checkpoint, tracking
from mixup_repro.training import record as training_record
from mixup_repro.training.checkpoint import resume_points
from mixup_repro.training.learner import Learner
from mixup_repro.training.loop import Stack
from mixup_repro.training.progress import Progress, Task
from mixup_repro.training.run import Result

DIGITS = "dataset=digits", "architecture=mlp", "architecture.hidden=[16]", "recipe=digits"


class Quiet(Progress):
    """Keeps what would be said, and the epoch each training started from."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.starts: list[int] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    @contextmanager
    def task(self, name, runs, epochs, steps, start):
        self.starts.append(start)
        yield Task(name, runs, epochs, steps, start, self.sweep)


def run(*words: str, runs_dir: Path, progress: Progress | None = None) -> list[Result]:
    return run_job(job(*HARDWARE, *words, f"runs_dir={runs_dir}"), progress or Quiet())


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return torch.load(folder.weights_path, weights_only=True)


def artefacts(folder: RunFolder) -> tuple:
    """All that a run leaves, less the time and place it was made."""
    record = folder.read_record()
    del record["wall_s"], record["finished"], record["config"]["runs_dir"]
    tensors = {name: tensor.tolist() for name, tensor in weights(folder).items()}
    return (
        json.dumps(record, sort_keys=True),
        tensors,
        np.load(folder.logits_path)["logits"].tolist(),
    )


class Interrupted(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def interrupt(monkeypatch):
    """interrupt(epoch, writes): stop right after the given number of writes of that epoch.

    Also makes every epoch leave a checkpoint, however long a write takes.
    """
    monkeypatch.setattr(checkpoint, "SHARE", 0)
    save = checkpoint.save

    def after(epoch: int, writes: int = 1):
        left = [writes]

        def stopping(folder: Path, done: int, state: dict, step: int = 0) -> None:
            save(folder, done, state, step)
            left[0] -= done == epoch
            if done == epoch and not left[0]:
                raise Interrupted

        monkeypatch.setattr(checkpoint, "save", stopping)

    return after


OFTEN = "hardware.checkpoint_seconds=0"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return make_image_folder(tmp_path_factory.mktemp("data") / "pictures", per_class=20)


def lenet(root: Path) -> list[str]:
    """LeNet with crop, flip, momentum and a decaying rate, eight epochs of three steps."""
    recipe = ["recipe=carratino_lenet", "recipe.epochs=8", "recipe.batch_size=16"]
    data = ["dataset=image_folder", f"dataset.root={root}", "architecture=lenet"]
    return [*data, *recipe, "method.alpha=0.5", "evaluation.alphas=[1]", OFTEN]


ADAM_STACK = [
    *DIGITS,
    "recipe.optimizer=adam",
    "recipe.lr=1e-3",
    "recipe.momentum=null",
    "recipe.epochs=8",
    "seeds=2",
    OFTEN,
]


# --- Stacks -----------------------------------------------------------------------------------


LINE = ["experiment=chidambaram2022/fig1", "scale=smoke"]


@pytest.mark.parametrize(
    "words",
    [
        [*DIGITS, "recipe.epochs=3", "method.alpha=[0.5,4]", "seeds=2"],
        [*DIGITS, "recipe.epochs=3", "method=erm", "seeds=3", "evaluation.alphas=[1]"],
        [*LINE, "method.alpha=[1,32]", "seeds=2"],
    ],
    ids=["digits mixup", "digits erm", "alternating line"],
)
def test_a_replica_equals_the_run_alone_up_to_rounding(words, tmp_path):
    stacked = run(*words, runs_dir=tmp_path / "stacked")
    assert len(stacked) > 1
    for result in stacked:
        run_alone = result.folder.run
        alone = [f"seeds=[{run_alone.seed}]"]
        if run_alone.alpha:
            alone.append(f"method.alpha={run_alone.alpha}")
        (single,) = run(*words, *alone, runs_dir=tmp_path / "alone")
        assert str(single.folder) == str(result.folder)
        assert (result.record["stack"], single.record["stack"]) == (len(stacked), 1)
        ours, theirs = weights(result.folder), weights(single.folder)
        for name, tensor in theirs.items():
            torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=1e-5)
        n_test = single.record["data"]["n_test"]
        for curve in ("curves", "evaluations"):
            assert len(result.record[curve]) == len(single.record[curve])
        for row, other in zip(result.record["evaluations"], single.record["evaluations"]):
            assert row["eval_alpha"] == other["eval_alpha"]
            assert row["cross_entropy"] == pytest.approx(other["cross_entropy"], rel=1e-4)
            # Rounding may move an example across a decision boundary, but hardly two.
            assert abs(row["accuracy"] - other["accuracy"]) <= 1.001 / n_test
        for row, other in zip(result.record["curves"], single.record["curves"]):
            assert row["mixed_loss"] == pytest.approx(other["mixed_loss"], rel=1e-4)


def test_replicas_of_a_stack_differ_from_each_other(tmp_path):
    results = run(*DIGITS, "recipe.epochs=1", "method.alpha=[0.5,4]", "seeds=2", runs_dir=tmp_path)
    losses = {result.record["curves"][0]["mixed_loss"] for result in results}
    assert len(losses) == 4


def poison(monkeypatch, replica: int, at_step: int) -> None:
    """Make the weights of one replica infinite before the given step, counted from 0."""
    step, count = Learner.step, [0]

    def poisoned(learner, batch):
        if count[0] == at_step:
            learner.network.replica_tensors(replica)["0.weight"].fill_(torch.inf)
        count[0] += 1
        return step(learner, batch)

    monkeypatch.setattr(Learner, "step", poisoned)


STEPS = 15  # 898 digits in batches of 64


def test_a_diverging_replica_fails_alone_and_can_be_trained_again(tmp_path, monkeypatch):
    words = [*DIGITS, "recipe.epochs=3", "seeds=3"]
    undisturbed = run(*words, runs_dir=tmp_path / "a")
    with monkeypatch.context() as patch:
        poison(patch, replica=1, at_step=STEPS + 2)
        results = run(*words, runs_dir=tmp_path / "b")

    assert [result.outcome for result in results] == ["done", "failed", "done"]
    for k in (0, 2):
        assert artefacts(results[k].folder) == artefacts(undisturbed[k].folder)
    failed = results[1].folder
    assert failed.state() == "failed"
    failure = json.loads(failed.failed_path.read_text())
    assert "epoch 2, step 3" in failure["error"]
    assert failure["config"]["recipe"]["epochs"] == 3
    assert not failed.record_path.exists()

    again = run(*words, runs_dir=tmp_path / "b")
    assert sorted(result.outcome for result in again) == ["done", "done before", "done before"]
    assert failed.state() == "done"
    assert not failed.failed_path.exists()


def test_a_failed_run_is_not_logged_after_its_end(tmp_path, monkeypatch):
    class Mirror:
        def __init__(self, folder, say):
            self.finished = []

        def log(self, row):
            assert not self.finished, "logged after its end, which wandb refuses"

        def finish(self, record=None, failed=False):
            self.finished.append(failed)
            mirrors[self] = self.finished

    mirrors: dict = {}
    monkeypatch.setattr(tracking, "Mirror", Mirror)
    poison(monkeypatch, replica=0, at_step=1)
    run(*DIGITS, "wandb.mode=offline", "recipe.epochs=3", "seeds=2", runs_dir=tmp_path)
    assert sorted(mirrors.values()) == [[False], [True]]


@pytest.mark.parametrize("where", ["init", "log", "finish"])
def test_a_mirror_that_fails_says_so_once_and_the_run_goes_on(where, tmp_path, monkeypatch):
    class Wandb:
        summary: ClassVar[dict] = {}

        def act(self, name):
            if name == where:
                raise ConnectionError("no route\nto host")
            return self

        def init(self, **settings):
            return self.act("init")

        def log(self, row, step):
            self.act("log")

        def finish(self, exit_code):
            self.act("finish")

    monkeypatch.setattr(tracking, "wandb", Wandb())
    quiet, words = Quiet(), [*DIGITS, "wandb.mode=offline", "recipe.epochs=3"]
    (result,) = run(*words, runs_dir=tmp_path, progress=quiet)
    assert result.outcome == "done"
    (line,) = (line for line in quiet.said if "wandb" in line)
    assert line.endswith("wandb mirrors it no more (ConnectionError: no route)")


def test_a_stack_ends_early_when_all_replicas_failed(tmp_path, monkeypatch):
    step, count = Learner.step, [0]

    def counted(learner, batch):
        count[0] += 1
        return step(learner, batch)

    monkeypatch.setattr(Learner, "step", counted)
    results = run(*DIGITS, "recipe.lr=1e30", "recipe.epochs=9", "seeds=2", runs_dir=tmp_path)
    assert [result.outcome for result in results] == ["failed", "failed"]
    assert count[0] == STEPS


# --- Resuming ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lenet", "adam stack", "accumulated stack", "accumulated lenet"])
def test_an_interrupted_run_ends_as_if_it_had_not_been(kind, pictures, tmp_path, interrupt):
    words, members = (lenet(pictures), 1) if "lenet" in kind else (ADAM_STACK, 2)
    if "accumulated" in kind:  # gradients are part of what goes on
        words = (*words, "method=mixup_accumulated", "recipe.lr=1e-4")
    whole = run(*words, runs_dir=tmp_path / "whole")
    for epoch in (1, 2, 5, 7):
        interrupt(epoch, members)
        with pytest.raises(Interrupted):
            run(*words, runs_dir=tmp_path / "parts")
    progress = Quiet()
    parts = run(*words, runs_dir=tmp_path / "parts", progress=progress)
    assert progress.starts == [7]
    assert [result.outcome for result in parts] == ["done"] * members
    for one, other in zip(whole, parts):
        assert artefacts(one.folder) == artefacts(other.folder)
        assert [row["epoch"] for row in other.record["curves"]] == list(range(1, 9))
        assert not list(other.folder.path.glob("epoch*.pt"))


def test_accumulated_gradients_are_the_sum_of_all_steps():
    """Three steps of SGD at a learning rate too small to matter: gradients add up."""
    (one,) = expand(job("method=mixup_accumulated", "recipe.lr=1e-12", "architecture=linear"))
    dataset = load(one.config.dataset)
    stack = Stack.of([one], dataset)
    learner, batches, plans = stack.learner, stack.batches, stack.plans
    sums = []
    for _, batch in zip(range(3), batches(plans.epoch(0), 64)):
        learner.step(batch)
        sums.append([p.grad.clone() for p in learner.network.parameters()])
    single = Stack.of([one], dataset).learner
    single.accumulates = False
    alone = []
    for _, batch in zip(range(3), batches(plans.epoch(0), 64)):
        single.step(batch)
        alone.append([p.grad.clone() for p in single.network.parameters()])
    for total, *parts in zip(sums[-1], *alone):
        torch.testing.assert_close(total, sum(parts), atol=1e-6, rtol=1e-5)


def test_a_stack_killed_between_two_members_files_goes_on_together(tmp_path, interrupt):
    whole = run(*ADAM_STACK, runs_dir=tmp_path / "whole")
    interrupt(4, writes=1)
    with pytest.raises(Interrupted):
        run(*ADAM_STACK, runs_dir=tmp_path / "parts")
    progress = Quiet()
    parts = run(*ADAM_STACK, runs_dir=tmp_path / "parts", progress=progress)
    assert progress.starts == [3]
    for one, other in zip(whole, parts):
        assert artefacts(one.folder) == artefacts(other.folder)


def interrupted_lenet(pictures: Path, tmp_path: Path, interrupt, epoch: int) -> RunFolder:
    interrupt(epoch)
    with pytest.raises(Interrupted):
        run(*lenet(pictures), runs_dir=tmp_path)
    (only,) = expand(job(*HARDWARE, *lenet(pictures), f"runs_dir={tmp_path}"))
    folder = RunFolder(only)
    assert folder.state() == "interrupted"
    return folder


def halve(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_truncated_checkpoint_leaves_the_one_before_it(pictures, tmp_path, interrupt):
    folder = interrupted_lenet(pictures, tmp_path, interrupt, epoch=5)
    newest = max(folder.path.glob("epoch*.pt"))
    halve(newest)
    progress = Quiet()
    run(*lenet(pictures), runs_dir=tmp_path, progress=progress)
    assert progress.starts == [4]
    assert any(newest.name in line and "damaged" in line for line in progress.said)


def test_damaged_checkpoints_do_not_crowd_out_new_ones(pictures, tmp_path, interrupt):
    folder = interrupted_lenet(pictures, tmp_path, interrupt, epoch=6)
    for path in folder.path.glob("epoch*.pt"):
        halve(path)
    interrupted_lenet(pictures, tmp_path, interrupt, epoch=2)
    progress = Quiet()
    run(*lenet(pictures), runs_dir=tmp_path, progress=progress)
    assert progress.starts == [2]


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"no checkpoint"])
def test_any_damage_to_a_checkpoint_is_named_and_passed_over(tmp_path, content):
    checkpoint.save(tmp_path, 1, {"weights": torch.ones(3)})
    checkpoint.save(tmp_path, 2, {"weights": torch.ones(3)})
    (tmp_path / "epoch000002-step000000.pt").write_bytes(content)
    said: list[str] = []
    assert list(checkpoint.load_all(tmp_path, said.append)) == [(1, 0)]
    assert len(said) == 1
    assert "epoch000002-step000000.pt" in said[0]


def test_a_checkpoint_damaged_inside_is_named_or_loads(tmp_path):
    checkpoint.save(tmp_path, 1, {"curves": [{"name": 1.0}], "weights": torch.ones(3)})
    path = tmp_path / "epoch000001-step000000.pt"
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(len(content), 150, replace=False):
        damaged = bytearray(content)
        damaged[position] ^= 0xC1
        path.write_bytes(bytes(damaged))
        said: list[str] = []
        states = checkpoint.load_all(tmp_path, said.append)
        assert len(states) + len(said) == 1


def test_the_two_newest_checkpoints_are_kept_and_load_safely(pictures, tmp_path, interrupt):
    folder = interrupted_lenet(pictures, tmp_path, interrupt, epoch=5)
    names = sorted(path.name for path in folder.path.glob("epoch*.pt"))
    assert names == ["epoch000004-step000000.pt", "epoch000005-step000000.pt"]
    state = torch.load(folder.path / names[1], weights_only=True)
    assert [row["epoch"] for row in state["curves"]] == [1, 2, 3, 4, 5]
    assert set(state["learner"]) == {"network", "optimiser"}
    assert len(state["steps"]) == 0


def test_resuming_on_other_data_is_refused(tmp_path, interrupt):
    two = make_image_folder(tmp_path / "two", classes=2, per_class=15)
    three = make_image_folder(tmp_path / "three", classes=3, per_class=10)
    interrupt(3)
    with pytest.raises(Interrupted):
        run(*lenet(two), "dataset.label=pets", runs_dir=tmp_path / "runs")
    with pytest.raises(InputError, match="classes 2 there, 3 here"):
        run(*lenet(three), "dataset.label=pets", runs_dir=tmp_path / "runs")


@pytest.mark.parametrize(
    ("epochs_of_each_run", "expected"),
    [
        ([[], []], [(0, [0, 1])]),
        ([[3, 4], [3, 4]], [(4, [0, 1])]),
        ([[4, 5], [3, 4]], [(4, [0, 1])]),  # killed between the two files of epoch 5
        ([[8, 9], [3, 4]], [(4, [1]), (9, [0])]),  # no epoch in common
        ([[8, 9], [3, 4], [4]], [(4, [1, 2]), (9, [0])]),
        ([[], [3, 4], []], [(0, [0, 2]), (4, [1])]),
        ([[7], []], [(0, [1]), (7, [0])]),
        ([], []),
    ],
)
def test_resume_points(epochs_of_each_run, expected):
    available = [{(epoch, 0): {} for epoch in epochs} for epochs in epochs_of_each_run]
    assert resume_points(available) == [((epoch, 0), members) for epoch, members in expected]


def test_resume_points_inside_an_epoch():
    assert resume_points([{(3, 0): {}, (3, 70): {}}, {(3, 70): {}, (4, 0): {}}]) == [
        ((3, 70), [0, 1])
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("seeds=2", "method.alpha=[0.5,2]"),
        ("method=erm",),
        (
            *("method=manifold_mixup", "method.layers=[0,1]", "method.alpha_end=0"),
            *("architecture.dropout=0.5", "seeds=2"),
        ),
    ],
)
def test_a_run_stopped_inside_an_epoch_goes_on_at_the_exact_step(words, tmp_path, monkeypatch):
    words = (*DIGITS, "recipe.epochs=3", *words)
    whole = run(*words, runs_dir=tmp_path / "whole")
    save = checkpoint.save

    def stopping(folder: Path, epoch: int, state: dict, step: int = 0) -> None:
        save(folder, epoch, state, step)
        if (epoch, step) == (1, 9) and folder.parts[-2:] == whole[-1].folder.path.parts[-2:]:
            raise Interrupted

    steps: list[int] = []
    step = Learner.step
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", stopping)
        with pytest.raises(Interrupted):
            run(*words, "hardware.checkpoint_minutes=1e-9", runs_dir=tmp_path / "halves")
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", lambda self, b: steps.append(0) or step(self, b))
        halves = run(*words, runs_dir=tmp_path / "halves")
    assert len(steps) == 2 * STEPS - 9
    assert [artefacts(r.folder) for r in halves] == [artefacts(r.folder) for r in whole]


# --- Schedule, evaluation, records ------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_optimiser_follows_the_schedule(tmp_path, monkeypatch, optimizer):
    step, rates = Learner.step, []

    def noted(learner, batch):
        rates.append(learner.optimiser.param_groups[0]["lr"].item())
        return step(learner, batch)

    monkeypatch.setattr(Learner, "step", noted)
    words = ["recipe.epochs=8", "recipe.lr=0.04", "recipe.decay_at=[0.5,0.75]"]
    words += ["recipe.decay_by=0.5", "recipe.batch_size=null", f"recipe.optimizer={optimizer}"]
    run(*DIGITS, *words, runs_dir=tmp_path)
    assert rates == pytest.approx([0.04] * 4 + [0.02] * 2 + [0.01] * 2)


def test_a_learning_rate_of_nearly_zero_nearly_stops_training(tmp_path):
    decayed = ["recipe.epochs=3", "recipe.decay_at=[0.3]", "recipe.decay_by=1e-12"]
    (result,) = run(*DIGITS, *decayed, "recipe.weight_decay=null", runs_dir=tmp_path)
    first, second, third = (row["test_cross_entropy"] for row in result.record["curves"])
    assert first == pytest.approx(second, abs=1e-6) == pytest.approx(third, abs=1e-6)


def evaluated(result: Result) -> list[tuple]:
    return [(row["evaluation"], row["eval_alpha"]) for row in result.record["evaluations"]]


def test_mixup_is_evaluated_plainly_at_its_own_alpha_and_at_the_asked_ones(tmp_path):
    words = ["recipe.epochs=1", "method.alpha=[1,4]"]
    one, four = run(*DIGITS, *words, "evaluation.alphas=[0.5,2]", runs_dir=tmp_path / "a")
    grid = [("plain", None), ("rescaled", 0.5), ("rescaled", 1.0), ("rescaled", 2.0)]
    assert evaluated(one) == grid
    assert evaluated(four) == [*grid[:2], ("rescaled", 2.0), ("rescaled", 4.0)]
    one, four = run(*DIGITS, *words, runs_dir=tmp_path / "b")
    assert evaluated(one) == [("plain", None), ("rescaled", 1.0)]
    assert evaluated(four) == [("plain", None), ("rescaled", 4.0)]
    plain, rescaled = four.record["evaluations"]
    assert plain["cross_entropy"] != rescaled["cross_entropy"]


def test_erm_is_evaluated_at_the_asked_alphas_only(tmp_path):
    words = [*DIGITS, "method=erm", "recipe.epochs=1"]
    (result,) = run(*words, runs_dir=tmp_path / "a")
    assert evaluated(result) == [("plain", None)]
    (result,) = run(*words, "evaluation.alphas=2", runs_dir=tmp_path / "b")
    assert evaluated(result) == [("plain", None), ("rescaled", 2.0)]


def test_a_finished_run_is_not_touched_again(tmp_path, monkeypatch):
    (first,) = run(*DIGITS, "recipe.epochs=1", runs_dir=tmp_path)

    def files() -> dict:
        return {
            path: (path.stat().st_mtime_ns, path.read_bytes())
            for path in first.folder.path.iterdir()
            if path.name != "lock"
        }

    before = files()

    def never(*_):
        raise AssertionError("trained a finished run")

    monkeypatch.setattr(Learner, "step", never)
    (second,) = run(*DIGITS, "recipe.epochs=1", runs_dir=tmp_path)
    assert second.outcome == "done before"
    assert second.record == first.record
    assert files() == before


def test_more_seeds_train_only_the_missing_ones(tmp_path):
    run(*DIGITS, "recipe.epochs=1", "seeds=[1]", runs_dir=tmp_path)
    progress = Quiet()
    results = run(*DIGITS, "recipe.epochs=1", "seeds=3", runs_dir=tmp_path, progress=progress)
    outcomes = {result.folder.run.seed: result.outcome for result in results}
    assert outcomes == {0: "done", 1: "done before", 2: "done"}


def test_a_record_explains_itself(pictures, tmp_path):
    (result,) = run(*lenet(pictures), "recipe.epochs=2", runs_dir=tmp_path)
    record = result.folder.read_record()
    assert record == json.loads(json.dumps(result.record))
    assert (record["run_id"], record["seed"]) == (result.folder.id, 0)
    assert record["config"]["recipe"]["epochs"] == 2
    assert record["data"]["classes"] == 2
    assert record["best"] in record["curves"]
    assert record["wall_s"] > 0
    assert {"torch", "numpy", "python", "mixup_repro"} <= set(record["versions"])
    assert record["versions"]["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert len(record["predictions"]) == record["data"]["n_test"] == 40


@pytest.mark.parametrize(
    ("network", "precision"),
    [("mlp", "float32"), ("random_features", "float32"), ("lenet", "bfloat16")],
)
def test_a_record_names_the_precision_that_was_used(network, precision, pictures, tmp_path):
    fields = [f"dataset.root={pictures}", f"architecture={network}", "recipe.epochs=1"]
    fields += ["dataset=image_folder", "hardware.precision=bfloat16"]
    (result,) = run(*fields, runs_dir=tmp_path)
    assert result.record["switches"]["precision"] == precision


def test_a_restored_network_predicts_what_the_run_recorded(pictures, tmp_path):
    (result,) = run(*lenet(pictures), "recipe.epochs=2", runs_dir=tmp_path)
    dataset = load(result.folder.run.config.dataset)
    network = restore(result.folder, dataset).eval()
    with torch.inference_mode():
        logits = network(dataset.normalise(dataset.x_test).unsqueeze(0))
    np.testing.assert_allclose(logits[0], np.load(result.folder.logits_path)["logits"], atol=1e-5)


def test_restoring_an_unfinished_run_is_refused(tmp_path):
    (only,) = expand(job(*DIGITS, f"runs_dir={tmp_path}"))
    with pytest.raises(InputError, match="not finished"):
        restore(RunFolder(only), load(only.config.dataset))


def test_curves_hold_the_asked_epochs_and_always_the_last(tmp_path):
    words = ["recipe.epochs=5", "recipe.evaluate_every=2", "recipe.evaluate_train=true"]
    (result,) = run(*DIGITS, *words, runs_dir=tmp_path)
    assert [row["epoch"] for row in result.record["curves"]] == [2, 4, 5]
    assert all({"train_accuracy", "test_accuracy"} <= set(r) for r in result.record["curves"])


def test_the_warm_up_rises_step_by_step_from_nothing(tmp_path, monkeypatch):
    step, rates = Learner.step, []

    def noted(learner, batch):
        rates.append(learner.optimiser.param_groups[0]["lr"].item())
        return step(learner, batch)

    monkeypatch.setattr(Learner, "step", noted)
    words = [
        "recipe.epochs=4",
        "recipe.lr=0.04",
        "recipe.warmup_epochs=2",
        "recipe.decay_at=[0.75]",
    ]
    run(*DIGITS, *words, "recipe.decay_by=0.5", runs_dir=tmp_path)
    rise = [0.04 * k / (2 * STEPS) for k in range(2 * STEPS)]
    assert rates == pytest.approx(rise + [0.04] * STEPS + [0.02] * STEPS)


@pytest.mark.parametrize("architecture", ["mlp", "lenet"])
def test_passes_over_parts_of_a_batch_add_up_to_the_batch(architecture, pictures):
    words = (*lenet(pictures), f"architecture={architecture}")

    def stepped(microbatch: int) -> tuple:
        one = expand(job(*HARDWARE, *words, f"recipe.microbatch={microbatch}"))[0]
        dataset = load(one.config.dataset)
        stack = Stack.of([one], dataset)
        learner, batches, plans = stack.learner, stack.batches, stack.plans
        (values, *_) = [learner.step(batch) for batch in batches(plans.epoch(0), 16)]
        return *values, *learner.network.parameters()

    torch.testing.assert_close(stepped(16), stepped(4))


def test_stacked_lenets_step_as_single_ones(pictures):
    """The stack that GPUs train: one grouped convolution for all replicas."""
    words = (*HARDWARE, *lenet(pictures), "seeds=3", "method.alpha=[0.5,2]", "method=mixup")
    runs = expand(job(*words))
    dataset = load(runs[0].config.dataset)
    stack = Stack.of(runs, dataset)
    learner, batches, plans = stack.learner, stack.batches, stack.plans
    values = [learner.step(batch) for batch in batches(plans.epoch(0), 16)]
    for r, one in enumerate(runs):
        stack = Stack.of([one], dataset)
        single, alone, own_plans = stack.learner, stack.batches, stack.plans
        own = [single.step(batch) for batch in alone(own_plans.epoch(0), 16)]
        for (loss, weight), (own_loss, own_weight) in zip(values, own):
            torch.testing.assert_close(loss[r], own_loss[0])
            torch.testing.assert_close(weight[r], own_weight[0])
        torch.testing.assert_close(learner.replica_state(r), single.replica_state(0))


def test_weight_decay_may_leave_batchnorm_out(pictures):
    words = (*HARDWARE, *lenet(pictures), "architecture=resnet18", "recipe.lr=0.1")

    def after_a_step_without_gradients(*fields: str) -> dict[str, torch.Tensor]:
        (one,) = expand(job(*words, "recipe.weight_decay=0.5", "recipe.momentum=null", *fields))
        learner = Stack.of([one], load(one.config.dataset)).learner
        for parameter in learner.network.parameters():
            torch.nn.init.ones_(parameter)
            parameter.grad = torch.zeros_like(parameter)
        learner.set_learning_rate(0.1)
        learner.optimiser.step()
        return {n: p.detach().unique().item() for n, p in learner.network.named_parameters()}

    both = after_a_step_without_gradients()
    without = after_a_step_without_gradients("recipe.norm_decay=false")
    assert list(both.values()) == pytest.approx([0.95] * len(both))
    kept = {name for name, value in without.items() if value == 1.0}
    assert kept == {n for n in without if ".bn" in n or "shortcut.1" in n}
    assert len(kept) == 40


RESNET20 = "architecture=resnet20", "recipe.lr=0.01", "recipe.epochs=3", "recipe.batch_size=16"


def test_a_run_in_bfloat16_on_a_cpu_is_nearly_that_in_float32(pictures, tmp_path):
    curves = {}
    for precision in ("float32", "bfloat16"):
        words = (*lenet(pictures), *RESNET20, f"hardware.precision={precision}")
        (result,) = run(*words, runs_dir=tmp_path / precision)
        assert result.record["switches"]["precision"] == precision
        curves[precision] = [row["mixed_loss"] for row in result.record["curves"]]
    assert curves["bfloat16"] != curves["float32"]
    assert curves["bfloat16"] == pytest.approx(curves["float32"], rel=0.02, abs=0.02)


@pytest.mark.parametrize(
    ("words", "has", "chosen"),
    [
        (("architecture=resnet20",), "_is_avx512_bf16_supported", torch.bfloat16),
        (("architecture=resnet20",), "_is_amx_tile_supported", torch.bfloat16),
        (("architecture=resnet20",), "", None),
        (("architecture=resnet20", "hardware.precision=float32"), "_is_amx_tile_supported", None),
        (("architecture=resnet20", "hardware.precision=bfloat16"), "", torch.bfloat16),
        (("architecture=lenet",), "_is_avx512_bf16_supported", None),
        (("architecture=mlp",), "_is_avx512_bf16_supported", None),
        (("architecture=lenet", "method=approx_mixup"), "_is_amx_tile_supported", None),
    ],
)
def test_auto_is_bfloat16_for_batchnorm_networks_on_cpus_that_have_it(
    words, has, chosen, pictures, monkeypatch
):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda probe=probe: probe == has, raising=False)
    (one,) = expand(job(*HARDWARE, *lenet(pictures), *words))
    learner = Stack.of([one], load(one.config.dataset)).learner
    assert learner.network.autocast is chosen


def test_what_ends_during_the_final_evaluation_loses_no_epoch(tmp_path, monkeypatch):
    words = [*DIGITS, "hardware.checkpoint_seconds=0", "recipe.epochs=3", "seeds=2"]
    monkeypatch.setattr(checkpoint, "SHARE", 0)
    whole = run(*words, runs_dir=tmp_path / "whole")
    with monkeypatch.context() as patch:

        def killed(*args):
            raise Interrupted

        patch.setattr(training_record, "evaluate", killed)
        with pytest.raises(Interrupted):
            run(*words, runs_dir=tmp_path / "cut")
    monkeypatch.setattr(Learner, "step", lambda *_: pytest.fail("trained an epoch again"))
    cut = run(*words, runs_dir=tmp_path / "cut")
    assert [r.outcome for r in cut] == ["done", "done"]
    assert [artefacts(r.folder) for r in cut] == [artefacts(r.folder) for r in whole]


def test_a_visit_reads_each_record_once_and_builds_each_network_once(tmp_path, monkeypatch):
    built, build = [], networks.build

    def noted(*args):
        network = build(*args)
        built.append(next(network.parameters()).device.type)
        return network

    monkeypatch.setattr(networks, "build", noted)
    run(*DIGITS, "seeds=3", runs_dir=tmp_path)
    assert sorted(built) == ["cpu", "meta"]  # on no device: only to see that it fits the data
    records._parsed.cache_clear()
    assert [r.outcome for r in run(*DIGITS, "seeds=3", runs_dir=tmp_path)] == ["done before"] * 3
    assert records._parsed.cache_info().misses == 3
