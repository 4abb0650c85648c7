"""What makes a run this run: its id, and what must agree before a stored one is taken for it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mixup_repro.errors import InputError
from mixup_repro.schema import NOT_SCIENCE, SCIENCE, Config

if TYPE_CHECKING:
    from mixup_repro.data.source import DataSource
    from mixup_repro.schema import Run


def science(config: Config | Mapping[str, Any]) -> dict[str, Any]:
    """The non-null fields that a run's identity is made of.

    config: of one run; or as a record holds it, a mapping of groups to their fields.
    """
    groups = asdict(config) if isinstance(config, Config) else config
    fields: dict[str, Any] = {}
    for group in SCIENCE:
        skip = NOT_SCIENCE.get(group, ())
        values = groups[group].items()
        fields[group] = {k: v for k, v in values if v is not None and k not in skip}
    if groups["scale"]:
        fields["scale"] = groups["scale"]
    return fields


def run_id(config: Config | Mapping[str, Any]) -> str:
    """`<dataset>-<architecture>-<method>[-a<alpha>]-<hash8>`; the seed is not part of it.

    config: as for `science`.
    """
    fields = science(config)
    # repr of a float is exact and short; 1 and 1.0 must not differ, so numbers become floats.
    text = json.dumps(_floats(fields), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    parts = [_label(fields["dataset"]), fields["architecture"]["name"], fields["method"]["name"]]
    if "alpha" in fields["method"]:
        parts.append(f"a{fields['method']['alpha']:g}")
    return "-".join([*parts, digest])


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _floats(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_floats(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def dataset_label(config: Config | Mapping[str, Any]) -> str:
    """The data set's name in results, safe as a folder's name. config: as for `science`."""
    return _label(science(config)["dataset"])


def _label(data: Mapping[str, Any]) -> str:
    label = data.get("label") or data["name"]
    if data["name"] == "alternating_line":
        label = f"x_{data['points']}^{data['classes']}"
    if data["name"] == "separated_moons":
        label = f"moons-{data['separation']:g}"
    if data["name"] == "gaussians":
        label = f"gaussians-{data['layout']}"
    if data["name"] == "digits_graph":
        label = f"digits_graph-{data['points']}-{data['hops']}"
    return safe_label(label)


def safe_label(label: str) -> str:
    """A data set's name as it stands in ids and tables: safe as a folder's name and in a cell.

    A cell that starts with a minus is a formula to a spreadsheet.
    """
    return re.sub(r"^-|[^A-Za-z0-9_.^-]", "_", label)


def check_data(name: object, stored: dict[str, Any], dataset: DataSource) -> None:
    """Raise InputError where a stored run was trained on another data set than this one."""
    here, there = flat(dataset.fingerprint()), flat(stored)
    for part, value in here.items():
        if there.get(part) != value:
            was = there.get(part, "unknown, as by version 0.1.0")
            raise InputError(
                f"{name} was trained on other data than {dataset.label} here: {part} {was} "
                f"there, {value} here. Check dataset.root; or give this data a name of its own by "
                f"dataset.label=<name>; or remove the run by mixup-repro clean"
            )


def check_science(name: object, run: Run, stored: dict[str, Any]) -> None:
    """Raise InputError where a checkpoint is of another run than the folder it lies in."""
    here, there = flat(identity(run)), flat(stored)
    for field in sorted(here | there):
        if here.get(field) != there.get(field):
            raise InputError(
                f"{name} has a checkpoint of another run: {field}={there.get(field)} there, "
                f"{here.get(field)} here; was the folder copied? Move its epoch*.pt away, and the "
                f"run starts anew"
            )


def identity(run: Run) -> dict[str, Any]:
    """What makes a run this one: the science of its config, and its seed."""
    return science(run.config) | {"seed": run.seed}


def flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """{"recipe.lr": ...} of {"recipe": {"lr": ...}}."""
    out: dict[str, Any] = {}
    for name, value in fields.items():
        inner = flat(value) if isinstance(value, dict) else {"": value}
        out |= {f"{name}.{k}".rstrip("."): v for k, v in inner.items()}
    return out
