"""ImageNet's variants, each on a small generated tree in the layout of its release."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as V
from helpers import HARDWARE, job, make_imagenet
from PIL import Image, ImageOps

from mixup_repro.beta import theta_bar
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.evaluation.finished import restore
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.shifts import benchmark
from mixup_repro.shifts.corruption_error import ALEXNET, mean_corruption_error
from mixup_repro.shifts.imagenet_variants import class_table, indices
from mixup_repro.stats import NoValues
from mixup_repro.training.progress import Progress

SIDE, RESIZE, ALPHA = 8, 10, 0.5
TINY = (
    *("dataset=imagenet", f"dataset.size={SIDE}", f"dataset.resize={RESIZE}"),
    *("dataset.workers=0", "architecture=mlp", "architecture.hidden=[8]", "recipe.batch_size=100"),
    *("recipe=carratino_imagenet", "recipe.microbatch=null", "recipe.epochs=1", "recipe.lr=0.3"),
    *("method=mixup", f"method.alpha={ALPHA}", "method.pairing_group=null"),
)


def wnids() -> list[str]:
    """A thousand sorted ids with those of ImageNet-A at their true places; the others made up."""
    known = {int(i): wnid for i, wnid in class_table("imagenet-a").items()}
    names, last = [], 1_000_000
    for index in range(1000):
        last = int(known[index][1:]) if index in known else last + 1
        names.append(f"n{last:08d}")
    assert names == sorted(set(names))
    return names


WNIDS = wnids()


def write_pictures(folders: list[Path], kind: str = "JPEG", side: int = 12, seed: int = 0) -> None:
    """A random picture in each folder, of nearly one colour, so that a network can tell some."""
    rng = np.random.default_rng(seed)
    pool = []
    for _ in range(30):
        pixels = rng.integers(256, size=3) + rng.integers(-20, 20, size=(side, side, 3))
        content = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(content, kind)
        pool.append(content.getvalue())
    for folder in folders:
        folder.mkdir(parents=True)
        name = f"ILSVRC2012_val_{len(list(folder.iterdir())):08d}.{kind}"
        (folder / name).write_bytes(pool[rng.integers(len(pool))])


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """ImageNet with one picture a class and part, and two runs on it."""
    root = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        for part in ("train", "val"):
            write_pictures([root / "imagenet" / part / wnid for wnid in WNIDS], seed=len(part))
        run_job(job(*words(root), "seeds=2"), Progress())
        yield root


def words(place: Path, *more: str) -> list[str]:
    dataset = f"dataset.root={place / 'imagenet'}"
    return [*HARDWARE, *TINY, dataset, f"runs_dir={place / 'runs'}", *more]


def opened(place: Path, name: str, root: Path, *more: str):
    config = job(*words(place, f"benchmark={name}", f"benchmark.root={root}", *more))
    return benchmark(config.benchmark, load(config.dataset))


def evaluated(place: Path, name: str, root: Path, *more: str) -> list[dict]:
    """The rows that both runs get from a benchmark."""
    asked = words(place, "seeds=2", f"benchmark={name}", f"benchmark.root={root}", *more)
    results = run_job(job(*asked), Progress(), train=False)
    label = job(*asked).benchmark.name
    rows = []
    for result in results:
        stored = json.loads((result.folder.path / f"ood-{label}.json").read_text())
        rows += [{"seed": result.folder.run.seed} | row for row in stored["rows"]]
    return rows


def by_hand(place: Path, paths: list[Path], row: dict, resize=RESIZE, border: int = 0):
    """Float64 logits of a row's run and prediction for these pictures."""
    (run,) = [r for r in expand(job(*words(place, "seeds=2"))) if r.seed == row["seed"]]
    data = load(run.config.dataset)
    from mixup_repro.store.folder import RunFolder

    network = restore(RunFolder(run), data).double()
    mean, std = (
        torch.tensor(v).double().view(3, 1, 1) for v in (data.config.mean, data.config.std)
    )
    x = []
    for path in paths:
        picture = ImageOps.crop(Image.open(path).convert("RGB"), border)
        picture = V.center_crop(V.resize(picture, resize) if resize else picture, SIDE)
        x.append((V.pil_to_tensor(picture).double() / 255 - mean) / std)
    x = torch.stack(x)
    with torch.no_grad():
        if row["evaluation"] == "plain":
            return network(x.unsqueeze(0))[0]
        theta = theta_bar(ALPHA)
        shrunk = theta * x + (1 - theta) * data.x_bar.double()
        return network(shrunk.unsqueeze(0))[0] / theta + (1 - 1 / theta) / 1000


