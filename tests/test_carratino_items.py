"""Claims, tables and figures of Carratino et al. on made-up results, and the theorems' checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mixup_repro.beta import theta_bar
from mixup_repro.data.toy import grid, sample_gaussians
from mixup_repro.evaluation.metrics import BINS
from mixup_repro.papers.carratino2020 import (
    ablation,
    corruptions,
    fig1,
    fig2,
    fig3,
    fig5,
    fig6,
    fig7,
    fig8,
    fig9,
    lecture,
    table2,
    temperature,
    theorems,
)
from mixup_repro.papers.claims import (
    AGREES,
    CONTRADICTED,
    DIFFERS,
    ERRATUM,
    INCONCLUSIVE,
    NOT_RUN,
    SUPPORTED,
    Check,
)
from mixup_repro.papers.shared import ItemData
from mixup_repro.shifts.corruption_error import ALEXNET
from mixup_repro.store.rows import CURVES, PARTS

SEEDS = range(4)
ALPHA = {"erm": np.nan, "label_smoothing": np.nan}


def noise(*key: int) -> float:
    return 0.01 * np.random.default_rng(key).normal()


def rows(method: str, **columns) -> list[dict]:
    return [{"run_id": method, "method": method, "alpha": ALPHA.get(method, 1.0)} | columns]


def item(name: str, runs: list[dict] | None = None, **parts: list[dict]) -> ItemData:
    """What the committed results would give, with empty frames for what is not said."""
    frames = {
        kind: pd.DataFrame(
            parts.get(kind) or None,
            columns=None if parts.get(kind) else ["run_id", "method", "alpha", "seed", *key],
        )
        for kind, (_, key) in PARTS.items()
    }
    default = [row | {"seed": s} for s in SEEDS for row in rows("erm")]
    frame = pd.DataFrame(runs or default)
    for column, value in (("dataset", "toy"), ("architecture", "mlp"), ("evaluation", "plain")):
        if column not in frame:
            frame[column] = value
    if "eval_alpha" not in frame:
        frame["eval_alpha"] = np.nan
    return ItemData(name, "short", 1, frame, **frames)


def verdicts(module, data: ItemData) -> dict[str, list[str]]:
    """The headline verdicts of every claim of a module."""
    return {c.id: [f.verdict for f in c.findings(data) if f.headline] for c in module.CLAIMS}


def curves(level: dict[str, float]) -> list[dict]:
    """Every curve column is 1 / epoch + a level of the method, with a little noise."""
    return [
        rows(method, seed=s, epoch=e)[0]
        | {c: 1 / e + at + noise(s, e) for c in CURVES if c != "epoch"}
        for method, at in level.items()
        for s in SEEDS
        for e in (1, 2, 3)
    ]


@pytest.mark.parametrize("module, name", [(fig2, "fig2_x"), (fig8, "fig8_moons")])
def test_following_is_judged_by_the_distance_of_erm(module, name):
    near = item(name, curves=curves({"mixup": 0.0, "approx_mixup": 0.1, "erm": 0.5}))
    assert {v for vs in verdicts(module, near).values() for v in vs} == {SUPPORTED}
    far = item(name, curves=curves({"mixup": 0.0, "approx_mixup": -0.5, "erm": 0.1}))
    assert {v for vs in verdicts(module, far).values() for v in vs} == {CONTRADICTED}
    rows = curves({"mixup": 0.0, "approx_mixup": 0.1, "erm": 0.5})
    lacking = [r for r in rows if (r["method"], r["seed"]) != ("approx_mixup", 0)]
    findings = module.CLAIMS[0].findings(item(name, curves=lacking))
    assert {f.effect.n for f in findings} == {3} and "20% of" in findings[1].part  # 0.1 of 0.5
    partial = item(name, curves=curves({"mixup": 0.0, "erm": 0.1}))
    assert {v for vs in verdicts(module, partial).values() for v in vs} == {NOT_RUN}
    table = module.table(near)
    assert list(table["method"]) == ["ERM", "Mixup", "Approximate Mixup"]
    assert table["training loss"].iloc[2] == pytest.approx(1 / 3 + 0.1, abs=0.03)
    assert len(module.draw(near).axes) == len(module.draw(partial).axes) == 3


def test_the_table_of_the_moons_keeps_erm_which_has_no_rescaled_curves():
    level = curves({"mixup": 0.0, "approx_mixup": 0.1, "erm": 0.5})
    for row in level:
        if row["method"] == "erm":
            row.update({c: np.nan for c in CURVES if c.endswith("_rescaled")})
    data = item("fig8_moons", curves=level)
    table = fig8.table(replace(data, beside={"one_logit": data}))
    assert list(table["method"]) == ["ERM", "Mixup", "Approximate Mixup"]
    assert (
        list(table["n"]) == [4, 4, 4] and table["test accuracy, rescaled as one logit"].notna()[1]
    )


def terms(regularisation: dict[str, float], loss: dict[str, float]) -> list[dict]:
    return [
        rows(m, seed=s, epoch=e, terms_alpha=1.0)[0]
        | {"regularisation": regularisation[m] + noise(s, e), "modified_loss": loss[m]}
        for m in regularisation
        for s in SEEDS
        for e in (4, 8)
    ]


def test_figure_3_wants_the_smallest_regularisation_and_not_the_smallest_loss():
    reg = {"mixup": 0.1, "erm": 0.9, "erm_modified": 0.5}
    loss = {"mixup": 1.5, "erm": 2.0, "erm_modified": 1.2}
    data = item("fig3_x", terms=terms(reg, loss))
    assert verdicts(fig3, data) == {"fig3_reg": [SUPPORTED] * 2, "fig3_loss": [SUPPORTED]}
    other = item("fig3_x", terms=terms(reg | {"erm": -0.3}, loss | {"erm_modified": 1.6}))
    assert verdicts(fig3, other) == {
        "fig3_reg": [CONTRADICTED, SUPPORTED],
        "fig3_loss": [CONTRADICTED],
    }
    assert verdicts(fig3, item("fig3_x"))["fig3_reg"] == [NOT_RUN]
    lacking = [r for r in terms(reg, loss) if (r["method"], r["seed"]) != ("erm_modified", 3)]
    fewer = fig3.ITEM.claims[0].findings(item("fig3_x", terms=lacking))
    assert [f.effect.n for f in fewer if f.headline] == [4, 3]
    none = [r for r in lacking if r["method"] != "erm_modified" or r["seed"] == 9]
    assert verdicts(fig3, item("fig3_x", terms=none))["fig3_reg"] == [SUPPORTED, NOT_RUN]
    table = fig3.table(data).set_index("method")
    assert table.loc["ERM", "regularisation"] == pytest.approx(0.9, abs=0.02)
    figure = fig3.draw(data)
    ended = figure.axes[1]  # Mixup minus ERM, Mixup minus ERM on modified data
    means = [line.get_ydata()[0] for line in ended.lines if len(line.get_ydata()) == 1]
    assert {round(mean, 1) for mean in means} == {-0.8, -0.4}
    assert "Mixup ends with the smallest" in figure.texts[0].get_text()
    assert "Mixup does not end" in fig3.draw(other).texts[0].get_text()
    undecided = fig3.draw(item("fig3_x", terms=none)).texts[0].get_text().replace("\n", " ")
    assert "is not decided" in undecided


def bins(confidence: dict[str, float], evaluation: str = "plain") -> list[dict]:
    """100 examples of a seed, all in the bin of the method's confidence."""
    out = []
    for method, value in confidence.items():
        for s in SEEDS:
            for k in range(BINS):
                inside = int(value * BINS) == k
                total = 100 * (value + 0.1 * noise(s)) if inside else 0.0
                out += rows(method, seed=s, evaluation=evaluation, eval_alpha=np.nan, bin=k)
                out[-1] |= {"count": 100 * inside, "correct": 50 * inside, "confidence": total}
    return out


