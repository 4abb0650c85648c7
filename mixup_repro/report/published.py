"""Test accuracies that others published: as a table, and as curves with ours drawn beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from mixup_repro.errors import InputError
from mixup_repro.papers import style
from mixup_repro.papers.shared import by_epoch
from mixup_repro.store import results
from mixup_repro.store.tables import read_table

PUBLISHED = "Beside published numbers"
ABOUT_PUBLISHED = """What others report of ERM and Mixup, where the papers print no numbers: test
accuracy (%), the median of the last ten epochs. Their recipes are not the papers' (the logs of
dmlc/web-data have weight decay 1e-4), so no verdict counts them. `references.csv` has alpha, where
the source gives it."""
CAPTION = (
    "Published runs and ours; no verdict counts the published ones. `reference_curves.csv` has the "
    "points of their curves."
)
CURVES, FIGURE = "reference_curves.csv", "published.png"
KEY = "dataset network method alpha epochs source differs".split()
CURVES_KEY = "dataset network method epoch source".split()
LOGS = "dmlc/web-data"  # GluonCV's logs, whose Mixup runs do not mix in their last 20 epochs


def published(folder: Path) -> pd.DataFrame:
    """Published test accuracies (%): a row a network and number of epochs, a column a method.

    Raises:
        InputError: references.csv is malformed, or has several accuracies for one place.
    """
    if (frame := _references(folder)).empty:
        return frame
    keys = ["dataset", "network", "epochs", "source", "differs"]
    if frame.duplicated([*keys, "method"]).any():
        twice = frame[frame.duplicated([*keys, "method"])].iloc[0]
        raise InputError(
            f"{folder / 'references.csv'}: {twice['source']} has {twice['method']} on "
            f"{twice['network']} with several alphas, of which the table shows one; leave one"
        )
    wide = frame.pivot_table(index=keys, columns="method", values="accuracy")
    return wide.reset_index().rename_axis(columns=None)


def _references(folder: Path) -> pd.DataFrame:
    path = folder / "references.csv"
    if not path.exists():
        return pd.DataFrame()
    frame = read_table(path, [*KEY, "accuracy"], KEY)
    return frame.assign(accuracy=100 * frame["accuracy"])


def draw_published(folder: Path) -> None:
    """Write figures/published.png and .pdf; nothing where one of the two tables is missing.

    Left: test accuracy (%) by epoch of the published runs, and of ours with the same network.
    Right: Mixup's accuracy less ERM's for each network of the logs, before and after its last 20
    epochs without mixing.

    Raises:
        InputError: references.csv, reference_curves.csv or a curve of ours is malformed.
    """
    path, references = folder / CURVES, _references(folder)
    if not path.exists() or references.empty:
        return
    curves = read_table(path, [*CURVES_KEY, "accuracy"], CURVES_KEY)
    figure, axes = style.panels(2, size=(3.4, 2.9))
    for method, rows in curves.groupby("method"):
        axes[0].plot(rows["epoch"], 100 * rows["accuracy"], label=method, **_thin(str(method)))
    for method, alpha, values in _ours(folder, curves["network"].iloc[0]):
        look = style.SERIES[style.METHODS[method]]
        axes[0].plot(values, color=look["color"], linewidth=2.2, alpha=0.5)
        last = values.dropna(how="all").index[-1]
        name = f"{style.named(method, alpha)}, ours"
        axes[0].annotate(name, (last, values.loc[last].mean()), fontsize=8)
    axes[0].set_title("Test accuracy (%)")
    axes[0].set_xlabel("Epoch")
    axes[0].set_ylim(60, 95)
    style.name_lines(axes[0])
    _changes(axes[1], references[references["source"].str.startswith(LOGS)])
    style.finish(
        figure,
        "CIFAR-10: runs that others published, and ours",
        "One run each. Hollow: while mixing; filled: after 20 more without. No alpha is told.",
        f"{curves['network'].iloc[0]} (left); logs of {LOGS}, Apache-2.0",
    )
    style.save(figure, folder / "figures" / Path(FIGURE).stem)


def _thin(method: str) -> dict[str, Any]:
    return style.SERIES[method] | {"marker": "", "linewidth": 1.0}


def _ours(folder: Path, network: str) -> list[tuple[str, float, pd.DataFrame]]:
    """Our runs of a network on CIFAR-10: method, alpha (nan without), test accuracies (%).

    One entry for each run id, with epochs as rows and seeds as columns.

    Raises:
        InputError: runs.csv or a file of curves is malformed.
    """
    runs = results.load(folder)
    titles = runs["architecture"].map(style.network)
    same = runs[(runs["dataset"] == "cifar10") & titles.map(lambda t: network.startswith(f"{t} "))]
    found = []
    for (method, run_id), own in same.groupby(["method", "run_id"]):
        path = folder / "curves" / f"{run_id}.csv"
        rows = read_table(path, ["seed", "epoch", "test_accuracy"], ["seed", "epoch"])
        found.append((method, own["alpha"].iloc[0], 100 * by_epoch(rows, "test_accuracy")))
    return found


def _changes(axis: Axes, logs: pd.DataFrame) -> None:
    """Mixup's accuracy less ERM's (points): hollow while mixing, filled after it is off."""
    mixup, erm = (logs[logs["method"] == m].set_index("network") for m in ("Mixup", "ERM"))
    colour = style.SERIES["Mixup"]["color"]
    for place, network in enumerate(erm.index[::-1]):
        own = mixup.loc[[network]].sort_values("epochs")
        change = own["accuracy"] - erm.loc[network, "accuracy"]
        axis.plot(change, [place] * len(own), color=colour, linewidth=1)
        for value, filling in zip(change, ("white", colour)):
            axis.plot(value, place, "o", color=colour, markerfacecolor=filling)
    axis.set_yticks(range(len(erm)), erm.index[::-1])
    axis.set_title("Mixup less ERM (points)")
    style.zero_line(axis, across=True)
