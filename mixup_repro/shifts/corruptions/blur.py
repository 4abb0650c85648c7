"""Corruptions that move pixels about: blurs, zooms and bilinear interpolation, a batch at a time.

The functions that `corruptions.CORRUPTIONS` names take pictures (n, H, W, C) as bytes, a generator
and parameters, and return bytes or floats in units of 255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import correlate, gaussian_filter

Rng = np.random.Generator


def smooth(x: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of `sigma` pixels over the two axes after the first, edges repeated."""
    sigmas = (0, sigma, sigma) + (0,) * (x.ndim - 3)
    return gaussian_filter(x, sigmas, mode="nearest", truncate=4)


def gaussian_blur(pixels: np.ndarray, rng: Rng, sigma: float) -> np.ndarray:
    return smooth(pixels / 255, sigma)


def defocus_blur(pixels: np.ndarray, rng: Rng, radius: float, sigma: float) -> np.ndarray:
    kernel = disk(radius, sigma)
    return correlate(pixels / 255, kernel[None, :, :, None], mode="mirror")


def disk(radius: float, sigma: float) -> np.ndarray:
    """The grid points of a disk, each spread over 3 x 3 by a Gaussian; sums to one."""
    reach = int(radius) + 1
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    points = (row**2 + column**2 <= radius**2).astype(float)
    three = np.exp(-(np.arange(-1, 2) ** 2) / (2 * sigma**2))
    spread = correlate(points, np.outer(three, three), mode="constant")
    return spread / spread.sum()


def glass_blur(pixels: np.ndarray, rng: Rng, sigma: float, iterations: int) -> np.ndarray:
    """Blur, pixels that take a neighbour's place, blur.

    In the released sets rows and columns from 2 on take, from the last to the first, the value of
    the pixel up to one row and one column before. (Written as a swap, it was a copy.) None has been
    overwritten when it is copied, so an iteration is one gather.
    """
    x = (smooth(pixels / 255, sigma) * 255).astype(np.uint8)
    n, height, width, _ = x.shape
    picture = np.arange(n)[:, None, None]
    row, column = np.mgrid[2:height, 2:width]
    for _ in range(iterations):
        up, left = rng.integers(2, size=(2, n, height - 2, width - 2))
        x[:, 2:, 2:] = x[picture, row - up, column - left]
    return smooth(x / 255, sigma)


def motion_blur(pixels: np.ndarray, rng: Rng, radius: int, sigma: float) -> np.ndarray:
    return motion(pixels, rng.uniform(-45, 45, size=len(pixels)), radius, sigma)


def motion(pixels: np.ndarray, degrees: np.ndarray, radius: int, sigma: float) -> np.ndarray:
    """ImageMagick's motion blur of bytes (n, H, W, C), along an angle a picture: bytes.

    Half a Gaussian of 2 radius + 1 taps, at whole pixels along the angle (0 is to the right, 90 is
    down); edges repeated. Rounded to a byte, as a PNG holds it.
    """
    n, height, width, channels = pixels.shape
    tap = np.arange(2 * radius + 1)
    weight = np.exp(-(tap**2) / (2 * sigma**2)).astype(np.float32)
    weight /= weight.sum()
    pad = 2 * radius
    padded = np.pad(pixels, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge")
    flat = padded.reshape(n, height + 2 * pad, (width + 2 * pad) * channels)
    windows = sliding_window_view(flat, (height, width * channels), axis=(1, 2))
    angle = np.deg2rad(degrees)
    out = np.zeros((n, height, width * channels), np.float32)
    for t in tap[weight > 1e-5]:  # less cannot move a byte
        down = np.ceil(t * np.sin(angle) - 0.5).astype(int)
        right = np.ceil(t * np.cos(angle) - 0.5).astype(int)
        out += weight[t] * windows[np.arange(n), pad + down, (pad + right) * channels]
    return np.rint(out).clip(0, 255).astype(np.uint8).reshape(pixels.shape)


def zoom_blur(pixels: np.ndarray, rng: Rng, factors: np.ndarray) -> np.ndarray:
    """The mean of the picture and of its zooms by `factors`.

    A zoom is a matrix on rows and one on columns. With the rows' axis first and the columns' last,
    each is one product for the whole batch.
    """
    n, height, width, channels = pixels.shape
    x = np.ascontiguousarray(pixels.transpose(1, 0, 3, 2), dtype=np.float32) / 255
    x = x.reshape(height, -1)
    total = x.reshape(-1, width).copy()
    for factor in factors:
        rows = (zoom(height, factor) @ x).reshape(-1, width)
        total += rows @ zoom(width, factor).T
    mean = total / (len(factors) + 1)
    return mean.reshape(height, n, channels, width).transpose(1, 0, 3, 2)


def zoom(size: int, factor: float) -> np.ndarray:
    """(size, size) the matrix that enlarges the middle of a line by linear interpolation.

    The middle ceil(size / factor) points are spread over that many times the factor, ends kept at
    the ends, and the middle `size` of the result are kept.
    """
    part = int(np.ceil(size / factor))
    large = round(part * factor)
    at = np.arange(size) + (large - size) // 2
    source = at * ((part - 1) / (large - 1))
    low = np.minimum(source.astype(int), part - 2)
    matrix = np.zeros((size, size), np.float32)
    first = (size - part) // 2
    matrix[np.arange(size), first + low] = 1 - (source - low)
    matrix[np.arange(size), first + low + 1] = source - low
    return matrix


def mirrored(index: np.ndarray, size: int) -> np.ndarray:
    """Indices folded back into 0..size-1, the edge pixel once: c b | a b c | b a."""
    index = np.abs(index) % (2 * size - 2)
    return np.minimum(index, 2 * size - 2 - index)


def reflected(index: np.ndarray, size: int) -> np.ndarray:
    """Indices folded back into 0..size-1, the edge pixel twice: b a | a b c | c b."""
    index = index % (2 * size)
    return np.minimum(index, 2 * size - 1 - index)


def interpolate(
    x: np.ndarray, row: np.ndarray, column: np.ndarray, fold: Callable[..., np.ndarray]
) -> np.ndarray:
    """Bilinear values of float32 pictures (n, H, W, C) at rows and columns (n, H, W)."""
    n, height, width, channels = x.shape
    flat = x.reshape(-1, channels)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = (row - top).astype(x.dtype), (column - left).astype(x.dtype)
    picture = np.arange(n)[:, None, None] * height
    out = np.zeros_like(x)
    for step, by_row in ((0, 1 - down), (1, down)):
        line = (picture + fold(top + step, height)) * width
        for side, by_column in ((0, 1 - right), (1, right)):
            values = flat.take(line + fold(left + side, width), axis=0)
            out += (by_row * by_column)[..., None] * values
    return out
