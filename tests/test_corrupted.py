"""Corrupted test sets: the cache of generated ones, and every way released files can be wrong."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from filelock import FileLock

from mixup_repro.data import Dataset, load
from mixup_repro.errors import InputError
from mixup_repro.schema import BenchmarkConfig, DatasetConfig
from mixup_repro.shifts import benchmark, corrupted
from mixup_repro.shifts.corrupted import MD5, SEED
from mixup_repro.shifts.corruptions import CORRUPTIONS, corrupt, weather

N = 20


def dataset(label: str = "cifar10", side: int = 32, channels: int = 3, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(256, size=(N, side, side, channels), dtype=np.uint8))
    y = torch.from_numpy(rng.integers(10, size=N))
    return Dataset(label, pixels, y, pixels, y, classes=10)


def generated(root: Path, data: Dataset, **fields):
    return benchmark(BenchmarkConfig("generated", str(root), **fields), data)


# Generated


def files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file() and p.name != ".lock")


def forbid_making(monkeypatch) -> None:
    monkeypatch.setattr(corrupted, "corrupt", lambda *_: pytest.fail("made again"))


def test_a_generated_set_is_made_once_and_read_afterwards(tmp_path, monkeypatch):
    data = dataset()
    made = generated(tmp_path, data).pixels("fog", 3)
    np.testing.assert_array_equal(made, corrupt(data.x_test.numpy(), "fog", 3, SEED))
    (path,) = files(tmp_path)
    assert path.name == "fog-3.npz"
    forbid_making(monkeypatch)
    np.testing.assert_array_equal(generated(tmp_path, data).pixels("fog", 3), made)


def test_generated_results_are_never_named_like_released_ones(tmp_path):
    assert generated(tmp_path, dataset()).label == "cifar10-c-generated"
    assert generated(tmp_path, dataset("mine")).label == "mine-c-generated"


def test_other_pixels_seeds_and_versions_have_files_of_their_own(tmp_path, monkeypatch):
    sources = [generated(tmp_path, dataset(seed=s)).source for s in (0, 1)]
    monkeypatch.setattr(corrupted, "VERSION", -1)
    sources.append(generated(tmp_path, dataset()).source)
    monkeypatch.setattr(corrupted, "SEED", 9)
    sources.append(generated(tmp_path, dataset()).source)
    assert len(set(sources)) == 4
    for source in sources:
        assert generated(tmp_path, dataset()).folder.parent == tmp_path
        assert len(source) == 12


@pytest.mark.parametrize(
    "damage", ["empty", "text", "cut", "a pixel", "other shape", "other type", "other name"]
)
def test_a_damaged_file_is_made_again(tmp_path, damage, monkeypatch):
    made = generated(tmp_path, dataset()).pixels("contrast", 1)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    if damage == "other shape":
        np.savez(path, pixels=made[:-1])
    elif damage == "other type":
        np.savez(path, pixels=made.view(np.int8))
    elif damage == "other name":
        np.savez(path, x=made)
    elif damage == "a pixel":
        at = whole.index(made.tobytes()) + 12345
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    else:
        path.write_bytes({"empty": b"", "text": b"hello", "cut": whole[:-1]}[damage])
    np.testing.assert_array_equal(generated(tmp_path, dataset()).pixels("contrast", 1), made)
    forbid_making(monkeypatch)
    np.testing.assert_array_equal(generated(tmp_path, dataset()).pixels("contrast", 1), made)


def test_any_flipped_bit_is_noticed_or_changes_nothing(tmp_path, monkeypatch):
    """In the pixels, and in every byte of the archive's own records."""
    data = dataset(side=8)
    kept = generated(tmp_path, data, corruptions=["contrast"])
    made = kept.pixels("contrast", 1)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    start = whole.index(made.tobytes())
    end = start + made.nbytes
    again = []
    monkeypatch.setattr(corrupted, "corrupt", lambda *_: again.append(1) or made)
    for at in (*range(start), *range(start, end, 97), *range(end, len(whole))):
        for bit in (1, 8, 128):
            again.clear()
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            np.testing.assert_array_equal(kept.pixels("contrast", 1), made)
            assert again or not start <= at < end


def test_what_a_killed_process_left_is_removed_and_a_set_is_made_by_one_process(tmp_path):
    kept = generated(tmp_path, dataset(side=8))
    kept.folder.mkdir(parents=True)
    (kept.folder / ".fog-1.npz.4242").write_bytes(b"half")
    made = []
    with FileLock(kept.folder / ".lock"):  # another process makes a set
        waiting = Thread(target=lambda: made.append(kept.pixels("fog", 1)))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and len(files(tmp_path)) == 1
    waiting.join()
    assert [path.name for path in files(tmp_path)] == ["fog-1.npz"] and len(made) == 1


