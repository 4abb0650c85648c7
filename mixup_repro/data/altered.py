"""Altered data sets: fewer training examples, wrong labels, a cue in pictures, or a rare group.

Each alteration is a pure function of the data set and a seed, so an evaluation can find out which
examples were altered. Loaders do not know of alterations. Pixels are normalised as those of the
whole training set.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.human_labels import human_labels
from mixup_repro.errors import InputError
from mixup_repro.plan import stream
from mixup_repro.schema import DatasetConfig

OWN_FLIPS = ("two_moons",)  # its loader draws its flipped labels with its points


def altered(dataset: Dataset, config: DatasetConfig) -> Dataset:
    """The data set, altered as its config asks.

    In this order: fewer examples, people's labels, wrong labels, a rare group, a cue.

    Raises:
        InputError: more examples than there are, labels of another set, or a cue or a rare group of
            examples that are no pictures.
    """
    if config.train_examples is not None:
        dataset = fewer(dataset, config.train_examples)
    if config.labels is not None:
        y = human_labels(config)
        if len(y) != dataset.n_train:
            raise InputError(f"dataset.labels={config.labels}: leave dataset.train_examples out")
        dataset = replace(dataset, y_train=y, y_clean=dataset.y_train, content=None)
    drawn = [config.flipped if config.name not in OWN_FLIPS else None, config.cue, config.rare]
    if all(share is None for share in drawn):
        return dataset
    flipped, cue, rare = drawn
    if not dataset.is_image and (cue is not None or rare is not None):
        raise InputError(f"dataset.cue and dataset.rare are for pictures, not {dataset.label}")

    def draw(seed: int) -> Dataset:
        own = dataset.draw(seed) if dataset.draw else dataset
        own = replace(own, draw=draw, content=None)
        if flipped is not None:
            y = flipped_labels(own.y_train, own.classes, flipped, seed)
            own = replace(own, y_train=y, y_clean=own.true_labels)
        if rare is not None:
            own = with_rare_group(own, rare, seed)
        return own if cue is None else with_cue(own, cue, seed)

    return draw(0)


def fewer(dataset: Dataset, n: int) -> Dataset:
    """The first n training examples of a fixed order in which every start has all classes in share.

    The order does not depend on the seed, and smaller sets are parts of larger ones. Example k of
    the m of its class stands at (k - 1/2) / m, so of each class the first n examples have n times
    its share, or one more or less.

    Raises:
        InputError: fewer than two, or more than there are; or a set that each seed draws.
    """
    if dataset.draw:
        raise InputError(f"dataset.train_examples: {dataset.label} has dataset.points instead")
    if not 2 <= n <= dataset.n_train:
        raise InputError(
            f"dataset.train_examples={n}: {dataset.label} has {dataset.n_train} to choose at least "
            f"2 from"
        )
    chosen = _in_share(dataset)[:n]
    x, labels = dataset.x_train[chosen], dataset.y_train[chosen]
    return replace(dataset, x_train=x, y_train=labels, content=None)


def left_out(dataset: Dataset, n: int) -> Dataset:
    """The same, with the training examples that `fewer` leaves out in place of the test set.

    Raises:
        InputError: it leaves none out.
    """
    if n >= dataset.n_train:
        raise InputError(f"dataset.train_examples={n}: leaves no example of {dataset.label} out")
    rest = _in_share(dataset)[n:]
    x, labels = dataset.x_train[rest], dataset.y_train[rest]
    return replace(dataset, x_test=x, y_test=labels, content=None)


def _in_share(dataset: Dataset) -> Tensor:
    """(n,) the order of training examples that `fewer` speaks of."""
    y = dataset.y_train.numpy()
    shuffled = stream(0, "subset").permutation(len(y))
    place = np.empty(len(y))
    for k in range(dataset.classes):
        members = shuffled[y[shuffled] == k]
        place[members] = (np.arange(len(members)) + 0.5) / max(1, len(members))
    return torch.from_numpy(shuffled[np.argsort(place[shuffled], kind="stable")])


def flipped_labels(y: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """Labels of which exactly round(share n) are wrong: uniform over the other classes.

    So a share q that is redrawn uniformly over all c classes is q (c - 1) / c here, on average.
    """
    rng = stream(seed, "flipped")
    wrong = rng.choice(len(y), round(share * len(y)), replace=False)
    y = y.clone()
    y[wrong] = (y[wrong] + torch.from_numpy(rng.integers(1, classes, len(wrong)))) % classes
    return y


def with_cue(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Rows below each picture with a white pixel, which names a class (`shown_class`, `painted`).

    In training a share is named rightly; in test pictures the class is drawn, whatever theirs is.
    """
    white, classes = dataset.pixel_max, dataset.classes
    train = shown_class(dataset.y_train, classes, share, seed)
    test = shuffled_cue(dataset.n_test, classes, seed)
    x_train = painted(dataset.x_train, train, classes, white)
    return replace(dataset, x_train=x_train, x_test=painted(dataset.x_test, test, classes, white))


def shown_class(y: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """(n,) the class that each training picture's cue names: its own in exactly round(share n)."""
    rng = stream(seed, "cue")
    wrong = rng.permutation(len(y))[round(share * len(y)) :]
    shown = y.clone()
    shown[wrong] = (y[wrong] + torch.from_numpy(rng.integers(1, classes, len(wrong)))) % classes
    return shown


def shuffled_cue(n: int, classes: int, seed: int) -> Tensor:
    """(n,) the class that each test picture's cue names: uniform, independent of its own."""
    return torch.from_numpy(stream(seed, "test_cue").integers(classes, size=n))


def painted(pixels: Tensor, shown: Tensor, classes: int, white: float) -> Tensor:
    """Pictures (n, H, W, C) with rows added below: black but for pixel number `shown` (n,)."""
    n, _, width, channels = pixels.shape
    rows = -(-classes // width)
    cue = pixels.new_zeros(n, rows * width, channels)
    cue[torch.arange(n), shown] = int(white)
    return torch.cat([pixels, cue.reshape(n, rows, width, channels)], 1)


def with_rare_group(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Pictures of the rare group are negatives: a share in training, half of the test set."""
    parts = {}
    for part, of in (("train", share), ("test", 0.5)):
        x = getattr(dataset, f"x_{part}")
        negative = (int(dataset.pixel_max) - x.int()).to(x.dtype)
        rare = rare_group(len(x), of, seed, part).view(-1, 1, 1, 1)
        parts[f"x_{part}"] = torch.where(rare, negative, x)
    return replace(dataset, x_train=parts["x_train"], x_test=parts["x_test"])


def rare_group(n: int, share: float, seed: int, part: str) -> Tensor:
    """(n,) which examples of a part (train or test) are in the rare group: round(share n)."""
    members = stream(seed, f"rare_{part}").permutation(n)[: round(share * n)]
    return torch.zeros(n, dtype=torch.bool).index_fill_(0, torch.from_numpy(members), True)