def test_figure_7_orders_mean_confidences():
    runs = [
        r | {"seed": s, "accuracy": 0.5} for m in ("erm", "mixup") for s in SEEDS for r in rows(m)
    ]
    ordered = {"erm": 0.9, "label_smoothing": 0.7, "mixup": 0.5, "approx_mixup": 0.45}
    data = item("fig7_x", runs, bins=bins(ordered))
    assert data.mean_confidence("erm").mean() == pytest.approx(0.9, abs=0.01)
    two_alphas = pd.concat([data.bins, data.bins.assign(run_id="other")])
    with pytest.raises(ValueError, match="duplicate"):
        replace(data, bins=two_alphas).mean_confidence("erm")
    assert {v for vs in verdicts(fig7, data).values() for v in vs} == {SUPPORTED}
    data = item("fig7_x", runs, bins=bins(ordered | {"label_smoothing": 0.4}))
    assert verdicts(fig7, data)["fig7_mixup"] == [CONTRADICTED]
    assert verdicts(fig7, data)["fig7_ls"] == [SUPPORTED]
    share = fig7.histogram(data, "erm")
    assert (share.sum() == 1).all() and (share.loc[13] == 1).all()
    assert list(fig7.table(data)["method"]) == ["ERM", "Mixup"]
    assert len(fig7.draw(data).axes) == len(fig9.draw(data).axes) == 4  # histograms, means
    assert verdicts(fig9, data)["fig9_confidence"] == [SUPPORTED, SUPPORTED]


