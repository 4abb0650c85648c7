"""One look for every figure: each method has its colour, and a line and marker for grey print.

Lines are named at their ends where there is room, and otherwise in a key above the panels. Below
the title stand data and network; in the note at the foot what marks mean, n and the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mixup_repro.methods import registry
from mixup_repro.networks import NETWORKS
from mixup_repro.papers import layout
from mixup_repro.stats import Interval, interval
from mixup_repro.store.files import replacing

Values: TypeAlias = "Sequence[float] | pd.Index"
INK, SOFT, LINE, WASH, HELP = "#1B2230", "#5A6270", "#DDE1E7", "#EDF0F4", "#E7F2FB"
# Found by a search for the largest distance (CIEDE2000) between the two colours that look most
# alike, to normal sight and to three kinds of colour blindness. tests/test_style.py computes it;
# the colours of Okabe and Ito have 12 at worst.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0A66C2", "#E4622F", "#064A2A", "#5B1F57", "#85888E"
COLOURS = {"blue": BLUE, "orange": ORANGE, "green": GREEN, "purple": PURPLE, "grey": GREY}
# Text in a mark's colour is darker where the mark has less than 4.5 : 1 on white.
TEXT = {BLUE: "#0A5CB0", ORANGE: "#B8431A", GREY: "#5C6068"}


def _look(colour: str, line: str, marker: str) -> dict[str, Any]:
    return {"color": COLOURS[colour], "linestyle": line, "marker": marker}


SERIES = {method.title: _look(*method.look) for method in registry.METHODS.values()} | {
    "ERM (rescaled)": _look("grey", ":", "s"),
    "Mixup (rescaled)": _look("orange", "-", "D"),
    "Approximate Mixup (rescaled)": _look("purple", "-", "d"),
}
METHODS = {name: method.title for name, method in registry.METHODS.items()}
RC: dict[Any, object] = {
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,
    "svg.hashsalt": "mixup_repro",
}
PANEL = (2.7, 2.2)  # inches
LINES = ("-", "--", "-.")  # of curves that differ in alpha or eps
EXACT = "Exact, no training"  # below the title of what is computed and not trained
FEW = 10  # up to so many runs are drawn one by one
# Titles of timm's networks that the papers and the notes use.
TIMM = {"resnet50": "ResNet-50", "vit_tiny_patch16_224": "tiny ViT"}


def network(name: str) -> str:
    """An architecture as titles show it; most of timm's keep their own names."""
    return NETWORKS[name].title if name in NETWORKS else TIMM.get(name, name)


def named(method: str, alpha: float) -> str:
    """A method as figures show it, with its alpha where it has one (is not nan)."""
    return METHODS[method] + (f", alpha = {alpha:g}" if np.isfinite(alpha) else "")


