"""Chidambaram et al., Figures 3 and 10 to 14: verdicts on made-up decision maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from test_carratino_items import SEEDS, item, rows

from mixup_repro.data.toy import grid, separated_moons
from mixup_repro.papers.chidambaram2022 import boundaries, fig3, fig12
from mixup_repro.papers.shared import ItemData
from mixup_repro.schema import DatasetConfig

POINTS = grid().numpy()


def wave(height: float, seed: int) -> np.ndarray:
    """Decisions on the grid, divided by a sine: the higher, the less linear."""
    across, up = POINTS.T
    return (across > height * (1 + 0.02 * seed) * np.sin(3 * up)).astype(float)


def moons(name: str, heights: dict[tuple[str, float], float]) -> ItemData:
    """Runs of methods at alphas (nan is ERM's), with boundaries of these heights."""
    runs, maps = [], []
    for (method, alpha), height in heights.items():
        for s in SEEDS:
            at = rows(method, seed=s)[0] | {"alpha": alpha, "run_id": f"{method}{alpha}"}
            runs.append(at)
            maps.append(at | {f"g{k}": v for k, v in enumerate(wave(height, s))})
    return item(name, runs, maps=maps)


ERM = ("erm", np.nan)
STRAIGHT, CURVED, WILD = 0.0, 0.15, 0.8


def found(module, data: ItemData, name: str) -> list[tuple[float | None, str]]:
    """(alpha, verdict) of the headline parts of a claim."""
    (claim,) = [claim for claim in module.CLAIMS if claim.id == name]
    return [(f.alpha, f.verdict) for f in claim.findings(data) if f.headline]


def test_less_linear_than_erm_is_not_highly_nonlinear():
    heights = {ERM: STRAIGHT} | {("mixup", a): CURVED for a in (1.0, 32.0, 1024.0)}
    data = moons("fig3_moons", heights)
    assert 95.5 < boundaries.by_seed(data, "mixup", 1.0).mean() < 99
    assert found(fig3, data, "fig3_nonlinear") == [(1, "contradicted"), (1024, "contradicted")]
    (claim,) = [claim for claim in fig3.CLAIMS if claim.id == "fig3_nonlinear"]
    detail = [f for f in claim.findings(data) if not f.headline]
    assert [(f.alpha, f.verdict) for f in detail] == [(a, "supported") for a in (1, 32, 1024)]
    wild = moons("fig3_moons", heights | {("mixup", 1024.0): WILD})
    assert found(fig3, wild, "fig3_nonlinear") == [(1, "contradicted"), (1024, "supported")]


def test_the_setting_of_the_code_is_judged_by_its_own_mixup():
    heights = {ERM: STRAIGHT} | {("mixup_accumulated", a): WILD for a in (1.0, 1024.0)}
    code = moons("fig3_moons_code", heights)
    assert found(fig3, code, "fig3_nonlinear") == [(1, "supported"), (1024, "supported")]
    assert len(boundaries.draw(code, 0.5).axes) == 4  # one row: there is no other variant
    both = moons("fig3_moons", heights | {("mixup", a): CURVED for a in (1.0, 1024.0)})
    assert found(fig3, both, "fig3_nonlinear") == [(1, "contradicted"), (1024, "contradicted")]
    assert len(boundaries.draw(both, 0.5).axes) == 6


@pytest.mark.parametrize(
    ("here", "there", "verdict"),
    [
        (CURVED, STRAIGHT, "supported"),
        (STRAIGHT, CURVED, "contradicted"),
        (CURVED, CURVED, "negligible"),
    ],
)
def test_erm_captures_the_shape_where_it_is_less_linear_than_at_the_other_separation(
    here, there, verdict
):
    data, other = moons("fig12_moons", {ERM: here}), moons("fig3_moons", {ERM: there})
    assert found(fig12, replace(data, beside={"other separation": other}), "fig12_both") == [
        (None, verdict)
    ]
    assert found(fig12, data, "fig12_both") == [(None, "not run")]


def test_the_yardstick_of_highly_is_the_boundary_of_nearest_neighbours():
    """At a separation of 0.5 they leave the best line 95 to 96.5 per cent of the square."""
    for seed in range(5):
        config = DatasetConfig("separated_moons", points=300, noise=0.1, separation=0.5)
        data = separated_moons(config).for_seeds([seed])
        nearest = KNeighborsClassifier(1).fit(data.x_train[0].numpy(), data.y_train[0].numpy())
        share = boundaries.linearity(nearest.predict(POINTS).astype(float))
        assert boundaries.HIGHLY <= share < 96.5


def test_committed_runs_of_both_separations_stand_beside_each_other(committed):
    entries = {e.name: e for e in committed}
    for name in ("fig12_moons", "fig12_moons_code"):
        data = entries[name].data
        assert set(data.runs["dataset"]) == {"moons-0.1"}
        assert set(data.other("other separation").runs["dataset"]) == {"moons-0.5"}
        assert set(data.other("other separation").runs["method"]) == {"erm"}
    code, own = (entries[name].data.runs for name in ("fig3_moons_code", "fig3_moons"))
    assert set(code["epochs"]) == {1000} and set(own["epochs"]) == {1500}