def test_without_room_for_a_cache_sets_are_made_each_time(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    made = generated(tmp_path, dataset()).pixels("contrast", 1)
    np.testing.assert_array_equal(made, corrupt(dataset().x_test.numpy(), "contrast", 1, SEED))
    assert not files(tmp_path)


def test_in_a_folder_that_cannot_be_written_sets_are_made_each_time(tmp_path):
    (tmp_path / "corruptions").write_text("a file where the folder should be")
    made = generated(tmp_path / "corruptions", dataset()).pixels("contrast", 1)
    np.testing.assert_array_equal(made, corrupt(dataset().x_test.numpy(), "contrast", 1, SEED))


def test_pixels_that_count_to_sixteen_are_stretched_to_bytes(tmp_path):
    """Scikit-learn's digits."""
    data = load(DatasetConfig("digits"))
    made = generated(tmp_path, data).pixels("gaussian_noise", 5)
    clean = np.rint(data.x_test.numpy() * (255 / 16)).astype(np.uint8)
    assert clean.max() == 255
    np.testing.assert_array_equal(made, corrupt(clean, "gaussian_noise", 5, SEED))


def test_spatter_without_opencv_is_refused_before_any_work_and_the_rest_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"pip install .* benchmark\.corruptions"):
        generated(tmp_path, dataset())
    generated(tmp_path, dataset(), corruptions=["snow", "fog"])


def test_frost_without_its_photographs_is_refused_before_any_work_and_the_rest_is_not(
    tmp_path, monkeypatch
):
    weather._whole_photographs.cache_clear()
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)
    with pytest.raises(InputError, match=r"pip install .* benchmark\.corruptions") as error:
        generated(tmp_path, dataset())
    assert "imagecorruptions" in str(error.value) and "\n" not in str(error.value)
    generated(tmp_path, dataset(), corruptions=["snow", "spatter"])


@pytest.mark.parametrize(
    ("config", "data", "message"),
    [
        (
            BenchmarkConfig("imagenet-d", "x"),
            dataset(),
            "choose one of generated, cifar10-h, c",
        ),
        (BenchmarkConfig("generated"), dataset(), r"needs benchmark\.root=<folder>"),
        (BenchmarkConfig("generated", "x"), dataset(side=7), "needs pictures of 8 x 8 pixels at"),
        (BenchmarkConfig("generated", "x"), dataset(channels=2), "32 x 32 and 2"),
        (
            BenchmarkConfig("generated", "x", corruptions=["rain"]),
            dataset(),
            "choose from gaussian_noise, s",
        ),
        (BenchmarkConfig("generated", "x", severities=[0]), dataset(), "choose from 1, 2, 3, 4, 5"),
        (BenchmarkConfig("generated", "x", severities=[]), dataset(), "choose from 1, 2, 3, 4, 5"),
        (BenchmarkConfig("generated", "x", examples=0), dataset(), "has 20 for testing"),
        (BenchmarkConfig("generated", "x", examples=21), dataset(), "has 20 for testing"),
        (
            BenchmarkConfig("generated", "x"),
            load(DatasetConfig("alternating_line", points=10, classes=2)),
            "is for pictures, and x_10.2 has none",
        ),
    ],
)
def test_what_no_benchmark_can_be_is_one_line(config, data, message):
    with pytest.raises(InputError, match=message) as error:
        benchmark(config, data)
    assert "\n" not in str(error.value)


# Released


def write_released(root: Path, data: Dataset, monkeypatch, name: str = "CIFAR-10-C") -> Path:
    """All twenty files as published, but of few random pictures, with checksums to match."""
    folder = root / name
    folder.mkdir(parents=True)
    n, *shape = data.x_test.shape
    for k, corruption in enumerate(CORRUPTIONS):
        rng = np.random.default_rng(k)
        np.save(folder / f"{corruption}.npy", rng.integers(256, size=(5 * n, *shape), dtype="u1"))
    np.save(folder / "labels.npy", np.tile(data.y_test.numpy().astype(np.uint8), 5))
    trust(folder, monkeypatch)
    return folder


def trust(folder: Path, monkeypatch) -> None:
    """Let the checksums be those of the files as they are now."""
    sums = {p.stem: hashlib.md5(p.read_bytes()).hexdigest() for p in folder.glob("*.npy")}
    monkeypatch.setitem(MD5, folder.name, sums)


def released(root: Path, data: Dataset, name: str = "cifar10-c", **fields):
    return benchmark(BenchmarkConfig(name, str(root), **fields), data)


def test_checksums_are_there_for_every_published_file():
    for table in MD5.values():
        assert set(table) == {*CORRUPTIONS, "labels"}
        assert all(len(md5) == 32 and set(md5) <= set("0123456789abcdef") for md5 in table.values())
    assert not set(MD5["CIFAR-10-C"].values()) & set(MD5["CIFAR-100-C"].values())


