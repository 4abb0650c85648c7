"""hardware.device=mps, with a check of the device that is faked: there is none here.

What PyTorch computes there cannot be tested. What can: which devices are taken, and that what asks
for float64 gets it on the CPU.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch
from helpers import job, train_here

from mixup_repro import exact, probes
from mixup_repro.data import Dataset, load
from mixup_repro.errors import InputError
from mixup_repro.launch.slots import slots
from mixup_repro.paths import CHECKOUT
from mixup_repro.training import job as jobs
from mixup_repro.training.learner import has_bfloat16
from mixup_repro.training.record import device_name

MPS = torch.device("mps")


def fake(monkeypatch, there: bool) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there)


def test_mps_is_taken_where_it_is_and_only_when_named(monkeypatch):
    fake(monkeypatch, True)
    assert jobs.device_of(job("hardware.device=mps")) == MPS
    assert jobs.device_of(job("hardware.device=auto")) != MPS
    assert not has_bfloat16(MPS)


def test_several_processes_are_refused(monkeypatch):
    fake(monkeypatch, True)
    monkeypatch.setattr(jobs, "world_size", lambda: 2)
    with pytest.raises(InputError, match="one process"):
        jobs.device_of(job("hardware.device=mps"))
    with pytest.raises(InputError, match="one process"):
        slots(job("hardware=node").hardware, MPS)


@pytest.mark.parametrize("name, says", [("mps", "there is none here"), ("mpx", "cuda or mps")])
def test_where_there_is_none_one_line_says_so(name, says, monkeypatch, tmp_path, capsys):
    fake(monkeypatch, False)
    assert train_here("dataset=digits", f"hardware.device={name}", runs_dir=tmp_path) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: hardware.device={name}") and says in line


def test_host_moves_what_lies_where_there_is_no_float64():
    moved = SimpleNamespace(device=MPS, cpu=lambda: "on the CPU")
    stays = torch.ones(2)
    assert exact.host(moved) == "on the CPU" and exact.host(stays) is stays


def test_a_record_says_that_a_run_was_trained_there():
    assert device_name(SimpleNamespace(device=MPS, is_cuda=False)).startswith("mps (")
    assert device_name(torch.ones(1)).startswith("cpu (")


def test_probes_are_refused_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(Dataset, "device", MPS)
    with pytest.raises(InputError, match="needs float64, which mps lacks"):
        probes.named("jacobian", load(job("dataset=digits").dataset), job().architecture)


@pytest.mark.parametrize("room", ["data", "evaluation", "training", "imagenet"])
def test_float64_is_asked_for_on_the_cpu_only(room):
    """Each line that makes float64 of a tensor has it on the CPU first.

    Those aside: what is made of numbers on the CPU, sums() after its first line, and the CPU's lr.
    """
    aside = re.compile(r"torch\.tensor\(|np\.float64|device\.type == \"cpu\"|device=p\.device")
    asks = re.compile(r"\.double\(\)|torch\.float64")
    bad = []
    for path in sorted((CHECKOUT / "mixup_repro" / room).glob("*.py")):
        text = path.read_text()
        moved = "host(logits.float()), host(y)" in text  # of sums()
        for line in text.splitlines():
            on_cpu = "host(" in line or ".cpu()" in line
            if asks.search(line) and not (on_cpu or moved or aside.search(line)):
                bad.append(f"{path.name}: {line.strip()}")
    assert [b for b in bad if not b.startswith("neighbours")] == []
