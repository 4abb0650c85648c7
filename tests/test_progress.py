"""What a person sees while runs train: on a terminal, in a log file, and by the arithmetic."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import commands
import pytest
from helpers import HARDWARE, SCRIPT, job, make_image_folder, record

from mixup_repro import live
from mixup_repro.data import image_folder, load
from mixup_repro.jobs import expand
from mixup_repro.live import phase
from mixup_repro.store.folder import RunFolder
from mixup_repro.training import progress
from mixup_repro.training.progress import Progress, Task
from mixup_repro.training.sweep import Sweep

pytestmark = pytest.mark.usefixtures("elsewhere")

DIGITS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[16]", *HARDWARE]


def on_a_terminal(*words: object, cwd: Path) -> tuple[str, float]:
    """All that train writes to a terminal, and the seconds from its first byte to its last."""
    ours, theirs = pty.openpty()
    env = commands.environment() | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=cwd, env=env):
        os.close(theirs)
        first, read = None, b""
        while True:
            try:
                some = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            first = first or time.monotonic()
            read += some
    os.close(ours)
    return read.decode(), time.monotonic() - first


@pytest.mark.slow
def test_a_terminal_shows_steps_and_the_sweep_a_few_times_a_second(tmp_path):
    """Toy epochs take a few milliseconds: a line a step would be 15 x 200 x 2 lines."""
    words = ["-m", "method=erm,mixup", "recipe.epochs=200", f"runs_dir={tmp_path}", *DIGITS]
    text, seconds = on_a_terminal(*words, cwd=tmp_path)
    frames = text.count("/seed0\r\n")  # each begins with the name of the run
    assert 2 <= frames <= (live.LOOKS + 1) * seconds + 4
    steps = re.findall(r"epoch (\d+) of 200, step (\d+) of 15", text)
    assert steps and all(1 <= int(e) <= 200 and 0 <= int(s) <= 15 for e, s in steps)
    assert "job 1 of 2, ~" in text and "job 2 of 2, ~" in text


def test_a_log_file_has_a_line_a_run_and_no_carriage_return(tmp_path):
    words = ["-m", "method=erm,mixup", "recipe.epochs=200", f"runs_dir={tmp_path}", *DIGITS]
    done = commands.run(SCRIPT, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stderr and "\x1b" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if re.match(r"digits-mlp", line)]
    ends = [line for line in lines if "/seed0: 200 epochs in " in line]
    assert len(ends) == 2
    assert len(lines) - len(ends) <= 2 * 6  # where a busy machine makes two runs of them minutes


def test_a_run_without_a_point_of_its_curves_ends_its_line_without_one(capsys):
    """Such as one that lost its numbers, or that had only its evaluations to do."""
    with Progress().task("net/seed0", ["net/seed0"], 4, 1, 4.0):
        pass
    assert re.fullmatch(r"net/seed0: 0 epochs in \d\.\d s\n", capsys.readouterr().err)


def test_a_log_has_a_line_a_minute(capsys, monkeypatch):
    """A minute is 0.3 s here."""
    monkeypatch.setattr(live, "MINUTE_S", 0.3)
    with phase("drawing", 40, "figures") as at:
        monkeypatch.setattr(at, "began", time.monotonic() - 60)
        at.done = 12
        time.sleep(live.SOON_S + 1.0)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 4  # at 1.0, 1.3, 1.6 and 1.9 s
    # 60 s for 12, so 140 s for the other 28
    assert set(lines) == {"drawing 12 of 40 figures, ~2 min left"}


def test_what_takes_less_than_a_second_is_not_shown(capsys):
    with phase("drawing", 40, "figures"):
        pass
    assert capsys.readouterr().err == ""
    assert not any(thread.name.endswith("(_show)") for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("done", "total", "says"),
    [
        (0, 60000, "decoding 60,000 pictures"),
        (15000, 60000, "decoding 15,000 of 60,000 pictures, ~30 s left"),  # 10 s for a quarter
        (60000, 60000, "decoding 60,000 of 60,000 pictures"),
        (0, 0, "decoding pictures"),
    ],
)
def test_a_phase_says_what_how_far_and_how_long(done, total, says, monkeypatch):
    monkeypatch.setattr(live.time, "monotonic", lambda: 110.0)
    assert live.Phase("decoding", total, "pictures", done, began=100.0).line() == says


@pytest.fixture
def clock(monkeypatch):
    """clock[0]: what the time is."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def folders(one) -> list[RunFolder]:
    return [RunFolder(run) for run in expand(one)]


