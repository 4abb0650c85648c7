"""Pictures of every kind that people have: each is read as it looks, or refused by its name."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import job, make_imagenet, train
from PIL import Image

from mixup_repro.data import load
from mixup_repro.data.picture_files import SUFFIXES
from mixup_repro.data.rgb import read_picture
from mixup_repro.errors import InputError
from mixup_repro.schema import DatasetConfig

pytestmark = pytest.mark.usefixtures("elsewhere")

RAMP = np.linspace(0, 1, 64).reshape(8, 8)  # grey, from black to white
GREY = np.rint(255 * RAMP).astype(np.uint8)
COLOUR = np.random.default_rng(0).integers(256, size=(6, 8, 3), dtype=np.uint8)


def grey_of(path: Path) -> np.ndarray:
    """(H, W) of a picture that must be grey."""
    pixels = np.asarray(read_picture(path))
    assert pixels.dtype == np.uint8 and (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


# --- Depth -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "pixels"),
    [
        (".png", np.rint(65535 * RAMP).astype(np.uint16)),
        (".tif", np.rint(65535 * RAMP).astype(np.uint16)),
        (".tif", np.rint(65535 * RAMP).astype(">u2")),
        (".tif", RAMP.astype(np.float32)),
        (".bmp", GREY),
        (".tif", GREY),
    ],
)
def test_grey_of_any_depth_is_the_same_picture(suffix, pixels, tmp_path):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(pixels).save(path)
    assert np.abs(grey_of(path).astype(int) - GREY).max() <= 1  # 65535 / 257, rounded twice


def test_a_16_bit_netpbm_file_is_scaled(tmp_path):
    values = np.rint(65535 * RAMP).astype(">u2")
    (tmp_path / "x.pgm").write_bytes(b"P5 8 8 65535\n" + values.tobytes())
    assert np.abs(grey_of(tmp_path / "x.pgm").astype(int) - GREY).max() <= 1


@pytest.mark.parametrize(
    "pixels",
    [
        (1000 * RAMP).astype(np.float32),
        (RAMP - 0.5).astype(np.float32),
        np.where(RAMP > 0.9, np.nan, RAMP).astype(np.float32),
        (2**31 * RAMP * 0.9).astype(np.int32),
    ],
)
def test_numbers_of_which_none_is_white_are_refused_by_name(pixels, tmp_path):
    path = tmp_path / "x.tif"
    Image.fromarray(pixels).save(path)
    with pytest.raises(InputError, match=f"{path}: cannot be read as a picture"):
        read_picture(path)


# --- Transparency, palettes, inks --------------------------------------------------------------


def test_what_is_transparent_is_laid_on_white(tmp_path):
    alpha = 255 - GREY  # black ink: what one sees is in the alpha channel alone
    ink = np.concatenate([np.zeros((8, 8, 3), np.uint8), alpha[..., None]], -1)
    for name, pixels in (("rgba.png", ink), ("la.png", ink[..., 2:])):
        Image.fromarray(pixels).save(tmp_path / name)
        assert np.abs(grey_of(tmp_path / name).astype(int) - GREY).max() <= 1


def test_an_opaque_alpha_channel_changes_nothing(tmp_path):
    alpha = np.full((6, 8, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([COLOUR, alpha], -1)).save(tmp_path / "x.png")
    assert (np.asarray(read_picture(tmp_path / "x.png")) == COLOUR).all()


def test_palettes_are_looked_up_and_their_transparent_colours_are_white(tmp_path):
    palette = Image.fromarray(COLOUR).quantize(16)
    seen = np.array(palette.convert("RGB"))
    palette.save(tmp_path / "plain.png")
    assert (np.asarray(read_picture(tmp_path / "plain.png")) == seen).all()
    palette.save(tmp_path / "holes.png", transparency=bytes([0] * 8 + [255] * 8))
    seen[np.asarray(palette) < 8] = 255
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (np.asarray(read_picture(tmp_path / "holes.png")) == seen).all()


def test_one_transparent_colour_is_white(tmp_path):
    path = tmp_path / "x.png"
    pixels = COLOUR.copy()
    pixels[0] = (1, 2, 3)
    Image.fromarray(pixels).save(path, transparency=(1, 2, 3))
    pixels[0] = 255
    assert (np.asarray(read_picture(path)) == pixels).all()


def test_printers_inks_become_light(tmp_path):
    Image.new("RGB", (8, 8), (200, 30, 90)).convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    found = np.asarray(read_picture(tmp_path / "x.jpg")).reshape(-1, 3).mean(0)
    assert found == pytest.approx([200, 30, 90], abs=4)


# --- Orientation -------------------------------------------------------------------------------

# What a camera stores, turned back by these, is what one sees (EXIF 2.3, tag 274).
TURNS = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x.swapaxes(0, 1), 2),
    8: lambda x: np.rot90(x, 1),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_are_upright(orientation, tmp_path):
    tag = Image.Exif()
    tag[274] = orientation
    Image.fromarray(COLOUR).save(tmp_path / "x.png", exif=tag)
    found = np.asarray(read_picture(tmp_path / "x.png"))
    assert np.array_equal(found, TURNS[orientation](COLOUR))


# --- Files --------------------------------------------------------------------------------------

FORMATS = {".jfif": "JPEG", ".jpe": "JPEG", ".j2k": "JPEG2000", ".jpx": "JPEG2000"}
FORMATS |= {".pnm": "PPM", ".pbm": "PPM", ".pgm": "PPM", ".apng": "PNG"}


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_of_a_picture_that_is_read(suffix, tmp_path):
    if suffix == ".avif" and ".avif" not in Image.registered_extensions():
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / f"x{suffix.upper()}"
    picture = Image.new("RGB", (32, 32), (180, 180, 180))
    picture = picture.convert("L").point(lambda v: 255) if suffix in (".pbm", ".pgm") else picture
    buffer = io.BytesIO()
    made = picture.convert("1") if suffix == ".pbm" else picture
    made.save(buffer, FORMATS.get(suffix) or Image.registered_extensions()[suffix])
    path.write_bytes(buffer.getvalue())
    assert np.asarray(read_picture(path)).mean() == pytest.approx(np.asarray(picture).mean(), abs=3)


def plain(root: Path, n: int = 3, side: int = 8, suffix: str = ".png") -> Path:
    """{train,test}/{a,b}/<k>.png; class a is dark and class b is bright."""
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for k, name in enumerate("ab"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(n):
                pixels = np.clip(rng.normal(60 + 120 * k, 25, (side, side, 3)), 0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}{suffix}")
    return root


def pets(root: Path, **fields) -> DatasetConfig:
    return DatasetConfig("image_folder", root=str(root), **fields)


def test_files_that_are_passed_over_are_counted_and_named(tmp_path, capsys):
    root = plain(tmp_path / "pets")
    for name in ("a.txt", "b.psd", "c.xcf", "d.mp4", ".DS_Store", "._0.png"):
        (root / "train" / "b" / name).write_bytes(b"x")
    (root / "train" / "b" / "0.png").rename(root / "train" / "b" / "0.jfif")
    assert load(pets(root)).n_train == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        line
        == f"{root / 'train'}: passed over 4 files, no pictures: b/a.txt, b/b.psd, b/c.xcf, ..."
    )
    load(pets(root))
    assert capsys.readouterr().err == ""  # said once


@pytest.mark.parametrize("change", ["sixteen bits", "one bit depth a class"])
def test_classes_are_not_told_apart_by_how_files_store_them(change, tmp_path):
    root = tmp_path / "pets"
    for part in ("train", "test"):
        for name in "ab":
            (root / part / name).mkdir(parents=True)
            for k in range(2):
                deep = change == "sixteen bits" or name == "b"
                pixels = GREY.astype(np.uint16) * 257 if deep else GREY
                Image.fromarray(pixels).save(root / part / name / f"{k}.png")
    x = load(pets(root)).x_train
    assert (x == torch.from_numpy(GREY)[..., None]).all()


def test_upright_pictures_have_one_size(tmp_path):
    root = tmp_path / "pets"
    for part in ("train", "test"):
        for name in "ab":
            (root / part / name).mkdir(parents=True)
            for turned in (1, 6):
                tag, stored = Image.Exif(), COLOUR if turned == 1 else np.rot90(COLOUR, 1)
                tag[274] = turned
                path = root / part / name / f"{turned}.png"
                Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=tag)
    assert (load(pets(root)).x_train == torch.from_numpy(COLOUR)).all()


def test_unequal_sizes_are_refused_unless_a_size_is_given(tmp_path):
    root = plain(tmp_path / "pets")
    Image.new("RGB", (16, 8), (9, 9, 9)).save(root / "test" / "a" / "wide.png")
    with pytest.raises(InputError, match=r"wide\.png is 16 x 8 .* dataset\.size=<pixels"):
        load(pets(root))
    fitted = load(pets(root, size=4))
    assert fitted.input_shape == (3, 4, 4)
    assert (fitted.x_test[3] == 9).all()
    x = fitted.x_train.float().mean((1, 2, 3))
    assert x[:3] == pytest.approx([60] * 3, abs=9) and x[3:] == pytest.approx([180] * 3, abs=9)
    other = load(pets(root, size=6))  # the cache of another size is not taken for it
    assert other.input_shape == (3, 6, 6)
    bicubic = load(pets(root, size=6, interpolation="bicubic"))
    assert not torch.equal(bicubic.x_train, other.x_train)


def test_a_picture_is_cropped_at_its_centre_to_fit(tmp_path):
    root = plain(tmp_path / "pets", side=4)
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = COLOUR[:4, :4]
    Image.fromarray(wide).save(root / "train" / "a" / "9.png")
    assert np.array_equal(load(pets(root, size=4)).x_train[3], COLOUR[:4, :4])


@pytest.mark.parametrize(
    ("fields", "named"), [({"resize": 9}, "resize=9"), ({"interpolation": "x"}, "interpolation=x")]
)
def test_fields_of_sizes_that_mean_nothing_are_refused(fields, named, tmp_path):
    with pytest.raises(InputError, match=named):
        load(pets(plain(tmp_path / "pets"), **fields))


def test_names_need_not_be_utf_8(tmp_path):
    root = plain(tmp_path / "pets")
    for part in ("train", "test"):
        source = os.fsencode(root / part / "a")
        try:
            os.rename(source + b"/0.png", source + b"/caf\xe9.png")
            os.rename(source, source[:-1] + b"\xe9t\xe9")
        except OSError:
            pytest.skip("this file system takes UTF-8 alone")
    Path(os.fsdecode(os.fsencode(root / "train") + b"/\xe9t\xe9/n\xe9.txt")).write_text("x")
    words = ["dataset=image_folder", f"dataset.root={root}", "architecture=linear"]
    done = train(*words, "recipe.epochs=1", runs_dir=tmp_path / "runs")
    assert done.returncode == 0 and "1 done" in done.stderr, done.stderr
    assert "passed over 1 file, no picture: \\xe9t\\xe9/n\\xe9.txt" in done.stderr
    broken = os.fsdecode(os.fsencode(root / "test") + b"/\xe9t\xe9/\xe9.png")
    Path(broken).write_bytes(b"no picture")
    refused = train(*words, "recipe.epochs=1", runs_dir=tmp_path / "runs")
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert "cannot be read as a picture" in line and "\\xe9.png" in line


@pytest.mark.parametrize("kind", ["empty", "cut", "html", "link", "folder", "bomb"])
def test_what_is_no_picture_is_one_line_with_its_name(kind, tmp_path):
    root = plain(tmp_path / "pets", suffix=".jpg")
    path = root / "train" / "a" / "z.png"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes((root / "train" / "a" / "0.jpg").read_bytes()[:-100])
    elif kind == "html":
        path.write_text("<html>403 Forbidden</html>")
    elif kind == "link":
        path.symlink_to("/nowhere/x.png")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(png_header(30_000))
    with pytest.raises(InputError) as refused:
        load(pets(root))
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


DAMAGED = [("PNG", {}), ("JPEG", {}), ("GIF", {}), ("WEBP", {}), ("TIFF", {}), ("PPM", {})]
DAMAGED += [("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}), ("TGA", {}), ("JPEG2000", {})]


@pytest.mark.filterwarnings("ignore::Warning:PIL")
@pytest.mark.parametrize(("format", "how"), [*DAMAGED, ("AVIF", {})])
def test_a_damaged_picture_is_read_or_refused(format, how, tmp_path):
    Image.init()
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow has no {format}")
    tag, buffer, rng = Image.Exif(), io.BytesIO(), np.random.default_rng(0)
    tag[274], tag[271] = 6, "a maker"
    how = how | ({"exif": tag} if format in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF") else {})
    Image.fromarray(np.tile(COLOUR, (3, 2, 1))).save(buffer, format, **how)
    path, refused = tmp_path / "x", 0
    for _ in range(150):
        content = np.frombuffer(buffer.getvalue(), np.uint8).copy()
        content[rng.integers(len(content), size=3)] = rng.integers(256, size=3)
        path.write_bytes(content.tobytes()[: rng.integers(1, 2 * len(content))])
        try:
            assert np.asarray(read_picture(path)).shape[2:] == (3,)
        except InputError as error:
            refused += str(path) in str(error)
    assert refused > 20


def png_header(side: int) -> bytes:
    """A PNG of a few bytes that claims so many pixels a side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_a_channel_without_any_variance_says_what_to_give(tmp_path):
    root = plain(tmp_path / "pets")
    for path in root.rglob("*.png"):
        pixels = np.array(Image.open(path))
        pixels[..., 2] = 7
        Image.fromarray(pixels).save(path)
    with pytest.raises(InputError, match=r"one value in all training pixels; give dataset\.mean"):
        load(pets(root))
    given = load(pets(root, mean=[0.5] * 3, std=[0.2] * 3))
    assert given.n_train == 6


