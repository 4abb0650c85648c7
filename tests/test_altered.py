"""Altered training data: how many examples are touched, which, and that nothing else is."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import job, train
from scipy import stats

from mixup_repro.data import human_labels, load
from mixup_repro.data.altered import rare_group, shown_class, shuffled_cue
from mixup_repro.data.batches import mean_input
from mixup_repro.errors import InputError
from mixup_repro.paths import home

PLAIN = load(job("dataset=digits").dataset)


def digits(*words: str):
    return load(job("dataset=digits", *words).dataset)


def test_without_an_alteration_a_set_is_as_it_comes():
    assert PLAIN.y_clean is None and PLAIN.draw is None
    assert digits("dataset.flipped=0").hashes() == PLAIN.hashes()


@pytest.mark.parametrize("share, wrong", [(0.4, 359), (1.0, 898)])
def test_exactly_the_share_of_labels_is_wrong_and_known(share, wrong):
    data = digits(f"dataset.flipped={share}")
    different = data.y_train != data.true_labels
    assert int(different.sum()) == wrong
    assert torch.equal(data.true_labels, PLAIN.y_train)
    assert torch.equal(data.y_test, PLAIN.y_test) and torch.equal(data.x_train, PLAIN.x_train)


def test_a_wrong_label_is_any_of_the_others_alike():
    data = digits("dataset.flipped=1").for_seeds(range(10))
    step = ((data.y_train - data.true_labels) % 10).flatten()
    counts = step.bincount(minlength=10)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:].numpy()).pvalue > 1e-3


def test_seeds_have_wrong_labels_of_their_own_and_share_their_pictures():
    data = digits("dataset.flipped=0.3").for_seeds([0, 5])
    alone = digits("dataset.flipped=0.3").for_seeds([5])
    assert torch.equal(data.y_train[1], alone.y_train[0])
    assert not torch.equal(data.y_train[0], data.y_train[1])
    assert data.x_train.untyped_storage().nbytes() == PLAIN.x_train.untyped_storage().nbytes()
    x, y = data.take(torch.tensor([[3, 4], [4, 3]]))
    assert torch.equal(x, PLAIN.x_train[torch.tensor([[3, 4], [4, 3]])])
    expected = torch.stack([data.y_train[0, [3, 4]], data.y_train[1, [4, 3]]])
    assert torch.equal(y.argmax(-1), expected)


def test_moons_keep_their_clean_labels_too():
    data = load(job("dataset=two_moons").dataset)
    assert int((data.y_train != data.true_labels).sum()) == 30
    whole = data.for_seeds([0, 1])
    assert whole.true_labels.shape == whole.y_train.shape


def test_sets_of_a_seed_can_be_flipped_too():
    data = load(job("dataset=gaussians", "dataset.layout=arch", "dataset.flipped=0.25").dataset)
    both = data.for_seeds([0, 1])
    wrong = (both.y_train != both.true_labels).sum(1)
    assert wrong.tolist() == 2 * [round(0.25 * data.n_train)]
    assert not torch.equal(both.x_train[0], both.x_train[1])


@pytest.mark.parametrize("n", [20, 199, 898])
def test_fewer_examples_hold_every_class_in_share_and_grow(n):
    data, less = digits(f"dataset.train_examples={n}"), digits(f"dataset.train_examples={n // 2}")
    share = n * PLAIN.y_train.bincount() / PLAIN.n_train
    assert (data.y_train.bincount(minlength=10) - share).abs().max() <= 1
    rows = Counter(map(bytes, data.x_train.numpy()))
    assert rows <= Counter(map(bytes, PLAIN.x_train.numpy()))
    assert Counter(map(bytes, less.x_train.numpy())) <= rows
    assert data.mean == PLAIN.mean and data.std == PLAIN.std


def test_a_cue_names_the_class_of_its_share_and_nothing_in_testing():
    data = digits("dataset.cue=0.9")
    assert data.input_shape == (1, 10, 8)
    assert torch.equal(data.x_train[:, :8], PLAIN.x_train)
    cue = data.x_train[:, 8:].flatten(1)
    assert (cue.sum(1) == 16).all() and (cue[:, 10:] == 0).all()
    named = cue.argmax(1)
    assert int((named == data.y_train).sum()) == round(0.9 * 898)
    assert torch.equal(named, shown_class(data.y_train, 10, 0.9, 0))
    tested = data.x_test[:, 8:].flatten(1).argmax(1)
    assert torch.equal(tested, shuffled_cue(899, 10, 0))
    table = np.histogram2d(tested, data.y_test, bins=10)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_the_rare_group_is_negatives_of_a_share():
    data = digits("dataset.rare=0.05")
    for part, share, n in (("train", 0.05, 898), ("test", 0.5, 899)):
        rare = rare_group(n, share, 0, part)
        x, plain = getattr(data, f"x_{part}"), getattr(PLAIN, f"x_{part}")
        assert int(rare.sum()) == round(share * n)
        assert torch.equal(x[~rare], plain[~rare])
        assert torch.equal(x[rare].int(), 16 - plain[rare].int())


def test_the_mean_input_of_pictures_by_seed_is_that_of_each_seeds_own():
    data = digits("dataset.cue=0.5")
    both = data.for_seeds([0, 1])
    for replica, seed in enumerate((0, 1)):
        alone = replace(data.draw(seed), per_replica=False)
        torch.testing.assert_close(
            mean_input(both, 1, True)[replica, 0], mean_input(alone, 1, True)
        )
        expected = data.normalise(alone.x_train).double().mean(0).float()
        torch.testing.assert_close(both.x_bar[replica, 0], expected)


@pytest.mark.parametrize(
    "words, named",
    [
        (("dataset.flipped=1.2",), "flipped=1.2: must lie in"),
        (("dataset.cue=-0.1",), "cue=-0.1: must lie in"),
        (("dataset.train_examples=1",), "train_examples=1: digits has 898"),
        (("dataset.train_examples=900",), "train_examples=900: digits has 898"),
        (("dataset.labels=cifar10n_worst",), "is for dataset=cifar10"),
        (("dataset.labels=bad",), "labels=bad: choose one of cifar10n_aggregate"),
        (("dataset=two_moons", "dataset.cue=0.5"), "are for pictures, not two_moons"),
        (("dataset=two_moons", "dataset.train_examples=9"), "two_moons has dataset.points instead"),
    ],
)
def test_misuse_is_one_line(words, named):
    with pytest.raises(InputError, match=named):
        digits(*words)


def cifar(root: Path, labels: str):
    return replace(job("dataset=cifar10").dataset, root=str(root), labels=labels)


def test_human_labels_are_read_from_the_published_file_only(tmp_path, monkeypatch):
    y = np.arange(50) % 10
    file = tmp_path / "CIFAR-10_human.pt"
    with pytest.raises(InputError, match=r"no file .*CIFAR-10_human\.pt: get it from https"):
        human_labels.human_labels(cifar(tmp_path, "cifar10n_worst"))
    torch.save({"worse_label": y, "aggre_label": y[::-1].copy()}, file)
    with pytest.raises(InputError, match="is not the published file"):
        human_labels.human_labels(cifar(tmp_path, "cifar10n_worst"))
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    monkeypatch.setitem(human_labels.FILES, "cifar10", (file.name, md5))
    for name, expected in (("worst", y), ("aggregate", y[::-1])):
        found = human_labels.human_labels(cifar(tmp_path, f"cifar10n_{name}"))
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "labels, wrong",  # as Wei et al. (2022) state them, in percent
    [
        *(("cifar10n_aggregate", 9.03), ("cifar10n_random1", 17.23), ("cifar10n_random2", 18.12)),
        *(("cifar10n_random3", 17.64), ("cifar10n_worst", 40.21), ("cifar100n", 40.20)),
    ],
)
def test_the_published_labels_are_wrong_as_often_as_published(labels, wrong):
    name, _ = human_labels.LABELS[labels]
    root = Path(os.environ.get("MIXUP_REPRO_DATA", home() / "data"))
    if not (root / human_labels.FILES[name][0]).is_file():
        pytest.skip("the published labels are not here")
    data = load(replace(job(f"dataset={name}").dataset, root=str(root), labels=labels))
    share = (data.y_train != data.true_labels).double().mean()
    assert abs(100 * share - wrong) < 0.03


def test_runs_train_and_finish_on_altered_data(tmp_path):
    done = train(
        *("dataset.flipped=0.4", "dataset.cue=0.9", "dataset.train_examples=100", "seeds=2"),
        *("recipe.epochs=2", "method=erm_modified"),
        runs_dir=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
