"""ImageNet's reader: layouts, crops from the plan's seeds, damaged pictures, the mean picture."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
import torchvision.transforms.functional as V
from helpers import HARDWARE, job, make_imagenet, train
from PIL import Image
from scipy.io import savemat
from test_training import Quiet
from torchvision.datasets import ImageFolder

from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.imagenet.streamed import StreamedSet
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.schema import Config
from mixup_repro.training.loop import Stack

SMALL = (
    *("dataset=imagenet", "dataset.size=24", "dataset.resize=28", "dataset.workers=0"),
    *("architecture=lenet", "recipe=carratino_imagenet", "recipe.epochs=2"),
    *("recipe.batch_size=8", "recipe.microbatch=null", "recipe.lr=0.01", "method.alpha=0.5"),
)


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path) -> Path:
    return make_imagenet(tmp_path / "imagenet")


def config(root: Path, *fields: str) -> Config:
    return job(*HARDWARE, *SMALL, f"dataset.root={root}", *fields)


def opened(root: Path, *fields: str) -> StreamedSet:
    return load(config(root, *fields).dataset)


def epoch(root: Path, *fields: str, first: int = 0) -> list:
    runs = expand(config(root, *fields))
    stack = Stack.of(runs, load(runs[0].config.dataset))
    batches, plans = stack.batches, stack.plans
    return list(batches(plans.epoch(1), 8, first))


def test_classes_and_order_are_those_of_torchvisions_image_folder(root):
    dataset = opened(root)
    for part, folder in (("train", "train"), ("test", "val")):
        samples = ImageFolder(str(root / folder)).samples
        paths = [str(root / folder / path.decode()) for path in dataset.pictures[part].paths]
        y = (dataset.y_train if part == "train" else dataset.y_test).tolist()
        assert list(zip(paths, y)) == samples


def test_test_pictures_are_resized_and_cropped_at_the_centre(root):
    dataset = opened(root, "dataset.interpolation=bicubic")
    chunks = list(dataset.chunks("test", 10))
    assert [k for k, _, _ in chunks] == [0, 1, 2]
    pixels = torch.cat([x[0] for _, x, _ in chunks])
    for path, seen in zip(dataset.pictures["test"].paths, pixels):
        with Image.open(root / "val" / path.decode()) as picture:
            small = V.resize(picture.convert("RGB"), 28, V.InterpolationMode.BICUBIC)
        expected = V.pil_to_tensor(V.center_crop(small, 24)).movedim(0, -1)
        assert torch.equal(seen, expected)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (dataset.config.mean, dataset.config.std))
    expected = (pixels[0].movedim(-1, 0) / 255 - mean) / std
    torch.testing.assert_close(dataset.normalise(pixels[0]), expected)


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_reads_the_same_batches(root, workers):
    alone, shared = epoch(root), epoch(root, f"dataset.workers={workers}")
    assert len(alone) == 3
    for a, b in zip(alone, shared):
        for name in ("x", "y", "x_partner", "y_partner", "lam"):
            assert torch.equal(getattr(a, name), getattr(b, name))


def test_an_epoch_can_be_entered_at_any_step(root):
    whole, rest = epoch(root), epoch(root, first=2)
    assert len(rest) == 1
    assert torch.equal(rest[0].x, whole[2].x)
    assert torch.equal(rest[0].x_partner, whole[2].x_partner)


def test_crops_differ_between_examples_and_seeds_and_keep_the_labels(root):
    first, other = epoch(root)[0], epoch(root, "seeds=[1]")[0]
    assert not torch.equal(first.x, other.x)
    dataset = opened(root)
    runs = expand(config(root))
    plans = Stack.of(runs, dataset).plans
    order = plans.epoch(1).order[0, :8]
    assert torch.equal(first.y[0].argmax(-1), dataset.y_train[order])


def test_a_whole_picture_crop_without_flip_is_the_resized_picture(root):
    fields = ("recipe.resized_crop=1", "recipe.flip=false")
    batch = epoch(root, *fields)[0]
    dataset = opened(root)
    plans = Stack.of(expand(config(root, *fields)), dataset).plans
    index = plans.epoch(1).order[0, :8].tolist()
    for x, i in zip(batch.x[0], index):
        with Image.open(root / "train" / dataset.pictures["train"].paths[i].decode()) as picture:
            width, height = picture.size
            size = [
                height,
                width,
            ]  # no other box has this area, but for shapes that are not allowed
            if width / height > 4 / 3:
                size = [height, round(height * 4 / 3)]
            if width / height < 3 / 4:
                size = [round(width * 4 / 3), width]
            middle = V.center_crop(picture.convert("RGB"), size)
            expected = V.pil_to_tensor(V.resize(middle, [24, 24])).movedim(0, -1)
        torch.testing.assert_close(x, dataset.normalise(expected))


def test_the_mean_picture_is_found_once_and_kept(root, tmp_path, monkeypatch):
    dataset = opened(root)
    pixels = torch.cat([x[0] for _, x, _ in dataset.chunks("train", 5)])
    expected = dataset.normalise(pixels).double().mean(0).float()
    torch.testing.assert_close(dataset.x_bar, expected)
    assert len(list((tmp_path / "cache").rglob("*.pt"))) == 1
    again = opened(root)
    monkeypatch.setattr(StreamedSet, "read", None)
    torch.testing.assert_close(again.x_bar, expected)
    torch.testing.assert_close(again.y_bar, torch.full((3,), 1 / 3))


# --- Damage and layouts -----------------------------------------------------------------------


def damage(root: Path) -> Path:
    path = sorted((root / "train").rglob("*.JPEG"))[3]
    path.write_bytes(path.read_bytes()[:100])
    return path


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_ends_the_run_and_is_named(root, tmp_path, workers):
    path = damage(root)
    fields = (f"dataset.workers={workers}", f"runs_dir={tmp_path / 'runs'}")
    (result,) = run_job(config(root, *fields), Quiet())
    assert result.outcome == "failed"
    assert str(path) in result.reason and "dataset.unreadable=skip" in result.reason


def test_a_damaged_picture_is_passed_over_and_counted_where_asked(root, tmp_path):
    path = damage(root)
    fields = ("dataset.unreadable=skip", f"runs_dir={tmp_path / 'runs'}")
    (result,) = run_job(config(root, *fields), Quiet())
    assert result.outcome == "done"
    assert result.record["unreadable"] == [str(path)]


def flatten(root: Path) -> dict[str, str]:
    """Take val's pictures out of their class folders; returns their classes."""
    wnids = {}
    for number, path in enumerate(sorted((root / "val").rglob("*.JPEG")), start=1):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        wnids[name] = path.parent.name
        path.rename(root / "val" / name)
    for folder in [p for p in (root / "val").iterdir() if p.is_dir()]:
        folder.rmdir()
    return wnids


