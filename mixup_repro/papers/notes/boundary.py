"""Decision boundaries in the plane: how long and curved they are, and where they lie."""

from __future__ import annotations

from functools import cache, partial

import pandas as pd
from matplotlib.figure import Figure

from mixup_repro.data import Dataset
from mixup_repro.data.toy import gaussians, gaussians_bayes
from mixup_repro.papers.carratino2020.fig1 import LAYOUTS
from mixup_repro.papers.claims import Claim
from mixup_repro.papers.items import Item, On
from mixup_repro.papers.notes import bank, plane
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs
from mixup_repro.probes.boundary import measures, square, trace
from mixup_repro.schema import DatasetConfig

TURNING = Quantity(
    "turning of the boundary (radians)",
    probed("boundary", "boundary", "turning"),
    -1,
    "Turning (radians)",
)
LENGTH = Quantity("length of the boundary", probed("boundary", "boundary", "length"), -1, "Length")
DENSITY = Quantity(
    "density on the boundary, over that at the data",
    probed("boundary", "boundary", "density"),
    -1,
    "Density, over the data's",
)
DISTANCE = Quantity(
    "distance from the boundary to the data",
    probed("boundary", "boundary", "distance"),
    1,
    "Distance to the data",
)
SHOWN = (TURNING, LENGTH, DENSITY, DISTANCE)
METRICS = dict(zip(SHOWN, ("turning", "length", "density", "distance")))
PREFIX = "boundary_"  # of the settings' names, before the layout
CLAIMS = (
    Claim(
        "boundary_smooth",
        "A14, C50",
        "Mixup's boundaries are smoother.",
        partial(bank.versus_erm, quantities=(TURNING,), detail=(LENGTH,)),
    ),
    Claim(
        "boundary_density",
        "A14",
        "Mixup's boundaries lie where data are rare: rarer than on ERM's.",
        partial(bank.versus_erm, quantities=(DENSITY,), detail=(DISTANCE,)),
    ),
)


def drawn(layout: str) -> Dataset:
    """The data of run 0."""
    return gaussians(DatasetConfig("gaussians", points=4000, layout=layout))


@cache
def bayes(layout: str) -> dict[str, float]:
    """The same measures of the Bayes classifier's boundary, on the data of run 0."""
    data = drawn(layout)
    lines = trace(gaussians_bayes(layout, square().numpy()))
    return measures(lines, data.x_train.numpy(), data.x_test.numpy(), layout)


def mark(data: ItemData, quantity: Quantity) -> tuple[float, str]:
    """The Bayes classifier's height in a panel."""
    return bayes(data.name.removeprefix(PREFIX))[METRICS[quantity]], "Bayes"


def table(data: ItemData) -> pd.DataFrame:
    """Each quantity of each method and alpha, and of the Bayes classifier."""
    found = bayes(data.name.removeprefix(PREFIX))
    exact = {"method": "Bayes"} | {q.name: found[metric] for q, metric in METRICS.items()}
    return pd.concat([bank.table(data, SHOWN), pd.DataFrame([exact])], ignore_index=True)


def draw(data: ItemData) -> Figure:
    """Boundaries of ERM and three alphas, and the quantities by alpha."""
    title = "Boundaries: how they turn, and where they lie"
    return plane.draw(data, SHOWN, drawn(data.name.removeprefix(PREFIX)), title, mark)


def on(layout: str, lies: str) -> On:
    """The setting of a layout."""
    return bank.setting(
        f"{PREFIX}{layout}",
        Runs(f"notes/plane_{layout}", ask="probe=boundary"),
        stands_in="an MLP on data of our own",
        here=(
            "each class is a mixture of Gaussians, so that the "
            f"density is known: 2,000 training points, an MLP 2-128-128-2; {lies} Boundaries are "
            "traced on a grid inside the square of the figure, and turns counted between steps of "
            "0.1; the distance is to the nearest training point."
        ),
    )


ITEM = Item(
    title="Boundaries in the plane",
    paper=(
        "a classifier of low curvature cannot wrap its boundary tightly around training points: "
        "its boundary is smooth and tends to lie in regions of low density (A14); smoother "
        "decision boundaries (C50)."
    ),
    on=tuple(on(layout, lies) for layout, lies in LAYOUTS.items()),
    claims=CLAIMS,
    draw=draw,
    table=table,
)
