"""The three reproduce-* targets from end to end, on data that a small machine trains in minutes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import environment, make_image_folder, make_imagenet

from mixup_repro.config import CHECKOUT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the code, so that runs and results are not mixed with those of this one."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("configs", "mixup_repro", "scripts"):
        shutil.copytree(CHECKOUT / name, copy / name)
    shutil.copy(CHECKOUT / "Makefile", copy)
    return copy


def make(checkout: Path, target: str, **variables: str) -> subprocess.CompletedProcess:
    words = [f"{name}={value}" for name, value in variables.items()]
    return subprocess.run(
        ["make", "-o", ".venv/installed", f"PYTHON={sys.executable}", target, *words],
        cwd=checkout,
        env=environment()
        | {"PYTHONPATH": str(checkout), "XDG_CACHE_HOME": str(checkout / "cache")},
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.mark.parametrize("target", ["reproduce-cifar10", "reproduce-cifar100"])
def test_cifar_is_planned_trained_and_reported(target, checkout, tmp_path):
    pictures = make_image_folder(tmp_path / target, classes=3, per_class=8, size=32)
    fields = f"dataset=image_folder dataset.root={pictures} hardware.device=cpu"
    done = make(checkout, target, SCALE="smoke", ARGS=fields)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 runs to train: about" in done.stderr
    rows = (checkout / "results" / "runs.csv").read_text()
    assert f"{target}-resnet34-erm" in rows and f"{target}-resnet34-mixup" in rows
    assert "rescaled" in rows


def test_imagenet_is_planned_trained_and_drawn(checkout, tmp_path):
    """ResNet-50 at 224 pixels, on a few pictures in ImageNet's layout."""
    root = make_imagenet(tmp_path / "imagenet", classes=2, per_class=4)
    fields = f"dataset.root={root} dataset.workers=1 hardware.device=cpu"
    done = make(checkout, "reproduce-imagenet", SCALE="smoke", ARGS=fields)
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(p.read_text()) for p in (checkout / "runs").glob("imagenet-*/*/*.json")]
    assert {r["config"]["architecture"]["name"] for r in records} == {"resnet50"}
    assert (checkout / "results/figures/carratino2020/fig4_imagenet-smoke.png").exists()
    assert "fig4_imagenet" in (checkout / "results" / "REPORT.md").read_text()


@pytest.mark.parametrize("target", ["reproduce-cifar10", "reproduce-imagenet"])
def test_the_papers_scale_is_refused_without_a_gpu(target, checkout):
    done = make(checkout, target)
    assert done.returncode != 0
    assert "no GPU here" in done.stderr and f"make {target} SCALE=short" in done.stderr
