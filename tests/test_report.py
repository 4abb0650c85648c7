"""The last mile: from finished runs to the table, the verdicts and the report."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mixup_repro import jobs, report
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.papers.carratino2020 import fig4
from mixup_repro.papers.chidambaram2022 import line
from mixup_repro.paths import CHECKOUT
from mixup_repro.report import items as report_items
from mixup_repro.store import results
from mixup_repro.store.files import read_json, write_json
from mixup_repro.store.folder import RunFolder

ALPHAS = (0.5, 8.0)


def fake_records(folder, accuracy, fingerprint="0123abcd" * 8):
    """Records of fig4_digits at scale smoke, as train.py would leave them, with made-up metrics."""
    overrides = ["experiment=carratino2020/fig4_digits", "scale=smoke", "seeds=4"]
    for job in jobs.compose([*overrides, f"runs_dir={folder}"]):
        for run in expand(job):
            run_folder = RunFolder(run)
            run_folder.create()
            rows = [
                {"evaluation": "plain" if a is None else "rescaled", "eval_alpha": a}
                | {"accuracy": accuracy(run, a), "cross_entropy": 1.0, "ece": 0.1, "brier": 0.2}
                | {"n_test": 899, "bins": {k: [1] * 15 for k in ("count", "correct", "confidence")}}
                for a in (None, *ALPHAS)
            ]
            run_folder.write_record(
                {
                    "run_id": run_folder.id,
                    "seed": run.seed,
                    "config": asdict(run.config),
                    "data": {"label": "digits", "fingerprint": fingerprint},
                    "commit": "abc",
                    "device": "cpu",
                    "wall_s": 1.0,
                    "switches": {"precision": "float32"},
                    "curves": [{"epoch": 4, "mixed_loss": 0.5, "test_accuracy": 0.9}],
                    "evaluations": rows,
                }
            )


def rescaling_helps_by_alpha(run, eval_alpha):
    """Mixup gains eval_alpha percent (with a little noise by seed); ERM loses one percent."""
    noise = 1e-4 * run.seed
    if eval_alpha is None:
        return 0.8 + 0.01 * run.seed
    gain = eval_alpha / 100 if run.alpha else -0.01
    return 0.8 + 0.01 * run.seed + gain + noise


@pytest.fixture
def item(tmp_path):
    fake_records(tmp_path / "runs", rescaling_helps_by_alpha)
    results.collect(tmp_path / "runs", tmp_path / "results")
    (entry,) = report.entries(tmp_path / "results")
    return entry


def test_the_gain_of_rescaling_is_paired_by_seed(item):
    gain = fig4.gain(item.data, "accuracy", "mixup", 8.0)
    assert gain.to_dict() == pytest.approx({s: 0.08 + 1e-4 * s for s in range(4)})


def paired_p(alpha: float) -> float:
    """Of scipy's paired t test of rescaling's gain in accuracy."""
    runs = _mixup_runs()
    sides = ([rescaling_helps_by_alpha(r, a) for r in runs] for a in (alpha, None))
    return stats.ttest_rel(*sides).pvalue


def test_verdicts_follow_the_made_up_runs(item):
    found = {claim.id: findings for claim, findings in item.findings}
    small, large, mean = found["fig4_acc"]
    assert (small.name, small.alpha, small.verdict) == ("accuracy, alpha = 0.5", 0.5, "supported")
    assert mean.part == "accuracy, mean over alphas" and not mean.headline
    assert mean.effect.mean == pytest.approx((0.005 + 0.08) / 2 + 1.5e-4)
    # Two tests of one claim: the smaller p value counts twice (Holm).
    alone = [paired_p(a) for a in ALPHAS]
    assert (small.p, large.p) == pytest.approx((alone[0], 2 * alone[1]), rel=1e-3)
    assert found["fig4_ce"][0].verdict == "negligible"  # no difference at all
    erm = {f.name: f.verdict for f in found["fig4_erm"]}
    assert erm["accuracy, alpha = 8"] == "supported"
    assert erm["ece, alpha = 8"] == "negligible"
    slope = found["fig4_grows"][0].effect.mean
    shrink = [1 - fig4.theta_bar(a) for a in ALPHAS]
    assert slope == pytest.approx((0.08 - 0.005) / (shrink[1] - shrink[0]))


def test_the_table_holds_mean_and_half_width(item):
    table = fig4.table(item.data).set_index(["prediction", "alpha"])
    row = table.loc[("Mixup (rescaled)", 8.0)]
    values = [rescaling_helps_by_alpha(r, 8.0) for r in _mixup_runs()]
    assert row["accuracy"] == pytest.approx(np.mean(values))
    half = 3.182446305 * np.std(values, ddof=1) / 2  # t for 3 degrees of freedom, n = 4
    assert row["accuracy +-"] == pytest.approx(half)


def _mixup_runs():
    overrides = ["experiment=carratino2020/fig4_digits", "scale=smoke", "seeds=4", "method=mixup"]
    (job,) = jobs.compose([*overrides, "method.alpha=8"])
    return expand(job)


def test_collecting_again_replaces_and_never_drops(tmp_path):
    runs, out = tmp_path / "runs", tmp_path / "results"
    fake_records(runs, rescaling_helps_by_alpha)
    results.collect(runs, out)
    before = (out / "runs.csv").read_text()
    results.collect(runs, out)
    assert (out / "runs.csv").read_text() == before
    # A machine with one run only: its row is replaced, all others stay.
    path = sorted(runs.glob("*/seed0/record.json"))[0]
    record = read_json(path)
    record["evaluations"][0]["accuracy"] = 0.123
    other = tmp_path / "other" / path.parent.relative_to(runs)
    other.mkdir(parents=True)
    write_json(other / "record.json", record)
    results.collect(tmp_path / "other", out)
    old, new = before.splitlines(), (out / "runs.csv").read_text().splitlines()
    assert len(old) == len(new)
    changed = [line for line in new if line not in old]
    assert len(changed) == 1 and ",0.123," in changed[0]


def test_runs_csv_has_the_columns_that_readers_rely_on(tmp_path):
    fake_records(tmp_path / "runs", rescaling_helps_by_alpha)
    results.collect(tmp_path / "runs", tmp_path)
    names = "run_id dataset data architecture method alpha seed scale evaluation eval_alpha "
    names += "accuracy cross_entropy ece brier n_test epochs wall_s commit"
    assert set(names.split()) <= set(pd.read_csv(tmp_path / "runs.csv").columns)


def test_no_figure_mixes_scales(tmp_path):
    fake_records(tmp_path / "runs", rescaling_helps_by_alpha)
    results.collect(tmp_path / "runs", tmp_path / "results")
    runs = results.load(tmp_path / "results")
    source = report.setting("carratino2020/fig4_digits").source
    assert source.load("fig4_digits", "short", tmp_path / "results", runs) is None


def test_an_item_is_drawn_when_all_that_it_compares_has_finished(tmp_path):
    """A sweep that was stopped after ERM: nothing is drawn, nothing fails."""
    fake_records(tmp_path / "runs", rescaling_helps_by_alpha)
    for folder in (tmp_path / "runs").glob("*-mixup-*"):
        shutil.rmtree(folder)
    results.collect(tmp_path / "runs", tmp_path / "results")
    assert report.entries(tmp_path / "results") == []
    shutil.copy(CHECKOUT / "results/theorems.csv", tmp_path / "results")
    report.write([], tmp_path / "results")
    text = (tmp_path / "results" / "REPORT.md").read_text()
    assert "`carratino2020/fig4_digits`: `python scripts/train.py" in text


def test_a_report_without_runs_says_what_to_type(tmp_path):
    with pytest.raises(InputError, match="make reproduce"):
        report.entries(tmp_path)


def test_the_committed_report_is_what_the_committed_runs_give(committed, tmp_path):
    """Figures aside (their bytes depend on the fonts at hand), the report regenerates exactly."""
    for name in ("theorems.csv", "imported.csv", "references.csv", "reference_curves.csv"):
        shutil.copy(CHECKOUT / "results" / name, tmp_path)
    report.write(committed, tmp_path)
    assert (tmp_path / "REPORT.md").read_text() == (CHECKOUT / "results/REPORT.md").read_text()


def test_the_same_results_draw_the_same_bytes(item, tmp_path):
    for folder in ("a", "b"):
        report.draw([item], tmp_path / folder)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert {p.suffix for p in files} == {".png", ".pdf", ".svg", ".csv"}
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_committed_items_draw_the_papers_panels_and_rows_end_at_the_final_errors(committed, drawn):
    panels = {
        "carratino2020": {
            "fig1": 4,
            "fig3": 4,
            "fig4": 9,
            "fig5": 9,
            "fig7": 4,
            "fig9": 4,
            "temperature": 2,
            "people": 2,
            "table1": 4,
        },
        "chidambaram2022": {"fig1": 8, "fig3": 6, "fig8": 3, "fig12": 6, "table2": 2},
        "notes": {
            "active": 8,
            "adversarial": 10,
            "anneal": 6,
            "attention": 10,
            "batch": 10,
            "boundary": 8,
            "calibration": 10,
            "circles": 8,
            "combined": 6,
            "corruption": 10,
            "cutmix": 10,
            "graph": 6,
            "hidden": 8,
            "label": 8,
            "landscape": 8,
            "linearity": 10,
            "local": 4,
            "local_digits": 2,
            "membership": 8,
            "rare": 6,
            "representation": 8,
            "shortcuts": 4,
            "smooth": 8,
            "strength": 6,
        },
    }
    one_kind_of_mixup = 4  # panels of two moons: one row
    for item in committed:
        figure = drawn(item)
        paper, figure_name = item.paper.name, item.name.split("_")[0]
        if paper == "chidambaram2022" and figure_name == "fig2":
            alphas = [a.get_title(loc="left") for a in figure.axes]
            for alpha in item.data.alphas():
                assert any(rf"$\alpha = {alpha:g}$" in title for title in alphas)
            assert all(axis.get_yscale() == "linear" for axis in figure.axes)
        else:
            of_paper = panels[paper]
            expected = of_paper.get(item.name, of_paper.get(figure_name, 3))
            if expected == 6 and "mixup" not in set(item.data.runs["method"]):
                expected = one_kind_of_mixup
            assert len(figure.axes) == expected, item.name
        if item.data.runs["dataset"].iloc[0].startswith("x_"):
            rows = [a for a in figure.axes if a.get_xlabel() == "Adam steps"]
            for axis, (_, method, own) in zip(rows, line.columns(item.data), strict=True):
                # The rows come from curves/, the final errors from runs.csv.
                final = 1 - item.data.metric("accuracy", method, own)
                (bars,) = axis.collections
                corners = [path.vertices for path in bars.get_paths()]
                end = max(at[:, 0].max() for at in corners)  # the last step of every run
                ended = zip(corners, np.asarray(bars.get_array()))
                last = {at[:, 1].min(): error for at, error in ended if at[:, 0].max() == end}
                shown = [last[run] for run in sorted(last)]
                np.testing.assert_allclose(shown, final, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("path", [*(CHECKOUT / "notebooks").glob("*.ipynb")], ids=lambda p: p.stem)
def test_a_notebook_runs(path, monkeypatch):
    """And is not written here: what is committed stays as it is."""
    monkeypatch.syspath_prepend(CHECKOUT / "scripts")
    from notebooks import executed

    outputs = [cell.outputs for cell in executed(path).cells if cell.cell_type == "code"]
    assert len([one for one in outputs if one]) > 3  # figures and tables


@pytest.mark.parametrize(
    ("seeds", "shown"),
    [
        ({"paper": 4, "smoke": 4}, ["paper"]),
        ({"paper": 2, "short": 4, "smoke": 3}, ["paper", "short"]),
        ({"short": 3}, ["short"]),
    ],
)
def test_a_setting_is_shown_cut_short_only_where_the_whole_has_fewer_seeds(item, seeds, shown):
    class Source:
        def load(self, name, scale, folder, runs):
            few = runs[runs["seed"] < seeds.get(scale, 0)]
            return replace(item.data, scale=scale, runs=few) if len(few) else None

    on = replace(item.on, source=Source())
    found = report_items._at_scales(item.paper, item.item, on, Path("."), item.data.runs)
    assert [entry.data.scale for entry in found] == shown