def kaggle(tmp_path: Path, wnids: dict[str, str]) -> Path:
    with open(tmp_path / "LOC_val_solution.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ImageId", "PredictionString"])
        table.writerows([Path(name).stem, f"{wnid} 1 2 3 4"] for name, wnid in wnids.items())
    return tmp_path / "LOC_val_solution.csv"


def devkit(tmp_path: Path, wnids: dict[str, str]) -> Path:
    data = tmp_path / "devkit" / "data"
    data.mkdir(parents=True)
    known = sorted(set(wnids.values()), reverse=True)  # ids are not in the order of the wnids
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O")]
    rows = [(number, wnid) for number, wnid in enumerate(known, start=1)]
    savemat(data / "meta.mat", {"synsets": np.array(rows, dtype=fields)})
    lines = [str(known.index(wnids[name]) + 1) for name in sorted(wnids)]
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(lines))
    return tmp_path / "devkit"


sort_val = partial(commands.run, "scripts/sort_imagenet_val.py")


@pytest.mark.parametrize("source", [kaggle, devkit])
def test_a_flat_val_folder_is_refused_and_sorted_by_the_script(root, tmp_path, source):
    before = opened(root).y_test.tolist()
    wnids = flatten(root)
    with pytest.raises(InputError, match=r"24 pictures outside.*sort_imagenet_val.py"):
        opened(root)
    done = sort_val(root / "val", source(tmp_path, wnids))
    assert done.returncode == 0, done.stderr
    assert opened(root).y_test.tolist() == before
    assert all((root / "val" / wnid / name).exists() for name, wnid in wnids.items())


def test_nothing_is_sorted_where_a_picture_has_no_class(root, tmp_path):
    wnids = flatten(root)
    missing = dict(list(wnids.items())[1:])
    done = sort_val(root / "val", kaggle(tmp_path, missing))
    assert done.returncode == 2
    assert "1 pictures are not in" in done.stderr
    assert len(list((root / "val").glob("*.JPEG"))) == len(wnids)
    assert sort_val(root / "val", tmp_path / "nothing").returncode == 2


def no_val(root: Path) -> None:
    (root / "val").rename(root / "test")


def another_class(root: Path) -> None:
    (root / "val" / "n00001").rename(root / "val" / "n00009")


def an_empty_class(root: Path) -> None:
    for part in ("train", "val"):
        (root / part / "n00000").mkdir()


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (no_val, "no folder .*val: dataset.root"),
        (another_class, "class n00001 is in only one of train and val"),
        (an_empty_class, "n00000: no pictures in this class folder"),
    ],
)
def test_faulty_layouts_are_refused(root, fault, named):
    fault(root)
    with pytest.raises(InputError, match=named):
        opened(root)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (("recipe.resized_crop=null",), "smallest share"),
        (("recipe.resized_crop=null", "recipe.crop_padding=4"), "smallest share"),
        (("method=erm_modified",), "method=erm_modified: needs a data set in memory"),
        (("method.pairing=uniform",), "method.pairing=uniform: needs"),
        (("evaluation.temperature=true",), "evaluation.temperature: needs"),
        (("evaluation.terms=1",), "evaluation.terms: needs"),
        (("dataset.unreadable=no",), "dataset.unreadable=no: skip"),
        (("dataset.interpolation=nearest",), "dataset.interpolation=nearest: bilinear"),
    ],
)
def test_what_a_streamed_set_cannot_do_is_refused(root, tmp_path, fields, named):
    with pytest.raises(InputError, match=named):
        run_job(config(root, *fields, f"runs_dir={tmp_path / 'runs'}"), Quiet())


def test_the_published_recipe_trains_and_is_evaluated(root, tmp_path):
    fields = [
        *("-m", "experiment=carratino2020/fig4_imagenet_published", "scale=smoke"),
        *(f"dataset.root={root}", "dataset.size=32", "dataset.resize=36", "dataset.workers=0"),
        *("architecture=timm", "architecture.name=test_resnet", "recipe.batch_size=8"),
        *("recipe.microbatch=null", "method.pairing_group=4", "recipe.lr=0.01"),
    ]
    done = train(*fields, runs_dir=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    records = [json.loads(p.read_text()) for p in (tmp_path / "runs").rglob("record.json")]
    assert sorted(r["config"]["method"]["name"] for r in records) == ["erm", "mixup"]
    assert all(len(r["evaluations"]) == 2 for r in records)
