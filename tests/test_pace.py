"""How long the processes of a machine still take: arithmetic by hand, and as a user sees it."""

from __future__ import annotations

import re

import commands
import pytest
from helpers import HARDWARE, SCRIPT, job

from mixup_repro.jobs import expand
from mixup_repro.launch.pace import Pace, Work, size
from mixup_repro.store.folder import RunFolder

pytestmark = pytest.mark.usefixtures("elsewhere")

DIGITS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "method=erm", *HARDWARE]


def test_at_the_pace_of_those_that_ended():
    """22 units took 44 s. One runs for 4 s of its 11 units' 22; 33 wait, so 66 s: 84 s in 2."""
    pace = Pace(processes=6)
    pace.add(Work(11, seconds=24))
    pace.add(Work(11, seconds=20))
    pace.add(None)  # it died at once, and says nothing of the others
    running = [Work(11, seconds=4)]
    assert pace.seconds_left(running, waiting=33, slots=2) == pytest.approx((18 + 66) / 2)
    assert pace.words(running, 33, 2) == "3 of 6 processes ended, ~42 s left"
    # One process cannot be shared by two slots: the last takes its own time.
    assert pace.seconds_left([Work(11, seconds=4)], 0, 2) == pytest.approx(18)
    # What is on disk counts more than its time: 8 of 11 units, at 2 s each, leave 6 s; 11 none.
    assert pace.seconds_left([Work(11, done=8, seconds=90)], 0, 2) == pytest.approx(6)
    assert pace.words([Work(11, done=11, seconds=3)], 0, 2) == "3 of 6 processes ended"
    # One that takes longer than those before says nothing of when it ends.
    assert pace.seconds_left([Work(11, seconds=400)], 0, 2) == 0
    # Nor does it take anything off the others: 18 s and the 66 s of those that wait.
    late = [Work(11, seconds=400), Work(11, seconds=4)]
    assert pace.seconds_left(late, 33, 2) == pytest.approx((18 + 66) / 2)


def test_before_any_has_ended_the_checkpoints_say_it():
    pace = Pace(processes=3)
    assert pace.words([Work(11, 0, 5.0), Work(11, 0, 5.0)], 11, 2) == "0 of 3 processes ended"
    # 10 of 22 units in 2 x 10 s: 2 s each; 6 x 2 s and 6 x 2 s are left, and 11 x 2 s wait.
    running = [Work(11, 5, 10.0), Work(11, 5, 10.0)]
    assert pace.seconds_left(running, 11, 2) == pytest.approx((12 + 12 + 22) / 2)


def test_the_work_on_a_run_is_what_it_lacks(tmp_path):
    one = job(*DIGITS, "recipe.epochs=10", "seeds=2", f"runs_dir={tmp_path}")
    first, second = (RunFolder(run) for run in expand(one))
    assert size([first, second]) == 22
    first.create()
    (first.path / "epoch000004-step000000.pt").touch()
    assert size([first, second]) == 7 + 11


@pytest.mark.slow
def test_a_machine_counts_its_processes_and_says_what_is_left(tmp_path):
    """Two jobs in one slot, in a log: a line at once, and none without a change."""
    words = [*DIGITS, "recipe.epochs=3", "recipe.lr=0.1,0.2", f"runs_dir={tmp_path / 'runs'}"]
    words += ["hardware=node", "hardware.slots=[0]"]
    done = commands.run(SCRIPT, "-m", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stderr and "\x1b" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "processes ended" in line]
    assert lines and all(
        re.fullmatch(r"(\d+ [a-z]+, )*\d+ [a-z]+; \d of 2 processes ended(, ~.* left)?", line)
        for line in lines
    )
    counts = [sum(map(int, re.findall(r"(\d+) (?:done|running|missing)", x))) for x in lines]
    assert set(counts) == {2}
