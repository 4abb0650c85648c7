"""What the product wrote is not trusted: a damaged file is named, and holds up nothing else."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import HARDWARE, job

from mixup_repro import interrupt
from mixup_repro.cli.clean import main as clean
from mixup_repro.errors import DamagedError, InputError
from mixup_repro.jobs import expand
from mixup_repro.launch import session
from mixup_repro.launch.status import Status
from mixup_repro.store import results
from mixup_repro.store.files import read_json, write_json
from mixup_repro.store.folder import RunFolder
from mixup_repro.training import checkpoint
from mixup_repro.training.progress import Progress

pytestmark = pytest.mark.usefixtures("elsewhere")

WORDS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=1"]
WORDS += ["seeds=2", *HARDWARE]
ASKED = ["evaluation.alphas=[0.25]"]


def visit(runs_dir: Path, *more: str, train: bool = True) -> dict[int, session.Result]:
    """What a visit makes of each seed."""
    found = session.run_job(job(*WORDS, *more, f"runs_dir={runs_dir}"), Progress(), train)
    return {result.folder.run.seed: result for result in found}


@pytest.fixture
def runs(tmp_path) -> Path:
    visit(tmp_path / "runs")
    return tmp_path / "runs"


def folder(runs_dir: Path, seed: int = 0) -> RunFolder:
    return RunFolder(expand(job(*WORDS, f"runs_dir={runs_dir}"))[seed])


CONTENTS = {
    "no data": lambda r: r.pop("data"),
    "data is none": lambda r: r.update(data=None),
    "no evaluations": lambda r: r.update(evaluations=[]),
    "an evaluation is a word": lambda r: r["evaluations"].append("x"),
    "no accuracy": lambda r: r["evaluations"][0].pop("accuracy"),
    "accuracy above 1": lambda r: r["evaluations"][0].update(accuracy=97.2),
    "accuracy is none": lambda r: r["evaluations"][0].update(accuracy=float("nan")),
    "negative loss": lambda r: r["evaluations"][1].update(cross_entropy=-1),
    "alpha is a word": lambda r: r["evaluations"][1].update(eval_alpha="1"),
    "no time": lambda r: r.update(wall_s=None),
    "time is a word": lambda r: r.update(wall_s="x"),
    "curves are a word": lambda r: r.update(curves="x"),
    "config is a list": lambda r: r.update(config=[]),
}


@pytest.mark.parametrize("change", CONTENTS)
def test_a_record_with_damaged_content_holds_up_no_other(runs, change, tmp_path, capsys):
    mine = folder(runs)
    record = read_json(mine.record_path)
    CONTENTS[change](record)
    write_json(mine.record_path, record)
    with pytest.raises(DamagedError, match=f"{mine.record_path} is damaged"):
        mine.read_record()
    assert Status([job(*WORDS, f"runs_dir={runs}")]).line() == "1 done, 1 missing"
    assert results.collect(runs, tmp_path / "results") == 1
    assert str(mine.record_path) in capsys.readouterr().out
    asked = visit(runs, *ASKED, train=False)
    assert [asked[seed].outcome for seed in (0, 1)] == ["missing", "done before and evaluated now"]
    assert str(mine.record_path) in capsys.readouterr().err
    again = visit(runs)
    assert [again[seed].outcome for seed in (0, 1)] == ["done", "done before"]


@pytest.mark.parametrize("content", [None, b"", b"no zip"])
@pytest.mark.parametrize("train", [True, False])
def test_damaged_weights_hold_up_no_other_run_and_say_what_removes_them(
    runs, content, train, capsys
):
    mine = folder(runs)
    mine.weights_path.unlink()
    if content is not None:
        mine.weights_path.write_bytes(content)
    assert {r.outcome for r in visit(runs, train=train).values()} == {
        "done before"
    }  # nothing is asked
    capsys.readouterr()
    found = visit(runs, *ASKED, train=train)
    assert [found[seed].outcome for seed in (0, 1)] == ["failed", "done before and evaluated now"]
    assert f"mixup-repro clean done {mine}" in found[0].reason
    (line,) = capsys.readouterr().err.splitlines()
    assert str(mine.weights_path) in line
    assert clean(["done", str(mine), f"runs_dir={runs}", "--yes"]) == 0
    again = visit(runs, *ASKED)
    assert [again[seed].outcome for seed in (0, 1)] == ["done", "done before"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_damaged_failure_is_named_and_the_run_is_trained_again(runs, content, capsys):
    mine = folder(runs)
    mine.record_path.unlink()
    mine.failed_path.write_bytes(content)
    (line,) = Status([job(*WORDS, f"runs_dir={runs}")]).reasons()
    assert f"{mine.failed_path} is damaged" in line
    assert visit(runs, "retry=failed")[0].outcome == "done"


@pytest.fixture
def corrupted(runs, tmp_path) -> tuple[Path, list[str]]:
    words = ["benchmark=generated", f"benchmark.root={tmp_path / 'c'}", "benchmark.severities=[1]"]
    words += ["benchmark.corruptions=[brightness]", "benchmark.examples=50"]
    visit(runs, *words)
    return runs, words


def test_damaged_weights_hold_up_no_other_run_of_a_benchmark(corrupted):
    runs, words = corrupted
    before = [folder(runs, seed).path / "ood-digits-c-generated.json" for seed in (0, 1)]
    rows = [json.loads(path.read_text())["rows"] for path in before]
    for path in before:
        path.unlink()
    folder(runs).weights_path.write_bytes(b"")
    found = visit(runs, *words, train=False)
    assert [found[seed].outcome for seed in (0, 1)] == ["failed", "done before and evaluated now"]
    assert not before[0].exists() and json.loads(before[1].read_text())["rows"] == rows[1]


def test_damaged_weights_hold_up_no_other_run_of_a_probe(runs):
    probe = "probe=jacobian"
    folder(runs).weights_path.write_bytes(b"")
    found = visit(runs, probe, train=False)
    assert [found[seed].outcome for seed in (0, 1)] == ["failed", "done before and evaluated now"]
    found = visit(runs, probe, train=False)
    assert [found[seed].outcome for seed in (0, 1)] == ["failed", "done before"]


def test_a_damaged_benchmark_is_evaluated_again(corrupted, capsys):
    runs, words = corrupted
    path = folder(runs).path / "ood-digits-c-generated.json"
    whole = path.read_text()
    path.write_text(whole[:50])
    capsys.readouterr()
    found = visit(runs, *words, train=False)
    assert [found[seed].outcome for seed in (0, 1)] == [
        "done before and evaluated now",
        "done before",
    ]
    assert str(path) in capsys.readouterr().err and path.read_text() == whole


# --- What clean removes -----------------------------------------------------------------------


def test_clean_follows_no_link(runs, tmp_path):
    mine = folder(runs)
    outside = tmp_path / "outside" / mine.id
    mine.path.parent.rename(tmp_path / "moved")
    (tmp_path / "outside").mkdir()
    (tmp_path / "moved").rename(outside)
    (runs / mine.id).symlink_to(outside)
    before = sorted(outside.rglob("*"))
    for words in (WORDS, [mine.id], [str(mine)]):
        with pytest.raises(InputError, match="reached by a link"):
            clean(["done", *words, f"runs_dir={runs}", "--yes"])
    assert clean(["leftovers", f"runs_dir={runs}", "--yes"]) == 0
    (runs / mine.id).unlink()
    (runs / mine.id).mkdir()
    mine.path.symlink_to(outside / "seed0")
    with pytest.raises(InputError, match="reached by a link"):
        clean(["done", mine.id, f"runs_dir={runs}", "--yes"])
    assert sorted(outside.rglob("*")) == before


def test_clean_lists_what_a_person_put_there(runs, capsys):
    mine = folder(runs)
    (mine.path / "notes").mkdir()
    (mine.path / "notes" / "mine.txt").write_text("mine")
    checkpoint.save(mine.path, 1, {})
    words = ["done", str(mine), f"runs_dir={runs}"]
    assert clean(words) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "with it" in line]
    assert said == [
        f"with it: {mine.path / 'notes'}",
        f"with it: {mine.path / 'notes' / 'mine.txt'}",
    ]
    assert mine.path.exists()


def test_clean_takes_what_killed_processes_left(runs, capsys):
    done, begun = folder(runs, 0), folder(runs, 1)
    left = [done.path / ".weights.pt.123", done.path / "epoch000001-step000000.pt"]
    for path in left:
        path.write_bytes(b"half")
    (done.path / ".mine").write_text("a person's own")
    begun.record_path.write_text("{")  # damaged, and nothing but it says what the folder was
    other = begun.path.with_name("seed7")  # a whole record, of another run than the folder's
    other.mkdir()
    (other / "record.json").write_bytes(done.record_path.read_bytes())
    (runs / "digits-mlp-mixup-a1-00000000" / "seed0").mkdir(parents=True)
    assert clean(["leftovers", f"runs_dir={runs}"]) == 0
    said = capsys.readouterr().err
    assert all(path.exists() for path in left) and begun.path.exists()
    assert "3 runs" in said
    assert clean(["leftovers", f"runs_dir={runs}", "--yes"]) == 0
    assert not any(path.exists() for path in left) and not begun.path.exists()
    assert (done.path / ".mine").exists() and done.state() == "done" and other.exists()
    assert sorted(path.name for path in runs.iterdir()) == [done.id]


def test_no_flipped_bit_of_a_record_is_read_as_another_record(tmp_path):
    """Every bit of a small one: each leaves the content as it was, or is found."""
    value = {"seed": 3, "rows": [{"accuracy": 0.93, "eval_alpha": None, "name": "plain"}]}
    path = tmp_path / "record.json"
    write_json(path, value)
    whole, found = path.read_bytes(), 0
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read = read_json(path)
        except DamagedError:
            found += 1
        else:  # a blank that became another, or the name "checksum" itself
            assert {k: v for k, v in read.items() if k in value} == value
    assert found > 0.5 * 8 * len(whole)


def rows(runs_dir: Path) -> pd.DataFrame:
    """runs.csv of these runs, less what is of the moment."""
    out = runs_dir.with_name("merged")
    shutil.rmtree(out, ignore_errors=True)
    results.collect(runs_dir, out)
    return pd.read_csv(out / "runs.csv", index_col=["seed", "evaluation", "eval_alpha"]).drop(
        columns=["wall_s", "commit"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["record", "weights", "logits", "probe", "checkpoint", "failed"])
def test_a_flipped_bit_in_a_file_of_a_run_changes_no_number(kind, runs, tmp_path, capsys):
    """Twenty of each kind: the command ends well, or says which file; rows are as they were."""
    visit(runs, "probe=jacobian")
    mine, before = folder(runs), rows(runs)
    if kind in ("checkpoint", "failed"):
        shutil.rmtree(mine.path)
        mine.create()
        mine.write_failure({"error": "out of memory", "traceback": ""})
    if kind == "checkpoint":
        with pytest.raises(SystemExit), interrupt.watching():
            signal.raise_signal(signal.SIGUSR2)
            visit(runs)
    (path,) = mine.path.glob({"checkpoint": "epoch*.pt"}.get(kind, f"{kind}*"))
    rng, kept = np.random.default_rng(0), tmp_path / "kept"
    shutil.copytree(runs, kept)
    for _ in range(20):
        shutil.rmtree(runs)
        shutil.copytree(kept, runs)
        damaged = bytearray(path.read_bytes())
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        ended = visit(runs, "probe=jacobian")
        for result in ended.values():
            assert result.outcome != "failed" or str(result.folder) in result.reason
        after = rows(runs)
        assert after.equals(before.loc[after.index]) and 1 in after.index.get_level_values("seed")
    assert "Traceback" not in capsys.readouterr().err