def check_rows(rows: list[dict], logits_of, y: torch.Tensor) -> None:
    assert len(rows) == 4  # two seeds, plain and rescaled
    for row in rows:
        logits = logits_of(row)
        expected = F.cross_entropy(logits, y).item()
        assert row["cross_entropy"] == pytest.approx(expected, rel=1e-4)
        assert row["accuracy"] == pytest.approx((logits.argmax(1) == y).double().mean().item())
        assert row["n_test"] == len(y)


# ImageNet-C


def imagenet_c(root: Path, sets, side: int = SIDE) -> Path:
    for k, (corruption, severity) in enumerate(sets):
        folder = root / corruption / str(severity)
        write_pictures([folder / wnid for wnid in WNIDS], side=side, seed=k)
    return root


FOG = ("benchmark.corruptions=[fog]", "benchmark.severities=[1,5]", "benchmark.released=1000")


def test_imagenet_c_is_taken_as_it_is_or_resized(place, tmp_path):
    root = imagenet_c(tmp_path, [("fog", 1), ("fog", 5)])
    (root / "fog" / "1" / WNIDS[3] / "notes.txt").write_text("no picture")
    (root / "fog" / "1" / WNIDS[3] / "._ILSVRC2012_val_00000000.JPEG").write_text("nor this")
    assert opened(place, "imagenet_c", root, *FOG).skipped == 2
    for name, resize in (("imagenet_c", None), ("imagenet_c_resized", RESIZE)):
        rows = evaluated(place, name, root, *FOG)
        assert {(row["corruption"], row["severity"]) for row in rows} == {("fog", 1), ("fog", 5)}
        for severity in (1, 5):
            folders = [root / "fog" / str(severity) / wnid for wnid in WNIDS]
            paths = [next(folder.glob("ILSVRC*")) for folder in folders]
            check_rows(
                [row for row in rows if row["severity"] == severity],
                lambda row, paths=paths, resize=resize: by_hand(place, paths, row, resize),
                torch.arange(1000),
            )


def test_a_faulty_imagenet_c_is_refused(place, tmp_path):
    root = imagenet_c(tmp_path, [("fog", 1), ("fog", 5)])
    with pytest.raises(InputError, match=r"holds 1,000 examples, and imagenet-c has 50,000"):
        opened(place, "imagenet_c", root, *FOG[:2])
    with pytest.raises(InputError, match=r"no folder .*snow.1: unpack the archive that holds snow"):
        opened(place, "imagenet_c", root, "benchmark.corruptions=[snow]")
    (picture,) = (root / "fog" / "5" / WNIDS[7]).iterdir()
    picture.rename(picture.with_name("ILSVRC2012_val_00000009.JPEG"))
    with pytest.raises(InputError, match=rf"differ by 2 pictures, such as {WNIDS[7]}/ILSVRC"):
        opened(place, "imagenet_c", root, *FOG)
    picture.with_name("ILSVRC2012_val_00000009.JPEG").unlink()
    with pytest.raises(InputError, match="no pictures in this class folder"):
        opened(place, "imagenet_c", root, *FOG)
    picture.parent.rmdir()
    with pytest.raises(InputError, match=rf"{WNIDS[7]}: no such class folder; .* 999 of 1000"):
        opened(place, "imagenet_c", root, *FOG)
    large = imagenet_c(tmp_path / "large", [("fog", 1)], side=SIDE + 1)
    one = (FOG[0], "benchmark.severities=[1]", FOG[2])
    with pytest.raises(InputError, match=r"has \(9, 9\) pixels, .* benchmark=imagenet_c_resized"):
        opened(place, "imagenet_c", large, *one)
    opened(place, "imagenet_c_resized", large, *one)


def test_mean_corruption_error_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    sets = [(c, s) for c in ALEXNET for s in range(1, 6)]
    rows = pd.DataFrame(sets, columns=["corruption", "severity"])
    rows["accuracy"] = 1 - rows["corruption"].map(ALEXNET)
    assert mean_corruption_error(rows) == pytest.approx(1)
    rows["accuracy"] = rng.uniform(size=75)
    expected = sum(
        sum(1 - a for (c, _), a in zip(sets, rows["accuracy"]) if c == name) / 5 / alexnet
        for name, alexnet in ALEXNET.items()
    )
    extra = pd.DataFrame({"corruption": ["spatter"], "severity": [1], "accuracy": [0.0]})
    shuffled = pd.concat([rows, extra]).sample(frac=1, random_state=0)
    assert mean_corruption_error(shuffled) == pytest.approx(expected / 15)
    with pytest.raises(NoValues):
        mean_corruption_error(rows.iloc[1:])