def test_ablations_are_judged_by_accuracy():
    accuracy = {"erm": 0.8, "mixup": 0.9, "mixup_inputs": 0.85, "mixup_independent": 0.95}
    runs = [
        r | {"seed": s, "accuracy": a + noise(s, len(m)), "cross_entropy": 1.0, "ece": 0.1}
        for m, a in accuracy.items()
        for s in SEEDS
        for r in rows(m)
    ]
    data = item("ablation_x", runs)
    assert verdicts(ablation, data) == {
        "ablation_inputs": [SUPPORTED],
        "ablation_independent": [CONTRADICTED],
    }
    assert len(ablation.table(data)) == 4 and len(ablation.draw(data).axes) == 3
    assert verdicts(ablation, item("ablation_x", runs[:8]))["ablation_inputs"] == [NOT_RUN]


def test_temperatures_are_compared_with_theta_bar():
    def of(factor: float, ece: float) -> ItemData:
        runs = []
        for alpha in (0.5, 8.0):
            base = {"run_id": f"a{alpha}", "method": "mixup", "alpha": alpha, "temperature": np.nan}
            for s in SEEDS:
                fitted = {"temperature": factor * theta_bar(alpha) + noise(s), "ece": ece}
                for evaluation, at, more in (
                    ("plain", np.nan, {"ece": 0.2}),
                    ("rescaled", alpha, {"ece": 0.1 + noise(s, 1)}),
                    ("temperature", alpha, fitted),
                    ("temperature", np.nan, fitted),
                ):
                    row = base | {"seed": s, "evaluation": evaluation, "eval_alpha": at}
                    runs.append(row | more)
        return item("temperature_x", runs)

    exact = verdicts(temperature, of(1.0, ece=0.3))
    assert exact["fig4_temperature"] == ["agrees", "agrees"]
    assert exact["fig4_temperature_slope"] == [SUPPORTED]
    assert exact["fig4_temperature_ece"] == [SUPPORTED] * 2  # an alpha each
    half = of(0.5, ece=0.02)
    assert verdicts(temperature, half)["fig4_temperature"] == ["differs", "differs"]
    assert verdicts(temperature, half)["fig4_temperature_ece"] == [CONTRADICTED] * 2
    assert verdicts(temperature, half)["fig4_temperature_slope"] == [SUPPORTED]
    table = temperature.table(half)
    assert table["temperature, fitted, shrunk inputs"].iloc[1] == pytest.approx(0.3, abs=0.02)
    figure = temperature.draw(half)
    assert len(figure.axes) == 2 and "interval over 4 seeds" in said_below(figure)
    unfitted = (half.runs["evaluation"] == "temperature") & (half.runs["seed"] == 0)
    assert "3 to 4 seeds" in said_below(temperature.draw(replace(half, runs=half.runs[~unfitted])))


