"""The notes' items in the plane, on made-up runs whose verdicts are known."""

from __future__ import annotations

import numpy as np
import pytest
from test_carratino_items import SEEDS, item, noise, verdicts

from mixup_repro.data.toy import LAYOUTS, grid
from mixup_repro.papers.claims import CONTRADICTED, NEGLIGIBLE, NOT_RUN, SUPPORTED
from mixup_repro.papers.notes import boundary, circles

ALPHAS = (0.2, 1.0, 8.0)
RUNS = [("erm", np.nan), *(("mixup", a) for a in ALPHAS)]


def made_up(name: str, levels: dict, accuracy=lambda m, a, s: 0.9):
    """levels: (probe, setting, metric) to a function of method, alpha and seed."""

    def head(m, a, s):
        return {"run_id": f"{m}-{a}", "method": m, "alpha": a, "seed": s}

    every = [(m, a, s) for m, a in RUNS for s in SEEDS]
    runs = [head(*e) | {"accuracy": accuracy(*e), "cross_entropy": 0.1, "ece": 0.1} for e in every]
    probes = [
        head(*e) | {"probe": p, "setting": setting, "metric": metric, "value": level(*e)}
        for (p, setting, metric), level in levels.items()
        for e in every
    ]
    # A disc of class 1, of radius 1 + seed / 10.
    radius = grid().norm(dim=1).numpy()
    maps = [
        head(*e) | {f"g{k}": float(v) for k, v in enumerate(0.1 + 0.8 * (radius < 1 + e[2] / 10))}
        for e in every
    ]
    return item(name, runs, probes=probes or None, maps=maps)


def test_too_much_is_judged_at_the_largest_alpha():
    def at(m: str, a: float, s: int) -> float:
        return (0.8 if a == 8.0 else 0.95) + 0.1 * noise(s, len(m))

    inner = {
        ("groups", f"class {k}", "accuracy"): lambda m, a, s, k=k: 1 - 0.1 * k * (m != "erm")
        for k in (0, 1)
    }
    harmed = made_up("circles", inner, at)
    assert verdicts(circles, harmed) == {"circles": [SUPPORTED, SUPPORTED]}
    helped = made_up("circles", inner, lambda m, a, s: 1.75 - at(m, a, s))
    assert verdicts(circles, helped) == {"circles": [CONTRADICTED, CONTRADICTED]}
    same = made_up("circles", inner, lambda m, a, s: 0.9 + noise(s))
    assert verdicts(circles, same) == {"circles": [NEGLIGIBLE, NEGLIGIBLE]}
    detail = {f.part: f for f in circles.too_much(made_up("circles", inner, at)) if not f.headline}
    of_mixup = "accuracy, {} circle, Mixup - ERM, mean over alphas"
    assert detail[of_mixup.format("inner")].effect.mean == pytest.approx(-0.1)
    assert detail[of_mixup.format("outer")].effect.mean == 0
    assert verdicts(circles, item("circles")) == {"circles": [NOT_RUN]}


def test_boundaries_are_judged_by_turns_and_by_density():
    levels = {
        ("boundary", "boundary", name): lambda m, a, s, k=k: k + k * (m == "erm") + noise(s, len(m))
        for name, k in (("turning", 1), ("length", 1), ("density", -1), ("distance", 1))
    }
    data = made_up("boundary_ring", levels)
    found = verdicts(boundary, data)
    assert found == {"boundary_smooth": 3 * [SUPPORTED], "boundary_density": 3 * [CONTRADICTED]}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_bayes_classifier_stands_in_table_and_picture(layout):
    data = made_up(f"boundary_{layout}", {("boundary", "boundary", "length"): lambda *_: 5.0})
    last = boundary.table(data).iloc[-1]
    assert last["method"] == "Bayes"
    if layout == "ring":  # a closed curve around the middle, that is nowhere concave
        assert last["turning of the boundary (radians)"] == pytest.approx(2 * np.pi, rel=1e-3)
        # Eight-fold symmetry: halfway to a Gaussian of the ring both densities are known by hand.
        assert 2 * np.pi * 0.6 < last["length of the boundary"] < 2 * np.pi * 0.9
    assert 0 < last["density on the boundary, over that at the data"] < 1
    dotted = [line for axis in boundary.draw(data).axes for line in axis.lines if _dotted(line)]
    assert len(dotted) == 4


def _dotted(line) -> bool:
    return line.get_linestyle() == ":"


@pytest.mark.parametrize("module, name", [(circles, "circles"), (boundary, "boundary_arch")])
def test_a_picture_has_the_boundary_of_every_run(module, name):
    figure = module.draw(made_up(name, {}))
    above = figure.axes[:4]
    assert above[0].get_title("left") == "ERM"
    for axis in above:
        lines = [c for c in axis.collections if type(c).__name__ == "QuadContourSet"]
        radii = [np.linalg.norm(c.get_paths()[0].vertices, axis=1).mean() for c in lines]
        assert radii == pytest.approx([1 + s / 10 for s in SEEDS], abs=0.06)
