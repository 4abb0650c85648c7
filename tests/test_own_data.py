"""Data sets of one's own: arrays, tables, torchvision's by name and Hugging Face's."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import train_here
from PIL import Image
from torchvision import datasets as theirs

from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

RNG = np.random.default_rng(0)


def config(name: str, root: Path | str, **fields) -> DatasetConfig:
    return DatasetConfig(name, root=str(root), **fields)


def write_npz(path: Path, **changed) -> dict[str, np.ndarray]:
    """Six grey training and four test pictures of 5 x 4 pixels, of classes 3 and 7."""
    arrays = {
        "x_train": RNG.integers(256, size=(6, 5, 4), dtype=np.uint8),
        "y_train": np.array([[3], [7], [3], [7], [7], [3]]),
        "x_test": RNG.integers(256, size=(4, 5, 4), dtype=np.uint8),
        "y_test": np.array([[7], [3], [3], [7]]),
    } | changed
    arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez(path, **arrays)
    return arrays


# Arrays


def test_npz_keeps_grey_one_channel_and_numbers_the_classes(tmp_path):
    arrays = write_npz(tmp_path / "cells.npz")
    found = load(config("npz", tmp_path / "cells.npz"))
    assert found.label == "cells" and found.class_names == ["3", "7"]
    assert found.input_shape == (1, 5, 4)
    np.testing.assert_array_equal(found.x_train[..., 0], arrays["x_train"])
    np.testing.assert_array_equal(found.x_test[..., 0], arrays["x_test"])
    assert found.y_train.tolist() == [0, 1, 0, 1, 1, 0] and found.y_test.tolist() == [1, 0, 0, 1]


def test_npz_by_medmnists_names_with_colours_in_either_place(tmp_path):
    arrays = write_npz(tmp_path / "a.npz")
    first = RNG.integers(256, size=(6, 3, 5, 4), dtype=np.uint8)  # channels first
    last = RNG.integers(256, size=(4, 5, 4, 3), dtype=np.uint8)
    named = {"train_images": first, "train_labels": arrays["y_train"].astype(np.uint8)}
    named |= {"test_images": last, "test_labels": arrays["y_test"], "val_images": last}
    np.savez(tmp_path / "b.npz", **named)
    found = load(config("npz", tmp_path / "b.npz", label="mine"))
    assert found.label == "mine" and found.input_shape == (3, 5, 4)
    np.testing.assert_array_equal(found.x_train, first.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(found.x_test, last)


def test_npz_of_features_and_words(tmp_path):
    x = [RNG.normal(size=(n, 3)) for n in (6, 4)]
    words = {"y_train": np.array(list("babbaa")), "y_test": np.array(list("abab"))}
    write_npz(tmp_path / "t.npz", x_train=x[0], x_test=x[1], **words)
    found = load(config("npz", tmp_path / "t.npz"))
    np.testing.assert_allclose(found.x_train, x[0], rtol=1e-6)
    assert found.class_names == ["a", "b"] and found.y_test.tolist() == [0, 1, 0, 1]
    assert found.x_test.dtype == torch.float32
    with pytest.raises(InputError, match=r"dataset.size: is for pictures"):
        load(config("npz", tmp_path / "t.npz", size=8))


def test_npz_is_brought_to_a_size_as_pillow_does(tmp_path):
    arrays = write_npz(tmp_path / "cells.npz")
    found = load(config("npz", tmp_path / "cells.npz", size=8))
    assert found.input_shape == (1, 8, 8)
    square = {name: arrays[name][:, :4] for name in ("x_train", "x_test")}
    write_npz(tmp_path / "s.npz", **square)
    found = load(config("npz", tmp_path / "s.npz", size=8)).x_train[2, ..., 0]
    expected = Image.fromarray(square["x_train"][2]).resize((8, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"y_test": None}, "its arrays are x_train, y_train, x_test, and these are needed: x_tr"),
        (
            {"y_test": np.array([3, 7, 8, 3])},
            "test examples of class 8, which has no training",
        ),
        ({"y_test": np.array([3, 7])}, "x_test has 4 examples and 2 labels"),
        ({"y_train": np.eye(6)}, r"training labels of shape \(6, 6\) and type float64"),
        ({"x_train": RNG.random((6, 5, 4))}, r"x_train has shape \(6, 5, 4\) and type float64"),
        ({"x_train": np.zeros((6, 5, 4, 7), np.uint8)}, "must be pictures, uint8"),
        ({"x_train": np.zeros((6, 5, 5), np.uint8)}, r"two shapes, x_train \(6, 5, 5\)"),
        ({"x_train": np.array([[np.nan]] * 6)}, "or finite features"),
        ({"y_train": np.array([3] * 6), "y_test": np.array([3] * 4)}, "has 1 class"),
        ({"y_train": np.array([None] * 6)}, "no .npz file of plain arrays"),
        (
            {"x_test": np.zeros((0, 5, 4), np.uint8), "y_test": np.array([], int)},
            "a has no test examples",
        ),
    ],
)
def test_bad_arrays_are_refused_in_a_line(changed, message, tmp_path):
    write_npz(tmp_path / "a.npz", **changed)
    with pytest.raises(InputError, match=message):
        load(config("npz", tmp_path / "a.npz"))


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no archive")
    for root, message in ((tmp_path / "a.npz", "or damaged"), (tmp_path / "b.npz", "no file at")):
        with pytest.raises(InputError, match=message):
            load(config("npz", root))


def test_a_run_trains_on_an_npz_file_under_its_name(tmp_path):
    write_npz(tmp_path / "cells.npz")
    words = ["dataset=npz", f"dataset.root={tmp_path / 'cells.npz'}", "architecture=mlp"]
    assert train_here(*words, "recipe=digits", "recipe.epochs=1", runs_dir=tmp_path / "runs") == 0
    assert [path.name.split("-")[0] for path in (tmp_path / "runs").iterdir()] == ["cells"]


# Tables


def table(n: int = 50) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    columns = {"height": rng.normal(5, 2, n), "kind": rng.choice(["oak", "elm", "ash"], n)}
    return pd.DataFrame(columns | {"age": rng.integers(100, size=n), "old": True})


def test_csv_is_split_by_class_and_standardised_by_its_training_rows(tmp_path):
    whole = table()
    whole.to_csv(tmp_path / "trees.csv", index=False)
    found = load(config("csv", tmp_path / "trees.csv", column="kind"))
    assert found.label == "trees" and found.class_names == ["ash", "elm", "oak"]
    assert (found.n_train, found.n_test, found.input_shape) == (40, 10, (3,))
    counts = whole.kind.value_counts().sort_index().to_numpy()
    assert (np.abs(found.y_test.bincount().numpy() - counts / 5) < 1).all()
    x = found.x_train.double()
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(0, correction=0), [1, 1, 0], atol=1e-6)  # `old` is constant
    rows = whole[["height", "age"]].to_numpy(float)  # each row is there, shifted and scaled
    both = torch.cat([found.x_train, found.x_test])[:, :2].double().numpy()
    scale = rows.std(0) / both.std(0)
    back = both * scale + (rows.mean(0) - both.mean(0) * scale)
    np.testing.assert_allclose(np.sort(back, 0), np.sort(rows, 0), atol=1e-4)
    again = load(config("csv", tmp_path / "trees.csv", column="kind"))
    assert torch.equal(again.x_test, found.x_test)


def test_csv_in_two_files_with_the_label_last(tmp_path):
    whole = table()[["age", "height", "kind"]]
    whole[:30].to_csv(tmp_path / "train.csv", index=False)
    whole[30:][["kind", "height", "age"]].to_csv(tmp_path / "test.csv", index=False)
    found = load(config("csv", tmp_path))
    mean, std = whole[["age", "height"]][:30].mean(), whole[["age", "height"]][:30].std(ddof=0)
    expected = ((whole[["age", "height"]] - mean) / std).to_numpy()
    np.testing.assert_allclose(found.x_train, expected[:30], atol=1e-5)
    np.testing.assert_allclose(found.x_test, expected[30:], atol=1e-5)
    names = np.array(found.class_names)
    assert names[found.y_test].tolist() == whole.kind[30:].tolist()


@pytest.mark.parametrize(
    "change, column, message",
    [
        (lambda t: t, "sort", "dataset.column=sort: .* has no such column, but height, kind"),
        (lambda t: t.assign(age=t.age.where(t.index != 3)), "kind", "age has an empty cell, in li"),
        (lambda t: t.assign(kind=t.kind.where(t.index != 3)), "kind", "split|empty cell"),
        (lambda t: t.assign(age="old"), "kind", "column age holds 'old'; features must be numbers"),
        (lambda t: t.assign(age="1_000"), "kind", "age holds '1_000'; features must be numbers"),
        (lambda t: t.assign(kind=t.kind.where(t.index > 9, "None")), "kind", "the words NA, None"),
        (lambda t: t.assign(age=np.inf), "kind", "column age holds an infinite number"),
        (lambda t: t.assign(kind=t.kind.where(t.index != 3, "fir")), "kind", "cannot be split by"),
        (lambda t: t[["kind"]], "kind", "is its only column"),
        (lambda t: t, "height", "cannot be split by its column height"),
    ],
)
def test_bad_tables_are_refused_in_a_line(change, column, message, tmp_path):
    change(table()).to_csv(tmp_path / "trees.csv", index=False)
    with pytest.raises(InputError, match=message) as caught:
        load(config("csv", tmp_path / "trees.csv", column=column))
    assert "\n" not in str(caught.value)


def test_missing_and_broken_tables_are_refused(tmp_path):
    with pytest.raises(InputError, match="must name a CSV file, or a folder"):
        load(config("csv", tmp_path))
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as CSV"):
        load(config("csv", tmp_path / "a.csv"))


# Torchvision


def write_idx(path: Path, array: np.ndarray) -> None:
    """The format of MNIST's files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def test_a_set_of_torchvision_by_its_name(tmp_path):
    raw, arrays = tmp_path / "FashionMNIST" / "raw", {}
    for part, n in (("train", 20), ("t10k", 10)):
        arrays[part] = RNG.integers(256, size=(n, 28, 28), dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", arrays[part])
        write_idx(raw / f"{part}-labels-idx1-ubyte", (np.arange(n) % 10).astype(np.uint8))
    found = load(config("torchvision", tmp_path, label="FashionMNIST"))
    assert found.label == "FashionMNIST" and found.input_shape == (1, 28, 28)
    np.testing.assert_array_equal(found.x_test[..., 0], arrays["t10k"])
    assert found.y_train.tolist() == [k % 10 for k in range(20)]
    assert found.class_names == theirs.FashionMNIST.classes
    small = load(config("torchvision", tmp_path, label="FashionMNIST", size=7))
    expected = Image.fromarray(arrays["train"][3]).resize((7, 7), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(small.x_train[3, ..., 0], expected)


class Sets:
    """A set as torchvision's: pictures of unequal sizes, and splits of these names."""

    classes = ("cat", "dog")

    def __init__(self, root, split="train", modes=("RGB",), splits=("train", "val")) -> None:
        if split not in splits:
            raise ValueError(f"Unknown value '{split}'. Valid values are {splits}.")
        sizes = [(8, 6), (6, 9), (7, 7), (6, 6)]
        self.split, self.items = split, []
        for k, size in enumerate(sizes):
            pixels = np.full((size[1], size[0]), 50 * k + (split == "val"), np.uint8)
            mode = modes[k % len(modes)]
            self.items.append((Image.fromarray(pixels).convert(mode), k % 2))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, k):
        return self.items[k]


def with_set(monkeypatch, made) -> DatasetConfig:
    monkeypatch.setattr(theirs, "SVHN", made)
    return DatasetConfig("torchvision", root="nowhere", label="SVHN", size=5)


def test_a_set_with_other_splits_and_sizes(monkeypatch):
    found = load(with_set(monkeypatch, Sets))
    assert found.input_shape == (3, 5, 5) and found.class_names == ["cat", "dog"]
    assert found.x_train[:, 0, 0, 1].tolist() == [0, 50, 100, 150]
    assert found.x_test[:, 0, 0, 1].tolist() == [1, 51, 101, 151]


@pytest.mark.parametrize(
    "modes, channels", [(["L"], 1), (["L", "RGB"], 3), (["L", "1"], 1), (["I;16"], 1)]
)
def test_grey_stays_one_channel_unless_a_picture_has_colour(monkeypatch, modes, channels):
    class Grey(Sets):
        def __init__(self, root, split="train") -> None:
            super().__init__(root, split, [mode for mode in modes if mode != "I;16"] or ["I;16"])

    found = load(with_set(monkeypatch, Grey))
    assert found.input_shape == (channels, 5, 5)


def test_unequal_sizes_need_a_size(monkeypatch):
    wanted = with_set(monkeypatch, Sets)
    wanted.size = None
    with pytest.raises(InputError, match=r"train example 1 is 6 x 9 pixels but train example 0"):
        load(wanted)


@pytest.mark.parametrize(
    "label, message",
    [
        ("FashonMNIST", "no such set; name one of its classes, such as FashionMNIST"),
        ("EuroSAT", "does not split this set into training and test examples"),
        ("os", "no such set"),
    ],
)
def test_sets_that_torchvision_lacks_or_does_not_split(label, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load(config("torchvision", tmp_path, label=label))


# Hugging Face


class Rows(list):
    """A part of a data set, as the package `datasets` shows it."""

    def __init__(self, rows, features) -> None:
        super().__init__(rows)
        self.features = features

    def __getitem__(self, key):
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


ClassLabel = type("ClassLabel", (), {"names": ["crow", "gull", "wren"]})
FEATURES = {"picture": type("Image", (), {})(), "kind": ClassLabel(), "of": ClassLabel()}


def pretend(monkeypatch, **parts) -> None:
    """A package `datasets` whose hub holds these parts."""
    module = ModuleType("datasets")
    module.load_dataset = lambda root: parts
    monkeypatch.setitem(sys.modules, "datasets", module)


def birds(n: int, features=FEATURES) -> Rows:
    rows = [
        {"picture": Image.fromarray(np.full((4, 4), 9 * k, np.uint8)), "kind": k % 3, "of": 0}
        for k in range(n)
    ]
    return Rows(rows, features)


def test_a_hugging_face_set_by_its_columns(monkeypatch):
    pretend(monkeypatch, train=birds(7), validation=birds(3))
    found = load(config("huggingface", "somebody/birds", column="kind"))
    assert found.label == "birds" and found.class_names == ["crow", "gull", "wren"]
    assert found.input_shape == (1, 4, 4) and found.y_train.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert found.x_train[:, 0, 0, 0].tolist() == [9 * k for k in range(7)]
    one = {name: FEATURES[name] for name in ("picture", "kind")}
    pretend(monkeypatch, train=birds(7, one), test=birds(3, one))
    assert load(config("huggingface", "somebody/birds")).n_test == 3


@pytest.mark.parametrize(
    "parts, column, message",
    [
        ({"train": birds(4)}, "kind", "has train, and needs train and one of"),
        ({"train": birds(4), "test": birds(2)}, None, "2 columns of classes, and one is needed: "),
        (
            {"train": birds(4), "test": birds(2)},
            "sort",
            "dataset.column=sort: .* has pict",
        ),
        (
            {"train": birds(4, {"kind": ClassLabel()}), "test": birds(2)},
            "kind",
            "0 columns of pictures",
        ),
    ],
)
def test_hugging_face_sets_that_do_not_fit(parts, column, message, monkeypatch):
    pretend(monkeypatch, **parts)
    with pytest.raises(InputError, match=message):
        load(config("huggingface", "somebody/birds", column=column))


def test_without_the_package_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match="pip install datasets"):
        load(config("huggingface", "somebody/birds"))


def test_the_real_package_reads_a_saved_folder(tmp_path):
    hf = pytest.importorskip("datasets")
    features = hf.Features({"image": hf.Image(), "label": hf.ClassLabel(names=["a", "b"])})
    pictures = [Image.fromarray(np.full((4, 4), 20 * k, np.uint8)) for k in range(6)]
    part = hf.Dataset.from_dict({"image": pictures, "label": [0, 1] * 3}, features=features)
    hf.DatasetDict({"train": part, "test": part}).save_to_disk(tmp_path / "saved")
    found = load(config("huggingface", tmp_path / "saved"))
    assert found.label == "saved" and found.input_shape == (1, 4, 4)
    assert found.x_train[:, 0, 0, 0].tolist() == [20 * k for k in range(6)]
    assert found.class_names == ["a", "b"] and found.y_test.tolist() == [0, 1] * 3
    with pytest.raises(InputError, match="cannot be loaded"):
        load(config("huggingface", tmp_path / "none"))
