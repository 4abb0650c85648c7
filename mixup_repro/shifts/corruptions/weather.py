"""Corruptions that lay something over a picture: snow, frost, fog, water and mud.

They take pictures (n, H, W, C) as bytes, a generator and parameters, and return floats in units
of 255, or bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib import resources
from importlib.util import find_spec, module_from_spec
from io import BytesIO
from types import ModuleType

import numpy as np
from PIL import Image

from mixup_repro.errors import InputError
from mixup_repro.shifts.corruptions import blur

Rng = np.random.Generator
LUMINANCE = np.array([0.299, 0.587, 0.114])
WATER = np.array([175, 238, 238]) / 255
MUD = np.array([63, 42, 20]) / 255
# Photographs by SHA-256. ImageNet-C's generator lists a sixth, and draws from the first five.
FROST = {
    "frost1.png": "ff9f907860bd7a835d459e32f9d588062b7f61ee267343cc7222b56753a14755",
    "frost2.png": "fe211a89b336999c207a852ce05818d4545d0b57c5beadd824b4cc9d9a9b6137",
    "frost3.png": "2d0d50b4a9bb213f38b024ef7768731bb83cc08d2f26b5766bbc167cdfa0e504",
    "frost4.jpg": "3f8b91ca1a9fa7167b09e773da53f5ae60d0a1fd88f02a783f6e328a72887f6e",
    "frost5.jpg": "5fc6a19df4a429ba68abdcc8f8a4278d4c9f81c9ccafd2c92ab0c8cf8992ebd2",
}


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
    angle = np.asarray(rng.uniform(-135, -45, size=n))
    layer = blur.motion(layer, angle, radius, motion_sigma) / 255
    x = pixels / 255
    white = np.maximum(x, 1.5 * grey(x) + 0.5)
    return weight * x + (1 - weight) * white + layer + layer[:, ::-1, ::-1]


def frost(pixels: np.ndarray, rng: Rng, weight: float, frost_weight: float) -> np.ndarray:
    """A window of one of five photographs of frost, added; bytes, cut off as the released sets'."""
    n, height, width, _ = pixels.shape
    photographs = frost_photographs(height, width)
    which = np.asarray(rng.integers(len(photographs), size=n))
    room = np.array([photo.shape[:2] for photo in photographs]) - (height, width)
    corners = rng.integers(room[which])
    ice = [
        photographs[k][i : i + height, j : j + width]
        for k, (i, j) in zip(which.tolist(), corners.tolist())
    ]
    out = weight * pixels + frost_weight * like(np.stack(ice), pixels)
    return np.clip(out, 0, 255).astype(np.uint8)


def frost_photographs(height: int, width: int) -> list[np.ndarray]:
    """Five photographs (h, w, 3) of bytes, larger than a picture each way.

    CIFAR-10-C has them at a fifth of their size, and bilinear resizing to a fifth takes the middle
    one of every five pixels. For pictures above 62 pixels they are larger, up to whole, as
    ImageNet-C has them.

    Raises:
        InputError: imagecorruptions is not installed or another version, or a picture is too large.
    """
    photographs = _whole_photographs()
    steps = [min(p.shape[0] // (height + 1), p.shape[1] // (width + 1), 5) for p in photographs]
    if not all(steps):
        raise InputError(
            f"pictures of {width} x {height} pixels are larger than the photographs of the "
            f"corruption frost; choose others with benchmark.corruptions=[...]"
        )
    return [photo[step // 2 :: step, step // 2 :: step] for photo, step in zip(photographs, steps)]


@cache
def _whole_photographs() -> list[np.ndarray]:
    spec = find_spec("imagecorruptions")
    if spec is None:
        raise InputError(
            "the corruption frost needs the photographs in the package imagecorruptions: pip "
            "install --no-deps imagecorruptions, or choose others with benchmark.corruptions=[...]"
        )
    # Not imported, which would need scikit-image: its files are read.
    folder = resources.files(module_from_spec(spec)) / "frost"
    photographs = []
    for name, checksum in FROST.items():
        content = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if hashlib.sha256(content).hexdigest() != checksum:
            raise InputError(
                f"{folder / name} is not the photograph that frost is made of; type pip install "
                f"--no-deps --force-reinstall imagecorruptions"
            )
        photographs.append(np.asarray(Image.open(BytesIO(content)).convert("RGB")))
    return photographs


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
    liquid: Callable[..., np.ndarray],
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
