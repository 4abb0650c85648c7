"""The look of figures: colours that colour-blind readers tell apart, marks that say what is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from mixup_repro.methods.registry import METHODS
from mixup_repro.papers import layout, style

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]


def linear(colour) -> np.ndarray:
    """A colour in linear RGB."""
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB, white D65."""
    xyz = np.array(TO_XYZ) @ rgb.clip(0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one, two) -> float:
    """Sharma, Wu and Dalal (2005), equations 2 to 22."""
    (L1, a1, b1), (L2, a2, b2) = one, two
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    G = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = (1 + G) * a1, (1 + G) * a2
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = C1 * C2 == 0
    dh = 0.0 if grey else (h2 - h1 + 180) % 360 - 180
    h = h1 + h2 if grey else (h1 + h2) / 2 + (180 if abs(h1 - h2) > 180 else 0)
    dL, dC, dH = L2 - L1, C2 - C1, 2 * np.sqrt(C1 * C2) * np.sin(np.radians(dh / 2))
    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    cos = [np.cos(np.radians(k * h + s)) for k, s in ((1, -30), (2, 0), (3, 6), (4, -63))]
    T = 1 + np.dot(cos, [-0.17, 0.24, 0.32, -0.20])
    SL, SC = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2), 1 + 0.045 * C
    SH = 1 + 0.015 * C * T
    turn = np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))
    R = -2 * np.sqrt(C**7 / (C**7 + 25**7)) * np.sin(turn)
    return np.sqrt((dL / SL) ** 2 + (dC / SC) ** 2 + (dH / SH) ** 2 + R * dC / SC * dH / SH)


@pytest.mark.parametrize(
    ("one", "two", "distance"),
    [  # Sharma et al., table 1
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_that_of_the_published_pairs(one, two, distance):
    assert ciede2000(one, two) == pytest.approx(distance, abs=5e-5)


def worst(colours, sight: str) -> float:
    seen = [lab(np.array(SIGHT[sight]) @ linear(c)) for c in colours]
    return min(ciede2000(*pair) for pair in combinations(seen, 2))


@pytest.mark.parametrize("sight", SIGHT)
def test_every_two_colours_of_methods_lie_far_apart_for_every_sight(sight):
    assert worst(style.COLOURS.values(), sight) >= 18.9
    if sight == "protan":  # Okabe and Ito's, which were here before
        assert worst(["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"], sight) < 13


def contrast(colour) -> float:
    """Of a colour on white (WCAG 2)."""
    return 1.05 / (linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_marks_and_text_can_be_read_on_white():
    text = [style.INK, style.SOFT, *map(style.text_colour, style.COLOURS.values())]
    assert min(map(contrast, style.COLOURS.values())) > 3
    assert min(map(contrast, text)) > 4.5
    assert len(set(map(style.text_colour, style.COLOURS.values()))) == len(style.COLOURS)


# Methods that one figure compares.
TOGETHER = [
    ("erm", "mixup", "approx_mixup", "erm_modified"),
    ("erm", "mixup", "approx_mixup", "label_smoothing"),
    ("erm", "mixup", "mixup_inputs", "mixup_independent"),
    ("erm", "mixup", "mixup_accumulated"),
    ("erm", "mixup", "cutmix", "label_smoothing"),
    ("erm", "mixup", "manifold_mixup", "label_smoothing"),
]


@pytest.mark.parametrize("methods", TOGETHER)
def test_methods_that_are_compared_have_colours_of_their_own(methods):
    colours = {style.SERIES[METHODS[m].title]["color"] for m in methods}
    assert len(colours) == len(methods)
    assert style.SERIES["Mixup (rescaled)"]["color"] not in colours - {style.ORANGE}


def marks(values, **how) -> list:
    _, (axis,) = style.panels(1)
    style.effect(axis, 2.0, pd.Series(values), style.BLUE, **how)
    return axis.lines


@pytest.mark.parametrize(
    ("values", "against", "hollow"),
    [
        ([-1.0, 1.0, 0.5], 0.0, True),
        ([1.0, 1.1, 0.9], 0.0, False),
        ([1.0, 1.1, 0.9], 1.0, True),
        ([1.0], 0.0, True),  # one run has no interval
        ([1.0], None, False),
    ],
)
def test_a_mean_is_hollow_where_its_interval_includes_what_it_is_judged_by(values, against, hollow):
    mean = marks(values, against=against)[-1]
    assert (to_hex(mean.get_markerfacecolor()) == "#ffffff") == hollow
    assert mean.get_ydata()[0] == pytest.approx(np.mean(values))


@pytest.mark.parametrize(("n", "drawn"), [(1, 0), (2, 2), (10, 10), (11, 0)])
@pytest.mark.parametrize("across", [False, True])
def test_few_runs_are_drawn_one_by_one_beside_their_mean(n, drawn, across):
    values = np.arange(n) + 0.5
    small = [m for m in marks(values, across=across) if m.get_markersize() < 3]
    assert sum(len(m.get_xdata()) for m in small) == drawn
    for m in small:
        shown, places = (m.get_xdata(), m.get_ydata())[:: 1 if across else -1]
        np.testing.assert_array_equal(shown, values)
        assert len(set(places)) == n and np.abs(np.array(places) - 2).max() < 0.2


def test_series_stand_beside_their_place_and_their_mean_on_it():
    for n in range(1, 5):
        places = [style.dodge(k, n) for k in range(n)]
        assert len(set(places)) == n and np.mean(places) == pytest.approx(0)


def test_text_is_broken_between_words_and_never_in_maths():
    text = r"as large as $\alpha = 1 + 2 + 3$ is"
    lines = ["as large", "as", r"$\alpha = 1 + 2 + 3$", "is"]
    assert layout.wrap(text, 0.7, 10).split("\n") == lines
    assert layout.wrap(text, 10, 10) == text
    assert layout.wrap("one\ntwo", 10, 10) == "one\ntwo"


def test_names_at_ends_of_lines_stand_apart_and_in_order():
    figure, (axis,) = style.panels(1)
    names = ["low", "lower", "high", "low too"]
    for name, end in zip(names, (0.1, 0.0, 1.0, 0.11)):
        axis.plot([0, 1], [0.5, end], label=name)
    style.name_lines(axis)
    style.finish(figure, "title", "note", "about")
    boxes = {t.get_text(): t.get_window_extent() for t in axis.texts}
    order = sorted(boxes, key=lambda name: boxes[name].y0)
    assert order == ["lower", "low", "low too", "high"]
    assert all(boxes[a].y1 <= boxes[b].y0 + 1 for a, b in zip(order, order[1:]))
    assert not figure.legends