# ImageNet-A


def imagenet_a(root: Path) -> Path:
    write_pictures([root / wnid for wnid in class_table("imagenet-a").values()])
    (root / "README.txt").write_text("as in the release")
    return root


def test_imagenet_a_is_scored_among_1000_classes_or_its_200(place, tmp_path):
    root = imagenet_a(tmp_path / "imagenet-a")
    table = {int(i): wnid for i, wnid in class_table("imagenet-a").items()}
    paths = [next((root / wnid).iterdir()) for wnid in table.values()]
    y = torch.tensor(list(table))
    assert y[:3].tolist() == [6, 11, 13] and len(y) == 200  # not 0, 1, 2
    few = "benchmark.released=200"
    check_rows(evaluated(place, "imagenet_a", root, few), lambda row: by_hand(place, paths, row), y)
    check_rows(
        evaluated(place, "imagenet_a_200", root, few),
        lambda row: by_hand(place, paths, row)[:, y],
        torch.arange(200),
    )
    with pytest.raises(InputError, match="holds 200 examples, and imagenet-a has 7,500"):
        opened(place, "imagenet_a", root)


# ImageNetV2


@pytest.mark.parametrize("names", [[str(k) for k in range(1000)], WNIDS], ids=["numbers", "wnids"])
def test_a_folder_of_imagenet_v2_is_the_class_of_its_number(place, tmp_path, names):
    root = tmp_path / "imagenetv2-matched-frequency-format-val"
    write_pictures([root / name for name in names])
    opened_ = opened(place, "imagenet_v2", root, "benchmark.released=1000")
    assert opened_.listed.y.tolist() == list(range(1000))
    assert opened_.listed.paths[100].decode().startswith(names[100])
    rows = evaluated(place, "imagenet_v2", root, "benchmark.released=1000")
    paths = [next((root / name).iterdir()) for name in names]
    check_rows(rows, lambda row: by_hand(place, paths, row), torch.arange(1000))


def test_some_examples_of_a_large_set_are_the_same_each_time(place, tmp_path):
    write_pictures([tmp_path / str(k) for k in range(1000)])
    few = ("benchmark.released=1000", "benchmark.examples=40")
    first, second = (opened(place, "imagenet_v2", tmp_path, *few) for _ in range(2))
    assert first.n_test == len(first.listed) == 40 and first.listed.y.max() > 800
    np.testing.assert_array_equal(first.listed.y, second.listed.y)


# ObjectNet


def test_objectnet_uses_113_folders_and_cuts_the_red_border(place, tmp_path):
    table = class_table("objectnet")
    write_pictures([tmp_path / "images" / f for f in table], "PNG", seed=4)
    others = [tmp_path / "images" / f"other{k}" for k in range(200)]
    write_pictures(others, "PNG")
    paths = [next((tmp_path / "images" / folder).iterdir()) for folder in table]
    for path in paths:
        pixels = np.array(Image.open(path))
        pixels[[0, -1]] = pixels[:, [0, -1]] = (255, 0, 0)
        Image.fromarray(pixels).save(path)
    rows = evaluated(place, "objectnet", tmp_path)
    assert len(rows) == 4
    for row in rows:
        top = by_hand(place, paths, row, border=2).argmax(1).tolist()
        right = [t in indices(table[path.parent.name]) for t, path in zip(top, paths)]
        assert row["accuracy"] == pytest.approx(np.mean(right)) and row["n_test"] == 113
        assert "cross_entropy" not in row
    found = opened(place, "objectnet", tmp_path)
    chair = list(table).index("chair")
    logits = torch.zeros(1, 3, 1000)
    logits[0, [0, 1, 2], [559, 765, 3]] = 1
    assert found.score(logits, torch.full((1, 3), chair)).right.tolist() == [[True, True, False]]


# Videos


def frames(root: Path, names: list[str]) -> None:
    """A random picture for each frame."""
    rng = np.random.default_rng(5)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(256, size=3) + rng.integers(-20, 20, size=(12, 12, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name, "JPEG")


def metadata(root: Path, **files) -> None:
    (root / "metadata").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / "metadata" / f"{name}.json").write_text(json.dumps(content))


def top_group(logits: torch.Tensor, table: dict[str, str]) -> tuple[list[int], dict[int, int]]:
    """The best ImageNet class of those that belong to any super-class, and whose each is."""
    group_of = {i: group for group, text in enumerate(table.values()) for i in indices(text)}
    return [max(group_of, key=lambda i, row=row: row[i].item()) for row in logits], group_of


