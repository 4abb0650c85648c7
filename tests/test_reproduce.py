"""mixup-repro reproduce: from an item's name to what it is drawn from."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest
from helpers import HARDWARE

from mixup_repro import cli, interrupt, report
from mixup_repro.cli import reproduce
from mixup_repro.store import results

DIGITS = "experiment=carratino2020/fig4_digits"
FIG1 = "experiment=chidambaram2022/fig1"
MOONS = "experiment=chidambaram2022/fig3_moons"


def fake(command: str, words: Sequence[str]) -> int:
    """Note the words; sleep, speak and end as `answers.json` has it for them."""
    words = [command, *words]
    with open("asked.jsonl", "a") as file:
        file.write(json.dumps([words, os.environ.get("OMP_NUM_THREADS"), os.getpid()]) + "\n")
    for some, answer in json.loads(Path("answers.json").read_text()):
        if set(some) <= set(words):
            end = time.monotonic() + answer.get("seconds", 0)
            with interrupt.watching():
                while time.monotonic() < end:
                    time.sleep(0.01)
                    if interrupt.requested():
                        sys.exit(interrupt.EX_TEMPFAIL)
            with open(1, "wb", closefd=False) as out:
                out.write(answer.get("says", "").encode())
            if answer["code"] < 0:
                os.kill(os.getpid(), -answer["code"])
            return int(answer["code"])
    return 0


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What was run, each as (words, threads, process), by `fake`; it ends with 0 unasked."""
    run, here = cli.run, os.getpid()

    def faked(command: str, words: Sequence[str]) -> int:
        return (run if os.getpid() == here else fake)(command, words)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "run", faked)
    # A copy of this process knows the fake, and need not load PyTorch.
    monkeypatch.setattr(reproduce, "START", get_context("fork"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    class Asked:
        def answer(self, answers=()):
            (tmp_path / "answers.json").write_text(json.dumps(answers))

        def __iter__(self):
            path = tmp_path / "asked.jsonl"
            return map(json.loads, path.read_text().splitlines() if path.exists() else ())

    found = Asked()
    found.answer()
    return found


def test_a_command_that_two_items_need_is_run_once(asked, capsys):
    words = ["carratino2020/fig5_digits", "carratino2020/fig6_digits", "scale=smoke", "seeds=1"]
    assert cli.run("reproduce", words) == 0
    part = ["scale=smoke", "method.alpha=[8]", "seeds=1"]
    (train, *_), (evaluate, *_) = asked
    assert train == ["train", "-m", DIGITS, *part]
    assert evaluate == ["evaluate", "-m", DIGITS, part[0], "benchmark=generated", *part[1:]]
    assert (
        f"mixup-repro train -m {DIGITS} scale=smoke 'method.alpha=[8]'" in capsys.readouterr().out
    )


def test_a_table_that_is_measured_is_measured(asked):
    assert cli.run("reproduce", ["chidambaram2022/table2_cifar10"]) == 0
    assert [words for words, *_ in asked] == [["distances", "dataset=cifar10"]]


def test_a_plan_trains_nothing(asked, capsys):
    assert cli.run("reproduce", ["--plan", "carratino2020/temperature_digits"]) == 0
    said = capsys.readouterr()
    assert f"mixup-repro plan -m {DIGITS}" in said.out and "runs to train" in said.err
    assert f"mixup-repro evaluate -m {DIGITS}" in said.out
    assert list(asked) == []


def test_a_plan_of_what_is_measured_says_what_would_be_run(asked, capsys):
    assert cli.run("reproduce", ["--plan", "chidambaram2022/table2_mnist"]) == 0
    assert list(asked) == []
    assert "mixup-repro distances dataset=mnist" in capsys.readouterr().out


def test_experiments_go_side_by_side_and_the_commands_of_one_in_turn(asked, capsys, monkeypatch):
    monkeypatch.setattr(reproduce, "cpu_count", lambda: 6)
    asked.answer([[["train", DIGITS], {"code": 0, "seconds": 1, "says": "trained"}]])
    names = ["carratino2020/temperature_digits", "chidambaram2022/fig1"]
    assert cli.run("reproduce", names) == 0
    order = [(words[0], words[2]) for words, *_ in asked]
    assert order.index(("train", FIG1)) < order.index(("evaluate", DIGITS)) == 2
    assert [threads for _, threads, _ in asked] == ["3", "3", "3"]
    out = capsys.readouterr().out
    assert out.index("trained") < out.index("mixup-repro evaluate")


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_process_runs_many_commands_and_a_new_one_follows_one_that_was_killed(
    cpus, asked, monkeypatch
):
    monkeypatch.setattr(reproduce, "cpu_count", lambda: cpus)
    names = ["carratino2020/temperature_digits", "chidambaram2022/fig1", "carratino2020/fig8_moons"]
    slowly = [["train"], {"code": 0, "seconds": 0.3}]
    asked.answer([slowly])
    assert cli.run("reproduce", names) == 0
    assert len(list(asked)) == 5 and len({process for *_, process in asked}) == cpus
    asked.answer([[["train", DIGITS], {"code": -9, "seconds": 0.3}], slowly])
    assert cli.run("reproduce", names) == 1
    assert len(list(asked)[5:]) == 5
    assert len({process for *_, process in list(asked)[5:]}) == cpus + 1


def test_what_is_said_in_letters_of_many_bytes_comes_in_whole_lines(asked, capsys, monkeypatch):
    """Two speak at once, more than a pipe holds; the last line of one has no end."""
    monkeypatch.setattr(reproduce, "cpu_count", lambda: 2)
    one, two = ([f"{sign}{k} ┃━┏ᾱ" for k in range(8_000)] for sign in "+-")
    asked.answer(
        [
            [["train", DIGITS], {"code": 0, "says": "\n".join(one) + "\n"}],
            [["train", FIG1], {"code": 0, "says": "\n".join(two)}],
        ]
    )
    assert cli.run("reproduce", ["carratino2020/temperature_digits", "chidambaram2022/fig1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line[0] == "+"] == one
    assert [line for line in lines if line[0] == "-"] == two


def test_the_user_s_own_words_of_hardware_hold(asked, monkeypatch):
    monkeypatch.setattr(reproduce, "cpu_count", lambda: 6)
    names = ["chidambaram2022/fig3_moons", "chidambaram2022/fig1", "hardware=node"]
    assert cli.run("reproduce", names) == 0
    assert [(words[2], threads) for words, threads, _ in asked] == [(MOONS, None), (FIG1, None)]


@pytest.mark.parametrize(
    "answers, code, ran",
    [
        ([[["train", DIGITS], {"code": 1}]], 1, 3),
        ([[["train", DIGITS], {"code": 75}]], 75, 2),
        ([[["train", FIG1], {"code": 2}]], 2, 3),
        ([[["train", DIGITS], {"code": -9}]], 1, 3),  # killed
        ([[["train", DIGITS], {"code": 1}], [["train", FIG1], {"code": 2}]], 2, 3),
    ],
)
def test_a_failure_is_told_and_a_stop_stops(answers, code, ran, asked):
    asked.answer([[["train", FIG1], {"code": 0, "seconds": 0.5}], *answers][::-1])
    names = ["carratino2020/temperature_digits", "chidambaram2022/fig1"]
    assert cli.run("reproduce", names) == code
    assert len(list(asked)) == ran


def test_a_signal_to_it_stops_what_it_started(asked, monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "cpu_count", lambda: 2)
    asked.answer([[["train"], {"code": 75, "seconds": 60}]])  # SIGTERM ends it before
    names = ["chidambaram2022/fig3_moons", "carratino2020/fig8_moons", "chidambaram2022/fig1"]

    def stop():
        while len(list(asked)) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    began = time.monotonic()
    with pytest.raises(SystemExit) as ended:
        cli.run("reproduce", names)
    assert ended.value.code == 75 and time.monotonic() - began < 50
    assert "stopped by SIGTERM; the same command goes on" in capsys.readouterr().out
    assert len(list(asked)) == 2  # of four


@pytest.mark.parametrize(
    "command, words, says",
    [
        ("reproduce", ["scale=smoke"], "name an item of the papers"),
        ("reproduce", ["carratino2020/fig6"], "there is carratino2020/fig"),
        ("train", ["experiment=carratino2020/fig6_digits"], "mixup-repro reproduce carratino2020"),
        ("train", ["item=fig9"], "these fields are gone"),
        ("plan", ["paper=carratino2020"], "these fields are gone"),
    ],
)
def test_bad_words_are_one_line(command, words, says, asked, capsys):
    assert cli.run(command, words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line and list(asked) == []


def test_what_was_reproduced_is_drawn(tmp_path):
    words = ["scale=smoke", f"runs_dir={tmp_path / 'runs'}", *HARDWARE]
    for command, *rest in reproduce.commands(["carratino2020/temperature_digits"], words):
        assert cli.run(command, rest) == 0
    results.collect(tmp_path / "runs", tmp_path)
    assert {"fig4_digits", "temperature_digits"} <= {e.name for e in report.entries(tmp_path)}
