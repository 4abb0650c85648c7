"""The notes' items on made-up runs, whose verdicts are known, and the bank's own settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import product

import numpy as np
import pandas as pd
import pytest
from helpers import job
from test_carratino_items import SEEDS, item, noise, verdicts

from mixup_repro.beta import theta_bar
from mixup_repro.evaluation.metrics import BINS
from mixup_repro.jobs import compose, expand
from mixup_repro.papers.claims import (
    AGREES,
    CONTRADICTED,
    DIFFERS,
    NEGLIGIBLE,
    NOT_RUN,
    SUPPORTED,
)
from mixup_repro.papers.notes import (
    adversarial,
    anneal,
    bank,
    calibration,
    cutmix,
    hidden,
    label_noise,
    linearity,
    membership,
    representation,
    smooth,
    strength,
)
from mixup_repro.papers.shared import ItemData

ALPHAS = (0.2, 1.0, 8.0)
RUNS = [
    ("erm", np.nan),
    ("label_smoothing", np.nan),
    *product(("mixup", "cutmix", "mixup_inputs"), ALPHAS),
]
ITEMS = (
    "adversarial",
    "calibration",
    "landscape",
    "linearity",
    "membership",
    "strength",
    "label_noise",
    "anneal",
    "cutmix",
    "hidden",
    "attention",
    "batch_norm",
    "combined",
    "corruption",
    "representation",
    "smooth",
)
Level = Callable[[str, float, int], float]  # of a method, alpha and seed


def probes(levels: dict[tuple[str, str, str], Level]) -> list[dict]:
    """Rows of what probes found, for each run: (probe, setting, metric) at its level."""
    return [
        {"run_id": f"{m}-{a}", "method": m, "alpha": a, "seed": s}
        | {"probe": p, "setting": setting, "metric": metric, "value": level(m, a, s)}
        for (p, setting, metric), level in levels.items()
        for m, a in RUNS
        for s in SEEDS
    ]


def made_up(levels: dict[tuple[str, str, str], Level], accuracy: Level = lambda *_: 0.9, **parts):
    runs = [
        {"run_id": f"{m}-{a}", "method": m, "alpha": a, "seed": s, "evaluation": evaluation}
        | dict.fromkeys(("cross_entropy", "ece", "brier", "temperature"), 0.1 + noise(s, len(m)))
        | {"accuracy": accuracy(m, a, s)}
        for m, a in RUNS
        for s in SEEDS
        for evaluation in ("plain", "temperature")
    ]
    return item("bank", runs, probes=probes(levels) or None, **parts)


def apart(erm: float, other: float) -> Level:
    """ERM at one level, all others at another, with a little noise."""
    return lambda m, a, s: (erm if m == "erm" else other) + 0.01 * noise(s, len(m))


def segments(inside: float, logits: float, outside: float, three: float) -> ItemData:
    """ERM's deviations are 1; of all others as given."""
    of = {
        ("inside", "probabilities"): inside,
        ("inside", "logits"): logits,
        ("outside", "probabilities"): outside,
        ("outside", "logits"): outside,
        ("beside", "probabilities"): outside,
        ("three", "labels"): three,
    }
    return made_up({("segments", *key): apart(1.0, value) for key, value in of.items()})


def test_linearity_is_judged_in_probabilities_and_in_logits_at_each_alpha():
    found = verdicts(linearity, segments(inside=0.6, logits=1.2, outside=0.9, three=0.7))
    assert found["path_linear"] == 3 * [SUPPORTED] + 3 * [CONTRADICTED]
    assert found["hull_behaviour"] == 3 * [SUPPORTED]
    # 0.9 / 0.6 > 1, and for logits 0.9 / 1.2 < 1
    assert found["extrapolation"] == 6 * [SUPPORTED] + 3 * [CONTRADICTED]
    straighter_beyond = segments(inside=0.9, logits=0.9, outside=0.5, three=1.3)
    found = verdicts(linearity, straighter_beyond)
    assert found["extrapolation"] == 9 * [CONTRADICTED]
    assert found["hull_behaviour"] == 3 * [CONTRADICTED]


def attacked(pgd: Level, jacobian: Level) -> ItemData:
    levels = {
        ("adversarial", "pgd worst 0.1", "accuracy"): pgd,
        ("adversarial", "clean", "accuracy"): lambda m, a, s: 0.9 + noise(s),
    }
    levels |= {("jacobian", "test", n): jacobian for n in ("logits", "log_probabilities")}
    levels |= {("segments", "inside", "logits"): jacobian}
    return made_up(levels)


