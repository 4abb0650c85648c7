"""Every claim has a verdict, in REPORT.md and README.md alike."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import fake_records, rescaling_helps_by_alpha

from mixup_repro import report
from mixup_repro.errors import InputError
from mixup_repro.papers import smallest, style
from mixup_repro.papers.claims import (
    AGREES,
    CONTRADICTED,
    DIFFERS,
    ERRATUM,
    INCONCLUSIVE,
    NEGLIGIBLE,
    NOT_RUN,
    SUPPORTED,
    Finding,
    Setting,
    corrected,
)
from mixup_repro.papers.sources import Runs
from mixup_repro.paths import CHECKOUT
from mixup_repro.report import figures, listing, notes, sections
from mixup_repro.report import published as published_module
from mixup_repro.report.markdown import came_out, readme_table
from mixup_repro.report.published import draw_published, published
from mixup_repro.report.verdicts import Verdict, Word, by_chance, counted
from mixup_repro.stats import interval
from mixup_repro.store import results

FIG4 = "carratino2020", "fig4_acc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of one item at scale smoke, drawn; no theorem was checked."""
    base = tmp_path_factory.mktemp("one_item")
    fake_records(base / "runs", rescaling_helps_by_alpha)
    results.collect(base / "runs", base / "results")
    return base / "results"


@pytest.fixture(scope="module")
def found(folder):
    found = report.entries(folder)
    report.draw(found, folder)
    return found


def test_every_claim_has_a_verdict_run_or_not(found, folder):
    every = report.verdicts(found, folder)
    ids = {(v.paper, v.claim) for v in every}
    for paper in report.PAPERS:
        assert {(paper.name, t.id) for t in paper.theorems} <= ids
        assert {(paper.name, c.id) for item in paper.items for c in item.claims} <= ids
    assert ("carratino2020", "table1") in ids  # no module tests it yet
    run = [v for v in every if v.word != Word.NOT_RUN]
    assert {v.items for v in run} == {("fig4_digits",)} and {v.scale for v in run} == {"smoke"}
    assert {v.n for v in run} == {4} and {v.n for v in every if v not in run} == {0}


@pytest.mark.parametrize(
    ("kinds", "word", "always"),
    [
        ((SUPPORTED, SUPPORTED), "holds", "holds"),
        ((AGREES, NOT_RUN), "holds in part", "unclear"),
        ((SUPPORTED, CONTRADICTED), "holds in part", "does not hold"),
        ((SUPPORTED, INCONCLUSIVE), "holds in part", "unclear"),
        ((SUPPORTED, NEGLIGIBLE), "holds in part", "unclear"),
        ((CONTRADICTED, DIFFERS), "does not hold", "does not hold"),
        ((CONTRADICTED, INCONCLUSIVE), "unclear", "does not hold"),
        ((CONTRADICTED, NEGLIGIBLE), "does not hold", "does not hold"),
        ((NEGLIGIBLE, NEGLIGIBLE), "negligible", "unclear"),
        ((NEGLIGIBLE, INCONCLUSIVE), "unclear", "unclear"),
        ((SUPPORTED, ERRATUM), "holds", "holds"),
        ((INCONCLUSIVE,), "unclear", "unclear"),
        ((NOT_RUN,), "not run", "not run"),
    ],
)
def test_the_word_of_a_claim_is_of_all_its_parts_and_a_stand_in_says_here(kinds, word, always):
    parts = (Finding("", None, "", SUPPORTED, headline=False),)
    parts += tuple(Finding(str(k), None, "", kind) for k, kind in enumerate(kinds))
    ours = Verdict("p", "c", "says", "where", ("a",), Setting.PAPER, findings=parts)
    assert ours.word == word and ours.words.split(" (")[0] == word
    assert replace(ours, always=True).word == always
    here = replace(ours, setting=Setting.ANALOGUE).words.split(" (")[0]
    assert here == {"not run": word, "holds in part": "holds here in part"}.get(
        word, f"{word} here"
    )
    assert replace(ours, findings=()).word == "not run"


