"""Every generated corruption against its formula, by plain loops or another library."""

from __future__ import annotations

import ast
import colorsys
import shutil
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_sample_images

from mixup_repro.errors import InputError
from mixup_repro.shifts import corruptions
from mixup_repro.shifts.corruptions import BLOCK, CORRUPTIONS, blur, corrupt, weather

SEVERITIES = range(1, 6)


@cache
def photographs() -> np.ndarray:
    """256 real colour pictures of 32 x 32: pieces of scikit-learn's two photographs, halved."""
    pieces = []
    for photo in load_sample_images().images:
        small = np.asarray(Image.fromarray(photo).reduce(2))
        rows, columns = small.shape[0] // 20 - 1, small.shape[1] // 20 - 1
        pieces += [
            small[20 * i : 20 * i + 32, 20 * j : 20 * j + 32]
            for i in range(rows)
            for j in range(columns)
        ]
    return np.stack(pieces)[:256]


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


def parameters(name: str, severity: int) -> tuple:
    return CORRUPTIONS[name].severities[severity - 1]


def call(name: str, severity: int, pixels: np.ndarray) -> np.ndarray:
    """A corruption in units of 255, before clipping, with the draws of `generator()`."""
    return CORRUPTIONS[name].function(pixels, generator(), *parameters(name, severity))


def plain(value: int, n: int = 50) -> np.ndarray:
    return np.full((n, 32, 32, 3), value, np.uint8)


# Noise, by its moments


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_noise_has_its_spread_whatever_the_pixel(severity):
    (sigma,) = parameters("gaussian_noise", severity)
    for value in (0, 100):
        noise = call("gaussian_noise", severity, plain(value)) - value / 255
        assert abs(noise.mean()) < 5 * sigma / noise.size**0.5
        assert noise.std() == pytest.approx(sigma, rel=0.02)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_speckle_noise_grows_with_the_pixel(severity):
    (sigma,) = parameters("speckle_noise", severity)
    for value in (0, 51, 204):
        noise = call("speckle_noise", severity, plain(value)) - value / 255
        assert noise.std() == pytest.approx(sigma * value / 255, rel=0.02)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_counts_photons(severity):
    """Whole counts over the rate, whose variance is their mean."""
    (rate,) = parameters("shot_noise", severity)
    counts = call("shot_noise", severity, plain(102)) * rate
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    assert counts.mean() == pytest.approx(0.4 * rate, rel=0.01)
    assert counts.var() == pytest.approx(0.4 * rate, rel=0.03)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_is_half_salt_and_leaves_the_rest(severity):
    (amount,) = parameters("impulse_noise", severity)
    out = corrupt(plain(100), "impulse_noise", severity, 0)
    share = {value: (out == value).mean() for value in (0, 100, 255)}
    assert sum(share.values()) == 1
    assert share[0] == pytest.approx(amount / 2, rel=0.1)
    assert share[255] == pytest.approx(amount / 2, rel=0.1)
    hit = out != 100
    assert (hit.any(-1) & ~hit.all(-1)).any()  # channels on their own


# Colour


def by_hsv(picture: np.ndarray, change) -> np.ndarray:
    out = np.empty(picture.shape)
    for at in np.ndindex(picture.shape[:2]):
        out[at] = colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*(picture[at] / 255))))
    return out


def odd_colours() -> np.ndarray:
    """A photograph with black, white, grey and pure pixels in it."""
    picture = photographs()[3].copy()
    picture[0, :5] = [(0, 0, 0), (255, 255, 255), (90, 90, 90), (255, 0, 0), (0, 7, 7)]
    return picture


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_adds_to_the_value_of_hsv(severity):
    (added,) = parameters("brightness", severity)
    expected = by_hsv(odd_colours(), lambda h, s, v: (h, s, min(v + added, 1)))
    out = call("brightness", severity, odd_colours()[None])[0]
    np.testing.assert_allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_saturate_changes_the_saturation_of_hsv(severity):
    factor, added = parameters("saturate", severity)
    expected = by_hsv(odd_colours(), lambda h, s, v: (h, min(s * factor + added, 1), v))
    out = call("saturate", severity, odd_colours()[None])[0]
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_a_grey_picture_has_no_saturation_to_change():
    grey = photographs()[:5, ..., :1]
    for severity in SEVERITIES:
        np.testing.assert_array_equal(corrupt(grey, "saturate", severity, 0), grey)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_every_picture_and_channel_to_its_own_mean(severity):
    (factor,) = parameters("contrast", severity)
    pixels = photographs()[[0, 200]]
    out = call("contrast", severity, pixels)
    for picture, got in zip(pixels, out):
        for c in range(3):
            x = picture[..., c] / 255
            np.testing.assert_allclose(got[..., c], factor * x + (1 - factor) * x.mean())


