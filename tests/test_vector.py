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
    """Where a path of M, m, l, h, v and z goes, read by the letter of the standard."""
    out, at = [], np.zeros(2)
    for letter, numbers in re.findall(r"([MmlhvzCQ])([^MmlhvzCQ]*)", path):
        values = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        if letter in "hv":
            for value in values:
                at = at + ([value, 0] if letter == "h" else [0, value])
                out.append(tuple(at))
        else:
            for pair in zip(values[::2], values[1::2]):
                at = np.array(pair) + (0 if letter == "M" else at)
                out.append(tuple(at))
    return out


@pytest.mark.parametrize("seed", range(3))
def test_a_line_goes_where_it_went(seed):
    line = np.random.default_rng(seed).uniform(0, 300, (40, 2)).round(4)
    outline = "M" + " L ".join(f" {x} {y}" for x, y in line)
    found = points(slim._steps(outline.replace("M", "M ").replace("L", "L ")))
    np.testing.assert_allclose(found, line, atol=0.051)  # errors do not add up along the way


def test_straight_steps_become_one():
    assert slim._steps("M 0 0 L 1 0 L 2 0 L 3 0 L 3 2 z") == "M0 0h3v2z"
    assert slim._steps("M 0 0 L 1 0 L 0 0") == "M0 0h1-1"  # back is no going on


def test_marks_of_one_look_become_one_path_and_keep_their_places():
    figure = Figure((3, 2))
    axis = figure.subplots()
    x = np.linspace(0, 1, 50)
    axis.plot(x, x**2, "o", color=style.BLUE, markersize=3, markeredgewidth=0)
    before, after = raw(figure), slim.slim(raw(figure))
    uses = re.findall(
        r'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)" style="fill: #0a66c2', before
    )
    (path,) = re.findall(r'<path d="([^"]+)"[^>]*stroke:#0a66c2', after)
    dots = points(path)[::2]  # each is followed by a line of no length
    np.testing.assert_allclose(dots, np.array(uses, dtype=float), atol=0.051)
    assert len(after) < len(before) / 3


def test_mathematics_flows_as_words():
    figure = Figure((4, 1))
    figure.text(0, 0.5, r"Mixup, $\alpha=1$: $\bar\theta$ on $X_3^2$")
    text = slim.slim(raw(figure))
    said = re.sub(r"<[^>]+>", "", text[text.index("<text") :])
    assert said.strip() == "Mixup, α = 1: θ̄ on X32"
    assert text.count('dy="') == 2  # down to the 3, up to the 2


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


def test_a_narrow_figure_that_is_large_is_left_out(tmp_path, monkeypatch):
    def draw() -> Figure:
        figure, (axis,) = style.panels(1)
        axis.plot([0, 1], [1, 0])
        return figure

    vector.for_site(draw, tmp_path / "a", narrow=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.svg", "a-panel.svg", "a-narrow.svg"}
    monkeypatch.setattr(vector, "LARGE", 10)
    vector.for_site(draw, tmp_path / "a", narrow=True)
    assert not (tmp_path / "a-narrow.svg").exists()


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