def vid_robust(root: Path) -> tuple[Path, dict[str, list[int]], dict[str, list[str]]]:
    """20 videos of three frames as in the release; a video's own label differs by frame."""
    labels, sets = {}, {}
    for video in range(20):
        names = [f"val/ILSVRC2015_val_{video:08d}/{k:06d}.JPEG" for k in (10, 11, 12)]
        labels |= {name: sorted({(video + k) % 30, 8, 4}) for k, name in enumerate(names)}
        sets[names[1]] = [] if video == 7 else [names[0], names[2]]
    frames(root, list(labels))
    metadata(root, labels=labels, pmsets=sets)
    return root, labels, sets


def test_a_set_of_frames_is_right_only_if_every_frame_is(place, tmp_path):
    root, labels, sets = vid_robust(tmp_path / "imagenet-vid-robust")
    rows = evaluated(place, "imagenet_vid_robust", root, "benchmark.released=20")
    assert len(rows) == 4
    names = list(labels)
    for row in rows:
        logits = by_hand(place, [root / name for name in names], row)
        top, group_of = top_group(logits, class_table("imagenet-vid-robust"))
        right = {name: group_of[i] in labels[name] for name, i in zip(names, top)}
        assert 0 < sum(right.values()) < len(right)
        pm0 = np.mean([right[anchor] for anchor in sets])
        pmk = np.mean([right[a] and all(right[n] for n in near) for a, near in sets.items()])
        assert (row["accuracy_pm0"], row["accuracy"]) == pytest.approx((pm0, pmk))
        assert row["n_test"] == 20 and "cross_entropy" not in row


def annotations(words: list[str], said: dict[str, list[str]]) -> dict:
    rows = [{"key": k, "notes": "", "labels": [words.index(w) for w in v]} for k, v in said.items()]
    return {"annotations": rows, "labels": words}


def ytbb_robust(root: Path) -> Path:
    """Anchors that are good, unsure, bad, or called bad by an annotation of a pair."""
    names = list(class_table("ytbb-robust"))
    anchors = {
        "carA_500/frame-30.jpg": ["good"],
        "/another/annotator/carA_500/frame-30.jpg": ["good"],  # the same anchor, one set
        "/a/path/of/annotators/noneB_700/frame-20.jpg": ["good", "person", "dog"],
        "badC_100/frame-15.jpg": ["good", "bad"],
        "unsureD_100/frame-15.jpg": ["unsure"],
        "calledE_100/frame-15.jpg": ["good"],
        "alone-F_x_100/frame-5.jpg": ["good"],
    }
    words = ["correct", "similar", "dissimilar", "blur-increase", "bad-anchor"]
    pairs = {
        "carA_500/frame-30.jpg,carA_500/frame-29.jpg": ["similar"],
        "x/carA_500/frame-30.jpg,x/carA_500/frame-40.jpg": ["similar", "correct"],
        "carA_500/frame-30.jpg,carA_500/frame-41.jpg": ["similar"],  # eleven frames away
        "carA_500/frame-30.jpg,carA_500/frame-31.jpg": ["similar", "blur-increase"],
        "carA_500/frame-30.jpg,carA_500/frame-32.jpg": ["correct"],
        "noneB_700/frame-20.jpg,noneB_700/frame-19.jpg": ["similar"],
        "calledE_100/frame-15.jpg,calledE_100/frame-16.jpg": ["bad-anchor"],
    }
    words += [w for w in ("problematic", "incorrect", "dont know", "deformation")]
    metadata(
        root,
        anchor_labels=annotations(["good", "unsure", "bad", *names], anchors),
        pmk_labels=annotations(words, pairs),
    )
    videos = {"carA_500": 22, "noneB_700": 23, "alone-F_x_100": 6, "calledE_100": 0}
    lines = [f"{v.rsplit('_', 1)[0]},{v.rsplit('_', 1)[1]},{k}" for v, k in videos.items()]
    table = root / "metadata" / "ytbb_robustness_test_anchors_full.csv"
    table.write_text("\n".join(["ytid,time_ms,label", *lines]) + "\n")
    kept = ["carA_500/frame-30", "carA_500/frame-29", "carA_500/frame-40", "noneB_700/frame-20"]
    kept += ["noneB_700/frame-19", "alone-F_x_100/frame-5"]
    frames(root / "ytbb_videos", [f"{name}.jpg" for name in kept])
    return root