# Blurs


def clamp(index: int) -> int:
    return min(max(index, 0), 31)


def mirror(index: int) -> int:
    index = abs(index)
    return index if index < 32 else 62 - index


def weighted(picture: np.ndarray, taps: dict[tuple[int, int], float], fold) -> np.ndarray:
    """Sum of weight * picture[row + down, column + right] over taps, by plain loops."""
    out = np.zeros(picture.shape)
    for i, j in np.ndindex(picture.shape[:2]):
        for (down, right), weight in taps.items():
            out[i, j] += weight * picture[fold(i + down), fold(j + right)]
    return out


def gaussian_taps(sigma: float) -> dict[tuple[int, int], float]:
    reach = range(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    taps = {(i, j): np.exp(-(i * i + j * j) / (2 * sigma**2)) for i in reach for j in reach}
    return {at: weight / sum(taps.values()) for at, weight in taps.items()}


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_blur_is_a_truncated_gaussian(severity):
    picture = photographs()[0]
    (sigma,) = parameters("gaussian_blur", severity)
    expected = weighted(picture / 255, gaussian_taps(sigma), clamp)
    np.testing.assert_allclose(call("gaussian_blur", severity, picture[None])[0], expected)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_blur_is_a_disk_spread_by_a_small_gaussian(severity):
    picture = photographs()[0]
    radius, sigma = parameters("defocus_blur", severity)
    disk = [(i, j) for i in range(-8, 9) for j in range(-8, 9) if i * i + j * j <= radius**2]
    assert len(disk) == [1, 1, 1, 5, 9][severity - 1]
    near = [np.exp(-(d * d) / (2 * sigma**2)) for d in (-1, 0, 1)]
    taps: dict[tuple[int, int], float] = {}
    for i, j in disk:
        for a in (-1, 0, 1):
            for b in (-1, 0, 1):
                weight = near[a + 1] * near[b + 1] / sum(near) ** 2 / len(disk)
                taps[i + a, j + b] = taps.get((i + a, j + b), 0) + weight
    expected = weighted(picture / 255, taps, mirror)
    np.testing.assert_allclose(call("defocus_blur", severity, picture[None])[0], expected)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_glass_blur_is_the_raster_loop_of_swaps_that_copy(severity):
    """As the released sets were made: row by row from the end, each pixel swapped with a neighbour.

    The swap exchanges two views of one array, the second of which has changed by then.
    """
    sigma, iterations = parameters("glass_blur", severity)
    picture = photographs()[0]

    def smooth(x):
        channels = [ndimage.gaussian_filter(x[..., c], sigma, mode="nearest") for c in range(3)]
        return np.stack(channels, -1)

    x = (smooth(picture / 255) * 255).astype(np.uint8)
    rng = generator()
    for _ in range(iterations):
        up, left = rng.integers(2, size=(2, 30, 30))
        for h in range(31, 1, -1):
            for w in range(31, 1, -1):
                other = h - up[h - 2, w - 2], w - left[h - 2, w - 2]
                x[h, w], x[other] = x[other], x[h, w]
    expected = smooth(x / 255)
    np.testing.assert_allclose(call("glass_blur", severity, picture[None])[0], expected)


def motion(picture: np.ndarray, degrees: float, radius: int, sigma: float) -> np.ndarray:
    """ImageMagick's formula: pixels along the angle, nearest to the line, halves towards zero."""
    weights = [np.exp(-(t * t) / (2 * sigma**2)) for t in range(2 * radius + 1)]
    along = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    taps: dict[tuple[int, int], float] = {}
    for t, weight in enumerate(weights):
        right, down = (int(np.ceil(t * part - 0.5)) for part in along)
        taps[down, right] = taps.get((down, right), 0) + weight / sum(weights)
    return weighted(picture.astype(float), taps, clamp)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_motion_blur_is_half_a_gaussian_along_an_angle(severity):
    radius, sigma = parameters("motion_blur", severity)
    angle = generator().uniform(-45, 45, size=1)[0]
    picture = photographs()[0]
    out = call("motion_blur", severity, picture[None])[0]
    assert out.dtype == np.uint8
    expected = motion(picture, angle, radius, sigma)
    assert np.abs(out - expected).max() < 0.51  # rounded, of weights in single precision


def test_motion_blur_angles_fill_their_range():
    """A bright point leaves a trail, mostly to its left, within 45 degrees."""
    point = np.zeros((2000, 33, 33, 1), np.uint8)
    point[:, 16, 16] = 255
    trails = corrupt(point, "motion_blur", 5, 0)[..., 0].astype(float)
    trails[:, 16, 16] = 0
    mass = trails.sum((1, 2))
    down = (trails * (np.arange(33) - 16)[:, None]).sum((1, 2)) / mass
    right = (trails * (np.arange(33) - 16)).sum((1, 2)) / mass
    angle = np.rad2deg(np.arctan2(down, -right))
    assert np.abs(angle).max() < 50 and (right < 0).all()
    assert np.quantile(angle, 0.05) < -35 and np.quantile(angle, 0.95) > 35


@pytest.mark.parametrize("severity", SEVERITIES)
def test_zoom_blur_is_the_mean_of_scipys_zooms(severity):
    (factors,) = parameters("zoom_blur", severity)
    assert len(factors) == [7, 12, 16, 21, 26][severity - 1]
    picture = photographs()[0] / 255
    total = picture.copy()
    for factor in factors:
        total += zoomed(picture, factor)
    expected = total / (len(factors) + 1)
    out = call("zoom_blur", severity, photographs()[:1])[0]
    np.testing.assert_allclose(out, expected, atol=1e-5)


def zoomed(picture: np.ndarray, factor: float) -> np.ndarray:
    """The middle of a picture (32, 32, C), enlarged by scipy and trimmed to 32 x 32."""
    part = int(np.ceil(32 / factor))
    first = (32 - part) // 2
    middle = picture[first : first + part, first : first + part]
    large = ndimage.zoom(middle, (factor, factor, 1), order=1)
    trim = (len(large) - 32) // 2
    return large[trim : trim + 32, trim : trim + 32]


# Weather


@pytest.mark.parametrize("severity", SEVERITIES)
def test_snow_whitens_and_falls_in_two_directions(severity):
    mean, sigma, factor, threshold, radius, motion_sigma, weight = parameters("snow", severity)
    rng = generator()
    flakes = zoomed(rng.normal(mean, sigma, size=(32, 32))[..., None], factor)
    flakes[flakes < threshold] = 0
    flakes = (flakes.clip(0, 1) * 255).astype(np.uint8)
    angle = rng.uniform(-135, -45, size=1)[0]
    layer = motion(flakes, angle, radius, motion_sigma) / 255
    x = photographs()[0] / 255
    luminance = 0.299 * x[..., :1] + 0.587 * x[..., 1:2] + 0.114 * x[..., 2:]
    expected = weight * x + (1 - weight) * np.maximum(x, 1.5 * luminance + 0.5)
    expected = expected + layer + np.rot90(layer, 2)
    out = call("snow", severity, photographs()[:1])[0]
    # Bytes before and after the motion: a flake at the edge of one may fall to either side.
    assert np.abs(out - expected).max() < 2.5 / 255


def frost_files() -> Path:
    """The folder of the photographs, found beside the package's code by its metadata."""
    try:
        return Path(distribution("imagecorruptions").locate_file("imagecorruptions/frost"))
    except PackageNotFoundError:
        pytest.skip("imagecorruptions is not installed")


def frost_photograph(number: int) -> np.ndarray:
    path = frost_files() / f"frost{number + 1}.{'png' if number < 3 else 'jpg'}"
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_frost_adds_a_window_of_a_photograph_at_a_fifth_of_its_size(severity):
    """Hendrycks and Dietterich's make_cifar_c.py, picture by picture and pixel by pixel."""
    weight, ice = [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)][severity - 1]
    frost_files()
    pixels = photographs()[:40]
    rng = generator()
    numbers = rng.integers(5, size=40)
    small = [(120, 180), (63, 112), (63, 112), (70, 105), (99, 132)]
    corners = rng.integers([(small[k][0] - 32, small[k][1] - 32) for k in numbers])
    out = call("frost", severity, pixels)
    assert out.dtype == np.uint8 and set(numbers) == set(range(5))
    for picture, got, number, (top, left) in zip(pixels, out, numbers, corners):
        photo = frost_photograph(number)
        for at in np.ndindex(32, 32, 3):
            row, column, channel = at
            frozen = photo[5 * (top + row) + 2, 5 * (left + column) + 2, channel]
            assert got[at] == int(min(weight * picture[at] + ice * frozen, 255))


