"""The notes' items about groups of examples, on made-up runs whose verdicts are known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from test_carratino_items import SEEDS, item, noise, verdicts

from mixup_repro.papers.claims import CONTRADICTED, NEGLIGIBLE, NOT_RUN, SUPPORTED
from mixup_repro.papers.notes import active, local, shortcuts
from mixup_repro.papers.shared import ItemData

ALPHAS = (0.2, 1.0, 8.0)
RUNS = [("erm", np.nan), *product(("mixup", "cutmix"), ALPHAS)]


def made_up(name: str, groups: dict, accuracy=lambda m, a, s: 0.9) -> ItemData:
    """groups: (setting, metric) of the probe `groups` to a function of method, alpha and seed."""
    every = [(m, a, s) for m, a in RUNS for s in SEEDS]
    heads = [{"run_id": f"{m}-{a}", "method": m, "alpha": a, "seed": s} for m, a, s in every]
    runs = [
        head | {"accuracy": accuracy(*e), "cross_entropy": 0.1} for head, e in zip(heads, every)
    ]
    probes = [
        head | {"probe": "groups", "setting": setting, "metric": metric, "value": level(*e)}
        for (setting, metric), level in groups.items()
        for head, e in zip(heads, every)
    ]
    return item(name, runs, probes=probes or None)


def test_shortcuts_are_judged_by_accuracy_where_the_cue_misleads():
    def at(m: str, a: float, s: int) -> float:
        return {"erm": 0.7, "mixup": 0.6, "cutmix": 0.8}[m] + noise(s, len(m))

    data = made_up("shortcuts_digits", {}, at)
    expected = 3 * [CONTRADICTED] + 3 * [SUPPORTED]
    found = {c.id: c.findings(data) for c in shortcuts.CLAIMS if c.concerns("shortcuts_digits")}
    assert {id: [f.verdict for f in parts if f.headline] for id, parts in found.items()} == {
        "shortcut": expected,
        "spurious": expected,
    }
    assert len(shortcuts.draw(data).axes) == 4
    assert shortcuts.table(data)["accuracy"].iloc[0] == pytest.approx(0.7, abs=0.02)


def fair(rare: dict[str, float], common: float) -> ItemData:
    """Accuracy on the rare group by method, 0.9 in every class but one, which is at `common`."""
    groups = {
        ("rare", "accuracy"): lambda m, a, s: rare[m] + noise(s, len(m)),
        ("common", "accuracy"): lambda m, a, s: common + noise(s),
        ("rare", "ece"): lambda *_: 0.0,  # no accuracy
    }
    groups |= {(f"class {k}", "accuracy"): lambda *_: 0.9 for k in range(9)}
    groups |= {("class 9", "accuracy"): lambda m, a, s: common + noise(s)}
    return made_up("rare_digits", groups)


def test_fairness_is_about_the_group_and_the_class_that_fare_worst():
    (claim,) = (c for c in shortcuts.CLAIMS if c.id == "fairness")
    helped = fair({"erm": 0.3, "mixup": 0.4, "cutmix": 0.2}, common=0.8)
    found = [f.verdict for f in claim.findings(helped) if f.headline]
    groups = 3 * [SUPPORTED] + 3 * [CONTRADICTED]
    assert found == [*groups, *(6 * [NEGLIGIBLE])]  # no class fares otherwise
    # Where the common group fares worst, the rare one decides nothing.
    other = fair({"erm": 0.95, "mixup": 0.9, "cutmix": 0.97}, common=0.5)
    assert [f.verdict for f in claim.findings(other) if f.headline] == 12 * [NEGLIGIBLE]
    assert len(shortcuts.draw(helped).axes) == 6
    assert [f.verdict for f in claim.findings(made_up("rare_digits", {}))] == [NOT_RUN]


def test_the_worst_group_is_each_seeds_own():
    groups = {
        ("rare", "accuracy"): lambda m, a, s: 0.1 if s == 0 else 0.9,
        ("common", "accuracy"): lambda m, a, s: 0.9 if s == 0 else 0.2,
        ("class 0", "accuracy"): lambda *_: 0.0,
    }
    worst = shortcuts.WORST.values(made_up("rare_digits", groups), "mixup", 1.0)
    assert worst.to_dict() == {s: 0.1 if s == 0 else 0.2 for s in SEEDS}


@pytest.mark.parametrize("name", local.ERRORS)
def test_mixup_is_judged_against_erm_with_one_temperature(name):
    """Off by 30 points without a temperature; with one, ERM is off by 20 and Mixup by 10."""
    groups = {}
    for setting in ("classes", "rare", "common", "overlap", "apart"):
        for metric in ("ece", "from_truth"):
            groups[setting, metric] = lambda m, a, s: 0.3 + noise(s, len(m))
            groups[setting, f"{metric}_temperature"] = lambda m, a, s: (
                (0.2 if m == "erm" else 0.1) + noise(s, len(m))
            )
    data = made_up(name, groups)
    expected = len(local.ERRORS[name]) * (3 * [CONTRADICTED] + 3 * [SUPPORTED])
    assert verdicts(local, data) == {"calibration_local": expected}
    assert len(local.draw(data).axes) == 2 * len(local.ERRORS[name])
    row = local.table(data).set_index("method").loc["ERM"]
    (plain, with_t), *_ = local.ERRORS[name]
    assert row[plain.name] == pytest.approx(0.3, abs=0.02)
    assert row[with_t.name] == pytest.approx(0.2, abs=0.02)
    assert verdicts(local, made_up(name, {})) == {"calibration_local": [NOT_RUN]}


def pool(gain: dict[str, tuple[float, float]]) -> ItemData:
    """Accuracy by entropy over that by chance, of a method: early and late."""
    every = [(m, a, s) for m, a in RUNS if m != "cutmix" for s in SEEDS]

    def value(m: str, s: int, n: int, strategy: str) -> float:
        chance = 0.7 + 0.001 * n + noise(s, n)
        late = active.LABELS.index(n) > 2
        first = n == active.LABELS[0]
        more = 0.0 if first or strategy == "random" else gain[m][late]
        return chance + more + 0.1 * noise(s, n, len(m))

    probes = [
        {"run_id": f"{m}-{a}", "method": m, "alpha": a, "seed": s, "probe": "active"}
        | {"setting": strategy, "metric": f"accuracy {n}", "value": value(m, s, n, strategy)}
        for m, a, s in every
        for n in active.LABELS
        for strategy in active.STRATEGIES
    ]
    runs = [{"run_id": f"{m}-{a}", "method": m, "alpha": a, "seed": s} for m, a, s in every]
    return item("active_digits", runs, probes=probes)


def test_uncertainty_sampling_is_judged_by_its_gain_less_erms():
    data = pool({"erm": (-0.01, 0.03), "mixup": (-0.05, 0.06)})
    found = active.CLAIMS[0].findings(data)
    assert [f.verdict for f in found if f.headline] == 3 * [SUPPORTED] + 3 * [CONTRADICTED]
    own = {f.name: f.effect.mean for f in found if not f.headline and f.alpha == 1.0}
    assert list(own.values()) == pytest.approx([-0.05, 0.06], abs=0.003)
    row = active.table(data).set_index(["method", "labels by"]).loc[("ERM", "entropy")]
    by_chance = active.table(data).set_index(["method", "labels by"]).loc[("ERM", "random")]
    assert row["120 labels"] - by_chance["120 labels"] == pytest.approx(0.03, abs=0.003)
    assert len(active.draw(data).axes) == 6
    assert [f.verdict for f in active.CLAIMS[0].findings(item("active_digits"))] == [NOT_RUN]
