"""What of a run's record stands in which table of the committed results, and under which key."""

from __future__ import annotations

from typing import Any

from mixup_repro.store.identity import safe_label

# data: the start of the fingerprint of the data's content.
COLUMNS = (
    "run_id dataset data architecture method alpha seed scale evaluation eval_alpha "
    "accuracy cross_entropy ece brier temperature n_test epochs wall_s commit precision device"
).split()
# Columns that older versions of runs.csv had; they are left out when it is read.
GONE = ["paper", "item"]
FINGERPRINT = 8  # hex digits of the fingerprint of a run's data that its rows show
KEY = ["run_id", "seed", "evaluation", "eval_alpha"]
IMPORTED = (
    "run_id dataset data architecture source sha256 recipe evaluation eval_alpha "
    "accuracy cross_entropy ece brier temperature n_test commit device"
).split()
IMPORTED_KEY = ["run_id", "evaluation", "eval_alpha"]
CURVES = (
    "epoch mixed_loss weighted_accuracy test_accuracy test_cross_entropy "
    "train_accuracy train_cross_entropy test_accuracy_rescaled test_cross_entropy_rescaled "
    "train_accuracy_rescaled train_cross_entropy_rescaled"
).split()

OOD = (
    "benchmark corruption severity evaluation eval_alpha "
    "accuracy accuracy_pm0 cross_entropy ece brier n_test"
).split()

PROBES = ("probe", "setting", "metric", "value")


def _curves(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in CURVES} for row in record["curves"]]


def _predictions(record: dict[str, Any]) -> list[dict[str, Any]]:
    kept = record.get("predictions", ())
    return [
        {"example": i} | {f"p{k}": round(v, 4) for k, v in enumerate(p)} for i, p in enumerate(kept)
    ]


def _maps(record: dict[str, Any]) -> list[dict[str, Any]]:
    values = record.get("map")
    return [{f"g{k}": round(v, 3) for k, v in enumerate(values)}] if values else []


def _bins(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"evaluation": e["evaluation"], "eval_alpha": e["eval_alpha"], "bin": k}
        | {name: values[k] for name, values in e["bins"].items()}
        for e in record["evaluations"]
        if e["evaluation"] != "rescaled" or e["eval_alpha"] == record["config"]["method"]["alpha"]
        for k in range(len(e["bins"]["count"]))
    ]


def _ood(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in OOD} for row in record["ood"]]


def _probes(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in PROBES} for row in record["probe"]]


# What results/<part>/<run_id>.csv holds, and the columns besides the seed that name a row.
PARTS = {
    "curves": (_curves, ["epoch"]),
    "predictions": (_predictions, ["example"]),
    "maps": (_maps, []),
    "bins": (_bins, ["evaluation", "eval_alpha", "bin"]),
    "terms": (lambda record: record.get("terms", []), ["terms_alpha", "epoch"]),
    "ood": (_ood, ["benchmark", "corruption", "severity", "evaluation", "eval_alpha"]),
    "probes": (_probes, ["probe", "setting", "metric"]),
}


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of runs.csv, or of imported.csv: one for each evaluation of the run."""
    config = record["config"]
    fixed = {
        "dataset": safe_label(record["data"]["label"]),
        "data": record["data"]["fingerprint"][:FINGERPRINT],
        "architecture": config["architecture"]["name"],
        "method": config["method"]["name"],
        "alpha": config["method"]["alpha"],
        "epochs": config["recipe"]["epochs"],
    }
    fixed["scale"] = config["scale"]
    fixed |= {k: record[k] for k in ("run_id", "seed", "wall_s", "commit", "device")}
    if "imported" in record:
        fixed |= record["imported"]
    else:
        fixed["precision"] = record["switches"]["precision"]
    return [fixed | {k: e[k] for k in e if k != "bins"} for e in record["evaluations"]]
