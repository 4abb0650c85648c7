"""The three reproduce-* targets from end to end, on data that a small machine trains in minutes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import test_imagenet_variants as variants
from commands import environment
from helpers import HARDWARE, make_image_folder, make_imagenet

from mixup_repro.papers import shared
from mixup_repro.papers.carratino2020 import table2
from mixup_repro.paths import CHECKOUT
from mixup_repro.store import results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the code, so that runs and results are not mixed with those of this one."""
    return copy_of_code(tmp_path_factory.mktemp("checkout"))


def copy_of_code(copy: Path) -> Path:
    """What a target needs of this checkout, in another folder."""
    for name in ("configs", "mixup_repro", "scripts"):
        shutil.copytree(CHECKOUT / name, copy / name)
    shutil.copy(CHECKOUT / "Makefile", copy)
    (copy / "results").mkdir()
    shutil.copy(CHECKOUT / "results" / "costs.csv", copy / "results")
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


TIERS = ("short", "smoke")


@pytest.mark.parametrize("target", ["reproduce-cifar10", "reproduce-cifar100"])
def test_cifar_is_planned_trained_and_reported(target, checkout, tmp_path):
    pictures = make_image_folder(tmp_path / target, classes=3, per_class=8, size=32)
    fields = f"dataset=image_folder dataset.root={pictures} hardware.device=cpu"
    done = make(checkout, target, SCALE="smoke", ARGS=fields)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"2 runs to train: not measured on a CPU: {target} resnet34 erm" in done.stderr
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


def test_without_a_gpu_the_papers_scale_is_a_ladder_with_hours_and_commands(checkout):
    done = make(checkout, "reproduce-cifar10")
    assert done.returncode == 2 and "no GPU here, so nothing was trained" in done.stderr
    lines = [line.strip() for line in done.stderr.splitlines()]
    heads = [k for k, line in enumerate(lines) if " runs of " in line and "to train" in line]
    assert [lines[k].split(",")[0] for k in heads] == ["resnet34", "resnet20", "lenet", "lenet"]
    typed = [line for line in lines if line.startswith("mixup-repro train -m")]
    grid = "experiment=carratino2020/fig4_cifar10"
    names = [grid, f"{grid}_resnet20 scale=short", *(f"{grid}_lenet scale={s}" for s in TIERS)]
    assert typed == [f"mixup-repro train -m {name} hardware=node" for name in names]
    of_lenet = lines[heads[2] : heads[3]]
    assert any(line.startswith("about") and "measured: " in line for line in of_lenet)


def test_without_a_gpu_imagenet_is_not_begun(tmp_path):
    """In a copy of its own: above, runs of a few pictures of ImageNet's name have been timed."""
    done = make(copy_of_code(tmp_path), "reproduce-imagenet")
    assert done.returncode == 2 and "not measured on a CPU: imagenet resnet50" in done.stderr


def released(root: Path) -> dict[str, tuple[Path, int]]:
    """Every variant of ImageNet in the layout of its release: its folder, and how much it holds."""
    sets = [(corruption, severity) for corruption in ("fog", "snow") for severity in (1, 5)]
    corrupted = variants.imagenet_c(root / "c", sets)
    few = variants.imagenet_a(root / "a")
    variants.write_pictures([root / "v2" / str(k) for k in range(1000)])
    folders = variants.class_table("objectnet")
    variants.write_pictures([root / "objectnet" / "images" / f for f in folders], "PNG")
    return {
        "imagenet-c": (corrupted, 1000),
        "imagenet-c-resized": (corrupted, 1000),
        "imagenet-a": (few, 200),
        "imagenet-a-200": (few, 200),
        "imagenet-v2": (root / "v2", 1000),
        "imagenet-vid-robust": (variants.vid_robust(root / "vid")[0], 20),
        "ytbb-robust": (variants.ytbb_robust(root / "ytbb"), 3),
        "objectnet": (root / "objectnet", 113),
    }


def test_every_row_of_table_2_is_one_target(checkout, tmp_path):
    """With a network that a CPU trains in seconds; the targets and folders are the real ones."""
    for part in ("train", "val"):
        variants.write_pictures([tmp_path / "imagenet" / part / wnid for wnid in variants.WNIDS])
    fields = [*HARDWARE, *variants.TINY, f"dataset.root={tmp_path / 'imagenet'}"]
    words = ["-m", "experiment=carratino2020/table2_imagenet", "scale=smoke", *fields]
    trained = subprocess.run(
        [sys.executable, "scripts/train.py", *words],
        cwd=checkout,
        env=environment() | {"PYTHONPATH": str(checkout), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert trained.returncode == 0, trained.stderr
    folders = released(tmp_path)
    assert set(folders) == set(table2.METRICS) - {table2.IMAGENET}
    for target, (root, count) in folders.items():
        own = [f"benchmark.root={root}", f"benchmark.released={count}"]
        if target in table2.CORRUPTED:
            own += ["benchmark.corruptions=[fog,snow]", "benchmark.severities=[1,5]"]
        done = make(checkout, target, SCALE="smoke", ARGS=" ".join([*fields, *own]))
        assert done.returncode == 0, done.stdout + done.stderr

    frame = results.load(checkout / "results")
    frame = frame[frame["alpha"] == 0.5]
    (run_id,) = set(frame["run_id"])
    ood = pd.read_csv(checkout / "results" / "ood" / f"{run_id}.csv").assign(alpha=0.5)
    assert set(ood["benchmark"]) == set(folders)
    parts = {kind: pd.DataFrame() for kind in results.PARTS} | {"ood": ood}
    data = shared.ItemData("table2_imagenet", "smoke", 1, frame, **parts)
    table = table2.table(data).set_index(["set", "alpha"])
    for name in set(table2.METRICS) - set(table2.CORRUPTED):  # mCE needs all of the 75 sets
        assert (table.loc[(name, 0.5), "n"] == 1).all() and table.loc[
            (name, 0.5), "ours"
        ].notna().all()
    assert len(ood[ood["benchmark"] == "imagenet-c"]) == 2 * 4
