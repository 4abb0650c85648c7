"""The 19 corruptions of CIFAR-10-C and CIFAR-100-C, generated (Hendrycks and Dietterich, 2019).

Severities are those of the released CIFAR sets; the ones of ImageNet-C, for pictures of 224 pixels,
are others. The released pictures were drawn without a seed, so these are statistically like them
and never the same. What is not theirs: the motion blur of motion_blur and snow is ImageMagick's by
its formula, and spatter of an empty layer is nothing.

Parameters in pixels are as released at every size of picture; those of elastic_transform are
fractions of the side. A grey picture gets coloured layers (frost, spatter) by their luminance, and
saturate leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from mixup_repro.errors import InputError
from mixup_repro.shifts.corruptions import blur, weather

VERSION = 2  # of the pictures: raise it with any change that changes them
BLOCK = 250  # pictures that share a generator
MIN_SIDE = 8

Rng = np.random.Generator


def corrupt(pixels: np.ndarray, name: str, severity: int, seed: int) -> np.ndarray:
    """Corrupt pictures (n, H, W, C), uint8 from 0 to 255 with one channel or three.

    The result is a function of the arguments. Every BLOCK pictures have a generator of their own,
    so a picture's noise depends on its place in its block and on nothing in other blocks.

    Raises:
        InputError: an unknown corruption or severity, pictures that are too small or have two
            channels, frost without its photographs or spatter without OpenCV.
    """
    if name not in CORRUPTIONS:
        raise InputError(f"corruption {name}: choose from {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise InputError(f"severity {severity}: choose from 1 to 5")
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        raise InputError(
            f"corruptions need uint8 pictures (n, H, W, C) with C = 1 or 3; got {pixels.dtype} "
            f"{pixels.shape}"
        )
    if min(pixels.shape[1:3]) < MIN_SIDE:
        raise InputError(
            f"pictures of {pixels.shape[2]} x {pixels.shape[1]} pixels are too small to corrupt; "
            f"{MIN_SIDE} x {MIN_SIDE} is the least"
        )
    function, severities = CORRUPTIONS[name]
    out = np.empty_like(pixels)
    for block, start in enumerate(range(0, len(pixels), BLOCK)):
        key = (list(CORRUPTIONS).index(name), severity, block)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        part = slice(start, start + BLOCK)
        out[part] = _to_bytes(function(pixels[part], rng, *severities[severity - 1]))
    return out


def _to_bytes(x: np.ndarray) -> np.ndarray:
    """Clip to [0, 1] and cut off to a byte, as the released sets were; bytes stay as they are."""
    return x if x.dtype == np.uint8 else (np.clip(x, 0, 1) * 255).astype(np.uint8)


# Each takes pictures (n, H, W, C) as bytes, a generator, and the parameters of a severity. It
# returns bytes, or floats in units of 255.


def gaussian_noise(pixels: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    return pixels / 255 + rng.normal(scale=sigma, size=pixels.shape)


def shot_noise(pixels: np.ndarray, rng: Rng, rate: float) -> np.ndarray:
    return rng.poisson(pixels / 255 * rate) / rate


def impulse_noise(pixels: np.ndarray, rng: Rng, amount: float) -> np.ndarray:
    """A value of any channel becomes 0 or 255, with probability amount / 2 each."""
    u = rng.random(pixels.shape)
    out = pixels.copy()
    out[u < amount] = 255
    out[u < amount / 2] = 0
    return out


def speckle_noise(pixels: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    x = pixels / 255
    return x + x * rng.normal(scale=sigma, size=x.shape)


def brightness(pixels: np.ndarray, rng: Rng, added: float) -> np.ndarray:
    """Adds to the value of HSV: hue and saturation stay where all channels grow by one factor."""
    x = pixels / 255
    value = x.max(-1, keepdims=True)
    new = np.minimum(value + added, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(value > 0, x * (new / value), new)


def saturate(pixels: np.ndarray, rng: Rng, factor: float, added: float) -> np.ndarray:
    """Changes the saturation of HSV, S' = factor S + added; value and hue stay.

    A channel is V (1 - S f) with f of the hue alone. Grey pixels of a colour picture have the hue
    red, f = (0, 1, 1).
    """
    if pixels.shape[-1] == 1:
        return pixels
    x = pixels / 255
    value = x.max(-1, keepdims=True)
    spread = value - x.min(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.where(spread > 0, (value - x) / spread, [0.0, 1.0, 1.0])
        saturation = np.where(value > 0, spread / value, 0)
    return value * (1 - np.clip(saturation * factor + added, 0, 1) * f)


def contrast(pixels: np.ndarray, rng: Rng, factor: float) -> np.ndarray:
    x = pixels / 255
    mean = x.mean((1, 2), keepdims=True)
    return (x - mean) * factor + mean


def elastic_transform(
    pixels: np.ndarray, rng: Rng, alpha: float, sigma: float, affine: float
) -> np.ndarray:
    """A random affine map, then displacements smoothed over sigma; all in units of the side.

    The map takes three corners of a square about the centre to places up to `affine` away.
    """
    n, height, width, _ = pixels.shape
    side = min(height, width)
    row, column = np.mgrid[:height, :width].astype(np.float64)
    half = side // 3
    centre = np.array([height // 2, width // 2])
    corners = centre + half * np.array([[1, 1], [-1, 1], [-1, -1]])  # (row, column)
    jitter = rng.uniform(-affine * side, affine * side, size=(n, 3, 2))
    # Where a point of the result comes from: the affine map that takes moved corners back.
    moved = np.concatenate([corners + jitter, np.ones((n, 3, 1))], axis=2)
    back = np.linalg.solve(moved, np.broadcast_to(corners, (n, 3, 2)))  # (n, 3, 2)
    grid = np.stack([row, column, np.ones_like(row)], axis=-1)
    from_row, from_column = np.einsum("hwk,nkd->dnhw", grid, back, optimize=True)
    x = blur.interpolate(pixels / np.float32(255), from_row, from_column, blur.mirrored)
    if alpha == 0:
        return x
    fields = rng.uniform(-1, 1, size=(2, n, height, width))
    smooth = (0, 0, sigma * side, sigma * side)
    fields = alpha * side * gaussian_filter(fields, smooth, mode="reflect", truncate=3)
    return blur.interpolate(x, row + fields[0], column + fields[1], blur.reflected)


def pixelate(pixels: np.ndarray, rng: Rng, scale: float) -> np.ndarray:
    size = pixels.shape[2], pixels.shape[1]
    small = int(scale * size[0]), int(scale * size[1])
    box = Image.Resampling.BOX
    return _each(pixels, lambda picture: picture.resize(small, box).resize(size, box))


def jpeg_compression(pixels: np.ndarray, rng: Rng, quality: int) -> np.ndarray:
    def encode(picture: Image.Image) -> Image.Image:
        file = BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(pixels, encode)


def _each(pixels: np.ndarray, function: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    grey = pixels.shape[-1] == 1
    pictures = (Image.fromarray(p[..., 0] if grey else p) for p in pixels)
    return np.stack([np.asarray(function(p)) for p in pictures]).reshape(pixels.shape)


class Corruption(NamedTuple):
    """A function of (pixels, generator, *parameters), and its parameters at severities 1 to 5."""

    function: Callable[..., np.ndarray]
    severities: tuple[tuple[Any, ...], ...]


def _zooms(end: float) -> tuple[np.ndarray]:
    """Factors from 1 in steps of 0.01, with the rounding of `arange`: two ends are included."""
    return (np.arange(1, end, 0.01),)


# In this order they seed their generators: append only.
CORRUPTIONS = {
    "gaussian_noise": Corruption(gaussian_noise, ((0.04,), (0.06,), (0.08,), (0.09,), (0.1,))),
    "shot_noise": Corruption(shot_noise, ((500,), (250,), (100,), (75,), (50,))),
    "impulse_noise": Corruption(impulse_noise, ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,))),
    "defocus_blur": Corruption(
        blur.defocus_blur, ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))
    ),
    "glass_blur": Corruption(
        blur.glass_blur, ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))
    ),
    "motion_blur": Corruption(blur.motion_blur, ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))),
    "zoom_blur": Corruption(blur.zoom_blur, tuple(map(_zooms, (1.06, 1.11, 1.16, 1.21, 1.26)))),
    "snow": Corruption(
        weather.snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
    ),
    "frost": Corruption(weather.frost, ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))),
    "fog": Corruption(weather.fog, ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))),
    "brightness": Corruption(brightness, ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,))),
    "contrast": Corruption(contrast, ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,))),
    "elastic_transform": Corruption(
        elastic_transform,
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    ),
    "pixelate": Corruption(pixelate, ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,))),
    "jpeg_compression": Corruption(jpeg_compression, ((80,), (65,), (58,), (50,), (40,))),
    "speckle_noise": Corruption(speckle_noise, ((0.06,), (0.1,), (0.12,), (0.16,), (0.2,))),
    "gaussian_blur": Corruption(blur.gaussian_blur, ((0.4,), (0.6,), (0.7,), (0.8,), (1.0,))),
    "spatter": Corruption(
        weather.spatter,
        (
            (0.62, 0.1, 0.7, 0.7, weather.water, 0.5),
            (0.65, 0.1, 0.8, 0.7, weather.water, 0.5),
            (0.65, 0.3, 1, 0.69, weather.water, 0.5),
            (0.65, 0.1, 0.7, 0.69, weather.mud, 0.6),
            (0.65, 0.1, 0.5, 0.68, weather.mud, 0.6),
        ),
    ),
    "saturate": Corruption(saturate, ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2))),
}
SEVERITIES = (1, 2, 3, 4, 5)