EFFECTS = st.sampled_from([SUPPORTED, CONTRADICTED, INCONCLUSIVE, NEGLIGIBLE, NOT_RUN])


@given(st.lists(st.tuples(EFFECTS, st.floats(0, 1)), min_size=1, max_size=8), st.booleans())
def test_no_verdict_is_stronger_for_the_correction(parts, always):
    findings = [Finding(str(k), None, "", kind, p=p) for k, (kind, p) in enumerate(parts)]
    before = Verdict("p", "c", "says", "where", findings=tuple(findings), always=always)
    after = replace(before, findings=tuple(corrected(findings)))
    weaker = {Word.HOLDS: {Word.HOLDS, Word.PART, Word.UNCLEAR}}
    weaker |= {word: {word, Word.UNCLEAR} for word in (Word.PART, Word.FAILS)}
    assert after.word in weaker.get(before.word, {before.word})


def test_a_claim_over_alphas_says_at_which_it_holds_and_at_which_the_opposite():
    kinds = {0.1: CONTRADICTED, 1.0: SUPPORTED, 8.0: SUPPORTED}
    kinds |= {32.0: CONTRADICTED, 64.0: CONTRADICTED, 128.0: CONTRADICTED}
    ece = [Finding("ece", None, "< 0", kind, alpha=a) for a, kind in kinds.items()]
    mean = Finding("ece, mean over alphas", None, "< 0", SUPPORTED, headline=False)
    verdict = Verdict("p", "c", "says", "where", ("a",), Setting.PAPER, findings=(*ece, mean))
    good, bad = "supported: ece at alpha 1, 8", "contradicted: ece at alpha 0.1, 32 to 128"
    assert verdict.words == f"holds in part ({good}; {bad})"
    every = [replace(f, part="accuracy", verdict=NEGLIGIBLE) for f in ece]
    both = replace(verdict, findings=(*every, *ece, mean))
    assert both.words == f"holds in part ({good}; negligible: accuracy; {bad})"
    assert both.phrase == "holds in part (2 of 12)"
    worse = replace(both, findings=(*(replace(f, verdict=CONTRADICTED) for f in every), *ece))
    assert worse.words == f"holds in part ({good}; {bad.replace(':', ': accuracy and')})"
    alone = replace(
        both, findings=tuple(replace(f, part="") for f in ece), setting=Setting.ANALOGUE
    )
    told = "supported: alpha 1, 8; contradicted: alpha 0.1, 32 to 128"
    assert alone.words == f"holds here in part ({told})"
    assert replace(verdict, findings=tuple(ece[1:3])).words == "holds"


def test_a_claim_in_short_says_how_many_parts_hold_where_not_all_do():
    parts = [Finding(str(k), None, "", kind) for k, kind in enumerate((SUPPORTED, CONTRADICTED))]
    part = Verdict("p", "c", "says", "where", setting=Setting.PAPER, findings=tuple(parts))
    assert part.phrase == "holds in part (1 of 2)"
    assert replace(part, findings=(parts[0],)).phrase == "holds"


def test_a_line_of_the_notes_keeps_the_brackets_of_a_parts_name():
    at = interval([1.0, 2.0])
    names = ("rise (nats)", "fall (%)", "gap (%)", "slope (1/s)", "size (MiB)")
    parts = [Finding(name, at, "> 0", SUPPORTED, alpha=1.0) for name in names]
    parts[-1] = replace(parts[-1], verdict=CONTRADICTED, alpha=None)
    told = notes._how_sure(Verdict("notes", "c", "says", "B1", n=2, findings=tuple(parts)))
    assert told.startswith("supported: rise (nats) and fall (%)")
    assert told.endswith("contradicted: size (MiB); n = 2")


