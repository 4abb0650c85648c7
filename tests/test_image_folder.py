"""Image folders: decoded once, kept in a cache, refused with the file's name."""

from __future__ import annotations

import errno
import importlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig


def write_picture(path: Path, seed: int, size: tuple[int, int] = (5, 4)) -> np.ndarray:
    """A random lossless picture of this width and height; returns its pixels."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def tree(tmp_path) -> Path:
    """Two classes, three training and two test pictures, written out of order."""
    root = tmp_path / "pets"
    for seed, name in enumerate(
        [
            "train/dog/b.png",
            "train/cat/x.PNG",
            "train/dog/a.bmp",
            "test/dog/c.png",
            "test/cat/d.png",
        ]
    ):
        write_picture(root / name, seed)
    (root / "train" / "dog" / "notes.txt").write_text("no picture")
    return root


def folder(root: Path | str | None, **fields) -> DatasetConfig:
    return DatasetConfig("image_folder", root=None if root is None else str(root), **fields)


def pixels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def forbid_decoding(monkeypatch) -> None:
    def refuse(path):
        raise AssertionError(f"{path} was decoded although the cache is good")

    # By name, since the package's attribute image_folder is the function.
    module = importlib.import_module("mixup_repro.data.image_folder")
    monkeypatch.setattr(module, "_pixels", refuse)


def cache_of(root: Path) -> Path:
    (path,) = root.glob(".*.npz")
    return path


def test_image_folder_reads_pictures_by_class_and_name(tree):
    dataset = load(folder(tree))
    expected = [pixels_of(tree / "train" / p) for p in ("cat/x.PNG", "dog/a.bmp", "dog/b.png")]
    np.testing.assert_array_equal(dataset.x_train, np.stack(expected))
    expected = [pixels_of(tree / "test" / p) for p in ("cat/d.png", "dog/c.png")]
    np.testing.assert_array_equal(dataset.x_test, np.stack(expected))
    assert dataset.y_train.tolist() == [0, 1, 1]
    assert dataset.y_test.tolist() == [0, 1]
    assert (dataset.label, dataset.classes, dataset.input_shape) == ("pets", 2, (3, 4, 5))


def test_image_folder_takes_val_for_test_and_a_label_of_ones_own(tree):
    (tree / "test").rename(tree / "val")
    dataset = load(folder(tree, label="mine"))
    assert (dataset.label, len(dataset.x_test)) == ("mine", 2)


def test_image_folder_passes_over_hidden_folders_and_files(tree):
    (tree / "train" / ".thumbnails").mkdir()
    (tree / "train" / "dog" / "._a.bmp").write_bytes(b"what a Mac adds to an archive")
    dataset = load(folder(tree))
    assert (dataset.classes, dataset.n_train) == (2, 3)


def test_image_folder_decodes_once(tree, monkeypatch):
    first = load(folder(tree))
    forbid_decoding(monkeypatch)
    second = load(folder(tree))
    assert torch.equal(first.x_train, second.x_train)
    assert torch.equal(first.x_test, second.x_test)
    assert torch.equal(first.y_train, second.y_train)


def test_image_folder_leaves_one_cache_and_no_partial_file(tree):
    load(folder(tree))
    assert len([p for p in tree.iterdir() if p.is_file()]) == 1


def test_image_folder_decodes_again_when_a_picture_changes_size_on_disk(tree):
    load(folder(tree))
    changed = write_picture(tree / "train" / "cat" / "x.PNG", seed=77)
    np.testing.assert_array_equal(load(folder(tree)).x_train[0], changed)


def test_image_folder_decodes_again_when_only_a_pictures_time_changes(tree):
    load(folder(tree))
    path = tree / "train" / "dog" / "a.bmp"  # uncompressed: every picture has the same size
    before = os.stat(path)
    changed = write_picture(path, seed=77)
    assert os.stat(path).st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    np.testing.assert_array_equal(load(folder(tree)).x_train[1], changed)


@pytest.mark.parametrize("change", ["add", "remove", "rename"])
def test_image_folder_decodes_again_when_its_files_change(tree, change):
    load(folder(tree))
    path = tree / "train" / "dog" / "a.bmp"
    if change == "add":
        write_picture(tree / "train" / "dog" / "c.png", seed=9)
    elif change == "remove":
        path.unlink()
    else:
        path.rename(path.with_name("z.bmp"))
    names = sorted(p for p in (tree / "train" / "dog").iterdir() if p.suffix != ".txt")
    dogs = load(folder(tree)).x_train[1:]
    np.testing.assert_array_equal(dogs, np.stack([pixels_of(p) for p in names]))


def test_image_folder_decodes_again_when_a_picture_moves_to_the_other_part(tree):
    write_picture(tree / "test" / "cat" / "e.png", seed=9)
    load(folder(tree))
    # The first test picture becomes the last of training: sizes and times keep their order.
    (tree / "test" / "cat" / "d.png").rename(tree / "train" / "dog" / "zz.png")
    moved = load(folder(tree))
    assert (len(moved.x_train), len(moved.x_test)) == (4, 2)
    np.testing.assert_array_equal(moved.x_train[3], pixels_of(tree / "train" / "dog" / "zz.png"))


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
def test_a_damaged_cache_is_rebuilt(tree, damage, monkeypatch):
    first = load(folder(tree))
    cache = cache_of(tree)
    whole = cache.read_bytes()
    at = whole.index(first.x_train.numpy().tobytes())
    flipped = whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
    damaged = {"empty": b"", "text": b"hello", "cut": whole[: len(whole) // 2], "flipped": flipped}
    cache.write_bytes(damaged[damage])
    assert torch.equal(load(folder(tree)).x_train, first.x_train)
    forbid_decoding(monkeypatch)
    assert torch.equal(load(folder(tree)).x_train, first.x_train)


def test_a_read_only_folder_is_decoded_without_a_cache(tree, monkeypatch):
    def read_only(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    # On a read-only mount Linux answers EROFS to unlink also where there is no such file.
    monkeypatch.setattr(np, "savez", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)
    assert len(load(folder(tree)).x_train) == 3
    assert not list(tree.glob(".*.npz"))


def test_image_folder_without_a_root_or_with_a_missing_one_is_refused(tmp_path):
    for root in (None, "", tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"no image folder at .*dataset\.root=<folder>"):
            load(folder(root))


@pytest.mark.parametrize("missing", ["train", "test"])
def test_image_folder_without_one_of_its_parts_is_refused(tree, missing):
    (tree / missing).rename(tree / "other")
    with pytest.raises(InputError, match="needs the folders train/<class>/ and test/<class>/"):
        load(folder(tree))


def test_image_folder_of_one_class_is_refused(tmp_path):
    write_picture(tmp_path / "train" / "cat" / "a.png", 0)
    write_picture(tmp_path / "test" / "cat" / "a.png", 1)
    with pytest.raises(InputError, match="found 1 class folder, needs at least 2"):
        load(folder(tmp_path))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_in_only_one_part_is_named(tree, part):
    write_picture(tree / part / "eel" / "a.png", 0)
    with pytest.raises(InputError, match="class eel is in only one of train and test"):
        load(folder(tree))


def test_an_empty_class_folder_is_named(tree):
    for part in ("train", "test"):
        (tree / part / "eel").mkdir()
    with pytest.raises(InputError, match="eel: no pictures"):
        load(folder(tree))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_picture_of_another_size_is_named_with_both_sizes(tree, part):
    odd = tree / part / "dog" / "zz.png"
    write_picture(odd, 0, size=(9, 4))
    with pytest.raises(InputError, match=r"9 x 4 pixels but .* is 5 x 4") as error:
        load(folder(tree))
    assert str(odd) in str(error.value)


def bitmap_header(width: int, height: int) -> bytes:
    """A BMP that claims a size and holds no pixels."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        bitmap_header(5, 4),
        bitmap_header(100_000, 100_000),
    ],
    ids=["empty", "text", "cut", "ten gigapixels claimed"],
)
def test_an_unreadable_picture_is_named(tree, content):
    bad = tree / "train" / "dog" / "bad.bmp"
    bad.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.bmp: cannot be read as a picture"):
        load(folder(tree))


def test_a_folder_named_like_a_picture_is_named(tree):
    (tree / "train" / "dog" / "odd.png").mkdir()
    with pytest.raises(InputError, match=r"odd\.png: cannot be read"):
        load(folder(tree))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK"])
def test_pictures_of_other_modes_become_three_channels(tree, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    path = tree / "train" / "cat" / f"x.{suffix}"
    (tree / "train" / "cat" / "x.PNG").rename(tree / "train" / "cat" / "old")
    Image.new(mode, (5, 4)).save(path)
    expected = pixels_of(path)
    np.testing.assert_array_equal(load(folder(tree)).x_train[0], expected)
    assert expected.shape == (4, 5, 3)