@pytest.mark.parametrize("name", ["CIFAR-10-C", "CIFAR-100-C"])
def test_released_files_are_cut_into_severities(tmp_path, monkeypatch, name):
    data = dataset()
    folder = write_released(tmp_path, data, monkeypatch, name)
    found = released(tmp_path, data, name.lower().replace("r-", "r"))
    assert found.label == name.lower().replace("r-", "r")
    whole = np.load(folder / "snow.npy")
    for severity in range(1, 6):
        expected = whole[(severity - 1) * N : severity * N]
        part = found.pixels("snow", severity)
        assert isinstance(part, np.memmap)
        np.testing.assert_array_equal(part, expected)


def test_files_are_verified_once_and_again_when_they_change(tmp_path, monkeypatch):
    data = dataset()
    folder = write_released(tmp_path, data, monkeypatch)
    taken = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda f, kind: taken.append(f.name) or digest(f, kind)
    )
    released(tmp_path, data, corruptions=["fog", "snow"])
    assert [Path(name).stem for name in taken] == ["labels", "fog", "snow"]
    released(tmp_path, data, corruptions=["fog", "snow", "frost"])
    assert [Path(name).stem for name in taken[3:]] == ["frost"]
    stat = os.stat(folder / "fog.npy")
    content = bytearray((folder / "fog.npy").read_bytes())
    content[-1] ^= 255
    (folder / "fog.npy").write_bytes(content)
    os.utime(folder / "fog.npy", ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as cp -p keeps it
    with pytest.raises(InputError, match=r"fog\.npy is damaged"):
        released(tmp_path, data, corruptions=["fog", "snow"])


def test_a_read_only_folder_is_verified_each_time(tmp_path, monkeypatch):
    folder = write_released(tmp_path, dataset(), monkeypatch)

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(corrupted, "write_json", read_only)
    released(tmp_path, dataset())
    assert len(files(folder)) == 20


def test_a_subset_needs_only_its_own_files(tmp_path, monkeypatch):
    data = dataset()
    folder = write_released(tmp_path, data, monkeypatch)
    (folder / "fog.npy").unlink()
    released(tmp_path, data, corruptions=["snow"])
    with pytest.raises(InputError, match=r"fog\.npy is missing: .*zenodo\.org/records/2535967"):
        released(tmp_path, data)


@pytest.mark.parametrize(("name", "record"), [("CIFAR-10-C", 2535967), ("CIFAR-100-C", 3555552)])
def test_a_missing_folder_says_what_to_download_from_where(tmp_path, name, record):
    with pytest.raises(InputError, match=rf"{name}: download {name}\.tar from .*{record}") as error:
        released(tmp_path, dataset(), name.lower().replace("r-", "r"))
    assert "benchmark.root=<folder>" in str(error.value) and "\n" not in str(error.value)


def test_a_partial_download_is_named_with_both_checksums_and_its_size(tmp_path, monkeypatch):
    data = dataset()
    folder = write_released(tmp_path, data, monkeypatch)
    whole = (folder / "snow.npy").read_bytes()
    (folder / "snow.npy").write_bytes(whole[:1234])
    with pytest.raises(InputError, match=r"snow\.npy is damaged or partly") as error:
        released(tmp_path, data)
    md5 = [hashlib.md5(content).hexdigest() for content in (whole, whole[:1234])]
    assert all(words in str(error.value) for words in (*md5, "1,234 bytes", "download CIFAR-10-C"))
    with pytest.raises(InputError, match="partly downloaded"):  # no stamp was left for it
        released(tmp_path, data)


@pytest.mark.parametrize("change", ["shorter", "smaller", "floats"])
def test_pictures_of_another_shape_are_refused(tmp_path, monkeypatch, change):
    data = dataset()
    folder = write_released(tmp_path, data, monkeypatch)
    pixels = np.load(folder / "frost.npy")
    odd = {"shorter": pixels[:-1], "smaller": pixels[:, :16], "floats": pixels / 255}
    np.save(folder / "frost.npy", odd[change])
    trust(folder, monkeypatch)
    with pytest.raises(InputError, match=r"frost\.npy holds .*\(100, 32, 32, 3\)"):
        released(tmp_path, data)


def test_another_test_set_is_refused(tmp_path, monkeypatch):
    write_released(tmp_path, dataset(), monkeypatch)
    other = dataset(seed=1)
    with pytest.raises(InputError, match="not the test labels of cifar10 five times over"):
        released(tmp_path, other)


def test_labels_may_be_of_any_integer_type(tmp_path, monkeypatch):
    data = dataset()
    folder = write_released(tmp_path, data, monkeypatch)
    np.save(folder / "labels.npy", np.load(folder / "labels.npy").astype(">i4"))
    trust(folder, monkeypatch)
    released(tmp_path, data)