def test_what_is_left_of_a_sweep_counts_epochs_of_runs_that_are_not_done(tmp_path, clock):
    """Three jobs of 2, 3 and 4 runs of 10 epochs. One run of the third is done, one is at epoch 4.

    The first job took 40 s for its 20 epochs of runs. The second is at epoch 2, step 5 of 10, after
    10 s: 7.5 more epochs of runs. So 27.5 took 50 s; 22.5 of its own are left, and of the third
    2 x 10 + 6: together 48.5 epochs at 50 / 27.5 s.
    """
    words = [*DIGITS, "recipe.epochs=10", "method=mixup", f"runs_dir={tmp_path}"]
    jobs = [job(*words, f"method.alpha={k}", f"seeds={k + 1}") for k in (1, 2, 3)]
    done, begun, *_ = folders(jobs[2])
    for folder, name in ((done, "record.json"), (begun, "epoch000004-step000000.pt")):
        folder.create()
        (folder.path / name).touch()
    done.record_path.write_text(json.dumps(record(done)))
    sweep = Sweep()
    for one in jobs:
        sweep.expect(one)
    sweep.begin(jobs[0], 1)
    first, second = ([str(f) for f in folders(one)] for one in jobs[:2])
    sweep.visited.update(first)
    sweep.trained(20, 40.0)
    sweep.begin(jobs[1], 2)
    sweep.visited.update(second)
    task = Task("two", second, 10, 10, 0, sweep)
    task.at, clock[0] = (2, 5), clock[0] + 10
    assert task.ahead == 26
    seconds = 48.5 * 50 / 27.5
    assert task.all_left() == f"job 2 of 3, ~{round(seconds / 60)} min left"
    assert task.own_left() == "~30 s left"  # 2.5 of 10 epochs in 10 s
    task.note = "loss 1.0000, test accuracy 50.00%"
    assert task.line() == (
        "two: epoch 3 of 10, step 5 of 10, ~30 s left, loss 1.0000, test accuracy 50.00%; "
        "job 2 of 3, ~1 min left"
    )


def test_a_run_that_goes_on_reckons_from_where_it_began(clock, tmp_path):
    """From epoch 4 of 10, half an epoch in: 1.5 epochs in 30 s leave 4 epochs, 80 s."""
    task = Task("one", ["one"], 10, 10, 4.5, Sweep())
    assert (task.place(), task.own_left()) == ("epoch 5 of 10, step 0 of 10", "")
    task.at, clock[0] = (6, 0), clock[0] + 30
    assert (task.place(), task.own_left()) == ("epoch 7 of 10, step 0 of 10", "~1 min left")
    assert task.all_left() == ""  # there is no other run
    task.at = (10, 0)
    assert (task.place(), task.own_left()) == ("epoch 10 of 10", "")


def test_other_stacks_count_and_a_sweeper_without_an_end_says_the_number(tmp_path, clock):
    one = job(*DIGITS, "recipe.epochs=10", "seeds=4", f"runs_dir={tmp_path}")
    names = [str(folder) for folder in folders(one)]
    sweep = Sweep()
    sweep.begin(one, 0)
    sweep.visited.update(names[:2])
    task = Task("half", names[:2], 10, 1, 0, sweep)
    task.at, clock[0] = (5, 0), clock[0] + 10  # 10 epochs of runs in 10 s, 10 + 20 are left
    assert task.all_left() == "~30 s left of all runs"
    sweep.number = 7
    assert task.all_left() == "job 7"


