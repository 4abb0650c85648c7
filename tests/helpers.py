"""Shared by the tests: compose a job in this process, or train as a user does."""

from __future__ import annotations

import runpy
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import commands
import numpy as np
import torch
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from torch import Tensor, nn

from mixup_repro.jobs import composed, resolve
from mixup_repro.paths import CHECKOUT
from mixup_repro.plan import EpochPlan, PlanSpec, draw_block
from mixup_repro.schema import Config
from mixup_repro.store.folder import RunFolder

SCRIPT = CHECKOUT / "scripts" / "train.py"
# One thread on the CPU: bit-for-bit comparisons hold, and parallel tests do not fight for cores.
HARDWARE = ("hardware.device=cpu", "hardware.threads=1")


def job(*overrides: str) -> Config:
    """The resolved and checked job that these words of a command line stand for."""
    return resolve(composed(overrides)[0])


def epoch_plan(spec: PlanSpec, seed: int, epoch: int) -> EpochPlan:
    """The plan of one epoch, arrays of shape (n,) or (n, 2)."""
    block, row = divmod(epoch, spec.block)
    return draw_block(spec, seed, block).map(lambda a: a[row])


def _words(overrides: tuple[str, ...], runs_dir: Path) -> list[str]:
    options = [word for word in overrides if word.startswith("-")]
    fields = [word for word in overrides if not word.startswith("-")]
    return [*options, *HARDWARE, *fields, f"runs_dir={runs_dir}"]


def train(*overrides: str, runs_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run scripts/train.py in a process of its own, as a user does."""
    return commands.run(SCRIPT, *_words(overrides, runs_dir))


def train_here(*overrides: str, runs_dir: Path) -> int:
    """Run scripts/train.py in this process, which saves its start; returns the exit code."""
    argv = sys.argv
    GlobalHydra.instance().clear()
    try:
        sys.argv = [str(SCRIPT), *_words(overrides, runs_dir)]
        runpy.run_path(str(SCRIPT), run_name="__main__")
    except SystemExit as stop:
        return stop.code
    finally:
        sys.argv = argv
        GlobalHydra.instance().clear()
    raise AssertionError("train.py ended without an exit code")


def record(folder: RunFolder) -> dict:
    """The least that is believed as the record of a run."""
    row = {"evaluation": "rescaled", "eval_alpha": folder.run.alpha, "accuracy": 0.5}
    row |= {"cross_entropy": 1.0, "ece": 0.1}
    return {
        "run_id": folder.id,
        "seed": folder.run.seed,
        "config": asdict(folder.run.config),
        "data": {"label": "digits"},
        "evaluations": [row | {"evaluation": "plain", "eval_alpha": None}, row],
    }


def points(n: int = 5, d: int = 3, c: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs (n, d) that are not centred and unbalanced one-hot labels (n, c), in float64."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=torch.float64) + torch.arange(d)
    return x, nn.functional.one_hot(torch.arange(n) ** 2 % c, c).double()


def smooth_network(d: int = 3, c: int = 3, seed: int = 1) -> nn.Module:
    """A network in float64 for which quadrature and second derivatives are exact."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(d, 7), nn.Tanh(), nn.Linear(7, c)).double()


def make_image_folder(root: Path, classes: int = 2, per_class: int = 10, size: int = 32) -> Path:
    """A folder of random pictures, {train,test}/<class>/<k>.png."""
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in range(classes):
            folder = root / part / f"class{name}"
            folder.mkdir(parents=True)
            for k in range(per_class):
                pixels = rng.integers(256, size=(size, size, 3), dtype=np.uint8)
                Image.fromarray(pixels // 2 + 60 * (name % 3)).save(folder / f"{k}.png")
    return root


def make_imagenet(root: Path, classes: int = 3, per_class: int = 8) -> Path:
    """A folder as ImageNet's: {train,val}/<wnid>/*.JPEG, of unequal sizes and modes."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in range(classes):
            folder = root / part / f"n0000{classes - name}"
            folder.mkdir(parents=True)
            for k in range(per_class):
                height, width = rng.integers(34, 60, size=2)
                pixels = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
                picture = Image.fromarray(pixels // 2 + 40 * name)
                picture = picture.convert("L") if k == 1 else picture
                picture.save(folder / f"{part}_{name}_{k:08d}.JPEG", "JPEG")
    return root
