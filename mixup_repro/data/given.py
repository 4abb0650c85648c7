"""What users' files hold as the tensors of a data set: pictures stacked, labels numbered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mixup_repro.data.dataset import Dataset
from mixup_repro.data.rgb import as_rgb
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

Fit = Optional[tuple[int, str]]  # pixels of a side, and how they are interpolated
Labels = tuple[Tensor, Tensor, list[str]]
GREY = ("1", "L", "F")  # and "I", "I;16" and the like: modes of pictures without colour


def fit_of(config: DatasetConfig) -> Fit:
    """The size to which pictures are brought; None where they are taken as they are.

    Raises:
        InputError: dataset.resize, which is for ImageNet, or an unknown interpolation.
    """
    how = config.interpolation or "bilinear"
    if config.resize is not None:
        raise InputError(f"dataset.resize={config.resize}: is for dataset=imagenet; use size alone")
    if how not in ("bilinear", "bicubic"):
        raise InputError(f"dataset.interpolation={how}: bilinear or bicubic")
    return None if config.size is None else (config.size, how)


def fitted(picture: Image.Image, fit: Fit) -> np.ndarray:
    """The pixels of a picture, cropped at its centre to a square and resized as `fit` says."""
    if fit:
        side, how = fit
        picture = ImageOps.fit(picture, (side, side), Image.Resampling[how.upper()])
    return np.asarray(picture)


def stacked(
    parts: Mapping[str, Iterable[Image.Image]], config: DatasetConfig, place: str
) -> dict[str, Tensor]:
    """Pictures of each part as uint8 (n, H, W, C): C is 1 where none of them has colour, else 3.

    place: where they come from, for messages.

    Raises:
        InputError: pictures of several sizes where dataset.size is not given, or other objects.
    """
    fit, first, grey = fit_of(config), None, True
    rows: dict[str, list[np.ndarray]] = {part: [] for part in parts}
    for part, pictures in parts.items():
        for k, picture in enumerate(pictures):
            if not isinstance(picture, Image.Image):
                kind = type(picture).__name__
                raise InputError(f"{place}: {part} example {k} is no picture but a {kind}")
            grey = grey and (picture.mode in GREY or picture.mode.startswith("I"))
            pixels = fitted(_upright(picture, f"{place}: {part} example {k}"), fit)
            first = first or (f"{part} example {k}", pixels.shape)
            if pixels.shape != first[1]:
                (height, width, _), (h, w, _) = pixels.shape, first[1]
                raise InputError(
                    f"{place}: {part} example {k} is {width} x {height} pixels but {first[0]} is "
                    f"{w} x {h}; give one size by dataset.size=<pixels of a side>"
                )
            rows[part].append(pixels)
    channels = slice(1 if grey else 3)
    if empty := [part for part, own in rows.items() if not own]:
        raise InputError(f"{place}: has no {empty[0]} examples")
    return {part: torch.from_numpy(np.stack(own)[..., channels]) for part, own in rows.items()}


def _upright(picture: Image.Image, name: str) -> Image.Image:
    try:
        return as_rgb(ImageOps.exif_transpose(picture), picture.format)
    except (ValueError, OSError) as error:
        raise InputError(f"{name}: cannot be read as a picture ({error})") from error


def as_dataset(config: DatasetConfig, label: str, x: Iterable[Tensor], y: Labels) -> Dataset:
    """The data set of training and test inputs, and labels, under its own name or this one."""
    (x_train, x_test), (y_train, y_test, names) = x, y
    return Dataset(
        config.label or label,
        x_train,
        y_train,
        x_test,
        y_test,
        classes=len(names),
        mean=config.mean,
        std=config.std,
        class_names=names,
    )


def numbered(parts: Iterable[np.ndarray], place: str) -> Labels:
    """Labels of training and test examples as 0..c-1 (int64), and the classes' names in order.

    Whole numbers are ordered by size and words by letters.

    Raises:
        InputError: labels that are neither, or a test example of a class without training examples.
    """
    labels = []
    for name, values in zip(("training", "test"), parts):
        values = values.squeeze(1) if values.ndim == 2 and values.shape[1] == 1 else values
        if values.ndim != 1 or values.dtype.kind not in "iubUS":
            raise InputError(
                f"{place}: {name} labels of shape {values.shape} and type {values.dtype}; must be "
                f"one class an example, a whole number or a word"
            )
        labels.append(values)
    names, y_train = np.unique(labels[0], return_inverse=True)
    if len(unknown := np.setdiff1d(labels[1], names)):
        raise InputError(
            f"{place}: test examples of class {unknown[0]}, which has no training examples"
        )
    y_test = np.searchsorted(names, labels[1])
    numbers = [torch.from_numpy(y.astype(np.int64)) for y in (y_train, y_test)]
    return numbers[0], numbers[1], [str(name) for name in names]