def maps(score) -> list[dict]:
    """Predictions on the grid whose decisions are those of a score, for three methods."""
    p = 1 / (1 + np.exp(-score))
    return [
        rows(m, seed=s)[0] | {f"g{k}": v for k, v in enumerate(p)}
        for m in ("erm", "mixup", "erm_modified")
        for s in (0, 1)
    ]


@pytest.mark.parametrize("layout", ["ring", "arch"])
def test_figure_1_measures_disagreement_with_both_bayes_classifiers(layout):
    points, name = grid().numpy(), f"fig1_{layout}"
    for shrunk in (True, False):
        data = item(name, maps=maps(fig1.bayes(layout, points, shrunk)))
        own, other = (fig1.disagreement(data, "mixup", s).mean() for s in (shrunk, not shrunk))
        assert own < 0.25 < 0.5 < other  # in per cent; the grid's coarseness is what is left
    assert len(fig1.draw(data).axes) == 4
    assert list(fig1.table(data)["n"]) == [2, 2, 2]
    assert verdicts(fig1, item(name))["fig1_boundary"] == [NOT_RUN]
    mixed = item(name, maps=maps(fig1.bayes(layout, points, True)))
    assert verdicts(fig1, mixed)["fig1_boundary"] in ([SUPPORTED], [INCONCLUSIVE])


def test_bayes_of_modified_data_is_that_of_the_points_they_came_from():
    points = np.random.default_rng(0).normal(size=(50, 2))
    x_bar = fig1._inputs("arch")[0].mean(0)
    shrunk = x_bar + theta_bar(1.0) * (points - x_bar)
    np.testing.assert_allclose(
        fig1.bayes("arch", shrunk, True), fig1.bayes("arch", points, False), atol=1e-9
    )


@pytest.mark.parametrize("layout", ["ring", "arch"])
def test_bayes_of_mixed_data_is_the_mean_label_of_sampled_mixtures(layout):
    rng, n, cells = np.random.default_rng(0), 400_000, 40
    x, y = sample_gaussians(layout, n, rng)
    lam, other = rng.beta(1, 1, n), rng.permutation(n)
    mixed = lam[:, None] * x + (1 - lam[:, None]) * x[other]
    label = lam * y + (1 - lam) * y[other] - 0.5
    edges = np.linspace(-2.2, 2.2, cells + 1)
    count, total, squares = (
        np.histogram2d(*mixed.T, [edges, edges], weights=w)[0]
        for w in (np.ones(n), label, label**2)
    )
    sure = (count > 50) & (np.abs(total) > 5 * np.sqrt(squares))
    middle = (edges[1:] + edges[:-1]) / 2
    points = np.stack(np.meshgrid(middle, middle, indexing="ij"), -1)
    score = fig1.mixup_bayes(layout, points.reshape(-1, 2)).reshape(cells, cells)
    assert sure.sum() > 200 and len(set(np.sign(total[sure]))) == 2
    agree = np.sign(score[sure]) == np.sign(total[sure])
    assert agree.mean() > 0.98  # a cell on the boundary may lean the other way
    if layout == "ring":  # which the original data's Bayes classifier does not
        original = fig1.bayes(layout, points, shrunk=False)
        assert (np.sign(original[sure]) == np.sign(total[sure])).mean() < 0.97


