"""Every figure of the committed results: nothing is cut, no two texts overlap, all say what of."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from scipy import stats

from mixup_repro import report
from mixup_repro.data.toy import REACH, grid
from mixup_repro.papers.carratino2020 import fig4
from mixup_repro.papers.chidambaram2022 import boundaries, lecture
from mixup_repro.papers.shared import predicted, select
from mixup_repro.paths import CHECKOUT

PICTURES = {
    f"{paper.name}/theory_{name}": picture
    for paper in report.PAPERS
    for name, (picture, _) in paper.pictures.items()
}
PICTURES["chidambaram2022/theory_angles"] = partial(lecture.angles, n=8, draws=2)  # else a minute


# Reading the results takes half a minute, and every process of pytest-xdist lists the tests.
TABLES = CHECKOUT / "results" / "tables"
STEMS = sorted(
    path.relative_to(TABLES).with_suffix("").as_posix() for path in TABLES.glob("*/*.csv")
)


@pytest.fixture(scope="session")
def entries(committed) -> dict[str, report.Entry]:
    return {entry.stem: entry for entry in committed}


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """What is written on a figure, and where. Tick labels out of a panel's range are not drawn."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    found = [*figure.texts]
    for legend in figure.legends:
        found += legend.get_texts()
    panels = [*figure.axes, *(child for axis in figure.axes for child in axis.child_axes)]
    for panel in panels:
        if not panel.axison:
            continue
        found += [panel.title, panel._left_title, panel.xaxis.label, panel.yaxis.label]
        found += panel.texts
        for axis in (panel.xaxis, panel.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            found += [
                t.label1 for t in ticks if low <= t.get_loc() <= high and t.label1.get_visible()
            ]
    shown = [t for t in found if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in shown]


def faults(figure: Figure) -> list[str]:
    """Texts that leave the canvas, and pairs that overlap by more than a pixel."""
    written, canvas = texts(figure), figure.bbox
    out = [
        f"{text!r} is cut"
        for text, box in written
        if box.x0 < -1 or box.y0 < -1 or box.x1 > canvas.x1 + 1 or box.y1 > canvas.y1 + 1
    ]
    at = np.array([box.extents for _, box in written])
    shared = np.minimum(at[:, None, 2:], at[:, 2:]) - np.maximum(at[:, None, :2], at[:, :2])
    for k, other in np.argwhere(np.triu((shared > 1).all(-1), 1)):
        out.append(f"{written[k][0]!r} overlaps {written[other][0]!r}")
    return out


def checked(figure: Figure) -> list[str]:
    """What is written on a figure without fault: title, data, note, and then what came out."""
    assert faults(figure) == []
    written = [text.get_text() for text in figure.texts]
    assert len(written) >= 3 and all(written[:3])
    return written


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_of_a_picture_of_the_theory_is_cut_or_overlaps_another(name):
    figure = PICTURES[name]()
    assert len(checked(figure)) == 3 and figure.texts[0].get_weight() == "bold"


def test_every_entry_of_the_results_is_drawn_here(entries):
    assert sorted(entries) == STEMS


@pytest.mark.parametrize("name", STEMS)
def test_no_text_of_a_figure_is_cut_or_overlaps_another(name, entries, drawn):
    figure = drawn(entries[name])
    _, about, _, *finding = checked(figure)
    claims = any(
        not claim.ours and any(f.verdict != "not run" for f in found)
        for claim, found in entries[name].findings
    )
    assert len(finding) == claims and figure.texts[-1 if claims else 0].get_weight() == "bold"
    data, network = entries[name].trained
    assert data in about and network in about


@pytest.mark.parametrize("method, row", [("mixup", 1), ("erm", 2)])
def test_figure_4_draws_the_intervals_of_the_paired_differences_that_decide(method, row, entries):
    data = entries["carratino2020/fig4_digits-short"].data
    axes = fig4.draw(data).axes[3 * row : 3 * row + 3]
    for axis, (metric, (_, _, unit)) in zip(axes, fig4.METRICS.items(), strict=True):
        expected = []
        for alpha in data.alphas():
            plain, rescaled = (
                select(data.runs, method=method, alpha=None if method == "erm" else alpha, **which)
                .set_index("seed")[metric]
                .sort_index()
                for which in (predicted(None), predicted(alpha))
            )
            t = stats.ttest_rel(rescaled, plain).confidence_interval(0.95)
            expected.append([unit * t.low, unit * t.high])
        bars = [c.get_segments() for c in axis.collections if isinstance(c, LineCollection)]
        drawn = np.array([segment[:, 1] for (segment,) in bars])
        np.testing.assert_allclose(drawn, expected, atol=1e-9)
        means = [line for line in axis.lines if line.get_marker() == "o"]
        hollow = [
            to_hex(m.get_markerfacecolor()) == "#ffffff" for m in means if len(m.get_xdata()) == 1
        ]
        assert hollow == [low <= 0 <= high for low, high in expected]
        low, high = axis.get_ylim()
        assert low < 0 < high and low <= drawn.min() and drawn.max() <= high


@pytest.mark.parametrize("name", ["fig4_digits", "fig5_digits"])
def test_bars_of_several_series_at_one_alpha_stand_side_by_side(name, entries, drawn):
    axis = drawn(entries[f"carratino2020/{name}-short"]).axes[0]
    bars = [c.get_segments() for c in axis.collections if isinstance(c, LineCollection)]
    places = [round(float(segment[0, 0]), 6) for bar in bars for segment in bar]
    assert len(bars) == 3 and len(set(places)) == len(places)


def test_maps_are_drawn_finer_than_they_are_kept_with_log_odds_linear_in_between():
    x, y = grid().numpy().T.astype(float)
    odds = 1.5 * x - 0.7 * y + 0.2
    maps = pd.DataFrame({0: 1 / (1 + np.exp(-odds)), 1: 1 / (1 + np.exp(odds))})
    fine = boundaries.finer(maps)
    ticks = np.linspace(-REACH, REACH, boundaries.FINE)
    truth = 1.5 * ticks[None, :] - 0.7 * ticks[:, None] + 0.2
    np.testing.assert_allclose(fine, np.stack([truth, -truth], -1), atol=1e-6)
    assert fine.shape == (100, 100, 2)


def test_faults_are_found():
    figure = Figure()
    axis = figure.subplots()
    axis.set_title("a long title", loc="left")
    assert faults(figure) == []
    axis.text(0.5, 0.5, "one")
    axis.text(0.5, 0.5, "two")
    axis.text(0.9, 0.9, "far too long to stay on the canvas, wherever it is")
    assert len(faults(figure)) == 2
