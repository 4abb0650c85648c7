"""Pictures of the runs that a command line names, in a folder of their own.

Such runs may be shorter than the grids' or changed, so they are not part of the results: every
picture says that it is custom, and no claim is judged by it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.papers import layout, style
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.shared import ItemData, by_seed, summarise
from mixup_repro.papers.sources import with_parts
from mixup_repro.report.items import PAPERS
from mixup_repro.stats import NoValues, interval
from mixup_repro.store import results
from mixup_repro.store.files import replacing
from mixup_repro.store.tables import write_table

CUSTOM = "custom"
PLACES = ("runs_dir=", "data_root=", "hardware", "retry=")  # words that do not define the runs
METRICS = {
    "accuracy": ("Test accuracy (%)", 100),
    "cross_entropy": ("Test cross-entropy (nats)", 1),
    "ece": ("ECE", 1),
}


def draw_custom(words: Sequence[str], folder: Path) -> Path:
    """Draw the runs in the results at `folder`: an overview, and the items of their experiment.

    words: the words of the command line that name the runs. Returns the picture of the first item
    that could be drawn, or that of the overview where none could.

    Raises:
        InputError: a file in the folder is malformed.
    """
    runs = results.load(folder)
    data = with_parts("overview", CUSTOM, 0, runs, folder)
    shown = [word for word in words if not word.startswith(PLACES)]
    told = f"Custom runs, not judged: {shlex.join(shown)}"
    table = overview_table(data)
    pictures = [_write(partial(overview, data), table, told, folder / "overview")]
    lines = [f"# {told}", "", "Not the runs of the committed results: no claim is judged by them."]
    lines += [f"{len(runs['run_id'].unique())} settings, {data.seeds()} seeds or more."]
    lines += ["", "![overview](overview.png)"]
    for item, on in _items(words):
        own = with_parts(on.name, CUSTOM, 0, runs, folder)
        try:
            table = item.table(own)
            if table.empty:
                raise NoValues("no rows of its table")
            picture = _write(partial(item.draw, own), table, told, folder / on.name)
        except (LookupError, ValueError) as error:  # the item expects the whole grid of configs/
            reason = str(error) if isinstance(error, NoValues) else type(error).__name__
            print(f"{on.name} is not drawn: these runs lack what it shows ({reason})")
            continue
        pictures.append(picture)
        lines += ["", f"## Custom: {item.title}", "", f"![{on.name}]({picture.name})"]
    with replacing(folder / "index.md") as file:
        file.write("\n".join(lines) + "\n")
    return pictures[min(1, len(pictures) - 1)]


def _items(words: Sequence[str]) -> Iterator[tuple[Item, On]]:
    """The items that are drawn from the runs of the experiment among these words."""
    named = [w.removeprefix("experiment=") for w in words if w.startswith("experiment=")]
    origins = {f"configs/experiment/{grid}.yaml" for grid in named}
    for paper in PAPERS:
        yield from ((item, on) for item, on in paper.settings if on.source.origin in origins)


def _write(draw: partial[Figure], table: pd.DataFrame, told: str, stem: Path) -> Path:
    """Write figure and table; returns the figure as PNG."""
    figure = draw()
    layout.headline(figure, told)
    write_table(stem.with_name(f"{stem.name}.csv"), table, "%.6g")
    return style.save(figure, stem)[0]


def _settings(data: ItemData) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """A label, the method and the rows of each run id, plain and rescaled at its own alpha.

    Labels that two run ids would share have the end of the id behind them.
    """
    runs = data.runs
    rescaled = (runs["evaluation"] == "rescaled") & (runs["eval_alpha"] == runs["alpha"])
    shown = runs[(runs["evaluation"] == "plain") | rescaled]
    several = {k for k, g in shown.groupby(_named(shown)) if g["run_id"].nunique() > 1}
    for run_id, rows in shown.groupby("run_id", sort=False):
        for evaluation, each in rows.groupby("evaluation"):
            name = _named(each)[0]
            label = f"{name} ({str(run_id)[-8:]})" if name in several else name
            label += ", rescaled" * (evaluation == "rescaled")
            yield label, str(each["method"].iloc[0]), each


def _named(rows: pd.DataFrame) -> list[str]:
    """The method of each row with its alpha, where it has one."""
    return list(map(style.named, rows["method"], rows["alpha"].astype(float)))


def overview_table(data: ItemData) -> pd.DataFrame:
    """Metrics on the test set, a row for each method, alpha and prediction."""
    return summarise(
        ({"runs": label}, {name: partial(by_seed, rows, name) for name in METRICS})
        for label, _, rows in _settings(data)
    )


def overview(data: ItemData) -> Figure:
    """Metrics on the test set: a point with its interval for each method, alpha and prediction."""
    settings = list(_settings(data))[::-1]
    size = (2.9, max(2.2, 0.6 + 0.22 * len(settings)))
    figure, axes = style.panels(len(METRICS), size=size, sharey=True)
    for axis, (metric, (name, unit)) in zip(axes, METRICS.items()):
        for place, (_, method, rows) in enumerate(settings):
            at = interval(unit * by_seed(rows, metric))
            look = style.SERIES[style.METHODS[method]]
            half = at.half if np.isfinite(at.half) else 0.0
            axis.errorbar([at.mean], [place], xerr=half, fmt="o", color=look["color"])
        axis.set_xlabel(name)
    axes[0].set_ylim(-0.6, len(settings) - 0.4)
    axes[0].set_yticks(range(len(settings)), [label for label, _, _ in settings])
    about = ", ".join(
        sorted({style.data_and_network(rows) for _, rows in data.runs.groupby("run_id")})
    )
    note = f"Mean and 95 % t interval over {data.seeds()} seeds or more. Scale: {data.scale}."
    return style.finish(figure, about, note)