def test_every_setting_of_ours_stands_beside_what_others_published(tmp_path, monkeypatch):
    """Two alphas of one network are two curves; one of them overwrote the other."""
    runs = [("erm", np.nan), ("mixup", 0.5), ("mixup", 1.0)]
    (tmp_path / "curves").mkdir()
    for k, _ in enumerate(runs):
        rows = pd.DataFrame(
            {"seed": [0, 0], "epoch": [1, 2], "test_accuracy": [0.5, 0.6 + 0.1 * k]}
        )
        rows.to_csv(tmp_path / "curves" / f"run{k}.csv", index=False)
    frame = pd.DataFrame(
        {
            "dataset": "cifar10",
            "architecture": "resnet20",
            "method": m,
            "alpha": a,
            "run_id": f"run{k}",
        }
        for k, (m, a) in enumerate(runs)
    )
    monkeypatch.setattr(published_module.results, "load", lambda folder: frame)
    ours = published_module._ours(tmp_path, "ResNet-20 v1")
    assert [style.named(method, alpha) for method, alpha, _ in ours] == [
        "ERM",
        "Mixup, alpha = 0.5",
        "Mixup, alpha = 1",
    ]
    assert [values.loc[2, 0] for *_, values in ours] == pytest.approx([60, 70, 80])


def test_published_accuracies_at_two_alphas_are_not_averaged(tmp_path):
    path = tmp_path / "references.csv"
    shutil.copy(CHECKOUT / "results/references.csv", path)
    whole = published_module.published(tmp_path)
    rows = pd.read_csv(path)
    assert len(whole) > 2
    mixup = rows[rows["alpha"].notna()].iloc[[0]]
    pd.concat([rows, mixup.assign(alpha=7.0)]).to_csv(path, index=False)
    with pytest.raises(InputError, match="with several alphas"):
        published_module.published(tmp_path)


def test_the_report_links_to_the_errata(found, folder):
    report.write(found, folder)
    assert "](ERRATA.md)" in (folder / "REPORT.md").read_text()


def test_the_report_says_how_many_verdicts_chance_alone_would_give(found, folder):
    every = report.verdicts(found, folder)
    tested, wrong = by_chance(every)
    # Gains in accuracy, cross-entropy and ECE, their growth, and ERM's: all are on one setting.
    assert tested == 5 and wrong == pytest.approx(0.25)
    report.write(found, folder)
    text = (folder / "REPORT.md").read_text()
    assert "5 verdicts rest on tests of runs." in text and "about 0.2 of these would" in text
    for row in smallest.TABLE:
        assert row.says in text and row.why in text


def test_a_setting_is_the_papers_own_only_with_its_network_data_schedule_and_repetitions(found):
    (entry,) = [entry for entry in found if entry.name == "fig4_digits"]
    assert entry.setting == Setting.ANALOGUE
    own = replace(entry, on=replace(entry.on, stands_in=""))
    assert own.setting == Setting.REDUCED  # scale smoke
    whole = replace(own, data=replace(entry.data, scale="paper", absent=0))
    assert whole.setting == Setting.PAPER
    fewer = replace(whole, data=replace(whole.data, absent=1))
    assert fewer.setting == Setting.REDUCED


@pytest.mark.parametrize(
    ("kept", "absent"),
    [("seed < 1", 3), ("alpha != 8", 2), ("method == 'erm' or alpha == 8 and seed == 1", 3)],
)
def test_a_grid_of_which_a_part_has_finished_is_shown_cut_short(folder, kept, absent):
    runs = results.load(folder).query(kept)
    source = Runs("carratino2020/fig4_digits")
    data = source.load("fig4_digits", "smoke", folder, runs)
    assert data.absent == absent and set(data.runs["run_id"]) == set(runs["run_id"])
    assert source.load("fig4_digits", "smoke", folder, runs.query("method == 'erm'")) is None


def test_the_first_page_has_every_verdict_once_in_ten_lines_a_paper(found, folder):
    every = report.verdicts(found, folder)
    for paper in report.PAPERS:
        text = came_out(paper, every)
        run = [v for v in every if v.paper == paper.name and not v.ours and v.word != Word.NOT_RUN]
        told = {(v.claim, v.setting, v.word) for v in run}
        assert all(
            text.count(f"`{claim}`") == sum(claim == c for c, *_ in told) for claim, *_ in told
        )
        assert len(text.splitlines()) <= 12 and text.startswith(f"**{paper.title}")


