"""A recorded step freezes neither its batch nor its learning rate.

A CUDA graph repeats kernels on fixed tensors. On a CPU the same is done by a trace: the operations
of one step, recorded with the tensors they ran on, and run again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import job, make_image_folder, train_here
from torch.fx.experimental.proxy_tensor import make_fx

from mixup_repro.data import load
from mixup_repro.jobs import expand
from mixup_repro.schema import Config
from mixup_repro.training.job import device_of
from mixup_repro.training.learner import Learner
from mixup_repro.training.loop import Stack

DIGITS = "dataset=digits", "architecture=mlp", "architecture.hidden=[16]"
RATES = [0.02, 0.02, 0.1, 0.005, 0.05, 0.05]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return make_image_folder(tmp_path_factory.mktemp("data") / "pictures", per_class=28)


def assembled(config: Config, device: str) -> tuple[Learner, list]:
    """A learner, and the batches of its first epochs: as many as there are rates."""
    runs, dataset = expand(config), load(config.dataset).to(torch.device(device))
    stack = Stack.of(runs, dataset)
    learner, batches, plans = stack.learner, stack.batches, stack.plans
    found = [b for epoch in range(3) for b in batches(plans.epoch(epoch), config.recipe.batch_size)]
    return learner, found[: len(RATES)]


def words(pictures: Path, *fields: str) -> list[str]:
    data = ["dataset=image_folder", f"dataset.root={pictures}", "recipe=carratino_lenet"]
    return [*data, "architecture=lenet", "recipe.batch_size=28", "method.alpha=0.5", *fields]


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("recipe.microbatch=7",),
        ("recipe.optimizer=adam", "recipe.momentum=null"),
        ("architecture=mlp", "architecture.hidden=[16]", "seeds=2"),
        ("method=cutmix",),
    ],
    ids=["sgd", "passes", "adam", "stack", "cutmix"],
)
def test_a_recorded_step_reads_its_batch_and_its_learning_rate_anew(fields, pictures):
    config = job(*words(pictures, *fields))
    learner, batches = assembled(config, "cpu")
    eager, _ = assembled(config, "cpu")
    static, recorded = batches[1].clone(), None
    for step, (batch, rate) in enumerate(zip(batches, RATES)):
        for each in (learner, eager):
            each.set_learning_rate(rate)
        static.copy_(batch)
        if step == 1:  # the optimiser has its state by now; the recording is itself a step
            recorded = make_fx(lambda: learner._step(static), tracing_mode="real")()
            outcome = eager.step(batch)
        else:
            outcome = eager.step(batch)
            again = recorded() if recorded else learner._step(static)
            torch.testing.assert_close(tuple(again), outcome)
    for one, other in zip(learner.network.parameters(), eager.network.parameters()):
        torch.testing.assert_close(one, other)


@needs_gpu
@pytest.mark.parametrize(
    "fields",
    [
        ("architecture=resnet18",),
        ("architecture=lenet", "seeds=3"),
        ("architecture=mlp", "architecture.hidden=[16]", "seeds=3", "recipe.optimizer=adam"),
    ],
    ids=["resnet18", "stacked lenets", "stack, adam"],
)
def test_a_graphs_steps_are_those_without_one(fields, pictures):
    """Batches of 28, 28 and, at the end of an epoch, fewer: a graph for each size."""
    fields = (*fields, "recipe.batch_size=24", "hardware.precision=float32")
    graphed, batches = assembled(job(*words(pictures, *fields)), "cuda")
    eager, _ = assembled(job(*words(pictures, *fields, "hardware.graph=false")), "cuda")
    assert graphed.graph and not eager.graph
    for round_ in range(3):
        for batch, rate in zip(batches, RATES):
            for each in (graphed, eager):
                each.set_learning_rate(rate / (1 + round_))
            torch.testing.assert_close(graphed.step(batch), eager.step(batch), rtol=1e-3, atol=1e-3)
    assert len(graphed.graph.captured) == 2


@needs_gpu
def test_a_gpu_trains_as_a_cpu_does(pictures):
    fields = words(pictures, "hardware.precision=float32")
    on_cpu, cpu_batches = assembled(job(*fields), "cpu")
    on_gpu, gpu_batches = assembled(job(*fields), "cuda")
    for a, b in zip(cpu_batches, gpu_batches):
        assert torch.equal(a.x, b.x.cpu())
        loss, _ = on_cpu.step(a)
        other, _ = on_gpu.step(b)
        torch.testing.assert_close(loss, other.cpu(), rtol=1e-2, atol=1e-3)


@needs_gpu
def test_bfloat16_is_close_to_float32_on_a_gpu(pictures):
    fields = words(pictures, "architecture=resnet18")
    rounded, batches = assembled(job(*fields), "cuda")
    exact, _ = assembled(job(*fields, "hardware.precision=float32"), "cuda")
    assert rounded.network.autocast == torch.bfloat16
    for batch in batches[:2]:
        torch.testing.assert_close(rounded.step(batch), exact.step(batch), rtol=0.1, atol=0.1)


@needs_gpu
def test_a_job_trains_on_the_gpu_that_auto_takes(tmp_path, capsys):
    """hardware.device=auto, from the command to the record."""
    code = train_here(*DIGITS, "recipe.epochs=2", runs_dir=tmp_path / "runs")
    assert code == 0, capsys.readouterr().err
    (record,) = (tmp_path / "runs").glob("*/*/record.json")
    assert torch.cuda.get_device_name() in record.read_text()


def test_a_gpu_has_its_number(monkeypatch):
    """torch.cuda.set_device refuses a device without one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of(job(*DIGITS)) == torch.device("cuda:0")
    assert device_of(job(*DIGITS, "hardware.device=cuda")) == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device_of(job(*DIGITS)) == torch.device("cuda:1")