def panels(
    columns: int, rows: int = 1, size: tuple[float, float] = PANEL, **kwargs: Any
) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, row by row, without pyplot and its global state.

    size: of a panel with its labels, in inches; `finish` adds room for the text around the panels.
    Inside `layout.narrow` at most two stand side by side, and those of a column stay together.
    """
    matplotlib.rcParams.update(RC)
    if not layout.is_narrow():
        figure = Figure(figsize=(columns * size[0], rows * size[1]))
        return figure, list(figure.subplots(rows, columns, squeeze=False, **kwargs).flat)
    return layout.stacked(columns, rows, size, kwargs)


def ramp() -> LinearSegmentedColormap:
    """Colours from grey to ink, for what has an order and is no method, such as alphas."""
    return LinearSegmentedColormap.from_list("ramp", ["#A9AFB9", INK])


def shade(k: int, n: int) -> tuple[float, ...]:
    """The k-th of n colours of the ramp."""
    return ramp()(k / max(1, n - 1))


def colour_bar(
    axis: Axes, shown: ScalarMappable, label: str, ticks: Sequence[float], percent: bool = False
) -> None:
    """A bar beside a panel that explains its colours; the panel keeps its size."""
    place = axis.inset_axes((1.06, 0.1, 0.05, 0.8))
    bar = axis.figure.colorbar(shown, cax=place, ticks=[*ticks])
    bar.set_label(label, fontsize=8.5)
    bar.ax.grid(False)
    bar.outline.set_visible(False)
    if percent:
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1))


def classes() -> LinearSegmentedColormap:
    """Colours for the share of class 1: from blue (class 0) over white to orange (class 1)."""
    return LinearSegmentedColormap.from_list("classes", ["#9DC3EC", "white", "#F4B79E"])


def wrong() -> LinearSegmentedColormap:
    """Colours for the share that is wrong: from pale over orange to ink."""
    return LinearSegmentedColormap.from_list("wrong", [WASH, ORANGE, INK])


def text_colour(colour: str) -> str:
    """The colour of text beside a mark of this colour."""
    return TEXT.get(colour, colour)


def band(axis: Axes, x: Values, mean: Values, low: Values, high: Values, name: str) -> None:
    """A named line without markers, in a band from low to high."""
    look = SERIES[name] | {"marker": ""}
    axis.fill_between(x, low, high, color=look["color"], alpha=0.18, linewidth=0)
    axis.plot(x, mean, label=name, **look)


def runs(axis: Axes, values: pd.DataFrame, name: str) -> None:
    """A named line: the mean of curves, which are the columns, over their index.

    Up to FEW curves are drawn too, as thin lines; more are shown as a band, the 95 % t interval of
    the mean. Draws nothing where there are no values.
    """
    values = values.dropna(how="all")
    if values.empty:
        return
    if values.shape[1] > FEW:
        at = [interval(row.dropna()) for _, row in values.iterrows()]
        mean, low, high = ([getattr(i, part) for i in at] for part in ("mean", "low", "high"))
        band(axis, values.index, mean, low, high, name)
        return
    look = SERIES[name] | {"marker": ""}
    axis.plot(values, color=look["color"], alpha=0.3, linewidth=0.5, zorder=1.9)
    axis.plot(values.mean(axis=1), label=name, **look)


def level(axis: Axes, at: Interval, places: int, name: str) -> None:
    """A named horizontal line with its interval as a band, behind so many places of the x axis."""
    low, high = (at.low, at.high) if np.isfinite(at.half) else (at.mean, at.mean)
    ends = (-0.5, places - 0.5)
    band(axis, ends, [at.mean] * 2, [low] * 2, [high] * 2, name)


def points(axis: Axes, x: Values, at: Sequence[Interval], label: str, **look: Any) -> None:
    """Means, with intervals where there are any, joined by a line where the look has one."""
    half = [i.half if np.isfinite(i.half) else 0.0 for i in at]
    axis.errorbar(x, [i.mean for i in at], half, label=label, **{"elinewidth": 1.2} | look)


def effect(
    axis: Axes,
    place: float,
    values: Sequence[float] | pd.Series,
    colour: Any,
    across: bool = False,
    marker: str = "o",
    size: float = 5.5,
    beside: float = 0.16,
    against: float | None = 0.0,
) -> None:
    """A mean with its 95 % t interval, hollow where that includes `against`; few runs as dots.

    across: the effect is along the x axis. beside: the largest distance of a dot from `place`.
    """
    at = interval(values)
    half = at.half if np.isfinite(at.half) else 0.0
    if 1 < at.n <= FEW:
        places = place + beside * _spread(at.n)
        xy = (values, places) if across else (places, values)
        axis.plot(*xy, "o", color=colour, alpha=0.4, markersize=2.2, markeredgewidth=0, zorder=2.5)
    centre = (at.mean, place) if across else (place, at.mean)
    bar: dict[str, Any] = {"xerr" if across else "yerr": half}
    axis.errorbar(*centre, **bar, color=colour, elinewidth=1.4)
    look: dict[str, Any] = {"markersize": size, "markeredgecolor": colour, "zorder": 3}
    unsure = against is not None and at.low <= against <= at.high
    filling = "white" if unsure else colour
    axis.plot(*centre, marker, markerfacecolor=filling, markeredgewidth=1.3, **look)


def _spread(n: int) -> np.ndarray:
    """n evenly spaced places in [-1, 1], shuffled in the same way each time."""
    return np.random.default_rng(n).permutation(np.linspace(-1, 1, n))


def dodge(k: int, n: int, width: float = 0.2) -> float:
    """How far the k-th of n series is moved beside its place, so that no bar hides another."""
    return width * (k - (n - 1) / 2)


def zero_line(axis: Axes, across: bool = False, better: int = 0) -> None:
    """A line at zero. better: the side (1 or -1) that has a ground and this word; 0 for none."""
    line, span = (axis.axvline, axis.axvspan) if across else (axis.axhline, axis.axhspan)
    line(0, color=INK, linewidth=0.9, zorder=2)
    if better:
        low, high = axis.get_xlim() if across else axis.get_ylim()
        low, high = min(low, high, 0), max(low, high, 0)
        room = 0.06 * (high - low)  # so that no mark stands on the edge
        low, high = low - room * (low < 0), high + room * (high > 0)
        span(*((0, high) if better > 0 else (low, 0)), color=HELP, linewidth=0, zorder=0)
        (axis.set_xlim if across else axis.set_ylim)(low, high)
        share = (high if better > 0 else -low) / (high - low)
        if not across and share > 0.2:
            edge, upright = (0.97, "top") if better > 0 else (0.03, "bottom")
            look: dict[str, Any] = {"va": upright, "fontsize": 8.3, "color": SOFT, "zorder": 1}
            axis.text(0.02, edge, "better", transform=axis.transAxes, **look)


def alpha_ticks(axis: Axes, alphas: Sequence[float]) -> None:
    """Alphas at equal steps with their values; every other one where a narrow screen has many."""
    names = [f"{a:g}" for a in alphas]
    every = 2 if layout.is_narrow() and len("".join(names)) > 14 else 1
    shown = [name if (len(names) - 1 - k) % every == 0 else "" for k, name in enumerate(names)]
    axis.set_xticks(range(len(alphas)), shown)
    axis.set_xlim(-0.5, len(alphas) - 0.5)
    axis.set_xlabel(r"$\alpha$")


def name_lines(axis: Axes, *others: Axes) -> None:
    """Write the names of a panel's lines at their ends, where `finish` moves them apart.

    The lines of this panel, and of others with the same lines, are left out of the key.
    """
    for line, label in zip(*axis.get_legend_handles_labels()):
        mark: Any = line[0] if isinstance(line, tuple) else line
        heights = np.array(mark.get_ydata(), dtype=np.float64)
        end = heights[np.isfinite(heights)][-1]
        layout.end_label(axis, end, label, text_colour(mark.get_color()))
    for panel in (axis, *others):
        for line in panel.get_legend_handles_labels()[0]:
            line.set_label("_")


def finish(figure: Figure, title: str, note: str, about: str = "") -> Figure:
    """Add the title, `about` below it, a key of the lines that have no name yet, and the note."""
    matplotlib.rcParams.update(RC)
    lines = [axis.get_legend_handles_labels() for axis in figure.axes]
    by_name = {name: line for handles, names in lines for line, name in zip(handles, names)}
    layout.around(figure, title, about, by_name, note, SOFT)
    return figure


def data_and_network(runs: pd.DataFrame) -> str:
    """Data set and network of runs, for the line below a title."""
    about = runs.iloc[0]
    return f"{about['dataset']}, {network(about['architecture'])}"


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write <stem>.png and <stem>.pdf without dates, so that equal figures give equal bytes."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    undated = {"CreationDate": None, "Creator": None, "Producer": None}
    formats: dict[str, dict[str, Any]] = {
        "png": {"dpi": 200, "metadata": {"Software": None}},
        "pdf": {"metadata": undated},
    }
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in formats]
    for path, (kind, how) in zip(paths, formats.items()):
        with replacing(path, "wb") as file:
            figure.savefig(file, format=kind, **how)
    return paths