def test_a_guarantee_is_refuted_by_what_an_attack_finds():
    falls = attacked(apart(0.5, 0.6), apart(1, 1))
    assert [f.verdict for f in adversarial.found(falls) if f.headline] == 6 * [SUPPORTED]
    holds = attacked(lambda m, a, s: 0.9 + noise(s), apart(1, 1))
    assert [f.verdict for f in adversarial.found(holds) if f.headline] == 6 * [NEGLIGIBLE]


def test_what_foretells_attacks_is_a_rank_correlation_over_networks_of_a_seed():
    place = {run: k for k, run in enumerate((m, None if np.isnan(a) else a) for m, a in RUNS)}

    def rank(m: str, a: float, s: int) -> float:
        return place[m, None if np.isnan(a) else a] + noise(s, 1)

    falls = attacked(lambda m, a, s: 1 - 0.01 * rank(m, a, s), rank)
    assert verdicts(adversarial, falls)["adv_mechanism"] == 6 * [SUPPORTED]
    found = list(adversarial.foretells(falls))
    assert found[0].effect is not None and found[0].effect.mean == pytest.approx(-1)
    rises = attacked(lambda m, a, s: 0.01 * rank(m, a, s), rank)
    assert verdicts(adversarial, rises)["adv_mechanism"] == 6 * [CONTRADICTED]


def bins() -> list[dict]:
    """Made-up bins: counts, right ones and confidences of each."""
    rng = np.random.default_rng(0)
    return [
        {"run_id": "r", "method": m, "alpha": a, "seed": s, "evaluation": "plain", "bin": k}
        | {"count": n, "correct": rng.integers(n + 1), "confidence": n * (k + rng.random()) / BINS}
        for m, a in RUNS
        for s in SEEDS
        for k, n in enumerate(rng.integers(1, 9, BINS))
    ]


def test_confidence_less_accuracy_equals_a_loop_over_bins():
    rows = bins()
    data = made_up({}, bins=rows)
    for first, of in ((0, calibration.in_bins), (BINS - 1, calibration.in_top)):
        for s in SEEDS:
            excess = examples = 0.0
            for row in rows:
                if (row["method"], row["alpha"], row["seed"]) != ("cutmix", 8.0, s):
                    continue
                if row["bin"] >= first:
                    excess += row["confidence"] - row["correct"]
                    examples += row["count"]
            wanted = excess / examples if first == 0 else abs(excess / examples)
            assert of(data, "cutmix", 8.0)[s] == pytest.approx(wanted)


def test_the_best_alpha_is_chosen_by_the_other_seeds():
    """Seed 0 alone is best at alpha 1: it must not choose that, and pays."""

    def accuracy(m: str, a: float, s: int) -> float:
        if m != "mixup":
            return 0.9
        return {0.2: 0.95 + 0.1 * noise(s), 1.0: 0.99 if s == 0 else 0.9, 8.0: 0.97}[a]

    best, largest = strength.at_best(made_up({}, accuracy))
    assert largest == 8.0
    assert best.to_dict() == pytest.approx({s: 0.95 + 0.1 * noise(s) for s in SEEDS})
    assert verdicts(strength, made_up({}, accuracy))["alpha_sweet_spot"] == [
        SUPPORTED,  # against ERM
        CONTRADICTED,  # against the largest alpha
    ]


def test_alpha_tunes_membership_by_the_slope_in_one_minus_theta_bar():
    def falling(m: str, a: float, s: int) -> float:
        return 1.0 if np.isnan(a) else 0.8 - 2 * (1 - theta_bar(a)) + noise(s)

    levels = {("membership", "own", name): falling for name in ("gap_mean", "auc")}
    for finding in membership.tuned(made_up(levels)):
        assert finding.effect is not None and finding.effect.mean == pytest.approx(-2)
        assert finding.verdict == SUPPORTED


def test_of_a_claim_about_both_methods_one_that_the_runs_lack_is_not_run():
    """As LeNet's on CIFAR-10, without CutMix: all of Mixup's parts are there."""
    levels = {("occlusion", f"noise {sd:g}", "accuracy"): apart(0.9, 0.8) for sd in (0.1, 0.3)}
    levels |= {("occlusion", q, "accuracy"): apart(0.5, 0.7) for q in ("random 0.25", "random 0.5")}
    levels |= {("occlusion", "centre 0.5", "accuracy"): lambda m, a, s: 0.5 + noise(s, len(m))}
    data = made_up(levels)
    data = replace(data, runs=data.runs[data.runs["method"] != "cutmix"])
    found = verdicts(cutmix, data)
    assert found["noise_inputs"] == 2 * (3 * [CONTRADICTED] + [NOT_RUN])
    assert found["occlusion"] == 3 * [NOT_RUN]
    assert found["occlusion_mixup"] == 6 * [DIFFERS] + 3 * [AGREES]


