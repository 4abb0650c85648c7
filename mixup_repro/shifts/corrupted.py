"""Corrupted copies of a test set in memory: released CIFAR-10-C and CIFAR-100-C, or generated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import torch

from mixup_repro.data import Dataset, DataSource
from mixup_repro.distributed import main_first
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.schema import BenchmarkConfig
from mixup_repro.shifts.corruptions import MIN_SIDE, SEVERITIES, VERSION, corrupt
from mixup_repro.shifts.corruptions.weather import frost_photographs, opencv
from mixup_repro.shifts.sets import Chunk, Set, chosen, corrupted_sets, of_set
from mixup_repro.store.files import locked, read_json, read_zip, replacing, write_json

SEED = 0
STAMPS = ".mixup_repro_verified.json"
RELEASED = {  # folder, Zenodo record
    "cifar10-c": ("CIFAR-10-C", 2535967),
    "cifar100-c": ("CIFAR-100-C", 3555552),
}
MD5 = {
    "CIFAR-10-C": {
        "gaussian_noise": "ecaf8b9a2399ffeda7680934c33405fd",
        "shot_noise": "3a7239bb118894f013d9bf1984be7f11",
        "impulse_noise": "2090e01c83519ec51427e65116af6b1a",
        "defocus_blur": "7d1322666342a0702b1957e92f6254bc",
        "glass_blur": "7361fb4019269e02dbf6925f083e8629",
        "motion_blur": "fffa5f852ff7ad299cfe8a7643f090f4",
        "zoom_blur": "6ea8e63f1c5cdee1517533840641641b",
        "snow": "bb238de8555123da9c282dea23bd6e55",
        "frost": "31f6ab3bce1d9934abfb0cc13656f141",
        "fog": "7b397314b5670f825465fbcd1f6e9ccd",
        "brightness": "0a81ef75e0b523c3383219c330a85d48",
        "contrast": "3c8262171c51307f916c30a3308235a8",
        "elastic_transform": "9421657c6cd452429cf6ce96cc412b5f",
        "pixelate": "0f14f7e2db14288304e1de10df16832f",
        "jpeg_compression": "2b9cc4c864e0193bb64db8d7728f8187",
        "speckle_noise": "ef00b87611792b00df09c0b0237a1e30",
        "gaussian_blur": "c33370155bc9b055fb4a89113d3c559d",
        "spatter": "8a5a3903a7f8f65b59501a6093b4311e",
        "saturate": "1cfae0964219c5102abbb883e538cc56",
        "labels": "c439b113295ed5254878798ffe28fd54",
    },
    "CIFAR-100-C": {
        "gaussian_noise": "ecc4d366eac432bdf25c024086f5e97d",
        "shot_noise": "b0a1fa6e1e465a747c1b204b1914048a",
        "impulse_noise": "3b3c210ddfa0b5cb918ff4537a429fef",
        "defocus_blur": "d923e3d9c585a27f0956e2f2ad832564",
        "glass_blur": "0bf384f38e5ccbf8dd479d9059b913e1",
        "motion_blur": "732a7e2e54152ff97c742d4c388c5516",
        "zoom_blur": "0204613400c034a81c4830d5df81cb82",
        "snow": "0237be164583af146b7b144e73b43465",
        "frost": "3a39c6823bdfaa0bf8b12fe7004b8117",
        "fog": "4efc7ebd5e82b028bdbe13048e3ea564",
        "brightness": "f22d7195aecd6abb541e27fca230c171",
        "contrast": "322bb385f1d05154ee197ca16535f71e",
        "elastic_transform": "a0792bd6581f6810878be71acedfc65a",
        "pixelate": "96c00c60f144539e14cffb02ddbd0640",
        "jpeg_compression": "c851b7f1324e1d2ffddeb76920576d11",
        "speckle_noise": "e3f215b1a0f9fd9fd6f0d1cf94a7ce99",
        "gaussian_blur": "5204ba0d557839772ef5a4196a052c3e",
        "spatter": "12ccf41d62564d36e1f6a6ada5022728",
        "saturate": "c0697e9fdd646916a61e9c312c77bf6b",
        "labels": "bb4026e9ce52996b95f439544568cdb2",
    },
}


class Corrupted:
    """Pictures of a corruption and severity, in the order of the clean test set."""

    skipped = 0

    def __init__(self, config: BenchmarkConfig, dataset: DataSource) -> None:
        if not isinstance(dataset, Dataset):
            raise InputError(
                f"benchmark={config.name}: is for data sets in memory, not for {dataset.label}; "
                f"choose imagenet_c or another of ImageNet's"
            )
        self.name, self.root = config.name or "", Path(config.root or "")
        pairs = corrupted_sets(config)
        self.sets: list[Set] = [*pairs]
        self.names = list(dict.fromkeys(name for name, _ in pairs))
        self.index = chosen(config, dataset.n_test)
        self.n_test = len(self.index)
        self.dataset = dataset

    def pixels(self, corruption: str, severity: int) -> np.ndarray:
        """(n_test of the data set, H, W, C) uint8 from 0 to 255, whatever its pixel_max is."""
        raise NotImplementedError

    def chunks(self, which: Set, size: int, rank: int, world_size: int) -> Iterator[Chunk]:
        """As `Benchmark.chunks`: pixels as the data set counts them, on its device, and classes."""
        pixels, y = main_first(lambda: self.pixels(*of_set(which))), self.dataset.y_test
        for k in range(-(-self.n_test // size))[rank::world_size]:
            part = self.index[k * size : (k + 1) * size]
            x = torch.from_numpy(pixels[part]).to(y.device)
            if self.dataset.pixel_max != 255:
                x = x * (self.dataset.pixel_max / 255)
            yield k, x.unsqueeze(0), y[torch.from_numpy(part).to(y.device)].unsqueeze(0)

    score = staticmethod(sums)
    rows = staticmethod(metrics)


class Generated(Corrupted):
    """The test set as `corruptions` makes it, one file for each corruption and severity.

    The files lie in <root>/<dataset>-<hash of pixels, seed and version>/, with a checksum each, and
    are as large as the test set: 30 MB of CIFAR's, 2.9 GB for all 95.
    """

    def __init__(self, config: BenchmarkConfig, dataset: DataSource) -> None:
        super().__init__(config, dataset)
        if "spatter" in self.names:
            opencv()
        channels, height, width = dataset.input_shape
        if min(height, width) < MIN_SIDE or channels not in (1, 3):
            raise InputError(
                f"benchmark=generated: needs pictures of {MIN_SIDE} x {MIN_SIDE} pixels at least "
                f"with 1 or 3 channels; {dataset.label} has {width} x {height} and {channels}"
            )
        if "frost" in self.names:
            frost_photographs(height, width)
        clean = self.dataset.x_test.cpu().numpy()
        if self.dataset.pixel_max != 255:
            clean = np.rint(clean * (255 / self.dataset.pixel_max)).astype(np.uint8)
        self.clean = np.ascontiguousarray(clean)
        self.label = f"{dataset.label}-c-generated"
        digest = hashlib.sha256(self.clean.data)
        digest.update(f"{self.clean.shape} {SEED} {VERSION}".encode())
        self.source = digest.hexdigest()[:12]
        self.folder = self.root / f"{dataset.label}-{self.source}"

    def pixels(self, corruption: str, severity: int) -> np.ndarray:
        """From the cache, or made and put there; a damaged file is made again."""
        path = self.folder / f"{corruption}-{severity}.npz"
        pixels = self._cached(path)
        if pixels is None:
            with self._to_itself():
                pixels = self._cached(path)  # another process may have made it in the meantime
                if pixels is None:
                    pixels = corrupt(self.clean, corruption, severity, SEED)
                    # A read-only folder, or a full disk: it is made anew each time.
                    with suppress(OSError), replacing(path, "wb") as file:
                        np.savez(file, pixels=pixels)
        return pixels

    def _cached(self, path: Path) -> np.ndarray | None:
        try:
            with np.load(read_zip(path)) as content:
                pixels = content["pixels"]
        except (DamagedError, KeyError, ValueError):  # absent, damaged, or something else
            return None
        same = pixels.shape == self.clean.shape and pixels.dtype == np.uint8
        return pixels if same else None

    @contextmanager
    def _to_itself(self) -> Iterator[None]:
        """Hold the lock on the folder, so that no two processes make one set at a time."""
        with ExitStack() as stack:
            with suppress(InputError):  # a read-only folder: nothing is put there
                stack.enter_context(locked(self.folder))
            yield


class Released(Corrupted):
    """CIFAR-10-C or CIFAR-100-C as published: <root>/CIFAR-10-C/<corruption>.npy and labels.npy.

    Each file holds the test set five times, at severities 1 to 5. Only the files of `names` must be
    there. Checksums are taken once; a file that changed since, or may have, is checked again.
    """

    def __init__(self, config: BenchmarkConfig, dataset: DataSource) -> None:
        super().__init__(config, dataset)
        self.label = self.source = self.name
        root, names = self.root, self.names
        name, record = RELEASED[self.label]
        self.folder = root / name
        self.n = dataset.n_test
        hint = (
            f"download {name}.tar from https://zenodo.org/records/{record} and unpack it in {root},"
            f" or name the folder it lies in: benchmark.root=<folder>"
        )
        if not self.folder.is_dir():
            raise InputError(f"no folder {self.folder}: {hint}")
        for file in ("labels", *names):
            if not self._path(file).is_file():
                raise InputError(f"{self._path(file)} is missing: {hint}")
        self._verify(("labels", *names), MD5[name], hint)
        channels, height, width = dataset.input_shape
        expected = (len(SEVERITIES) * self.n, height, width, channels)
        for file in names:
            pixels = self._load(file)
            if pixels.shape != expected or pixels.dtype != np.uint8:
                raise InputError(
                    f"{self._path(file)} holds {pixels.dtype} {pixels.shape}; five severities of "
                    f"the test pictures of {dataset.label} are uint8 {expected}"
                )
        found = self._load("labels").astype(np.int64)
        if not np.array_equal(found, np.tile(dataset.y_test.cpu().numpy(), len(SEVERITIES))):
            raise InputError(
                f"{self._path('labels')}: not the test labels of {dataset.label} five times over; "
                f"use dataset={self.label.removesuffix('-c')} with this benchmark"
            )

    def pixels(self, corruption: str, severity: int) -> np.ndarray:
        return self._load(corruption)[(severity - 1) * self.n : severity * self.n]

    def _path(self, file: str) -> Path:
        return self.folder / f"{file}.npy"

    def _load(self, file: str) -> np.ndarray:
        return np.load(self._path(file), mmap_mode="r")

    def _verify(self, files: tuple[str, ...], checksums: dict[str, str], hint: str) -> None:
        stamps = self.folder / STAMPS
        try:
            known = read_json(stamps)
        except (OSError, ValueError):
            known = {}
        seen = dict(known)
        for file in files:
            stat = self._path(file).stat()
            # The time of change moves with any write, even where the one of modification is kept.
            stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, checksums[file]]
            if known.get(file) == stamp:
                continue
            with open(self._path(file), "rb") as content:
                found = hashlib.file_digest(content, "md5").hexdigest()
            if found != checksums[file]:
                raise InputError(
                    f"{self._path(file)} is damaged or partly downloaded: MD5 {found} of "
                    f"{stat.st_size:,} bytes, expected {checksums[file]}; {hint}"
                )
            seen[file] = stamp
        if seen != known:
            with suppress(OSError):  # a read-only folder: verified again each time
                write_json(stamps, seen)
