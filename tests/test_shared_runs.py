"""Several users share runs/: looking needs no permission to write, and what is done is present."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from pathlib import Path

import commands
import pytest
from filelock import FileLock
from helpers import HARDWARE, job, train_here

from mixup_repro.jobs import expand
from mixup_repro.store.folder import RunFolder

pytestmark = [
    pytest.mark.usefixtures("elsewhere"),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="only root gives files to another user"
    ),
]

WORDS = ["dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=1"]
OTHER = 54321  # the user who trained


def without_privileges() -> None:
    """Root as any user: what belongs to another one can be read and not written.

    No other user could read a Python that lies in root's own folder.
    """
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0


@pytest.fixture
def runs(tmp_path) -> Path:
    """Finished runs of another user."""
    assert train_here(*WORDS, "seeds=2", runs_dir=tmp_path / "runs") == 0
    give_away(tmp_path / "runs")
    return tmp_path / "runs"


def give_away(runs: Path) -> None:
    for path in [runs, *runs.rglob("*")]:
        os.chown(path, OTHER, OTHER)
        path.chmod(0o755 if path.is_dir() else 0o644)


def times(runs: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in runs.rglob("*")}


def as_user(command: str, runs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of a user whose runs these are not."""
    script = commands.CHECKOUT / "scripts" / f"{command}.py"
    fields = () if command == "report" else (*WORDS, *HARDWARE, f"runs_dir={runs}")
    return commands.run(script, *words, *fields, cwd=runs.parent, first=without_privileges)


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("plan", ["seeds=2"], "0 runs to train"),
        ("train", ["seeds=2"], "2 done before"),
        ("train", ["-m", "seeds=2", "recipe.epochs=1"], "2 done before"),
        ("evaluate", ["seeds=2"], "2 done before"),
        ("clean", ["done", "seeds=2"], "add --yes"),
    ],
)
def test_another_user_sees_what_is_done(command, words, said, runs):
    before = times(runs)
    done = as_user(command, runs, *words)
    assert done.returncode == 0 and said in done.stderr, done.stderr
    assert times(runs) == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train", ["seeds=3"]),
        ("evaluate", ["evaluation.alphas=[0.3]"]),
        ("clean", ["done", "--yes"]),
    ],
)
def test_what_another_user_cannot_write_is_one_line(command, words, runs):
    before = times(runs)
    done = as_user(command, runs, *words)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    assert "cannot be written (Permission denied)" in done.stderr
    assert times(runs) == before


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
CAN_MOUNT = ["unshare", "--mount", "sh", "-c", READ_ONLY]


@pytest.mark.parametrize(
    ("command", "words", "code", "said"),
    [
        pytest.param("plan", ["seeds=2"], 0, "0 runs to train", marks=pytest.mark.slow),
        pytest.param("train", ["seeds=2"], 0, "2 done before", marks=pytest.mark.slow),
        pytest.param(
            "train", ["seeds=3"], 2, "be written (Read-only file system)", marks=pytest.mark.slow
        ),
        ("clean", ["done", "--yes"], 2, "cannot be written (Read-only file system)"),
    ],
)
def test_a_read_only_disk_is_read(command, words, code, said, runs):
    """A real one: the folder mounted on itself for this command alone, without writing."""
    if subprocess.run([*CAN_MOUNT, runs, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let its root mount a folder")
    before = times(runs)
    script = commands.CHECKOUT / "scripts" / f"{command}.py"
    line = [sys.executable, script, *words, *WORDS, *HARDWARE, f"runs_dir={runs}"]
    done = subprocess.run(
        [*CAN_MOUNT, runs, *line], capture_output=True, text=True, cwd=runs.parent
    )
    assert done.returncode == code and said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and times(runs) == before


def test_another_user_sees_that_a_run_is_being_trained(runs):
    folder = RunFolder(expand(job(*WORDS, f"runs_dir={runs}"))[0])
    folder.record_path.unlink()
    with FileLock(folder.path / "lock"):
        assert folder.state() == "running"
        done = as_user("plan", runs)
    assert done.returncode == 0 and "0 runs to train" in done.stderr, done.stderr
    assert folder.state() == "missing"


def test_lock_files_obey_the_umask(runs):
    old = os.umask(0o002)
    try:
        assert train_here(*WORDS, "seeds=[7]", runs_dir=runs) == 0
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in runs.glob("*/seed7/*")}
    assert modes == {0o664}
