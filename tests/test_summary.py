"""The table at the end of a command, against the records that it is about."""

from __future__ import annotations

import json
from pathlib import Path

import commands
import pytest
from helpers import HARDWARE, SCRIPT, train_here

from mixup_repro.store.folder import Outcome, State

pytestmark = pytest.mark.usefixtures("elsewhere")

WORDS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=1"]
WORDS = ["-m", *WORDS, "method=mixup,erm", "method.alpha=[0.5,2]", *HARDWARE]


def cells(text: str) -> list[list[str]]:
    """The rows of a table; a row without a run's id belongs to the one above."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line[:1] in "│┃":
            row = [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
            rows.append([rows[-1][0], *row[1:]] if rows and not row[0] else row)
    return rows


def truth(runs_dir: Path, run_id: str, evaluation: str, alpha: float | None) -> list[str]:
    """The means over a run's records, as the table writes them."""
    records = [json.loads(p.read_text()) for p in runs_dir.glob(f"{run_id}/seed*/record.json")]
    rows = [
        row
        for record in records
        for row in record["evaluations"]
        if row["evaluation"] == evaluation and row["eval_alpha"] == alpha
    ]
    assert len(rows) == 2
    accuracy, *others = (sum(r[k] for r in rows) / 2 for k in ("accuracy", "cross_entropy", "ece"))
    return [f"{100 * accuracy:.2f}%", *(f"{value:.4f}" for value in others)]


def test_a_job_about_rescaling_shows_it_beside_the_plain_prediction(tmp_path):
    words = [*WORDS, "seeds=2", "evaluation.alphas=[0.5,2]", f"runs_dir={tmp_path / 'runs'}"]
    done = commands.run(SCRIPT, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    header, *rows = cells(done.stderr)
    assert header[:3] == ["run", "seeds", "prediction"]
    shown = {}
    for name, _, prediction, *numbers, _ in rows:
        kind, _, alpha = prediction.partition(", alpha ")
        assert numbers == truth(tmp_path / "runs", name, kind, float(alpha) if alpha else None)
        shown.setdefault(name[: name.rindex("-")], []).append(prediction)
    assert shown == {  # each Mixup run at its own alpha; ERM, which has none, at each
        "digits-mlp-mixup-a0.5": ["plain", "rescaled, alpha 0.5"],
        "digits-mlp-mixup-a2": ["plain", "rescaled, alpha 2"],
        "digits-mlp-erm": ["plain", "rescaled, alpha 0.5", "rescaled, alpha 2"],
    }
    assert "Algorithm 1" in done.stderr


def test_a_run_asked_for_other_alphas_than_its_own_is_shown_at_all_of_them(tmp_path, capsys):
    words = [w for w in WORDS if not w.startswith("method")] + ["method=mixup", "method.alpha=1"]
    words += ["seeds=2", "evaluation.alphas=[0.5,2]"]
    assert train_here(*words, runs_dir=tmp_path) == 0
    _, *rows = cells(capsys.readouterr().err)
    assert [row[2] for row in rows] == ["plain", *(f"rescaled, alpha {a}" for a in ("0.5", 1, 2))]
    name, _, _, *numbers, _ = rows[1]
    assert numbers == truth(tmp_path, name, "rescaled", 0.5)


def test_another_job_shows_the_plain_prediction_alone(tmp_path, capsys):
    assert train_here(*WORDS, "seeds=[0]", runs_dir=tmp_path) == 0
    told = capsys.readouterr().err
    header, *rows = cells(told)
    assert header == ["run", "seeds", "test accuracy", "cross-entropy", "ECE", "state"]
    assert len(rows) == 3 and "rescaled" not in told
    assert {row[-1] for row in rows} == {"1 done"}
    assert train_here(*WORDS, "seeds=2", runs_dir=tmp_path) == 0
    _, *rows = cells(capsys.readouterr().err)
    assert {row[-1] for row in rows} == {"1 done, 1 done before"}


def test_one_vocabulary():
    """What one visit makes of a run is a state, or a way in which it is done."""
    words = {str(outcome) for outcome in Outcome}
    assert {str(state) for state in State} <= words
    assert all(word.startswith("done before") for word in words - {str(s) for s in State})