def test_ytbb_sets_are_those_that_were_reviewed_with_car_and_none_swapped(place, tmp_path):
    root = ytbb_robust(tmp_path / "ytbb-robust")
    found = opened(place, "ytbb_robust", root, "benchmark.released=3")
    car, none, cow = (list(class_table("ytbb-robust")).index(w) for w in ("car", "none", "cow"))
    assert (car, none, cow) == (23, 22, 6)
    at = "ytbb_videos/"
    sets = {frames[0][0].removeprefix(at): frames for frames in found.frame_sets()}
    assert {anchor: [f.removeprefix(at) for f, _ in some] for anchor, some in sets.items()} == {
        "carA_500/frame-30.jpg": [f"carA_500/frame-{k}.jpg" for k in (30, 29, 40)],
        "noneB_700/frame-20.jpg": [f"noneB_700/frame-{k}.jpg" for k in (20, 19)],
        "alone-F_x_100/frame-5.jpg": ["alone-F_x_100/frame-5.jpg"],
    }
    assert {anchor: some[0][1] for anchor, some in sets.items()} == {
        "carA_500/frame-30.jpg": [car],
        "noneB_700/frame-20.jpg": [0, 19, none],
        "alone-F_x_100/frame-5.jpg": [cow],
    }
    assert all(labels == some[0][1] for some in sets.values() for _, labels in some)


def test_a_ytbb_class_without_an_imagenet_class_never_wins(place, tmp_path):
    root = ytbb_robust(tmp_path / "ytbb-robust")
    rows = evaluated(place, "ytbb_robust", root, "benchmark.released=3")
    assert len(rows) == 4 and {row["n_test"] for row in rows} == {3}
    found = opened(place, "ytbb_robust", root, "benchmark.released=3")
    order = found.listed.paths.tolist()
    cow, cars = (
        [k for k, path in enumerate(order) if word in path] for word in (b"alone-F", b"carA")
    )
    logits = torch.full((1, 4, 1000), -50.0)  # all below zero: no super-class may win by default
    logits[0, :2, 817] = -1.0  # a car's class
    logits[0, 2:, 404] = -1.0  # an airplane's
    y = torch.tensor([[cow[0], cars[0], cars[0], cow[0]]])
    assert found.score(logits, y).right.tolist() == [[False, True, False, False]]


def test_faulty_videos_are_refused(place, tmp_path):
    root = vid_robust(tmp_path / "vid")[0]
    with pytest.raises(InputError, match=r"holds 20 examples, and imagenet-vid-robust has 1,109"):
        opened(place, "imagenet_vid_robust", root)
    few = "benchmark.released=20"
    with pytest.raises(InputError, match=r"benchmark\.examples=5: .* does not read it"):
        opened(place, "imagenet_vid_robust", root, few, "benchmark.examples=5")
    frame = root / "val/ILSVRC2015_val_00000003/000012.JPEG"
    frame.unlink()
    with pytest.raises(InputError, match=r"000012\.JPEG: no such frame; the download or its"):
        opened(place, "imagenet_vid_robust", root, few)
    (root / "metadata" / "pmsets.json").write_text('{"val/a/b.JPEG": []}')
    with pytest.raises(InputError, match=r"metadata: not the files of .*, or damaged \(KeyError"):
        opened(place, "imagenet_vid_robust", root, few)
    ytbb = ytbb_robust(tmp_path / "ytbb")
    (ytbb / "metadata" / "pmk_labels.json").unlink()
    with pytest.raises(InputError, match=r"pmk_labels\.json cannot be read .*ytbb_robust\.yaml"):
        opened(place, "ytbb_robust", ytbb)


# Runs, and data sets, that no variant is for


def test_runs_on_other_classes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = make_imagenet(tmp_path / "imagenet")
    config = job(*TINY, f"dataset.root={root}", "benchmark=imagenet_a")
    with pytest.raises(InputError, match=r"needs runs on the 1000 classes .* has 3, and n01498041"):
        benchmark(config.benchmark, load(config.dataset))
    digits = job("dataset=digits", "benchmark=objectnet")
    with pytest.raises(InputError, match="is for runs on ImageNet, not for digits"):
        benchmark(digits.benchmark, load(digits.dataset))
    config = job(*TINY, f"dataset.root={root}", "benchmark=generated")
    with pytest.raises(InputError, match="is for data sets in memory, not for imagenet"):
        benchmark(config.benchmark, load(config.dataset))


def test_a_folder_that_is_not_there_is_refused(place, tmp_path):
    with pytest.raises(InputError, match=r"no folder .*: download imagenet-v2 and unpack it there"):
        opened(place, "imagenet_v2", tmp_path / "nowhere")