def test_every_theorem_holds_but_what_is_misprinted():
    found = {c.part: c.verdict for t in theorems.THEOREMS for c in t.check()}
    assert len(found) == 20
    assert CONTRADICTED not in found.values()
    misprinted = [part for part, verdict in found.items() if verdict == ERRATUM]
    assert [part.split(",")[0] for part in misprinted] == ["Cor. 1's H^-1", "(19) as printed"]


def test_a_check_fails_where_the_error_is_more_than_rounding():
    assert Check("", 1, 2e-10, 1e-10).verdict == CONTRADICTED
    assert Check("", 1, -1.0, 1e-10).verdict == SUPPORTED
    assert Check("", 1, float("nan"), 1e-10).verdict == CONTRADICTED
    assert Check("", 1, 2e-10, 1e-10, printed=True).verdict == ERRATUM
    assert Check("", 1, 0.0, 1e-10, printed=True).verdict == SUPPORTED


@pytest.mark.parametrize("name", ["theta", "shrinking", "covariances", "regularisers"])
def test_pictures_of_the_lecture_are_drawn(name):
    figure = getattr(lecture, name)()
    assert all(axis.lines or axis.collections for axis in figure.axes)


def corrupted(gain, benchmark: str = "toy-c-generated") -> list[dict]:
    """Two alphas on two corruptions at three severities; gain(severity) is rescaling's."""
    return [
        {"run_id": f"mixup{a}", "method": "mixup", "alpha": a, "seed": s, "benchmark": benchmark}
        | {"corruption": c, "severity": level, "evaluation": name, "eval_alpha": at}
        | {"accuracy": 0.5 + 0.1 * s + sign * gain(level) + noise(s, level)}
        | {"cross_entropy": 1 - sign * gain(level), "ece": 0.5 - sign * gain(level) + noise(s)}
        for a in (0.5, 2.0)
        for s in SEEDS
        for c in ("fog", "snow")
        for level in (1, 2, 3)
        for name, at, sign in (("plain", np.nan, 0), ("rescaled", a, 1))
    ]


def test_figures_5_and_6_judge_rescaling_on_corrupted_pictures():
    runs = [r | {"seed": s, "alpha": a} for a in (0.5, 2.0) for s in SEEDS for r in rows("mixup")]
    worse = item("fig5_x", runs, ood=corrupted(lambda level: -0.1 * level))
    assert verdicts(fig5, worse) == {"fig5_c": [SUPPORTED] * 6}  # three metrics, two alphas
    assert verdicts(fig6, worse) == {"fig6_severity": [SUPPORTED] * 6}
    better = item("fig5_x", runs, ood=corrupted(lambda level: 0.1 * level))
    assert verdicts(fig5, better) == {"fig5_c": [CONTRADICTED] * 6}
    assert verdicts(fig6, better) == {"fig6_severity": [CONTRADICTED] * 6}
    none = item("fig5_x", runs)
    assert verdicts(fig5, none) == {"fig5_c": [NOT_RUN]}
    assert verdicts(fig6, none) == {"fig6_severity": [NOT_RUN]}
    assert list(fig5.ITEM.table(worse)["prediction"]) == ["Mixup"] * 2 + ["Mixup (rescaled)"] * 2
    table = fig6.table(worse)
    assert list(table["severity"]) == [1, 2, 3] * 2
    np.testing.assert_allclose(table["accuracy"], [-0.1, -0.2, -0.3] * 2)
    assert len(fig5.draw(worse).axes) == 9 and len(fig6.draw(worse).axes) == 3


def test_released_and_generated_pictures_are_never_averaged():
    runs = [r | {"seed": s, "alpha": 0.5} for s in SEEDS for r in rows("mixup")]
    both = corrupted(lambda level: -0.1) + corrupted(lambda level: 0.3, "toy-c")
    data = item("fig5_x", runs, ood=both)
    assert fig5.benchmark(data) == "toy-c"
    np.testing.assert_allclose(fig5.change(data, "accuracy", 0.5), 0.3)


