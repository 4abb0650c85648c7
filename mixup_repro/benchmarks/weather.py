"""Corruptions that lay something over a picture: snow, frost, fog, water and mud.

They take pictures (n, H, W, C) as bytes, a generator and parameters, and return floats in units
of 255.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter

from mixup_repro.benchmarks import blur
from mixup_repro.errors import InputError

Rng = np.random.Generator
LUMINANCE = np.array([0.299, 0.587, 0.114])
WATER = np.array([175, 238, 238]) / 255
MUD = np.array([63, 42, 20]) / 255


def grey(x: np.ndarray) -> np.ndarray:
    """(..., 1) the luminance of (..., 1) or (..., 3)."""
    return x if x.shape[-1] == 1 else (x @ LUMINANCE)[..., None]


def like(colour: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """A colour (..., 3) as a picture of as many channels as `pixels` has it."""
    return grey(colour) if pixels.shape[-1] == 1 else colour


def snow(
    pixels: np.ndarray,
    rng: Rng,
    mean: float,
    sigma: float,
    factor: float,
    threshold: float,
    radius: int,
    motion_sigma: float,
    weight: float,
) -> np.ndarray:
    """Flakes that fall, in two directions, over a whitened picture."""
    n, height, width, _ = pixels.shape
    flakes = rng.normal(mean, sigma, size=(n, height, width))
    flakes = blur.zoom(height, factor) @ flakes @ blur.zoom(width, factor).T
    flakes[flakes < threshold] = 0
    layer = (np.clip(flakes, 0, 1) * 255).astype(np.uint8)[..., None]
    angle = rng.uniform(-135, -45, size=n)
    layer = blur.motion(layer, angle, radius, motion_sigma) / 255
    x = pixels / 255
    white = np.maximum(x, 1.5 * grey(x) + 0.5)
    return weight * x + (1 - weight) * white + layer + layer[:, ::-1, ::-1]


def frost(pixels: np.ndarray, rng: Rng, weight: float, frost_weight: float) -> np.ndarray:
    """A window of one of five textures, added. The released sets have photographs instead."""
    n, height, width, channels = pixels.shape
    textures = frost_textures(height, width)
    textures = like(textures, pixels)
    flat = textures.reshape(*textures.shape[:2], -1)
    windows = sliding_window_view(flat, (height, width * channels), axis=(1, 2))
    which = rng.integers(len(textures), size=n)
    top = rng.integers(textures.shape[1] - height, size=n)
    left = rng.integers(textures.shape[2] - width, size=n)
    ice = windows[which, top, left * channels].reshape(pixels.shape)
    return weight * (pixels / 255) + frost_weight * ice


@cache
def frost_textures(height: int, width: int) -> np.ndarray:
    """Five textures (5, 4 height, 4 width, 3) in [0, 1], the same ones always.

    Needles of ice are where smoothed noise crosses zero, fine needles upon coarse ones, bluish
    white on a darker ground. They look like frost; they hold no statistics of the photographs.
    """
    rng = np.random.default_rng(0)
    shape = (5, 4 * height, 4 * width)
    ice = np.zeros(shape)
    for scale in (1, 2, 4, 8):
        noise = gaussian_filter(rng.normal(size=shape), (0, scale, scale), mode="wrap")
        ice += scale * np.exp(-2 * np.abs(noise) / noise.std())
    ice -= ice.min((1, 2), keepdims=True)
    ice /= ice.max((1, 2), keepdims=True)
    ground = np.array([0.2, 0.3, 0.4])
    return ground + ice[..., None] * (1 - ground)


def fog(pixels: np.ndarray, rng: Rng, strength: float, decay: float) -> np.ndarray:
    x = pixels / 255
    n, height, width, _ = x.shape
    brightest = x.max((1, 2, 3), keepdims=True)
    mist = plasma(rng, n, max(height, width), decay)[:, :height, :width, None]
    return (x + strength * mist) * brightest / (brightest + strength)


def plasma(rng: Rng, n: int, size: int, decay: float) -> np.ndarray:
    """(n, s, s) fractal clouds in [0, 1] by diamonds and squares, s the power of two >= size.

    Every octave halves the step. A new point is the mean of the four around it (the map wraps)
    plus uniform noise, whose amplitude falls by decay^2 an octave: the released sets scale it by
    the wobble twice.
    """
    side = 1 << (size - 1).bit_length()
    cloud = np.zeros((n, side, side))
    step, amplitude = side, 1.0

    def noise(like: np.ndarray) -> np.ndarray:
        return rng.uniform(-amplitude, amplitude, size=like.shape)

    while step >= 2:
        half = step // 2
        corner = cloud[:, ::step, ::step]
        rows = corner + np.roll(corner, -1, axis=1)
        middle = (rows + np.roll(rows, -1, axis=2)) / 4
        middle += noise(middle)
        cloud[:, half::step, half::step] = middle
        for axis, at in ((1, np.s_[:, ::step, half::step]), (2, np.s_[:, half::step, ::step])):
            beside = corner + np.roll(corner, -1, axis=3 - axis)
            across = middle + np.roll(middle, 1, axis=axis)
            cloud[at] = (beside + across) / 4 + noise(corner)
        step, amplitude = half, amplitude / decay**2
    cloud -= cloud.min((1, 2), keepdims=True)
    return cloud / cloud.max((1, 2), keepdims=True)


def spatter(
    pixels: np.ndarray,
    rng: Rng,
    mean: float,
    sigma: float,
    blur_sigma: float,
    threshold: float,
    liquid: Callable,
    amount: float,
) -> np.ndarray:
    """Drops where smoothed noise is above a threshold; `liquid` is `water` or `mud`."""
    layer = blur.smooth(rng.normal(mean, sigma, size=pixels.shape[:3]), blur_sigma)
    layer[layer < threshold] = 0
    return liquid(pixels, layer, amount)


def mud(pixels: np.ndarray, layer: np.ndarray, sigma: float) -> np.ndarray:
    """Brown drops with soft edges of `sigma` pixels, opaque."""
    mask = blur.smooth((layer > 0).astype(float), sigma)[..., None]
    mask[mask < 0.8] = 0
    return pixels / 255 * (1 - mask) + mask * like(MUD, pixels)


def water(pixels: np.ndarray, layer: np.ndarray, amount: float) -> np.ndarray:
    """Pale drops with a bright rim: the layer times an embossed map of the distance to edges."""
    cv2 = opencv()
    kernel = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    masks = []
    for drops in (layer * 255).clip(0, 255).astype(np.uint8):
        distance = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
        near = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
        rim = cv2.filter2D(cv2.equalizeHist(near), cv2.CV_8U, kernel)
        mask = drops * cv2.blur(rim, (3, 3)).astype(float)
        masks.append(mask / max(mask.max(), 1))
    return pixels / 255 + amount * np.stack(masks)[..., None] * like(WATER, pixels)


def opencv() -> ModuleType:
    """OpenCV, which spatter needs and nothing else here does.

    Raises:
        InputError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "the corruption spatter needs OpenCV: pip install opencv-python-headless, or choose "
            "others with benchmark.corruptions=[...]"
        ) from error
    return cv2
