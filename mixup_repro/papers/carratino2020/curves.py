"""What Figures 2, 3 and 8 share: curves along training, and how closely one follows another."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from mixup_repro.papers import style
from mixup_repro.papers.claims import Finding, signed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, interval


def curve(rows: pd.DataFrame, method: str, column: str) -> pd.DataFrame:
    """A column of curve rows of one method: epochs (rows) by seeds (columns).

    Raises:
        NoValues: there is none.
    """
    chosen = rows[rows["method"] == method]
    if chosen.empty or column not in rows:
        raise NoValues(f"no {column} of {method}")
    return chosen.pivot(index="epoch", columns="seed", values=column)


def follows(data: ItemData, columns: dict[str, str]) -> list[Finding]:
    """Approximate Mixup's curves lie closer to Mixup's than ERM's do.

    For each column (and its name) the distance is |a - b|, averaged over epochs, by seed. The
    ratio of the two distances is detail.
    """
    findings = []
    for column, name in columns.items():
        mixup, approximate, erm = (
            curve(data.curves, m, column) for m in ("mixup", "approx_mixup", "erm")
        )
        near, far = ((other - mixup).abs().mean() for other in (approximate, erm))
        findings.append(signed(f"{name}: distance to Mixup, less ERM's", (near - far).dropna(), -1))
        ratio = near.mean() / far.mean()
        findings.append(
            Finding(f"{name}: {ratio:.0%} of ERM's distance", interval(near), "", "", False)
        )
    return findings


def panel(
    axis: Axes, rows: pd.DataFrame, method: str, column: str, name: str, unit: float = 1.0
) -> None:
    """Mean and 95 % interval over seeds against epochs; nothing where there are no runs."""
    try:
        values = unit * curve(rows, method, column)
    except NoValues:
        return
    at = [interval(row.dropna()) for _, row in values.iterrows()]
    mean, low, high = ([getattr(i, part) for i in at] for part in ("mean", "low", "high"))
    style.band(axis, values.index, mean, low, high, name)
    axis.set_xlabel("Epoch")


def last(data: ItemData, columns: dict[str, str], methods: tuple[str, ...]) -> pd.DataFrame:
    """Mean and half-width of the interval of each column after the last epoch."""
    out = []
    for method in methods:
        cells: dict = {"method": style.METHODS[method]}
        for column, name in columns.items():
            try:
                last_values = curve(data.curves, method, column).iloc[-1].dropna()
                cells |= interval(last_values).cells(name)
            except NoValues:
                continue
        if len(cells) > 1:
            out.append(cells)
    return pd.DataFrame(out)


def subtitle(data: ItemData) -> str:
    """Data set and network, for a figure's title."""
    about = data.runs.iloc[0]
    return f"{about['dataset']}, {style.network(about['architecture'])}"


def note(data: ItemData) -> str:
    """n, interval and scale, for the foot of a figure."""
    n = data.seeds()
    told = f"Mean and 95 % t interval over {n} seeds" if n > 1 else "One seed, so no interval"
    return f"{told}. Scale: {data.scale}."