def test_frost_photographs_are_opencvs_resizing_to_a_fifth():
    cv2 = pytest.importorskip("cv2")
    frost_files()
    for number, ours in enumerate(weather.frost_photographs(32, 32)):
        theirs = cv2.resize(frost_photograph(number), (0, 0), fx=0.2, fy=0.2)
        np.testing.assert_array_equal(ours, theirs)


def test_frost_is_imagecorruptions_own_with_the_same_draws(monkeypatch):
    """Its function adds to what it is given; on black, severity 1 is 0.4 of a photograph's window.

    Taken from its file, because importing the package needs scikit-image. Its photographs are 1.1
    times as large; here they are a fifth, as for CIFAR-10-C.
    """
    cv2 = pytest.importorskip("cv2")
    tree = ast.parse((frost_files().parent / "corruptions.py").read_text())
    (frost,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "frost"]

    def fifth(photo, dsize, interpolation):
        return cv2.resize(photo, (0, 0), fx=0.2, fy=0.2)

    pixels = np.zeros((30, 32, 32, 3), np.uint8)
    ours = weather.frost(pixels, generator(), 1, 0.4)
    rng = generator()
    numbers = rng.integers(5, size=30)
    sizes = [photo.shape[:2] for photo in weather.frost_photographs(32, 32)]
    corners = rng.integers([np.subtract(sizes[k], 32) for k in numbers])
    for got, number, corner in zip(ours, numbers, corners):
        draws = iter([number, *corner])
        monkeypatch.setattr(np.random, "randint", lambda *_, draws=draws: next(draws))
        names = {"np": np, "__name__": "imagecorruptions"}
        names["cv2"] = SimpleNamespace(imread=cv2.imread, INTER_CUBIC=2, resize=fifth)
        names["resource_filename"] = lambda _, path: str(frost_files().parent / path)
        exec(compile(ast.Module([frost], []), "frost", "exec"), names)
        theirs = names["frost"](np.zeros((32, 32, 3), np.uint8), 1)
        np.testing.assert_array_equal(got, theirs.astype(np.uint8))


