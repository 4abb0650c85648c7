"""Slim drawings show what matplotlib's show, in a fraction of the bytes."""

from __future__ import annotations

import io
import re

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mixup_repro.papers import layout, polyline, slim, style, vector


def raw(figure: Figure) -> str:
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata=vector.UNDATED)
    return buffer.getvalue()


def points(path: str) -> list[tuple[float, float]]:
    """Where a path of M, m, l, h, v and z goes, in points, read by the letter of the standard."""
    out, at, start = [], np.zeros(2), np.zeros(2)
    for letter, numbers in re.findall(r"([MmlhvzCQ])([^MmlhvzCQ]*)", path):
        values = [float(n) / 10 for n in re.findall(r"-?\d+", numbers)]
        if letter == "z":
            at = start
        elif letter in "hv":
            for value in values:
                at = at + ([value, 0] if letter == "h" else [0, value])
                out.append(tuple(at))
        else:
            for pair in zip(values[::2], values[1::2]):
                at = np.array(pair) + (0 if letter == "M" else at)
                out.append(tuple(at))
            start = at if letter in "Mm" else start
    return out


def steps(outline: str) -> str:
    return polyline.path(polyline.strokes(outline))


@pytest.mark.parametrize("seed", range(3))
def test_a_line_goes_where_it_went(seed):
    line = np.random.default_rng(seed).uniform(0, 300, (40, 2)).round(4)
    outline = "M" + " L ".join(f" {x} {y}" for x, y in line)
    found = points(steps(outline.replace("M", "M ")))
    np.testing.assert_allclose(found, line, atol=0.051)  # errors do not add up along the way


@pytest.mark.parametrize("seed", range(3))
def test_each_stroke_begins_where_it_began(seed):
    """Lines, closed outlines and dots one after the other, in steps from one to the next."""
    rng = np.random.default_rng(seed)
    drawn, wanted = [], []
    for k in range(20):
        corners = rng.uniform(0, 300, (3, 2)).round(4)
        if k % 3 == 2:
            drawn, corners = [*drawn, polyline.dot(*corners[0])], corners[:1]
        else:
            outline = "M " + " L ".join(f"{x} {y}" for x, y in corners) + " z" * (k % 3)
            drawn += polyline.strokes(outline)
        wanted += [*corners]
    np.testing.assert_allclose(points(polyline.path(drawn)), wanted, atol=0.051)


def test_straight_steps_become_one():
    assert steps("M 0 0 L 1 0 L 2 0 L 3 0 L 3 2 z") == "M0 0h30v20z"
    assert steps("M 0 0 L 1 0 L 0 0") == "M0 0h10-10"  # back is no going on


def test_marks_of_one_look_become_one_path_and_keep_their_places():
    figure = Figure((3, 2))
    axis = figure.subplots()
    x = np.linspace(0, 1, 50)
    axis.plot(x, x**2, "o", color=style.BLUE, markersize=3, markeredgewidth=0)
    before, after = raw(figure), slim.slim(raw(figure))
    (path,) = re.findall(r'<path[^>]*stroke:#0a66c2[^>]* d="([^"]+)"', after)
    np.testing.assert_allclose(points(path), uses(before, "#0a66c2"), atol=0.051)
    assert len(after) < len(before) / 3


def uses(svg: str, colour: str) -> np.ndarray:
    """Where matplotlib puts marks of a colour."""
    places = re.findall(
        rf'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)" style="fill: {colour}', svg
    )
    return np.array(places, dtype=float)


def test_a_mark_with_a_rim_of_its_own_colour_is_as_wide_as_both():
    figure = Figure((3, 2))
    figure.subplots().plot([1, 2], "o", color=style.BLUE, markersize=6, markeredgewidth=1)
    (wide,) = re.findall(r"stroke:#0a66c2;stroke-width:([\d.]+)", slim.slim(raw(figure)))
    assert float(wide) == 10 * (6 + 1)  # half of the rim lies outside, on each side


def test_marks_with_a_rim_are_one_path_with_a_marker():
    figure = Figure((3, 2))
    axis = figure.subplots()
    x = np.linspace(0, 1, 50)
    axis.scatter(x, x**2, s=9, color=style.BLUE, edgecolor="white", linewidth=0.3)
    text = slim.slim(raw(figure))
    (mark,) = re.findall(r'<marker id="(\w+)"', text)
    (path,) = re.findall(rf'<path[^>]*marker:url\(#{mark}\)[^>]* d="([^"]+)"', text)
    np.testing.assert_allclose(points(path), uses(raw(figure), "#0a66c2"), atol=0.051)
    assert '<circle style="' in text and 'r="15"' in text  # area 9: three points across


def test_a_cloud_that_comes_again_is_used_again():
    cloud = np.random.default_rng(0).uniform(size=(150, 2))
    figure, axes = style.panels(2)
    for axis in axes:
        axis.plot(*cloud.T, ".", color=style.BLUE, markeredgewidth=0)
    text = slim.slim(raw(figure))
    (first,) = re.findall(r'<path id="d0" d="([^"]+)"', text)
    ((x, y),) = re.findall(r'<use href="#d0" x="([\d-]+)" y="([\d-]+)"', text)
    moved = np.array(points(first)) + np.array([float(x), float(y)]) / 10
    np.testing.assert_allclose([*points(first), *moved], uses(raw(figure), "#0a66c2"), atol=0.16)