def test_verdicts_are_a_table_with_every_part(found, folder):
    report.write(found, folder)
    table = pd.read_csv(folder / "verdicts.csv")
    every = report.verdicts(found, folder)
    assert len(table) == sum(len(v.findings) or 1 for v in every)
    mine = table[(table["claim"] == FIG4[1]) & (table["setting"] == "a stand-in")]
    assert set(mine["verdict"]) == {"holds here"} and set(mine["network"]) == {"MLP"}
    assert (mine["low"] <= mine["effect"]).all() and (mine["effect"] <= mine["high"]).all()
    headline = counted(every, Setting.ANALOGUE)
    words = [v.word for v in every if v.setting == Setting.ANALOGUE and not v.ours]
    assert headline == {word: words.count(word) for word in Word if word in words}


def test_a_claim_names_the_experiments_that_it_was_not_tested_on(found, folder):
    mine = [v for v in report.verdicts(found, folder) if (v.paper, v.claim) == FIG4]
    tested, untested = mine
    assert tested.words == "holds here"  # digits stand in for CIFAR
    assert untested.words == "not run" and "fig4_imagenet" in untested.items
    assert "fig4_digits" not in untested.items


def test_the_report_starts_with_the_verdicts_and_says_how_each_item_was_made(found, folder):
    report.write(found, folder)
    text = (folder / "REPORT.md").read_text()
    assert text.index("## Verdicts") < text.index("### Theorems") < text.index("fig4_digits-smoke")
    section = text[text.index("### Figure 4") :]
    labels = ("The paper", "What differs from it here", "The authors' code", "Command", "Cost")
    for label in labels:
        assert f"- {label}: " in section
    assert "scripts/train.py -m experiment=carratino2020/fig4_digits scale=smoke`" in section
    assert "scripts/distances.py" in text  # Table 2 of the other paper was not measured


def test_the_committed_readme_is_what_the_committed_runs_give(committed, tmp_path):
    copy, here = tmp_path / "README.md", (CHECKOUT / "README.md").read_text()
    copy.write_text(here)
    report.write_readme(committed, CHECKOUT / "results", copy)
    assert copy.read_text() == here


def test_the_readmes_table_counts_the_papers_verdicts_by_setting(found, folder):
    every = report.verdicts(found, folder)
    table = readme_table(every)
    own = [v for v in every if v.paper != "notes" and not v.ours]
    assert table.startswith(f"{len({(v.paper, v.claim) for v in own})} claims, ")
    head, _, *rows = [line for line in table.splitlines() if line.startswith("|")]
    words = [cell.strip() for cell in head.split("|")[2:-1]]
    assert [row.split("|")[1].strip() for row in rows] == [str(s) for s in Setting]
    for row in rows:
        setting, *cells = (cell.strip() for cell in row.split("|")[1:-1])
        told = [v.word for v in own if v.setting == setting]
        assert [int(cell or 0) for cell in cells] == [told.count(word) for word in words]