def test_frost_photographs_of_large_pictures_are_larger_and_there_is_a_largest():
    frost_files()
    for side, step in ((62, 5), (63, 4), (224, 1), (314, 1)):
        photos = weather.frost_photographs(side, side)
        assert all(min(photo.shape[:2]) > side for photo in photos)
        assert photos[1].shape[0] == -(-(315 - step // 2) // step)
    with pytest.raises(InputError, match="20 x 315 pixels are larger than the photographs"):
        weather.frost_photographs(315, 20)


def test_frost_without_its_photographs_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)
    weather._whole_photographs.cache_clear()
    with pytest.raises(InputError, match="pip install --no-deps imagecorruptions, or"):
        corrupt(photographs()[:2], "frost", 1, 0)


@pytest.mark.parametrize("change", ["damaged", "missing"])
def test_other_photographs_are_refused(tmp_path, monkeypatch, change):
    (tmp_path / "imagecorruptions").mkdir()
    (tmp_path / "imagecorruptions" / "__init__.py").write_text("raise ImportError")
    shutil.copytree(frost_files(), tmp_path / "imagecorruptions" / "frost")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "imagecorruptions", raising=False)
    weather._whole_photographs.cache_clear()
    assert len(weather.frost_photographs(32, 32)) == 5
    path = tmp_path / "imagecorruptions" / "frost" / "frost4.jpg"
    if change == "missing":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[-50] ^= 1
        path.write_bytes(content)
    weather._whole_photographs.cache_clear()
    with pytest.raises(InputError, match=r"frost4\.jpg is not the photograph .*--force-reinstall"):
        weather.frost_photographs(32, 32)
    weather._whole_photographs.cache_clear()


def around(cloud: np.ndarray, i: int, j: int, offsets: tuple) -> float:
    """The mean of the points at offsets from (i, j), on a map that wraps."""
    return np.mean([cloud[(i + a) % len(cloud), (j + b) % len(cloud)] for a, b in offsets])