def test_a_seed_that_lacks_a_corrupted_set_is_left_out():
    runs = [r | {"seed": s, "alpha": 0.5} for s in SEEDS for r in rows("mixup")]
    some = [r for r in corrupted(lambda level: 0.1) if (r["seed"], r["corruption"]) != (0, "fog")]
    assert 0 not in fig5.change(item("fig5_x", runs, ood=some), "accuracy", 0.5).dropna().index


def said_below(figure) -> str:
    """The note at the foot of a figure, without its line breaks."""
    return figure.texts[-1].get_text().replace("\n", " ")


def test_the_foot_of_a_figure_counts_the_seeds_that_were_evaluated_not_those_trained():
    runs = [r | {"seed": s, "alpha": 0.5} for s in SEEDS for r in rows("mixup")]
    some = [r for r in corrupted(lambda level: 0.1) if r["seed"] > 0]
    data = item("corruptions_x", runs, ood=some)
    assert data.seeds() == 4 and "and 3 seeds. Scale" in said_below(corruptions.draw(data))


def test_frost_is_in_the_figure_and_in_every_mean_generated_or_released():
    runs = [r | {"seed": s, "alpha": a} for a in (0.5, 2.0) for s in SEEDS for r in rows("mixup")]

    def with_frost(name: str) -> list[dict]:
        same = corrupted(lambda level: -0.1, name)
        frost = [
            r | {"corruption": "frost"}
            for r in corrupted(lambda level: 0.5, name)
            if r["corruption"] == "fog"
        ]
        return same + frost

    for name in ("toy-c", "toy-c-generated"):
        generated = item("fig5_x", runs, ood=with_frost(name))
        np.testing.assert_allclose(fig5.change(generated, "accuracy", 2.0), (0.5 - 0.2) / 3)
        assert fig5.averaged(generated) == "Means over 9 corrupted test sets."
    table = corruptions.table(generated).set_index("corruption")["accuracy"]
    assert list(table.index) == ["snow", "frost", "fog"]  # in the benchmark's order
    np.testing.assert_allclose(table, [-0.1, 0.5, -0.1])
    axes = corruptions.draw(generated).axes
    names = [label.get_text() for label in axes[0].get_yticklabels()]
    assert names[:2] == ["Weather", "frost"]  # of a family, the largest gain first
    assert sorted(names[2:]) == ["fog", "snow"]
    dots = [line for axis in axes for line in axis.lines if line.get_marker() == "o"]
    assert len(axes) == 3 and len(dots) == 3 * 9  # metrics; corruptions by severities


def test_erm_is_rescaled_at_each_alpha_of_figure_5():
    base = {"run_id": "erm", "method": "erm", "alpha": np.nan, "benchmark": "toy-c"}
    base |= {"corruption": "fog", "severity": 1, "cross_entropy": 1.0, "ece": 0.1}
    erm = [
        base | {"seed": s, "evaluation": name, "eval_alpha": at, "accuracy": accuracy}
        for s in SEEDS
        for name, at, accuracy in (("plain", np.nan, 0.7), ("rescaled", 0.5, 0.6))
        + (("rescaled", 2.0, 0.4),)
    ]
    runs = [r | {"seed": s, "alpha": a} for a in (0.5, 2.0) for s in SEEDS for r in rows("mixup")]
    data = item("fig5_x", runs, ood=corrupted(lambda level: 0.1, "toy-c") + erm)
    table = fig5.ITEM.table(data).set_index("prediction")["accuracy"]
    assert table["ERM"] == pytest.approx(0.7)
    assert list(table["ERM (rescaled)"]) == pytest.approx([0.6, 0.4])
    assert len(fig5.draw(data).axes) == 9


