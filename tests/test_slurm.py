"""hardware=slurm and the sbatch script on a real Slurm: one node, started here for these tests.

Skipped where Slurm (slurm-wlm and munge) is not installed, or the tests are not root's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import train

from mixup_repro.paths import CHECKOUT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("slurmctld") and shutil.which("munged")) or os.geteuid() != 0,
        reason="needs Slurm and munge, and to be root",
    ),
]
RUN = ["dataset=digits", "architecture=mlp", "architecture.hidden=[64]", "hardware.threads=1"]
RUN += ["recipe.epochs=1200", "method=erm"]
SIZE = ["gpus_per_node=0", "cpus_per_task=1", "mem_gb=2"]


def waited(for_: Callable[[], object], seconds: float = 90) -> object:
    """What it gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := for_():
            return found
        time.sleep(0.3)
    raise TimeoutError(for_)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[None]:
    folder, script = tmp_path_factory.mktemp("slurm"), CHECKOUT / "tests/slurm_one_node.sh"
    try:
        subprocess.run([script, "start", folder], check=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
            yield
    finally:
        subprocess.run([script, "stop", folder], check=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict:
    """The metrics of the run in one go, without Slurm."""
    folder = tmp_path_factory.mktemp("plain")
    assert train(*RUN, runs_dir=folder).returncode == 0
    return result(folder)


def result(folder: Path) -> dict:
    (record,) = folder.glob("*/*/record.json")
    read = json.loads(record.read_text())
    return {"evaluations": read["evaluations"], "loss": read["curves"][-1]["mixed_loss"]}


def jobs() -> list[str]:
    listed = subprocess.run(["squeue", "-h", "-o", "%A"], capture_output=True, text=True)
    return sorted(set(listed.stdout.split()))


def shown(job: str, field: str) -> str:
    told = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True)
    found = re.search(rf"\b{field}=(\S+)", told.stdout)
    return found[1] if found else ""


def submitted(tmp_path: Path, *words: str) -> tuple[str, subprocess.Popen]:
    """A job that has written a checkpoint, and the command that submitted it."""
    launcher = [f"hydra.launcher.{size}" for size in SIZE]
    command = [sys.executable, str(CHECKOUT / "scripts/train.py"), "-m", "hardware=slurm"]
    command += [*RUN, f"runs_dir={tmp_path / 'runs'}", *launcher, *words]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    waited(lambda: list((tmp_path / "runs").glob("*/*/epoch*.pt")))
    (job,) = jobs()
    return job, process


def started_now(job: str) -> None:
    """A job that was put back begins after two minutes; here it does at once."""
    waited(lambda: shown(job, "JobState") == "PENDING")
    waited(
        lambda: (
            subprocess.run(
                ["scontrol", "update", f"JobId={job}", "StartTime=now"], capture_output=True
            ).returncode
            == 0
        )
    )


def ended(tmp_path: Path, process: subprocess.Popen) -> dict:
    waited(lambda: list((tmp_path / "runs").glob("*/*/record.json")), 180)
    process.wait(timeout=60)
    assert not list((tmp_path / "runs").glob("*/*/failed.json"))
    return result(tmp_path / "runs")


def test_a_job_that_its_user_cancels_stays_cancelled_and_goes_on_elsewhere(
    slurm, tmp_path, undisturbed
):
    job, process = submitted(tmp_path)
    subprocess.run(["scancel", job], check=True)
    waited(lambda: shown(job, "JobState") == "CANCELLED")
    time.sleep(5)
    assert not jobs() and shown(job, "Restarts") == "0"
    process.kill()  # without accounting, submitit waits for a job that is gone
    process.wait()
    assert train(*RUN, runs_dir=tmp_path / "runs").returncode == 0
    assert result(tmp_path / "runs") == undisturbed


def test_a_job_that_is_requeued_by_hand_goes_on(slurm, tmp_path, undisturbed):
    job, process = submitted(tmp_path)
    subprocess.run(["scontrol", "requeue", job], check=True)
    started_now(job)
    assert ended(tmp_path, process) == undisturbed and shown(job, "Restarts") == "1"


def test_a_job_whose_time_ends_puts_itself_back_and_goes_on(slurm, tmp_path, undisturbed):
    """USR2 comes 50 seconds before the end of its one minute."""
    limits = ["hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=50"]
    job, process = submitted(tmp_path, *limits)
    started_now(job)
    assert ended(tmp_path, process) == undisturbed and int(shown(job, "Restarts")) >= 1


def test_a_job_that_makes_room_for_an_urgent_one_goes_on(slurm, tmp_path, undisturbed):
    job, process = submitted(tmp_path)
    urgent = ["sbatch", "-p", "urgent", "--exclusive", "--wrap", "sleep 3", "-o", "/dev/null"]
    subprocess.run(urgent, check=True, capture_output=True)
    started_now(job)
    assert ended(tmp_path, process) == undisturbed and shown(job, "Restarts") == "1"
