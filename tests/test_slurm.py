"""hardware=slurm and the sbatch script on a real Slurm: two nodes, started here for these tests.

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
from collections.abc import Callable, Iterator, Sequence
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
RUN += ["method=erm", "recipe.epochs=1200"]
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
def cluster(tmp_path_factory) -> Iterator[None]:
    folder, script = tmp_path_factory.mktemp("slurm"), CHECKOUT / "tests/slurm_two_nodes.sh"
    try:
        subprocess.run([script, "start", folder], check=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
            yield
    finally:
        subprocess.run([script, "stop", folder], check=True)


@pytest.fixture
def slurm(cluster) -> Iterator[None]:
    """No job of one test, such as of one that failed, is there in the next."""
    yield
    for job in jobs():
        subprocess.run(["scancel", job], check=True)
    waited(lambda: not jobs())


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


def submitted(
    tmp_path: Path, *words: str, run: Sequence[str] = RUN
) -> tuple[str, subprocess.Popen]:
    """A job that has written a checkpoint, and the command that submitted it."""
    launcher = [f"hydra.launcher.{size}" for size in SIZE]
    command = [sys.executable, str(CHECKOUT / "scripts/train.py"), "-m", "hardware=slurm"]
    command += [*run, f"runs_dir={tmp_path / 'runs'}", *launcher, *words]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    waited(lambda: list((tmp_path / "runs").glob("*/*/epoch*.pt")))
    (job,) = jobs()
    return job, process


def recorded(runs: Path, job: str) -> Path:
    """The record of a job that was put back, perhaps more than once.

    Such a job begins after two minutes; here it does at once.
    """

    def records() -> list[Path]:
        if shown(job, "JobState") == "PENDING":
            begin = ["scontrol", "update", f"JobId={job}", "StartTime=now"]
            subprocess.run(begin, capture_output=True)  # it may have begun just now
        return list(runs.glob("*/*/record.json"))

    (record,) = waited(records, 300)
    return record


def ended(tmp_path: Path, process: subprocess.Popen, job: str) -> dict:
    recorded(tmp_path / "runs", job)
    process.wait(timeout=60)
    assert not list((tmp_path / "runs").glob("*/*/failed.json"))
    return result(tmp_path / "runs")


def test_a_job_that_slurm_refuses_is_one_line(slurm, tmp_path):
    launcher = [f"hydra.launcher.{size}" for size in (*SIZE, "partition=nowhere")]
    done = train("-m", "hardware=slurm", *RUN, *launcher, runs_dir=tmp_path / "runs")
    assert done.returncode == 2
    *_, line = done.stderr.splitlines()
    assert "Traceback" not in done.stderr, done.stderr
    assert (
        line.startswith("error: sbatch refused the job: ")
        and "invalid partition specified: nowhere" in line
    )


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
    assert ended(tmp_path, process, job) == undisturbed and shown(job, "Restarts") == "1"


def test_a_job_whose_time_ends_puts_itself_back_and_goes_on(slurm, tmp_path):
    """USR2 comes 50 seconds before the end of its one minute, or up to half a minute later."""
    limits = ["hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=50"]
    longer = [*RUN[:-1], "recipe.epochs=5600"]  # 40 seconds
    assert train(*longer, runs_dir=tmp_path / "undisturbed").returncode == 0
    job, process = submitted(tmp_path, *limits, run=longer)
    assert ended(tmp_path, process, job) == result(tmp_path / "undisturbed")
    assert int(shown(job, "Restarts")) >= 1


def test_a_job_that_makes_room_for_an_urgent_one_goes_on(slurm, tmp_path, undisturbed):
    job, process = submitted(tmp_path)
    urgent = [
        "sbatch",
        "-p",
        "urgent",
        "-N2",
        "--exclusive",
        "--wrap",
        "sleep 3",
        "-o",
        "/dev/null",
    ]
    subprocess.run(urgent, check=True, capture_output=True)
    assert ended(tmp_path, process, job) == undisturbed and shown(job, "Restarts") == "1"


# --- One run on several nodes -----------------------------------------------------------------

SHARED = [*RUN, "hardware.device=cpu", "recipe.batch_size=100", "hardware.patience_minutes=1"]


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder from which the script is submitted, with what it expects there."""
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "scripts").symlink_to(CHECKOUT / "scripts")
    return tmp_path


def submit(place: Path) -> str:
    """The job of one run on two nodes with two processes each, which has written a checkpoint."""
    size = ["--gpus-per-node=2", "--cpus-per-task=1", "--mem=6000", f"--output={place}/%j.txt"]
    script = [CHECKOUT / "scripts/slurm_multinode.sbatch", *SHARED, f"runs_dir={place / 'runs'}"]
    command = ["sbatch", "--parsable", *size, *script]
    job = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True)
    waited(lambda: list((place / "runs").glob("*/*/epoch*.pt")), 180)
    return job.stdout.strip()


def test_one_run_on_two_nodes_comes_back_when_it_is_asked_to(slurm, place):
    """USR1, as before its time ends; and the same losses as on one process, up to rounding."""
    job = submit(place)
    subprocess.run(["scancel", "--signal=USR1", job], check=True)
    path = recorded(place / "runs", job)
    assert shown(job, "Restarts") == "1"
    said = (place / f"{job}.txt").read_text()
    assert f"stopped by SIGUSR1; the same command goes on from the checkpoints; job {job}" in said
    record = json.loads(path.read_text())
    assert record["switches"]["processes"] == 4
    assert train(*SHARED, runs_dir=place / "alone").returncode == 0
    (alone,) = (place / "alone").glob("*/*/record.json")
    first = json.loads(alone.read_text())["curves"][:3]
    assert [row["mixed_loss"] for row in record["curves"][:3]] == pytest.approx(
        [row["mixed_loss"] for row in first], rel=1e-4
    )


def test_one_run_on_two_nodes_that_is_cancelled_stays_so(slurm, place):
    job = submit(place)
    subprocess.run(["scancel", job], check=True)
    waited(lambda: shown(job, "JobState") == "CANCELLED")
    time.sleep(5)
    assert not jobs() and shown(job, "Restarts") == "0"
    assert not list((place / "runs").glob("*/*/failed.json"))
