"""`report` with the words of `train`: figures of those runs, apart from the committed results."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers import HARDWARE, train_here

from mixup_repro.cli import report
from mixup_repro.errors import InputError
from mixup_repro.paths import CHECKOUT
from mixup_repro.report import custom
from mixup_repro.store.files import read_json

GRID = ["experiment=carratino2020/fig4_digits", "recipe.epochs=1", "seeds=2", "method.alpha=[1,8]"]


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("custom") / "runs"
    assert train_here("-m", *GRID, runs_dir=folder) == 0
    assert train_here("dataset=digits", "recipe.epochs=1", runs_dir=folder) == 0
    return folder


def drawn(words, runs_dir, folder):
    """The only folder that a report of these words made."""
    argv = [*words, *HARDWARE, f"runs_dir={runs_dir}", "--results-dir", str(folder)]
    assert report.main(argv) == 0
    assert [p.name for p in folder.iterdir()] == ["custom"]
    (made,) = (p for p in (folder / "custom").iterdir() if p.is_dir())
    return made


def test_a_cut_down_grid_is_drawn_from_its_runs_alone(runs_dir, tmp_path, capsys, monkeypatch):
    titles = []
    headline = custom.layout.headline
    monkeypatch.setattr(
        custom.layout, "headline", lambda f, text: titles.append(text) or headline(f, text)
    )
    made = drawn(GRID, runs_dir, tmp_path)
    assert set(titles) == {"Custom runs, not judged: " + custom.shlex.join(GRID)}
    assert {"overview.png", "fig4_digits.png", "index.md"} <= {p.name for p in made.iterdir()}
    page, said = (made / "index.md").read_text(), capsys.readouterr().out
    assert page.startswith("# Custom runs") and "fig4_digits.png" in page
    assert f"custom: 6 runs are drawn in {made}" in said
    assert f"{made / 'fig4_digits.png'}" in said and "fig5_digits is not drawn" in said
    rows = pd.read_csv(made / "runs.csv")
    assert rows.groupby("run_id")["seed"].nunique().tolist() == [2, 2, 2]
    records = [read_json(p) for p in runs_dir.glob("*-mixup-a8-*/seed*/record.json")]
    plain = [e["accuracy"] for r in records for e in r["evaluations"] if e["eval_alpha"] is None]
    table = pd.read_csv(made / "overview.csv").set_index("runs")
    assert len(plain) == 2
    mean = table.loc["Mixup, alpha = 8", "accuracy"]
    assert mean == pytest.approx(sum(plain) / 2, rel=1e-5)
    mixup = [f"Mixup, alpha = {a}{how}" for a in (1, 8) for how in ("", ", rescaled")]
    assert set(table.index) == {"ERM", *mixup}  # ERM has no alpha of its own to rescale at


def test_words_without_an_experiment_have_an_overview(runs_dir, tmp_path, capsys):
    made = drawn(["dataset=digits", "recipe.epochs=1"], runs_dir, tmp_path)
    assert made.name.startswith("digits-")
    assert str(made / "overview.png") in capsys.readouterr().out
    first = (made / "overview.csv").read_bytes()
    again = drawn(["recipe.epochs=1", "dataset=digits"], runs_dir, tmp_path)
    assert again == made and (made / "overview.csv").read_bytes() == first


def test_settings_that_differ_elsewhere_are_told_apart(runs_dir, tmp_path):
    words = ["dataset=digits", "recipe.epochs=1", "recipe.lr=0.01,0.02"]
    assert train_here("-m", *words, runs_dir=runs_dir) == 0
    table = pd.read_csv(drawn(words, runs_dir, tmp_path) / "overview.csv")
    assert table["runs"].is_unique and len(table) >= 2


@pytest.mark.parametrize(
    "words, says",
    [
        (["recipe.epochs=7"], "of these runs"),
        (["--no-collect"], "--no-collect"),
        (["--runs-dir", "."], "--runs-dir"),
    ],
)
def test_what_cannot_be_drawn_is_refused(words, says, runs_dir, tmp_path):
    argv = ["dataset=digits", *words, f"runs_dir={runs_dir}", "--results-dir", str(tmp_path)]
    with pytest.raises(InputError, match=says) as refused:
        report.main(argv)
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())


def test_git_ignores_what_is_custom():
    assert "/results/custom/" in (CHECKOUT / ".gitignore").read_text().splitlines()