def table2_item(shift: float, missing: str = "") -> ItemData:
    """Runs at the paper's own numbers, with a little noise and `shift` added to each cell."""
    runs, ood = [], []
    for name, metrics in table2.PRINTED.items():
        for k, (alpha, evaluation) in enumerate(table2.COLUMNS):
            for s in SEEDS:
                row = {"run_id": f"m{alpha}", "method": "mixup", "alpha": alpha, "seed": s}
                row |= {"evaluation": evaluation, "architecture": "resnet50"}
                row |= {"eval_alpha": alpha if evaluation == "rescaled" else np.nan}
                cells = {
                    m: printed[k][0] + shift + 0.1 * noise(s) for m, printed in metrics.items()
                }
                if name == table2.IMAGENET:
                    runs.append(row | cells | {"dataset": name})
                elif name in table2.CORRUPTED:
                    ood += [
                        row | cells | {"benchmark": name, "corruption": c, "severity": level}
                        for c in ALEXNET
                        for level in range(1, 6)
                    ]
                elif name != missing:
                    ood.append(row | cells | {"benchmark": name})
    return item("table2_imagenet", runs, ood=ood)


def test_table_2_is_judged_cell_by_cell():
    same = table2.table(table2_item(0.0))
    judged = same[same["paper"].notna()]
    assert len(judged) == 4 * (6 * 3 + 2 * 4 - 3 * 2)  # 3 metrics of 3 sets, 4 of 2, 1 of 3
    plain = judged[judged["metric"] != "mce"]
    assert set(plain["verdict"]) == {AGREES}
    np.testing.assert_allclose(plain["ours"], plain["paper"], atol=2e-3)
    differs = table2.table(table2_item(0.05))
    accuracy = differs[differs["paper"].notna() & (differs["metric"] == "accuracy")]
    assert set(accuracy["verdict"]) == {DIFFERS}
    assert len(table2.draw(table2_item(0.0)).axes) == 3


def test_a_set_of_table_2_that_was_not_evaluated_is_not_run():
    data = table2_item(0.0, missing="objectnet")
    rows_ = table2.table(data)
    assert set(rows_.loc[rows_["set"] == "objectnet", "verdict"]) == {NOT_RUN}
    assert set(rows_.loc[rows_["set"] == "imagenet-a-200", "verdict"]) == {""}
    gain = next(c for c in table2.CLAIMS if c.id == "table2_gain").findings(data)
    verdict = {f.part.split(",")[0]: f.verdict for f in gain if f.headline}
    assert verdict["objectnet"] == NOT_RUN and verdict["imagenet-v2"] == SUPPORTED
    assert set(verdict) == set(table2.IMPROVED)


def test_table_2_of_one_alpha_leaves_the_other_not_run():
    data = table2_item(0.0)
    for part in ("runs", "ood"):
        frame = getattr(data, part)
        object.__setattr__(data, part, frame[frame["alpha"] == 0.5])
    judged = table2.table(data).dropna(subset="paper").groupby("alpha")["verdict"].agg(set)
    assert judged[0.25] == {NOT_RUN} and NOT_RUN not in judged[0.5]
    assert len(table2.draw(data).axes) == 3


def test_table_2_takes_the_mean_of_75_sets_and_no_other_corruption():
    data = table2_item(0.0)
    extra = data.ood[data.ood["benchmark"] == "imagenet-c"].assign(corruption="spatter", accuracy=0)
    more = item("table2_imagenet", data.runs.to_dict("records"))
    both = pd.concat([data.ood, extra])
    object.__setattr__(more, "ood", both)
    for metric in ("accuracy", "mce"):
        pd.testing.assert_series_equal(
            table2.values(more, "imagenet-c", metric, 0.25, "plain"),
            table2.values(data, "imagenet-c", metric, 0.25, "plain"),
        )
    part = data.ood[~((data.ood["corruption"] == "fog") & (data.ood["severity"] == 3))]
    object.__setattr__(more, "ood", part)
    names = [f.part for c in table2.CLAIMS for f in c.findings(more) if f.verdict == NOT_RUN]
    assert len([n for n in names if n.startswith("imagenet-c,")]) == 16 + 4