def plasma(rng: np.random.Generator, size: int, decay: float) -> np.ndarray:
    """Diamonds and squares of one map, point by point. The wobble is 100, then /decay, twice."""
    cloud = np.zeros((size, size))
    step, wobble = size, 100.0
    while step >= 2:
        half, k = step // 2, size // step
        straight = ((-half, 0), (half, 0), (0, -half), (0, half))
        diagonal = ((-half, -half), (-half, half), (half, -half), (half, half))
        old = cloud.copy()
        amplitude = wobble * wobble
        noise = [rng.uniform(-amplitude, amplitude, size=(k, k)) for _ in range(3)]

        for a, b in np.ndindex(k, k):
            i, j = a * step + half, b * step + half
            cloud[i, j] = around(old, i, j, diagonal) + noise[0][a, b]
        old[:] = cloud
        for a, b in np.ndindex(k, k):
            i, j = a * step, b * step
            cloud[i, j + half] = around(old, i, j + half, straight) + noise[1][a, b]
            cloud[i + half, j] = around(old, i + half, j, straight) + noise[2][a, b]
        step, wobble = half, wobble / decay
    return (cloud - cloud.min()) / (cloud.max() - cloud.min())


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_is_a_cloud_by_diamonds_and_squares(severity):
    strength, decay = parameters("fog", severity)
    x = photographs()[0] / 255
    mist = plasma(generator(), 32, decay)[..., None]
    expected = (x + strength * mist) * x.max() / (x.max() + strength)
    np.testing.assert_allclose(call("fog", severity, photographs()[:1])[0], expected)


def test_fog_on_black_is_black():
    assert corrupt(plain(0, 3), "fog", 5, 0).max() == 0


@pytest.mark.parametrize("severity", [4, 5])
def test_mud_covers_where_smoothed_noise_is_high(severity):
    mean, sigma, blur_sigma, threshold, _, soft = parameters("spatter", severity)
    noise = generator().normal(mean, sigma, size=(32, 32))
    drops = ndimage.gaussian_filter(noise, blur_sigma, mode="nearest") > threshold
    mask = ndimage.gaussian_filter(drops.astype(float), soft, mode="nearest")
    mask = np.where(mask < 0.8, 0, mask)[..., None]
    assert 0 < mask.mean() < 0.5
    expected = (1 - mask) * photographs()[0] / 255 + mask * np.array([63, 42, 20]) / 255
    np.testing.assert_allclose(call("spatter", severity, photographs()[:1])[0], expected)


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_water_brightens_drops_and_nothing_else(severity):
    pytest.importorskip("cv2")
    mean, sigma, blur_sigma, threshold, _, amount = parameters("spatter", severity)
    noise = generator().normal(mean, sigma, size=(20, 32, 32))
    layer = np.stack([ndimage.gaussian_filter(one, blur_sigma, mode="nearest") for one in noise])
    added = call("spatter", severity, plain(60, 20)) - 60 / 255
    assert np.abs(added[layer < threshold]).max() < 1e-12
    # A colour of its own, and as bright as it says at the brightest point of a picture.
    colour = np.array([175, 238, 238]) / 255
    amounts = added / colour
    np.testing.assert_allclose(amounts, amounts[..., :1] * np.ones(3), atol=1e-12)
    np.testing.assert_allclose(amounts.max((1, 2, 3)), amount)
    assert added.min() > -1e-12


def test_spatter_without_opencv_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match="pip install opencv-python-headless"):
        corrupt(photographs()[:2], "spatter", 1, 0)
    assert len(corrupt(photographs()[:2], "snow", 1, 0)) == 2


# Geometry and coding


