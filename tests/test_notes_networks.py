"""The notes' items on BatchNorm, corruption, attention and what is combined, on made-up runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from helpers import job
from test_carratino_items import SEEDS, item, noise, verdicts
from test_notes_items import apart, made_up

from mixup_repro.jobs import compose
from mixup_repro.papers.claims import AGREES, CONTRADICTED, DIFFERS, NOT_RUN, SUPPORTED
from mixup_repro.papers.notes import attention, batch_norm, combined, corruption, graph
from mixup_repro.shifts.corruptions import CORRUPTIONS


def test_batch_norm_is_judged_layer_by_layer_against_erm():
    levels = {("batch_norm", f"layer {k}", "ratio"): apart(1.0, v) for k, v in ((1, 0.8), (2, 1.2))}
    levels |= {("batch_norm", "layer 3", "ratio"): apart(1.0, 0.9)}
    found = verdicts(batch_norm, made_up(levels))
    assert found["bn_statistics"] == 3 * [SUPPORTED] + 3 * [CONTRADICTED] + 3 * [SUPPORTED]


def test_the_first_layers_formula_is_told_from_another_value():
    """At alpha 1 c = 2/3, so half of the variance within, and none of means, lose 0.98 / 6."""
    right = 1 - 0.98 / 6
    for at, verdict in ((right, AGREES), (right + 0.05, DIFFERS)):
        levels = {
            ("batch_norm", "layer 1", "ratio"): lambda m, a, s, at=at: at + noise(s, 5),
            ("batch_norm", "layer 1", "within"): lambda m, a, s: 0.5,
            ("batch_norm", "layer 1", "means"): lambda m, a, s: 0.0,
        }
        (found,) = [f for f in batch_norm.by_formula(made_up(levels)) if f.alpha == 1]
        assert found.verdict == verdict


def test_the_grid_of_batch_norm_has_the_batches_that_the_formula_takes():
    config = job("experiment=notes/batch_norm_digits", "method=mixup")
    assert config.recipe.batch_size == batch_norm.BATCH


def corrupted(gain: dict[str, float]) -> list[dict]:
    """Accuracies of ERM and Mixup on every corruption; gain: of Mixup, by family."""
    return [
        {"run_id": m, "method": m, "alpha": a, "seed": s, "benchmark": "c-generated"}
        | {"corruption": c, "severity": k, "evaluation": "plain", "eval_alpha": np.nan}
        | {"accuracy": 0.7 + noise(s, len(m)) + (gain[corruption.family(c)] if m == "mixup" else 0)}
        for m, a in (("erm", np.nan), ("mixup", 1.0))
        for s, c, k in product(SEEDS, CORRUPTIONS, range(1, 6))
    ]


def test_corruption_is_judged_family_by_family():
    gain = {"noise": 0.1, "blur": -0.1, "weather": 0.1, "digital": 0.1}
    data = replace(made_up({}), ood=pd.DataFrame(corrupted(gain)))
    data = replace(data, runs=data.runs[data.runs["alpha"].isna() | (data.runs["alpha"] == 1)])
    found = verdicts(corruption, data)["corruption"]
    assert found == [SUPPORTED, CONTRADICTED, SUPPORTED, SUPPORTED]
    names = [c for c in CORRUPTIONS if corruption.family(c) == "blur"]
    expected = np.mean([gain[corruption.family(c)] for c in CORRUPTIONS])
    every = corruption.accuracy(data, "mixup", 1.0, corruption.FAMILIES)
    assert every[0] == pytest.approx(0.7 + noise(0, 5) + expected) and len(names) >= 4


def smoothed(both: float) -> list[dict]:
    """Runs of CutMix and Mixup with smoothing, `both` right, beside 0.9 of either alone."""
    alone = made_up({}, lambda m, a, s: 0.9 + 0.1 * noise(s, len(m))).runs
    pairs = [("mixup_smoothed", "mixup"), ("cutmix_smoothed", "cutmix")]
    more = [
        alone[alone["method"] == one].assign(
            method=name,
            accuracy=[both + 0.1 * noise(s) for s in alone[alone["method"] == one]["seed"]],
        )
        for name, one in pairs
    ]
    return pd.concat([alone, *more]).to_dict("records")


@pytest.mark.parametrize("both, verdict", [(0.95, SUPPORTED), (0.85, CONTRADICTED)])
def test_smoothing_with_mixing_is_judged_against_either_alone(both, verdict):
    found = verdicts(combined, item("bank", smoothed(both)))
    assert found["combined_smoothing"] == 12 * [verdict]  # 3 alphas, 2 methods, 2 alone
    assert found["combined_decay"] == [NOT_RUN]


def test_decay_with_mixing_is_judged_against_no_decay_and_against_erm():
    """Mixup and CutMix gain by decay; beside ERM, which has decay, they lose."""
    plain = made_up({}, lambda m, a, s: 0.8 + 0.1 * noise(s, 9))
    data = made_up({}, lambda m, a, s: (0.95 if m == "erm" else 0.9) + 0.1 * noise(s, len(m)))
    data = replace(data, beside={combined.UNDECAYED: plain})
    found = verdicts(combined, data)["combined_decay"]
    assert found == 2 * (3 * [SUPPORTED] + 3 * [CONTRADICTED])


def test_runs_without_decay_differ_from_the_others_in_nothing_else():
    with_decay, without = (
        job(f"experiment=notes/combined_digits{name}", "method=mixup")
        for name in ("", "_undecayed")
    )
    assert (with_decay.recipe.weight_decay, without.recipe.weight_decay) == (5e-4, 0)
    assert replace(with_decay.recipe, weight_decay=0.0) == without.recipe
    assert with_decay.method == without.method


def test_attention_is_spread_by_mixup_and_drawn_by_cutmix():
    levels = {("attention", part, "entropy"): apart(0.5, 0.7) for part in ("clean", "mixed", "cut")}
    levels |= {("attention", "cut", "foreign"): apart(1.0, 0.9)}
    levels |= {("attention", "cut", "foreign_gain"): apart(0.0, 0.1)}
    found = verdicts(attention, made_up(levels))
    assert found["vit_spread"] == 6 * [SUPPORTED]
    less, gained = [CONTRADICTED], [SUPPORTED]
    assert found["vit_foreign"] == 3 * (less + gained) + 3 * less + 3 * gained


def test_embedded_neighbourhoods_decide_and_pixels_stand_beside():
    data = made_up({}, lambda m, a, s: (0.7 if m == "erm" else 0.8) + 0.1 * noise(s, len(m)))
    pixels = made_up({}, lambda m, a, s: (0.7 if m == "erm" else 0.6) + 0.1 * noise(s, len(m)))
    found = list(graph.helps(replace(data, beside={graph.PIXELS: pixels})))
    assert [f.verdict for f in found if f.headline] == 3 * [SUPPORTED]
    beside = [f for f in found if f.name.startswith("pixels: ")]
    assert not any(f.headline for f in beside)
    assert [f.verdict for f in beside] == 4 * [CONTRADICTED]  # three alphas and their mean


def test_each_setting_of_the_graph_has_its_labels_and_both_kinds_of_features():
    for on, each in zip(graph.ITEM.on, (1, 3, 10)):
        (_, _, *own), (_, _, *beside) = on.source.commands("short")
        asked = [
            {(job.dataset.points, job.dataset.hops) for job in compose(words)}
            for words in (own, beside)
        ]
        assert asked == [{(10 * each, 2)}, {(10 * each, 0)}]