def test_bars_of_one_height_are_lines_of_that_width():
    figure = Figure((4, 2))
    axis = figure.subplots()
    axis.barh([0.5] * 20, 0.5, 1, left=range(20), color=style.BLUE, linewidth=0)
    text = slim.slim(raw(figure))
    (bar,) = re.findall(r'<path[^>]*stroke:#0a66c2;stroke-width:(\d+)"[^>]* d="([^"]+)"', text)
    ends = np.array(points(bar[1])).reshape(20, 2, 2)
    box = axis.get_window_extent()
    unit = 72 / figure.dpi * box.width / np.ptp(axis.get_xlim())
    np.testing.assert_allclose(ends[:, 1, 0] - ends[:, 0, 0], unit / 2, atol=0.11)
    high = 72 / figure.dpi * box.height / np.ptp(axis.get_ylim())
    assert float(bar[0]) / 10 == pytest.approx(high, abs=0.11)


def test_only_what_leaves_its_panel_is_clipped():
    figure = Figure((4, 2))
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=style.BLUE)
    axis.plot([0, 1], [0, 9], color=style.ORANGE)
    axis.set_ylim(0, 2)
    text = slim.slim(raw(figure))
    assert not re.search(r"<path clip-path[^>]*#0a66c2", text)
    assert re.search(r"<path clip-path[^>]*#e4622f", text)


def test_a_line_that_is_hardly_seen_keeps_fewer_points_and_no_farther_off():
    """Bends of half a point: missed on a faint line alone, which stays within 0.7 points."""
    kept = {}
    for alpha in (0.2, 1.0):
        figure = Figure((4, 2))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.axis([0, 288, 0, 144])  # in points
        x = np.arange(10.0, 280.0, 9.0)
        axis.plot(x, 72 + 0.5 * (-1) ** np.arange(len(x)), color=style.BLUE, alpha=alpha)
        (line,) = re.findall(r'<path[^>]*stroke:#0a66c2[^>]* d="([^"]+)"', slim.slim(raw(figure)))
        kept[alpha] = np.array(points(line))
        assert np.abs(kept[alpha][:, 1] - 72).max() <= 0.7
    assert len(kept[0.2]) < len(kept[1.0]) == len(x)


def test_mathematics_flows_as_words():
    figure = Figure((4, 1))
    figure.text(0, 0.5, r"Mixup, $\alpha=1$: $\bar\theta$ on $X_3^2$")
    text = slim.slim(raw(figure))
    said = re.sub(r"<[^>]+>", "", text[text.index("<text") :])
    assert said.strip() == "Mixup, α = 1: θ̄ on X32"
    assert text.count('dy="') == 2  # down to the 3, up to the 2


def test_an_index_and_an_exponent_of_two_digits_stay_whole():
    figure = Figure((4, 1))
    figure.text(0, 0.5, r"on $X_{10}^{12}$ here")
    text = slim.slim(raw(figure))
    said = re.sub(r"<[^>]+>", "", text[text.index("<text") :])
    assert said.strip() == "on X1012 here"
    assert re.search(r'dx="-\d+"', text)  # the exponent goes back over the index


def test_the_same_figure_gives_the_same_bytes():
    def draw() -> str:
        figure, (axis, _) = style.panels(2)
        axis.plot([0, 1], [0, 1])
        return slim.slim(raw(figure))

    assert draw() == draw() and "#ffffff" in draw()


def test_a_narrow_figure_keeps_panels_of_a_column_together_and_all_of_them():
    with layout.narrow():
        figure, axes = style.panels(3, 2, height_ratios=(2, 1))
    assert len(axes) == 6 and figure.get_figwidth() == layout.NARROW
    places = [axis.get_position() for axis in axes]
    assert len({round(place.x0, 3) for place in places}) == 1  # one abreast
    order = sorted(range(6), key=lambda k: -places[k].y0)
    assert order == [0, 3, 1, 4, 2, 5]  # the first column's two, then the second's
    assert places[0].height == pytest.approx(2 * places[3].height, rel=1e-6)


def test_a_panel_stands_alone(tmp_path):
    figure, axes = style.panels(3)
    for k, axis in enumerate(axes):
        axis.set_title(f"panel {k}")
    vector.save_panel(figure, tmp_path / "one.svg", 1)
    text = (tmp_path / "one.svg").read_text()
    assert "panel 1" in text and "panel 0" not in text and "panel 2" not in text


def test_a_figure_is_written_wide_and_narrow_and_one_panel_of_it(tmp_path):
    def draw() -> Figure:
        figure, axes = style.panels(2)
        axes[1].plot([0, 1], [1, 0])
        return figure

    figure, made = vector.for_site(draw, tmp_path / "a")
    assert [path.name for path in made] == ["a.svg", "a-panel.svg", "a-narrow.svg"]
    assert len(figure.axes) == 2 and all(axis.get_visible() for axis in figure.axes)
    sizes = [re.search(r'viewBox="0 0 (\d+)', path.read_text()) for path in made]
    wide, panel, narrow = (int(size[1]) / 720 for size in sizes if size)  # tenths of a point
    assert narrow == pytest.approx(layout.NARROW, abs=0.01) and panel < narrow < wide


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.booleans())
def test_a_line_of_many_steps_keeps_within_a_third_of_a_point(seed, closed):
    """Every point that went lies near a step that stayed; the ends stay."""
    rng = np.random.default_rng(seed)
    steps = [(int(a), int(b)) for a, b in rng.integers(-9, 10, (rng.integers(1, 80), 2))]
    if closed:
        steps.append(tuple(-int(v) for v in np.sum(steps, axis=0)))
    left = polyline.fewer(steps)
    before, after = (np.cumsum([(0, 0), *s], axis=0) for s in (steps, left))
    assert len(left) <= len(steps) and (before[[0, -1]] == after[[0, -1]]).all()
    t = np.linspace(0, 1, 400)[:, None]
    there = np.concatenate([a + t * (b - a) for a, b in zip(after, after[1:])])
    far = max(np.hypot(*(there - point).T).min() for point in before)
    assert far <= polyline.NEAR + 0.2  # as finely as 400 points tell