def elastic_draws(severity: int) -> tuple[np.ndarray, np.ndarray]:
    """The moved corners (row, column) and the displacements of one picture."""
    alpha, sigma, affine = (32 * p for p in parameters("elastic_transform", severity))
    rng = generator()
    corners = np.array([[26, 26], [6, 26], [6, 6]])
    moved = corners + rng.uniform(-affine, affine, size=(3, 2))
    fields = rng.uniform(-1, 1, size=(2, 32, 32))
    smooth = [ndimage.gaussian_filter(f, sigma, mode="reflect", truncate=3) for f in fields]
    return moved, alpha * np.stack(smooth)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_elastic_transform_is_an_affine_map_then_displacements(severity):
    moved, field = elastic_draws(severity)
    corners = np.array([[26.0, 26.0], [6.0, 26.0], [6.0, 6.0]])
    # The map that takes the corners to where they moved, backwards.
    homogeneous = [np.vstack([points.T, np.ones(3)]) for points in (corners, moved)]
    matrix = homogeneous[0] @ np.linalg.inv(homogeneous[1])
    row, column = np.mgrid[:32, :32]
    back = np.einsum("ij,jhw->ihw", matrix, np.stack([row, column, np.ones_like(row)]))[:2]
    for c in range(3):
        x = photographs()[0][..., c] / 255
        x = ndimage.map_coordinates(x, back, order=1, mode="mirror")
        if severity > 1:
            x = ndimage.map_coordinates(x, [row, column] + field, order=1, mode="reflect")
        out = call("elastic_transform", severity, photographs()[:1])[0, ..., c]
        np.testing.assert_allclose(out, x, atol=1e-5)


def test_elastic_transform_without_displacements_is_opencvs_affine_warp():
    cv2 = pytest.importorskip("cv2")
    moved, _ = elastic_draws(1)
    corners = np.float32([[26, 26], [26, 6], [6, 6]])  # (x, y)
    matrix = cv2.getAffineTransform(corners, moved[:, ::-1].astype(np.float32))
    x = (photographs()[0] / 255).astype(np.float32)
    expected = cv2.warpAffine(x, matrix, (32, 32), borderMode=cv2.BORDER_REFLECT_101)
    out = call("elastic_transform", 1, photographs()[:1])[0]
    assert np.abs(out - expected).max() < 0.03  # OpenCV may round weights to 1/32