# --- ImageNet reads alike -------------------------------------------------------------------------


def test_imagenet_reads_pictures_alike(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = make_imagenet(tmp_path / "inet", per_class=2)
    first = sorted(path for path in (root / "train").iterdir())[0]
    for path in first.iterdir():
        path.unlink()
    tag = Image.Exif()
    tag[274] = 6
    side = 32
    half = np.zeros((side, side, 3), np.uint8)
    half[: side // 2] = 200
    Image.fromarray(np.ascontiguousarray(np.rot90(half, 1))).save(first / "0.png", exif=tag)
    grey = np.full((side, side), 128 * 257, np.uint16)
    Image.fromarray(grey).save(first / "1.png")
    clear = np.zeros((side, side, 4), np.uint8)
    Image.fromarray(clear).save(first / "2.jfif", "PNG")
    (first / "3.psd").write_bytes(b"x")
    words = ["dataset=imagenet", f"dataset.root={root}", "dataset.size=32", "dataset.resize=null"]
    dataset = load(job(*words, "dataset.workers=0").dataset)
    assert "passed over 1 file, no picture" in capsys.readouterr().err
    _, pixels, _ = next(dataset.chunks("train", 3))
    assert np.array_equal(pixels[0, 0], half)
    assert (pixels[0, 1] == 128).all() and (pixels[0, 2] == 255).all()