def test_the_foot_of_a_figure_counts_the_seeds_of_what_is_drawn():
    """All runs have four seeds, and weights only two of those of Mixup."""
    levels = {("adversarial", "pgd worst 0.01", "accuracy"): lambda m, a, s: 0.5 + noise(s)}
    data = made_up(levels)
    few = data.probes[(data.probes["method"] != "mixup") | (data.probes["seed"] < 2)]
    figure = adversarial.ITEM.draw(replace(data, probes=few))
    assert any("2 to 4 seeds" in text.get_text().replace("\n", " ") for text in figure.texts)


def test_lenet_on_cifar10_is_asked_as_four_methods_of_one_epsilon():
    for item_of in (calibration, membership, adversarial, cutmix, linearity):
        (on,) = (on for on in item_of.ITEM.on if on.name.endswith("_cifar10"))
        train, ask = on.source.commands("paper")
        assert ask[0] == "evaluate" and any(word.startswith("probe=") for word in ask)
        runs = [run for words in [train[2:]] for each in compose(words) for run in expand(each)]
        smoothed = {run.config.method.epsilon for run in runs} - {None}
        assert smoothed == {0.1}
        assert {run.config.method.name: run.alpha for run in runs} == {
            "erm": None,
            "label_smoothing": None,
            "mixup": 1.0,
            "approx_mixup": 1.0,
        }


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_names_its_bank_and_draws_what_there_is(name):
    """With no probe's answers, the levels that the runs' own rows give are drawn all the same."""
    module = import_module(f"mixup_repro.papers.notes.{name}")
    assert module.ITEM.on[0].name == f"{name}_digits"
    data = made_up({}, bins=bins())
    figure = module.ITEM.draw(data)
    assert len(figure.axes) == 2 * len(module.SHOWN)
    for claim in module.CLAIMS:
        assert claim.findings(data)


def test_label_smoothing_of_the_bank_has_the_entropy_of_mixups_labels():
    """At alpha 1 lambda is uniform, so the mean entropy of a pair of two classes is 1/2 nat."""
    epsilon = job("experiment=notes/bank_digits", "method=label_smoothing").method.epsilon
    p = np.full(10, epsilon / 10)
    p[0] += 1 - epsilon
    lam = (np.arange(100_000) + 0.5) / 100_000
    of_pair = -(lam * np.log(lam) + (1 - lam) * np.log1p(-lam)).mean()
    assert -(p * np.log(p)).sum() == pytest.approx(0.9 * of_pair, abs=1e-3)


def test_wrong_labels_are_judged_at_the_last_epoch_and_the_best_one_stands_beside():
    """Mixup ends higher than ERM but was never as high; nobody learns more wrong labels."""

    def at(m: str, a: float, s: int) -> list[float]:
        last = {"erm": 0.5, "mixup": 0.7}.get(m, 0.6) + noise(s, len(m))
        return [last - 0.1, {"erm": 0.9}.get(m, 0.8), last]

    curves = [
        {"run_id": f"{m}-{a}", "method": m, "alpha": a, "seed": s, "epoch": e, "test_accuracy": v}
        for m, a in RUNS
        for s in SEEDS
        for e, v in enumerate(at(m, a, s), 1)
    ]
    levels = {
        ("memorised", "wrong", "as_labelled"): apart(0.6, 0.2),
        ("memorised", "wrong", "as_true"): apart(0.3, 0.7),
    }
    data = made_up(levels, lambda m, a, s: at(m, a, s)[-1], curves=curves)
    found = list(label_noise.CLAIMS[0].findings(data))
    each = {f.name: (f.headline, f.verdict) for f in found}
    assert each["accuracy, last epoch, Mixup - ERM, alpha = 1"] == (True, SUPPORTED)
    assert each["accuracy, best epoch, Mixup - ERM, alpha = 1"] == (False, CONTRADICTED)
    assert verdicts(label_noise, data)["memorisation"] == 3 * [SUPPORTED]


def test_the_bank_reads_a_method_minus_erm_by_seed():
    data = made_up({("membership", "own", "auc"): lambda m, a, s: len(m) + 0.5 * s * (m == "erm")})
    found = bank.change(data, membership.AUC, "mixup", 1.0)
    assert found.to_dict() == pytest.approx({s: 5 - 3 - 0.5 * s for s in SEEDS})