def test_nothing_is_left_after_the_last_epoch_of_the_last_job(tmp_path, clock):
    jobs = [job(*DIGITS, f"recipe.epochs={n}", f"runs_dir={tmp_path}") for n in (5, 10)]
    sweep = Sweep()
    for one in jobs:
        sweep.expect(one)
        sweep.begin(one, sweep.jobs)
        names = [str(folder) for folder in folders(one)]
        sweep.visited.update(names)
    task = Task("last", names, 10, 1, 0, sweep)
    task.at, clock[0] = (10, 0), clock[0] + 10
    assert task.all_left() == "job 2 of 2"
    alone = Sweep()
    alone.expect(jobs[1])
    alone.begin(jobs[1], 1)
    alone.visited.update(names)
    assert Task("alone", names, 10, 1, 0, alone).all_left() == ""  # one job is no sweep


def test_a_job_that_trains_only_what_failed_before_counts_nothing_else(tmp_path):
    one = job(*DIGITS, "recipe.epochs=10", "seeds=3", "retry=failed", f"runs_dir={tmp_path}")
    failed, *_ = folders(one)
    failed.create()
    (failed.path / "failed.json").write_text("{}")
    sweep = Sweep()
    sweep.expect(one)
    assert sweep.ahead() == 10


def test_a_log_has_a_line_a_minute_of_a_kind_however_many_there_are(capsys, monkeypatch):
    """A minute is 0.6 s here, and a phase, shown at once, takes 0.1 s."""
    monkeypatch.setattr(live, "MINUTE_S", 0.6)
    monkeypatch.setattr(live, "SOON_S", 0.0)
    monkeypatch.setattr(live, "_said", {})
    began = time.monotonic()
    for _ in range(10):
        with phase("evaluating", 5, "runs"):
            time.sleep(0.1)
    minutes = (time.monotonic() - began) / 0.6
    lines = capsys.readouterr().err.splitlines()
    assert set(lines) == {"evaluating 5 runs"}
    assert 2 <= len(lines) <= minutes + 1


def test_what_goes_on_inside_another_is_part_of_it(capsys, monkeypatch):
    monkeypatch.setattr(live, "SOON_S", 0.0)
    monkeypatch.setattr(live, "_said", {})
    with phase("drawing", 40, "figures"), phase("reading", 1, "figures"):
        time.sleep(0.2)
    assert capsys.readouterr().err == "drawing 40 figures\n"
    with phase("reading", 1, "figures"):  # the end of the one gave way to the next
        time.sleep(0.2)
    assert capsys.readouterr().err == "reading 1 figure\n"


def test_an_error_inside_ends_the_line(capsys, monkeypatch):
    monkeypatch.setattr(live, "SOON_S", 0.0)
    with pytest.raises(ValueError), phase("reading", things="results"):
        raise ValueError
    with phase("hashing", things="examples"):
        time.sleep(0.2)
    assert "hashing examples" in capsys.readouterr().err


def test_decoding_counts_the_pictures_of_both_parts(tmp_path, capsys, monkeypatch):
    root = make_image_folder(tmp_path / "pets")
    pictures = len(list(root.glob("*/*/*")))
    monkeypatch.setattr(live, "SOON_S", 0.0)
    monkeypatch.setattr(live, "_said", {})
    read = image_folder.read_picture
    monkeypatch.setattr(image_folder, "read_picture", lambda p: (time.sleep(0.05), read(p))[1])
    load(job("dataset=image_folder", f"dataset.root={root}").dataset)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("decoding")]
    assert len(said) == 1 and re.search(rf"(of )?\b{pictures} pictures", said[0])
