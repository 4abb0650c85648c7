"""The rules that the tree keeps: which room may know which, and where a fact may stand."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import commands
import pytest

from mixup_repro.methods.registry import METHODS
from mixup_repro.paths import CHECKOUT

PACKAGE = CHECKOUT / "mixup_repro"

# A module imports its own layer and those above it here, none below. A room is a module or a
# package; the longest name counts. Up to `training` it is the core; then the wings, of which
# `papers` is known to `report` and `cli` alone.
LAYERS = [
    line.split()
    for line in """
    errors paths schema stats beta plan distributed patience interrupt random_bits live exact
    methods.registry
    checks
    jobs
    store tensors
    data
    networks
    methods
    evaluation
    training
    theory
    imagenet
    shifts probes
    launch
    site
    papers
    report
    api
    cli
    """.strip().splitlines()
]
LAYER = {room: depth for depth, rooms in enumerate(LAYERS) for room in rooms}
FREE_OF_TORCH = ("schema", "jobs", "methods.registry", "store")


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name below mixup_repro, as a syntax tree."""
    trees = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        name = name.removesuffix("__init__").removesuffix(".")
        trees[name] = ast.parse(path.read_text(), str(path))
    return trees


def room(name: str) -> str:
    """The room of LAYERS that a module belongs to."""
    parts = name.split(".")
    prefixes = (".".join(parts[:k]) for k in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in LAYER), "")


def imports(name: str) -> set[str]:
    """What a module imports of the package, in functions too; what only types need does not count.

    The package itself is no room: its __init__ holds the version.
    """
    found = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: imports are absolute"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            named = {full for full in inside if full.removeprefix("mixup_repro.") in modules()}
            found.update(named, {node.module} if named != inside else ())
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(modules()[name])
    own = {full.removeprefix("mixup_repro.") for full in found if full.startswith("mixup_repro.")}
    assert own <= modules().keys(), f"{name} imports {own - modules().keys()}"
    return own


def python(code: str) -> list[str]:
    """The words that a Python of its own prints."""
    done = commands.plain("-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_module_has_a_room_and_every_room_is_there():
    homeless = [name for name in modules() if name and not room(name)]
    assert not homeless, f"say in LAYERS where {homeless} belong"
    assert LAYER.keys() <= modules().keys()


def test_no_import_runs_back_up():
    upwards = [
        f"{name} imports {other}"
        for name in modules()
        for other in imports(name)
        if name and LAYER[room(other)] > LAYER[room(name)]
    ]
    assert not upwards


def test_no_circle_of_imports():
    order = TopologicalSorter({name: imports(name) for name in modules()})
    order.prepare()  # CycleError names the circle


def test_the_core_loads_no_wing_and_planning_no_torch():
    """What is loaded, not what is written: names that are looked up while importing count too."""
    core = [n for n in modules() if n and LAYER[room(n)] <= LAYER["training"]]
    plain = [n for n in core if n.startswith(FREE_OF_TORCH)]
    code = f"""
import sys
from importlib import import_module
for name in {plain}:
    import_module("mixup_repro." + name)
print(*{{"torch", "matplotlib"}} & sys.modules.keys(), "|")
for name in {core}:
    import_module("mixup_repro." + name)
print(*[m for m in sys.modules if m.startswith("mixup_repro.")])
"""
    heavy, loaded = " ".join(python(code)).split("|")
    assert "jobs" in plain and "store.folder" in plain and "training.loop" in core
    assert heavy.split() == []
    rooms = {name: room(name.removeprefix("mixup_repro.")) for name in loaded.split()}
    assert {name for name, r in rooms.items() if LAYER[r] > LAYER["training"]} == set()
    assert len(rooms) == len(core)


def compared(tree: ast.Module) -> set[str]:
    """Strings that a module compares with == or !=, or matches."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = (node.left, *node.comparators)
        elif isinstance(node, ast.MatchValue):
            sides = (node.value,)
        else:
            continue
        found.update(side.value for side in sides if isinstance(side, ast.Constant))
    return found


def test_only_the_registry_knows_a_method_by_name():
    """Figures do, in `papers`. A record's key "imported" says where weights came from, and
    "gaussian_noise" is also a corruption."""
    for name, tree in modules().items():
        if name == "methods.registry" or room(name) == "papers":
            continue
        written = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
        named = (written - {"imported", "gaussian_noise"} | compared(tree)) & METHODS.keys()
        assert not named, f"{name} knows {named} by name: give methods/registry.py a flag"


@pytest.mark.parametrize("source", ['x == "mixup"', '"mixup" != x', 'match x:\n case "mixup": 0'])
def test_a_comparison_is_seen(source):
    assert compared(ast.parse(source)) == {"mixup"}


def test_no_file_of_the_library_is_longer_than_300_lines():
    long = {p.name: n for p in PACKAGE.rglob("*.py") if (n := p.read_text().count("\n")) > 300}
    assert not long, "split it the same day"


def test_the_map_in_the_readme_is_the_tree():
    text = (CHECKOUT / "README.md").read_text()
    table = text[text.index("## Map of the code") :].split("\n## ")[0]
    rows = [re.findall(r"`([\w/]+(?:\.py|/))", row) for row in re.findall(r"^\| `.*", table, re.M)]
    for place, *names in rows:  # `room/`, or `room/file.py` and others beside it
        base = CHECKOUT / (place if place.endswith("/") else Path(place).parent)
        missing = [n for n in names if not (base / n).exists() and not (CHECKOUT / n).exists()]
        assert (CHECKOUT / place).exists() and not missing, f"README: {place} {missing}"
    rooms = {f"mixup_repro/{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= {place for place, *_ in rows}