def test_pixelate_by_half_is_the_mean_of_four():
    out = corruptions.pixelate(photographs()[:3], generator(), 0.5)
    x = photographs()[:3].astype(float)
    mean = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    assert np.abs(out - mean.repeat(2, 1).repeat(2, 2)).max() <= 1


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_has_as_many_pixels_as_it_says(severity):
    size = [30, 28, 27, 24, 20][severity - 1]
    ramp = np.arange(0, 256, 8, dtype=np.uint8)[None, None, :, None] * np.ones((1, 32, 1, 3))
    out = corrupt(ramp.astype(np.uint8), "pixelate", severity, 0)
    assert len(np.unique(out[0, 0, :, 0])) == size


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_compression_has_the_stated_quality(severity, channels, monkeypatch):
    """The quantisation tables of the files are those of the quality: libjpeg's, by its formula."""
    tables = []
    real = Image.open

    def spy(file):
        tables.append(real(BytesIO(file.getvalue())).quantization)
        return real(file)

    monkeypatch.setattr(Image, "open", spy)
    pixels = photographs()[:3, ..., :channels]
    corrupt(pixels, "jpeg_compression", severity, 0)
    quality = [80, 65, 58, 50, 40][severity - 1]
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    first = [16, 11, 10, 16, 24, 40, 51, 61]  # of the standard's table for luminance
    expected = [max(1, (value * percent + 50) // 100) for value in first]
    assert len(tables) == 3
    # In the order of its file (zigzag) or of its rows: the first row is in both.
    assert all(set(expected) <= set(table[0]) for table in tables)
    assert all(table[0][0] == expected[0] for table in tables)


# All of them


def needs(name: str) -> None:
    """Skip a corruption whose package is not installed."""
    if name == "spatter":
        pytest.importorskip("cv2")
    if name == "frost":
        frost_files()


# Where a severity does not change pixels more than the one before, in the mean over pictures.
FALLS = {
    "glass_blur": (3,),  # severities 1 to 3 blur and copy much the same, 4 and 5 likewise
    "frost": (4,),  # darkens the picture it whitens
    "elastic_transform": (2, 3, 4, 5),  # the affine map moves less and less
    "spatter": (4,),  # mud after water
    "saturate": (3,),  # greyer, then more colourful
}
DRAWS_NOTHING = (
    *("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"),
    *("gaussian_blur", "saturate"),
)
UNSETTLED = {"motion_blur": (4,), "glass_blur": (2, 3, 5)}  # too near to tell


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_changes_pictures_more_but_for_known_exceptions(name):
    needs(name)
    x = photographs()
    change = [np.abs(corrupt(x, name, s, 0).astype(int) - x).mean() for s in SEVERITIES]
    assert min(change) > 0.5
    for severity in SEVERITIES[1:]:
        if severity in UNSETTLED.get(name, ()):
            continue
        grows = change[severity - 1] > change[severity - 2]
        assert grows == (severity not in FALLS.get(name, ())), change


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_a_function_of_its_arguments(name):
    needs(name)
    x = photographs()[:4]
    before = x.copy()
    out = corrupt(x, name, 3, 7)
    np.testing.assert_array_equal(corrupt(x, name, 3, 7), out)
    np.testing.assert_array_equal(x, before)
    drawn = name not in DRAWS_NOTHING
    assert (corrupt(x, name, 3, 8) != out).any() == drawn


@settings(max_examples=25)
@given(
    st.sampled_from([n for n in CORRUPTIONS if n not in ("spatter", "frost")]),
    st.sampled_from(SEVERITIES),
    st.tuples(st.integers(8, 40), st.integers(8, 40)),
    st.sampled_from([1, 3]),
    st.integers(0, 255),
)
def test_any_size_grey_or_colour_comes_out_as_it_went_in(name, severity, size, channels, value):
    rng = np.random.default_rng(value)
    pixels = rng.integers(value + 1, size=(3, *size, channels), dtype=np.uint8)
    out = corrupt(pixels, name, severity, 0)
    assert out.shape == pixels.shape and out.dtype == np.uint8


@pytest.mark.parametrize("name", ["snow", "frost", "fog", "brightness", "spatter"])
def test_a_grey_picture_becomes_the_luminance_of_its_colour_copy(name):
    needs(name)
    grey = photographs()[:20, ..., :1] // 3  # dark: nothing is clipped
    for severity in SEVERITIES:
        colour = corrupt(np.repeat(grey, 3, axis=-1), name, severity, 0)
        luminance = colour @ np.array([0.299, 0.587, 0.114])
        difference = corrupt(grey, name, severity, 0)[..., 0] - luminance
        assert np.quantile(np.abs(difference), 0.95) <= 1.01


def test_blocks_have_draws_of_their_own_and_the_first_does_not_depend_on_the_rest():
    x = np.repeat(photographs()[:1], BLOCK + 5, axis=0)
    for name in ("gaussian_noise", "shot_noise", "elastic_transform", "snow"):
        out = corrupt(x, name, 2, 0)
        np.testing.assert_array_equal(corrupt(x[:BLOCK], name, 2, 0), out[:BLOCK])
        assert len({picture.tobytes() for picture in out}) == len(out)


def test_what_makes_the_pictures_is_pinned():
    """Another order or block makes other pictures: raise VERSION with it."""
    names = (
        "gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur "
        "snow frost fog brightness contrast elastic_transform pixelate jpeg_compression "
        "speckle_noise gaussian_blur spatter saturate"
    )
    assert list(CORRUPTIONS) == names.split()
    assert (corruptions.VERSION, BLOCK) == (2, 250)
    assert all(len(c.severities) == 5 for c in CORRUPTIONS.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rain", 1), "corruption rain: choose from gaussian_noise, shot_noise"),
        (("fog", 0), "severity 0: choose from 1 to 5"),
        (("fog", 6), "severity 6"),
    ],
)
def test_unknown_corruptions_and_severities_are_refused(words, message):
    with pytest.raises(InputError, match=message):
        corrupt(photographs()[:1], *words, 0)


def test_pictures_that_cannot_be_corrupted_are_refused():
    with pytest.raises(InputError, match="7 x 20 pixels are too small"):
        corrupt(np.zeros((1, 20, 7, 3), np.uint8), "fog", 1, 0)
    for odd in (np.zeros((1, 8, 8, 2), np.uint8), np.zeros((1, 8, 8, 3)), np.zeros((8, 8), "u1")):
        with pytest.raises(InputError, match="C = 1 or 3"):
            corrupt(odd, "fog", 1, 0)


def test_interpolation_folds_indices_as_scipy_does():
    line = np.arange(5.0)
    at = np.arange(-9, 14)
    for fold, mode in ((blur.mirrored, "mirror"), (blur.reflected, "reflect")):
        expected = ndimage.map_coordinates(line, [at], order=0, mode=mode)
        np.testing.assert_array_equal(line[fold(at, 5)], expected)