def test_an_alpha_that_falls_is_judged_against_it_fixed_its_mean_and_the_way_back():
    def at(level: float, *alphas: float) -> ItemData:
        rows = [
            {"run_id": f"mixup-{a}", "method": "mixup", "alpha": a, "seed": s}
            | dict.fromkeys(("accuracy", "cross_entropy", "ece"), level + noise(s, 2))
            for a in alphas
            for s in SEEDS
        ]
        return item("anneal_digits", rows)

    falling = made_up({}, lambda m, a, s: 0.9 + (0.05 if a == 8.0 else -0.05) + noise(s, 3))
    beside = {"fixed": at(0.9, *ALPHAS), "fixed at the mean": at(0.99, 0.1, 0.5, 4.0)}
    beside |= {anneal.RISING.format(a): at(0.8, anneal.NEARLY_ZERO) for a in (1.0, 8.0)}
    data = replace(falling, beside=beside)
    found = verdicts(anneal, data)
    fixed, mean = [CONTRADICTED, CONTRADICTED, SUPPORTED], 3 * [CONTRADICTED]
    assert found["anneal"] == [*fixed, *mean]
    assert found["anneal_order"] == 2 * [SUPPORTED]  # two alphas were risen to
    falls, stays, rises = (
        anneal.table(data).set_index(["which is", "alpha"]).loc[(name, 8.0), "accuracy"]
        for name in ("falling", "fixed at the mean", "rising")
    )
    assert rises < falls < stays
    assert len(anneal.draw(data).axes) == 6
    assert verdicts(anneal, falling) == {c.id: [NOT_RUN] for c in anneal.CLAIMS}
    off = replace(falling, name="anneal_cifar10", beside={"fixed": at(0.9, 1.0)})
    off.beside[anneal.OFF] = at(0.95, 1.0)
    assert verdicts(anneal, off)["anneal_off"] == [SUPPORTED]
    assert verdicts(anneal, off)["anneal"] == [CONTRADICTED, NOT_RUN]  # no runs at the mean
    notes = [text.get_text().replace("\n", " ") for text in anneal.draw(off).texts]
    assert any(f"{anneal.OFF} minus fixed" in note for note in notes)


def test_occlusion_is_cutmixs_claim_and_noise_is_that_of_both():
    levels = {("occlusion", q, "accuracy"): apart(0.5, 0.7) for q in ("random 0.25", "random 0.5")}
    levels |= {("occlusion", "centre 0.5", "accuracy"): apart(0.7, 0.5)}
    levels |= {("occlusion", f"noise {sd:g}", "accuracy"): apart(0.9, 0.8) for sd in (0.1, 0.3)}
    levels |= {("jacobian", "test", "concentration"): apart(0.5, 0.4)}
    found = verdicts(cutmix, made_up(levels))
    assert found["occlusion"] == 6 * [SUPPORTED] + 3 * [CONTRADICTED]
    assert found["noise_inputs"] == 12 * [CONTRADICTED]
    assert found["cutmix_distributed"] == 3 * [SUPPORTED]


def test_manifold_mixup_is_judged_against_mixup_not_erm():
    def accuracy(m: str, a: float, s: int) -> float:
        return {"mixup": 0.95, "manifold_mixup": 0.9}.get(m, 0.5) + noise(s, len(m))

    data = made_up({}, accuracy)
    own = data.runs[data.runs["method"] == "cutmix"]
    values = [accuracy("manifold_mixup", 1, s) for s in own["seed"]]
    own = own.assign(method="manifold_mixup", accuracy=values)
    data = replace(data, runs=pd.concat([data.runs, own]))
    found = list(hidden.versus_mixup(data, (hidden.ACCURACY,)))
    assert [f.verdict for f in found if f.headline] == 3 * [CONTRADICTED]


def test_smoothness_is_each_methods_own_and_mixups_loss_on_erms_way():
    levels = {
        ("smoothness", setting, metric): apart(1.0 + (setting == "mixed 1"), 0.5)
        for setting in ("own", "train", "mixed 1")
        for metric in ("change", "relative")
    }
    found = verdicts(smooth, made_up(levels))["landscape_smooth"]
    assert found == 12 * [SUPPORTED] + 2 * [CONTRADICTED]


def test_a_representation_is_judged_by_bends_and_by_spreads_against_erm():
    levels = {
        ("representation", f"layer {k}", metric): apart(1.0, 1.5 if metric == "bend" else 0.5)
        for k in (1, 2)
        for metric in ("bend", "spread", "dimension")
    }
    data = made_up(levels)
    own = data.probes[data.probes["method"] == "cutmix"].assign(method="manifold_mixup")
    runs = data.runs[data.runs["method"] == "cutmix"].assign(method="manifold_mixup")
    data = replace(data, probes=pd.concat([data.probes, own]), runs=pd.concat([data.runs, runs]))
    found = verdicts(representation, data)["manifold_flat"]
    assert found == 6 * [CONTRADICTED] + 6 * [SUPPORTED]
