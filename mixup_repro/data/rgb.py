"""A picture file of any kind as 8-bit RGB: what a plain conversion loses is kept, or refused."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mixup_repro.errors import InputError

READER = 2  # changes when the same file is read as other pixels: caches of them hold it
GROUND = (255, 255, 255)  # what is seen through a transparent picture: white, as on a page
# What Pillow warns of, it reads all the same: large pictures, and tags that say nothing of pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_picture(path: Path) -> Image.Image:
    """A picture in RGB, 8 bits a channel, upright as its EXIF orientation says.

    More than 8 bits are scaled, not cut; floating-point pictures must lie in [0, 1]. What is
    transparent is laid on white. Of an animation, the first frame.

    Raises:
        InputError: the file cannot be read as one, or nothing says which of its values is white.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            return as_rgb(ImageOps.exif_transpose(picture), picture.format)
    except Exception as error:  # a damaged file makes each decoder raise kinds of its own
        name = os.fsencode(path).decode(errors="backslashreplace")
        raise InputError(f"{name}: cannot be read as a picture ({error})") from error


def as_rgb(picture: Image.Image, format: str | None) -> Image.Image:
    """`read_picture` for a picture that is decoded, of a file of this format.

    Raises:
        ValueError: nothing says which of its values is white.
    """
    if picture.mode == "F" or picture.mode.startswith("I"):
        return Image.fromarray(_eight_bits(picture, format)).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        page = Image.new("RGBA", picture.size, (*GROUND, 255))
        return Image.alpha_composite(page, picture).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image, format: str | None) -> np.ndarray:
    """(H, W) uint8 of a grey picture of more than 8 bits, white to white.

    Raises:
        ValueError: nothing says which value is white.
    """
    if picture.has_transparency_data:
        raise ValueError("more than 8 bits and a transparent colour; save it with 8 bits")
    values = np.asarray(picture).astype(np.float64)
    if picture.mode == "F":
        if not (values.min() >= 0 and values.max() <= 1):  # nan is neither
            raise ValueError(
                f"floating-point values from {values.min():g} to {values.max():g}; those of a "
                f"picture must lie in [0, 1]"
            )
        white = 1.0
    elif picture.mode.startswith("I;16") or format in ("PNG", "PPM"):
        white = 65535.0
    else:
        raise ValueError("32-bit whole numbers, of which nothing says what is white; use 16 bits")
    return np.rint(values * (255 / white)).astype(np.uint8)
