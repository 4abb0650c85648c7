"""mixup-repro reproduce: from an item's name to what it is drawn from."""

from __future__ import annotations

from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
from helpers import HARDWARE

from mixup_repro import cli, report
from mixup_repro.cli import reproduce
from mixup_repro.launch.node import DOOR
from mixup_repro.store import results

DIGITS = "experiment=carratino2020/fig4_digits"


@pytest.fixture
def asked(monkeypatch):
    """The commands that are run, which end with the codes that are put in, or else with 0."""
    commands, codes = [], []

    def answer(words, **_):
        commands.append(words[len(DOOR) :])
        return CompletedProcess(words, codes.pop(0) if codes else 0)

    monkeypatch.setattr(reproduce, "subprocess", SimpleNamespace(run=answer))
    return commands, codes


def test_a_command_that_two_items_need_is_run_once(asked, capsys):
    words = ["carratino2020/fig5_digits", "carratino2020/fig6_digits", "scale=smoke", "seeds=1"]
    assert cli.run("reproduce", words) == 0
    part = ["scale=smoke", "method.alpha=[8]", "seeds=1"]
    train, evaluate = asked[0]
    assert train == ["train", "-m", DIGITS, *part]
    assert evaluate == ["evaluate", "-m", DIGITS, part[0], "benchmark=generated", *part[1:]]
    assert (
        f"mixup-repro train -m {DIGITS} scale=smoke 'method.alpha=[8]'" in capsys.readouterr().out
    )


def test_a_table_that_is_measured_is_measured(asked):
    assert cli.run("reproduce", ["chidambaram2022/table2_cifar10"]) == 0
    assert asked[0] == [["distances", "dataset=cifar10"]]


def test_a_plan_trains_nothing(asked):
    assert cli.run("reproduce", ["--plan", "carratino2020/temperature_digits"]) == 0
    assert asked[0] == [["plan", "-m", DIGITS]]


@pytest.mark.parametrize("codes, code, ran", [([1, 0, 0], 1, 3), ([75], 75, 1), ([0, 2], 2, 3)])
def test_a_failure_is_told_and_a_stop_stops(codes, code, ran, asked):
    asked[1].extend(codes)
    names = ["carratino2020/temperature_digits", "chidambaram2022/fig1"]
    assert cli.run("reproduce", names) == code
    assert len(asked[0]) == ran


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
    assert says in line and asked[0] == []


def test_what_was_reproduced_is_drawn(monkeypatch, tmp_path):
    def here(words, **_):
        command, *rest = words[len(DOOR) :]
        return CompletedProcess(words, cli.run(command, rest))

    monkeypatch.setattr(reproduce, "subprocess", SimpleNamespace(run=here))
    words = ["carratino2020/temperature_digits", "scale=smoke", f"runs_dir={tmp_path / 'runs'}"]
    assert cli.run("reproduce", [*words, *HARDWARE]) == 0
    results.collect(tmp_path / "runs", tmp_path)
    assert {"fig4_digits", "temperature_digits"} <= {e.name for e in report.entries(tmp_path)}