@pytest.mark.parametrize("text", ["# Ours\n", "<!-- /verdicts -->\n<!-- verdicts -->\n"])
def test_a_readme_without_the_place_for_verdicts_is_refused(text, found, folder, tmp_path):
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(InputError, match="put them back"):
        report.write_readme(found, folder, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text() == text


def test_the_page_of_notes_has_each_of_their_claims_and_no_other(committed, tmp_path):
    shutil.copy(CHECKOUT / "results/theorems.csv", tmp_path)
    report.write_notes(committed, tmp_path)
    page = (tmp_path / "NOTES.md").read_text()
    for v in report.verdicts(committed, tmp_path):
        named = page.count(f"`{v.claim}`, {v.where}") + page.count(f"| `{v.claim}` |")
        assert bool(named) == (v.paper == "notes" and not v.ours), v.claim
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (CHECKOUT / "results" / picture).exists(), picture


def test_published_numbers_stand_in_a_table_of_their_own(found, folder):
    report.write(found, folder)
    assert "## Beside published numbers" not in (folder / "REPORT.md").read_text()
    shutil.copy(CHECKOUT / "results" / "references.csv", folder)
    try:
        table = published(folder)
        own = table[(table["network"] == "ResNet-20 v1") & (table["epochs"] == 200)]
        assert set(own["ERM"].dropna()) == {92.02}  # the logs' median, read by hand
        assert table["Mixup"].notna().sum() >= 20 and "source" in table
        draw_published(folder)  # there are no curves, so nothing is drawn
        assert not (folder / "figures" / "published.png").exists()
        shutil.copy(CHECKOUT / "results" / "reference_curves.csv", folder)
        draw_published(folder)
        report.write(found, folder)
        assert "](figures/published.png)" in (folder / "REPORT.md").read_text()
        assert "## Beside published numbers" in (folder / "REPORT.md").read_text()
        (folder / "references.csv").write_text("dataset,network\ncifar10,x\n")
        with pytest.raises(InputError, match=r"references\.csv"):
            published(folder)
    finally:
        for name in ("references.csv", "reference_curves.csv", "figures/published.png"):
            (folder / name).unlink(missing_ok=True)


def test_the_list_of_items_counts_the_seeds_that_verdicts_rest_on(found):
    """A seed that was trained and not evaluated is behind no verdict."""
    (entry,) = [entry for entry in found if entry.name == "fig4_digits"]
    seeds, runs = entry.data.seeds(), entry.data.runs
    unasked = (runs["evaluation"] == "rescaled") & (runs["seed"] == runs["seed"].min())
    fewer = replace(entry, data=replace(entry.data, runs=runs[~unasked]))
    assert listing._of_entry(entry)["n"] == str(seeds)
    assert fewer.data.seeds() == seeds and listing._of_entry(fewer)["n"] == str(seeds - 1)


def test_the_cost_is_that_of_all_runs_that_the_command_makes(found):
    """An item that compares runs of two grids costs both, as its command trains both."""
    entry = found[0]
    runs = entry.data.runs
    other = replace(entry.data, absent=2, runs=runs.assign(run_id=runs["run_id"] + "-other"))
    both = replace(entry, data=replace(entry.data, absent=1, beside={"other": other}))
    alone, together = (dict(sections.section(e).facts)["Cost"].split() for e in (entry, both))
    assert int(together[0]) == 2 * int(alone[0]) > 0
    assert float(together[2]) == pytest.approx(2 * float(alone[2]), abs=0.11)
    assert " ".join(together).endswith("3 more runs have not finished.")


def test_runs_of_an_item_that_were_computed_differently_are_marked():
    cpu, gpu = "cpu (x86_64, 1 threads)", "NVIDIA H100"
    runs = pd.DataFrame(
        [(cpu, "float32"), ("cpu (x86_64, 2 threads)", "float32"), (gpu, "bfloat16")],
        columns=["device", "precision"],
    )
    assert "different ways" not in sections.computed(runs[:2])  # threads change rounding alone
    assert sections.computed(runs[2:]) == "NVIDIA H100, in bfloat16; evaluated in float32."
    marked = "computed in different ways**: 1 in bfloat16 on NVIDIA H100, 2 in float32 on cpu;"
    assert marked in sections.computed(runs)
    other = runs.assign(precision=["float32", "bfloat16", "float32"])[:2]
    assert "1 in bfloat16 on cpu, 1 in float32 on cpu" in sections.computed(other)


def test_a_figures_title_joins_the_papers_claims_by_verdict_without_questions_of_our_own(
    monkeypatch,
):
    told = [
        ("Rescaling helps.", Word.HOLDS, "holds here", False),
        ("Mixup is better.", Word.UNCLEAR, "unclear here", False),
        ("The gap grows (our reading).", Word.HOLDS, "holds here", False),
        ("Does ERM gain too?", Word.HOLDS, "holds here", True),
        ("Lines are straight.", Word.NOT_RUN, "not run", False),
    ]
    keys = ("says", "word", "phrase", "ours")
    verdicts = [SimpleNamespace(**dict(zip(keys, v))) for v in told]
    monkeypatch.setattr(figures, "of_entry", lambda _: verdicts)
    assert figures.came_out(None).splitlines() == [
        "Holds here: Rescaling helps; The gap grows.",
        "Unclear here: Mixup is better.",
    ]
