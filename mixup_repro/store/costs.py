"""What an epoch of a run cost, by what was trained and where: results/costs.csv.

A row holds the seconds an epoch of all committed runs of one id on one kind of device. They come
from the runs' records alone: `wall_s` over epochs, which includes the evaluations along training,
and whatever else the machine did meanwhile. Runs that were trained as one stack share its time, as
they will when they are trained again. Records hold no names of processors, so the row of a CPU is
of any processor with its instruction set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixup_repro.store.identity import dataset_label
from mixup_repro.store.tables import read_if_there

KEY = ["run_id", "device", "precision"]
# Runs with the same values here cost the same on one device; alpha, seed and labels do not matter.
KIND = ["dataset", "examples", "network", "method", "batch_size"]
SECONDS = ["epoch_s", "fastest_s", "slowest_s"]  # of one run: the median over `runs`, and its range
COLUMNS = ["run_id", *KIND, "device", "precision", "runs", *SECONDS]


def kind(config: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of KIND for a run. config: as its record holds it."""
    data, network = config["dataset"], config["architecture"]
    more = {k: v for k, v in network.items() if v is not None and k != "name"}
    return {
        "dataset": dataset_label(config),
        "examples": data.get("train_examples") or data.get("points"),
        "network": " ".join([network["name"], *(f"{k}={v}" for k, v in more.items())]),
        "method": config["method"]["name"],
        "batch_size": config["recipe"]["batch_size"],
    }


def merged(
    old: pd.DataFrame, runs: pd.DataFrame, kinds: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """The table of costs, made from the table of runs.

    old: the table before. It still tells the kind of ids whose records are not at hand, and keeps
        its rows of ids that `runs` does not have.
    runs: rows of runs.csv; of a run's several evaluations one counts.
    kinds: by id, of the records at hand.
    """
    fresh = pd.DataFrame([{"run_id": i} | dict(k) for i, k in kinds.items()], columns=COLUMNS[:6])
    known = pd.concat([old[COLUMNS[:6]], fresh]) if len(old) else fresh
    known = known.drop_duplicates("run_id", keep="last")
    for name in ("examples", "batch_size"):  # a column with a None would be written with 400.0
        known[name] = pd.to_numeric(known[name])
    table = _timed(runs).merge(known, on="run_id")[COLUMNS]
    others = old[~old["run_id"].isin(runs["run_id"])]
    return pd.concat([others, table]).sort_values(KEY) if len(others) else table


def _timed(runs: pd.DataFrame) -> pd.DataFrame:
    """Median, smallest and largest seconds an epoch, by id, device and precision."""
    once = runs.drop_duplicates(["run_id", "seed"]).dropna(subset=["wall_s", "epochs", *KEY])
    seconds = once["wall_s"].astype(float) / once["epochs"].astype(float)
    grouped = seconds.groupby([once[name] for name in KEY])
    table = grouped.agg(["count", "median", "min", "max"]).set_axis(["runs", *SECONDS], axis=1)
    return table.reset_index().sort_values(KEY)


def of_records(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The table of costs of finished runs at hand, from their records."""
    kinds, runs = {}, []
    for record in records:
        if "imported" in record:  # trained elsewhere, nobody knows how long
            continue
        kinds[record["run_id"]] = kind(record["config"])
        row = {name: record[name] for name in ("run_id", "seed", "wall_s", "device")}
        row |= {"epochs": record["config"]["recipe"]["epochs"]}
        runs.append(row | {"precision": record["switches"]["precision"]})
    columns = ["run_id", "seed", "wall_s", "epochs", "device", "precision"]
    return merged(pd.DataFrame(columns=COLUMNS), pd.DataFrame(runs, columns=columns), kinds)


def load(results: Path) -> pd.DataFrame:
    """The committed table; empty where there is none yet.

    Raises:
        InputError: a line of it is malformed.
    """
    return read_if_there(results / "costs.csv", COLUMNS, KEY)
