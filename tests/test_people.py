"""People's votes as the truth of test pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import job
from torchmetrics.functional.classification import multiclass_calibration_error

from mixup_repro import shifts
from mixup_repro.data import Dataset
from mixup_repro.errors import InputError
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.shifts import people

N = 40


@pytest.fixture
def pictures() -> Dataset:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.integers(256, size=(N, 4, 4, 3), dtype=np.uint8))
    y = torch.from_numpy(rng.integers(10, size=N))
    return Dataset("cifar10", x, y, x, y, classes=10)


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The benchmark's config, for a small file of votes in place of the published one."""
    votes = np.random.default_rng(1).multinomial(50, np.full(10, 0.1), size=N)
    np.save(tmp_path / people.FILE, votes)
    import hashlib

    digest = hashlib.md5((tmp_path / people.FILE).read_bytes()).hexdigest()
    monkeypatch.setattr(people, "MD5", digest)
    return job("dataset=cifar10", "benchmark=cifar10_h", f"benchmark.root={tmp_path}").benchmark


def test_shares_are_means_over_people(pictures, config):
    """Each person is an example of one class: the metrics of all of them together."""
    benchmark = shifts.benchmark(config, pictures)
    logits = torch.randn(1, N, 10, generator=torch.Generator().manual_seed(0))
    chunks = list(benchmark.chunks((None, None), 16, 0, 1))
    assert [k for k, _, _ in chunks] == [0, 1, 2]
    total = None
    for k, x, shares in chunks:
        assert torch.equal(x[0], pictures.x_test[16 * k : 16 * k + 16])
        part = benchmark.score(logits[:, 16 * k : 16 * k + 16], shares)
        total = part if total is None else total + part
    (row,) = benchmark.rows(total)
    votes = np.load(config.root + "/" + people.FILE)
    person, label = np.nonzero(votes)
    repeat = votes[person, label]
    one = torch.from_numpy(np.repeat(person, repeat)), torch.from_numpy(np.repeat(label, repeat))
    (expected,) = metrics(sums(logits[:, one[0]], one[1]))
    for name in ("accuracy", "cross_entropy", "ece", "brier"):
        assert row[name] == pytest.approx(expected[name], rel=1e-6), name
    p = logits[0, one[0]].softmax(-1)
    theirs = multiclass_calibration_error(p, one[1], num_classes=10, n_bins=15, norm="l1")
    assert row["ece"] == pytest.approx(theirs.item(), rel=1e-4)
    assert row["n_test"] == N


def test_one_hot_shares_are_classes(pictures):
    logits = torch.randn(2, N, 10, generator=torch.Generator().manual_seed(0))
    hard = metrics(sums(logits, pictures.y_test))
    soft = metrics(sums(logits, torch.nn.functional.one_hot(pictures.y_test, 10).float()))
    for one, other in zip(hard, soft):
        assert one.pop("bins")["correct"] == other.pop("bins")["correct"]
        assert one == pytest.approx(other, rel=1e-7)


def test_another_data_set_or_file_is_refused(pictures, config, tmp_path):
    pictures.label = "mnist"
    with pytest.raises(InputError, match="is for runs on dataset=cifar10, not for mnist"):
        shifts.benchmark(config, pictures)
    pictures.label = "cifar10"
    path = tmp_path / people.FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="is not the published file"):
        shifts.benchmark(config, pictures)
    path.unlink()
    with pytest.raises(InputError, match=r"no file .*cifar10h-counts.npy: get it from https"):
        shifts.benchmark(config, pictures)


@pytest.mark.parametrize("field", ["corruptions=[fog]", "severities=[1]", "released=40"])
def test_a_field_that_a_benchmark_does_not_read_is_refused(pictures, config, field):
    """Else the results would be taken for those of foggy pictures."""
    words = f"benchmark.root={config.root}", f"benchmark.{field}"
    other = job("dataset=cifar10", "benchmark=cifar10_h", *words).benchmark
    with pytest.raises(
        InputError, match=rf"benchmark.{field.split('=')[0]}=.*: cifar10-h does not"
    ):
        shifts.benchmark(other, pictures)
    assert shifts.benchmark(config, pictures).n_test == N
