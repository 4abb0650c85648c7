"""Suggestions for words of a command line that name no group, option or field."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import get_type_hints

from mixup_repro import schema
from mixup_repro.jobs import experiments
from mixup_repro.methods.registry import METHODS
from mixup_repro.paths import CONFIGS

CLOSE = 0.7  # difflib's similarity from which on a word is suggested; one wrong letter of six: 0.83


def meant(word: str) -> str:
    """The `group=option` or `group.field=value` nearest to a word; "" if nothing is near.

    >>> from mixup_repro.cli.nearest import meant
    >>> meant("network=lenet"), meant("schedule.epochs=1"), meant("architecture=lenett")
    ('architecture=lenet', 'recipe.epochs=1', 'architecture=lenet')
    """
    key, _, value = word.lstrip("+~").partition("=")
    known = options()
    if key in known:
        near = _near(value, known[key])
        return f"{key}={near}" if near else ""
    having = [group for group, names in known.items() if value in names]
    if having and "." not in key:
        return f"{max(having, key=lambda group: _alike(key, group))}={value}"
    near = _field(key)
    return f"{near}={value}" if near else ""


def options() -> dict[str, list[str]]:
    """The options of every config group, by group."""
    folders = [path for path in sorted(CONFIGS.iterdir()) if path.is_dir()]
    found = {folder.name: [p.stem for p in sorted(folder.glob("*.yaml"))] for folder in folders}
    return found | {"method": list(METHODS), "experiment": experiments()}


def _field(key: str) -> str:
    """The field nearest to a key: a similar one in its group, else one of its name, else any."""
    group, _, name = key.rpartition(".")
    known = _fields()
    own = [full for full in known if full.rpartition(".")[0] == group]
    same = [full for full in known if full.rpartition(".")[2] == name]
    return (_near(key, own) if group else "") or next(iter(same), "") or _near(key, known)


def _fields() -> list[str]:
    """Every field of a job, such as recipe.epochs."""
    found = []
    for name, kind in get_type_hints(schema.Config).items():
        inner = [field.name for field in fields(kind)] if is_dataclass(kind) else []
        found += [f"{name}.{field}" for field in inner] or [name]
    return found


def _near(name: str, names: list[str]) -> str:
    """The most similar name, or ""; of <paper>/<item> the last part alone may match."""
    parts = {n.rpartition("/")[2]: n for n in names}
    near = get_close_matches(name, [*names, *parts], 1, CLOSE)
    return parts.get(near[0], near[0]) if near else ""


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
