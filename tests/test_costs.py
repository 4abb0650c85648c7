"""results/costs.csv and what `plan` makes of it, without data and without the device."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers import job, record, train_here

from mixup_repro import cli, report
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.launch import estimate, probe
from mixup_repro.launch.status import Status
from mixup_repro.paths import CHECKOUT
from mixup_repro.report.listing import would_cost
from mixup_repro.store import costs, results
from mixup_repro.store.folder import RunFolder
from mixup_repro.store.tables import as_text, write_table
from mixup_repro.training import checkpoint
from mixup_repro.training.learner import Learner

JOB = ("dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=4")
CPU, GPU = "cpu (x86_64, 1 threads)", "NVIDIA H100 80GB HBM3"


def finished(folder: RunFolder, wall_s: float, device: str = CPU, precision: str = "float32"):
    """Make a run finished, as far as its costs are concerned."""
    told = {"wall_s": wall_s, "device": device, "switches": {"precision": precision}}
    folder.create()
    folder.write_record(record(folder) | told)


def said(capsys, *words: str) -> str:
    """What `mixup-repro plan <words>` says; it must find nothing wrong."""
    sys.argv = ["mixup-repro", "plan", *words]
    code = cli.main()
    err = capsys.readouterr().err
    assert code == 0, err
    return err


def committed(monkeypatch, folder: Path, *rows: dict) -> None:
    """Plan by a table of costs with these rows; what they leave out is that of JOB's runs."""
    (mixup,) = (r for r in expand(job(*JOB, "method.alpha=1")))
    kind = costs.kind(asdict(mixup.config)) | {"device": CPU, "precision": "float32", "runs": 1}
    table = pd.DataFrame(
        [
            {"run_id": f"run{k}"} | kind | dict.fromkeys(costs.SECONDS, 1.0) | r
            for k, r in enumerate(rows)
        ]
    )
    write_table(folder / "results" / "costs.csv", table[costs.COLUMNS])
    monkeypatch.setattr(estimate, "home", lambda: folder)


def the_bills(tmp_path: Path, *words: str) -> dict[str, estimate.Bill]:
    status = Status([job(*JOB, "method.alpha=1", *words, f"runs_dir={tmp_path / 'runs'}")])
    done = [f for seeds in status.ids.values() for f in seeds.values() if f.state() == "done"]
    found = estimate.bills(estimate.left(status), done, tmp_path / "results")
    return {bill.device: bill for bill in found}


# --- The table -----------------------------------------------------------------------------------


def test_the_committed_table_is_that_of_the_committed_runs():
    runs, table = results.load(CHECKOUT / "results"), costs.load(CHECKOUT / "results")
    epochs: dict[tuple[str, ...], dict[int, float]] = {}
    # Evaluations of a run that was trained before and not asked for again keep their rows.
    for row in runs.drop_duplicates(["run_id", "seed"]).itertuples():
        of = (row.run_id, row.device, row.precision)
        epochs.setdefault(of, {}).setdefault(row.seed, row.wall_s / row.epochs)
    for row in table.itertuples():
        seconds = list(epochs.pop((row.run_id, row.device, row.precision)).values())
        told = [row.runs, row.epoch_s, row.fastest_s, row.slowest_s]
        expected = [len(seconds), median(seconds), min(seconds), max(seconds)]
        np.testing.assert_allclose(told, expected, rtol=1e-6)
    assert not epochs


def test_a_report_fills_the_table_and_a_second_one_changes_nothing(tmp_path):
    words = ("dataset=digits", "architecture=mlp", "recipe.epochs=2", "seeds=3", "method=erm")
    assert train_here(*words, runs_dir=tmp_path / "runs") == 0
    (tmp_path / "results").mkdir()
    for _ in range(2):
        assert results.collect(tmp_path / "runs", tmp_path / "results") == 3
        (row,) = costs.load(tmp_path / "results").to_dict("records")
        assert row["runs"] == 3 and row["method"] == "erm" and row["device"] == CPU
    shutil.rmtree(tmp_path / "runs")  # another machine's runs are merged next, and these are kept
    assert train_here(*words[:-1], "method=mixup", runs_dir=tmp_path / "runs") == 0
    results.collect(tmp_path / "runs", tmp_path / "results")
    assert set(costs.load(tmp_path / "results")["method"]) == {"erm", "mixup"}


def test_a_run_that_replaces_another_is_counted_once_and_no_row_is_dropped():
    (run,) = expand(job(*JOB, "method=erm"))
    kind = costs.kind(asdict(run.config))
    row = {"run_id": "a", "device": CPU, "precision": "float32", "epochs": 4}
    walls = ((0, 4), (1, 12), (1, 12), (2, 8))
    runs = pd.DataFrame([row | {"seed": seed, "wall_s": wall_s} for seed, wall_s in walls])
    table = costs.merged(pd.DataFrame(columns=costs.COLUMNS), runs, {"a": kind})
    assert table[["runs", *costs.SECONDS]].to_numpy().tolist() == [[3, 2.0, 1.0, 3.0]]
    pd.testing.assert_frame_equal(costs.merged(table, runs, {}), table, check_dtype=False)
    stale = table.assign(network="as it was called before")
    assert costs.merged(stale, runs, {"a": kind})["network"].tolist() == [kind["network"]]
    other = costs.merged(table, runs.assign(run_id="b"), {"b": kind})
    assert other["run_id"].tolist() == ["a", "b"]


# --- Hours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [None, 60])
def test_numbers_of_examples_stay_whole_beside_runs_without(new):
    """The rows of a table that was read, where some are empty, are left as they were."""
    old = costs.load(CHECKOUT / "results")
    kind = old[costs.KIND].iloc[0].to_dict() | {"examples": new, "batch_size": new}
    runs = results.load(CHECKOUT / "results")
    row = runs[runs["wall_s"].notna()].iloc[[0]].assign(run_id="a")
    table = costs.merged(old, pd.concat([runs, row]), {"a": kind})
    text = as_text(table[table["run_id"] != "a"])
    assert text == (CHECKOUT / "results/costs.csv").read_text()


def test_a_login_node_without_data_or_gpu_is_told_of_gpu_hours(capsys, tmp_path):
    words = ("experiment=carratino2020/fig4_cifar10", f"runs_dir={tmp_path}", "data_root=/none")
    table = pd.read_csv(CHECKOUT / "results" / "costs.csv")
    of = table[(table["network"] == "resnet34") & table["device"].str.contains("H100")]
    epoch = of.groupby("method")["epoch_s"].mean()
    hours = 10 * 200 * (epoch["erm"] + 7 * epoch["mixup"]) / 3600
    for more in ((), ("hardware.device=cuda",)):
        text = said(capsys, *words, *more)
        line = next(line for line in text.splitlines() if "80 runs to train" in line)
        assert f"about {hours:.1f} GPU-hours on {GPU}" in line
        assert f"measured: {of['runs'].sum()} runs of resnet34 on cifar10" in line
    assert "not measured" in said(capsys, *words, "hardware.device=cpu")


def test_hours_are_those_of_runs_at_hand_before_the_committed_ones(tmp_path, monkeypatch):
    committed(monkeypatch, tmp_path, {"epoch_s": 7.0, "device": GPU}, {"epoch_s": 7.0})
    folders = [
        RunFolder(r)
        for r in expand(job(*JOB, "method.alpha=1", "seeds=4", f"runs_dir={tmp_path / 'runs'}"))
    ]
    finished(folders[0], 40.0)
    finished(folders[1], 80.0)
    folders[2].create()
    checkpoint.save(folders[2].path, 1, {})  # one of four epochs
    found = the_bills(tmp_path, "seeds=4")
    assert found[CPU].seconds == pytest.approx((3 + 4) * 15)
    assert (found[CPU].fastest, found[CPU].slowest) == (7 * 10, 7 * 20)
    assert found[GPU].seconds == pytest.approx((3 + 4) * 7)
    assert found[CPU].runs == found[GPU].runs == 2
    assert sum(found[CPU].rests.values()) == 2


def test_rows_of_one_kind_are_pooled_by_their_runs_and_others_left_alone(tmp_path, monkeypatch):
    committed(
        monkeypatch,
        tmp_path,
        {"epoch_s": 1.0, "runs": 3, "fastest_s": 0.8, "slowest_s": 1.5},
        {"epoch_s": 5.0, "runs": 1, "fastest_s": 4.0, "slowest_s": 6.0},
        {"epoch_s": 100.0, "network": "mlp hidden=[16]"},
        {"epoch_s": 100.0, "batch_size": 7},
        {"epoch_s": 100.0, "method": "erm"},
        {"epoch_s": 100.0, "examples": 60},
        {"epoch_s": 0.5, "precision": "bfloat16"},
    )
    found = the_bills(tmp_path, "seeds=2")
    assert found[CPU].seconds == pytest.approx(2 * 4 * (3 * 1 + 5) / 4)
    assert (found[CPU].fastest, found[CPU].slowest) == pytest.approx((2 * 4 * 0.8, 2 * 4 * 6.0))
    found = the_bills(tmp_path, "seeds=2", "hardware.precision=bfloat16")
    assert found[CPU].seconds == pytest.approx(2 * 4 * 0.5)
    assert the_bills(tmp_path, "dataset.train_examples=60")[CPU].seconds == pytest.approx(400)
    assert not the_bills(tmp_path, "hardware.device=cuda")


def test_finished_runs_of_every_kind_are_counted(tmp_path, monkeypatch):
    """Two grids differ in their batch alone: each is priced by runs of its own."""
    rows = ({"runs": 3}, {"runs": 5, "batch_size": 7})
    committed(monkeypatch, tmp_path, *rows)
    words = [*JOB, "method.alpha=1", f"runs_dir={tmp_path / 'runs'}"]
    jobs = [job(*words), job(*words, "recipe.batch_size=7")]
    (bill,) = estimate.bills(estimate.left(Status(jobs)), [], tmp_path / "results")
    assert bill.line(2, jobs[0].hardware).endswith("measured: 8 runs of mlp hidden=[8] on digits")


def test_a_set_of_as_many_pictures_as_large_stands_in_for_one_without_runs():
    assert estimate.twins("cifar100") == [{}, {"dataset": "cifar10"}]
    assert estimate.twins("mnist") == estimate.twins("digits") == [{}]


def test_gpu_hours_count_every_gpu_and_slots_share_the_hours():
    hardware = job(*JOB, "hardware.slots=[0,1]", "hardware.runs_per_gpu=2").hardware
    alone = estimate.Bill(GPU, seconds=36_000.0)
    assert alone.amount(hardware) == f"about 10.0 GPU-hours on {GPU}, 2.5 hours in 4 slots"
    eight = estimate.Bill(f"8 x {GPU}", seconds=36_000.0)
    assert "80.0 GPU-hours" in eight.amount(job(*JOB).hardware) and not eight.on_cpu
    cpu = estimate.Bill(f"2 x {CPU}", seconds=90.0)
    assert cpu.on_cpu and cpu.amount(job(*JOB).hardware).startswith(
        "about 1.5 minutes of one process"
    )


@pytest.mark.parametrize(("cuda", "order"), [(False, [CPU, GPU]), (True, [GPU, CPU])])
def test_what_this_machine_has_is_priced_first(cuda, order, monkeypatch, tmp_path):
    committed(monkeypatch, tmp_path, {"device": CPU}, {"device": GPU})
    monkeypatch.setattr(estimate.torch.cuda, "is_available", lambda: cuda)
    status = Status([job(*JOB, "method.alpha=1", f"runs_dir={tmp_path / 'runs'}")])
    first, second = estimate.priced(estimate.left(status), status)
    assert f" on {order[0]};" in first and second.startswith("or ") and f" on {order[1]};" in second


def test_what_nobody_measured_is_named(capsys, monkeypatch, tmp_path):
    committed(monkeypatch, tmp_path, {"epoch_s": 3.0, "method": "mixup"})
    text = said(
        capsys, *JOB, "method=erm,mixup", f"runs_dir={tmp_path / 'runs'}", "hardware.device=cpu"
    )
    assert "2 runs to train: about 12.0 seconds of one process" in text
    assert "for 1 of them" in text
    assert "not measured on a CPU: digits mlp hidden=[8] erm; plan --probe" in text


# --- The probe -----------------------------------------------------------------------------------


def test_a_probe_leaves_out_the_first_steps_and_a_moments_load(monkeypatch):
    """A graph is recorded in the first steps, and another process holds up every fifth."""
    calls = []

    def step(self, batch):
        calls.append(batch)
        slow = len(calls) <= probe.WARM_UP or len(calls) % 5 == 0
        time.sleep(0.2 if slow else 0.01)

    monkeypatch.setattr(Learner, "step", step)
    one = job(*JOB, "recipe.batch_size=64", "recipe.evaluate_every=4")
    dataset = load(one.dataset)
    seconds = probe.epoch_seconds(one, expand(one), dataset)
    steps = -(-dataset.n_train // 64)
    assert 0.01 * steps < seconds < 0.03 * steps


def test_a_probe_says_so_and_names_a_busy_machine(capsys, monkeypatch, tmp_path):
    for load_average, busy in ((0.1, False), (99.0, True)):
        monkeypatch.setattr(probe.os, "getloadavg", lambda load=load_average: (load, load, load))
        text = said(capsys, *JOB, "--probe", f"runs_dir={tmp_path}", "hardware.device=cpu")
        assert "1 runs to train: about" in text and "timed now" in text
        assert ("this machine is busy" in text) == busy
    assert not list(tmp_path.rglob("seed*"))


# --- Merging what several machines made ----------------------------------------------------------


def test_parts_of_two_machines_are_merged_by_copying_or_by_reporting_both(tmp_path, capsys):
    words = ("dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=1")
    words += ("seeds=4", "method.alpha=[0.5,2]")
    for k in (1, 2):
        assert train_here(*words, f"part={k}/2", runs_dir=tmp_path / f"machine{k}") == 0
    for k in (1, 2):
        results.collect(tmp_path / f"machine{k}", tmp_path / "one_by_one")
    shutil.copytree(tmp_path / "machine2", tmp_path / "machine1", dirs_exist_ok=True)
    assert results.collect(tmp_path / "machine1", tmp_path / "together") == 8
    names = [p.relative_to(tmp_path / "together") for p in (tmp_path / "together").rglob("*.csv")]
    assert Path("runs.csv") in names and Path("costs.csv") in names
    for name in names:
        texts = [(tmp_path / way / name).read_text() for way in ("together", "one_by_one")]
        assert texts[0] == texts[1], name
    capsys.readouterr()
    assert train_here(*words, runs_dir=tmp_path / "machine1") == 0
    assert "4 done before" in capsys.readouterr().err  # of each of two ids, and nothing is trained


# --- What a job of several says -----------------------------------------------------------------


def test_one_job_of_a_grid_says_so_before_it_trains(tmp_path, capsys):
    grid = ("experiment=carratino2020/fig4_digits", "scale=smoke", "recipe.epochs=1")
    assert train_here(*grid, runs_dir=tmp_path) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("note: this is one job of 2; all of them: mixup-repro train -m ")
    assert "experiment=carratino2020/fig4_digits" in lines[0]
    for more in (("method=erm",), ("-m",)):
        assert train_here(*grid, *more, runs_dir=tmp_path) == 0
        assert "note:" not in capsys.readouterr().err


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two: torchrun sets a whole number >= 1"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0"),
        ({"RANK": "-1"}, "RANK=-1"),
        ({"WORLD_SIZE": "2"}, "RANK, MASTER_ADDR, MASTER_PORT is not set"),
        ({"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "x", "MASTER_PORT": "1"}, "do not fit"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "y"}, "do not fit"),
    ],
)
def test_processes_that_do_not_know_each_other_are_refused(
    told, named, monkeypatch, capsys, tmp_path
):
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert train_here("dataset=digits", "architecture=mlp", runs_dir=tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and named in line


def test_a_backend_that_is_not_there_is_refused(monkeypatch, capsys, tmp_path):
    from mixup_repro import distributed

    group = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for name, value in group.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed.dist, "is_backend_available", lambda name: False)
    assert train_here("dataset=digits", "architecture=mlp", runs_dir=tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "built without" in line


def test_more_processes_than_gpus_and_a_cpu_among_gpus_are_refused(monkeypatch):
    from mixup_repro.training import job as job_module

    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2)
    monkeypatch.setattr(job_module.torch, "cuda", cuda)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    with pytest.raises(InputError, match="found 2 GPUs here; start at most 2 processes a machine"):
        job_module.device_of(job("dataset=digits"))
    with pytest.raises(InputError, match="hide them by CUDA_VISIBLE_DEVICES="):
        job_module.device_of(job("dataset=digits", "hardware.device=cpu"))


def test_a_precision_that_the_cpu_lacks_is_refused(monkeypatch, capsys, tmp_path):
    from mixup_repro.training import preconditions

    monkeypatch.setattr(preconditions, "has_bfloat16", lambda device: False)
    words = ("dataset=digits", "architecture=small_cnn", "hardware.precision=bfloat16")
    assert train_here(*words, runs_dir=tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: hardware.precision=bfloat16: this cpu has none")
    assert not list(tmp_path.rglob("seed*"))


def test_a_setting_that_was_not_run_is_listed_with_what_it_would_cost(tmp_path):
    (tmp_path / "costs.csv").write_bytes((CHECKOUT / "results/costs.csv").read_bytes())
    grid, untimed = (
        report.setting(f"carratino2020/{n}") for n in ("fig4_cifar100", "fig4_imagenet")
    )
    table = pd.read_csv(CHECKOUT / "results/costs.csv")
    table = table[(table["network"] == "resnet34") & (table["device"] == GPU)]
    epoch = table.groupby("method")["epoch_s"].mean()
    hours = 200 * (10 * epoch["erm"] + 70 * epoch["mixup"]) / 3600  # 10 seeds, 7 alphas
    assert f"80 runs: about {hours:.1f} GPU-hours on {GPU}" in would_cost(grid, tmp_path)
    assert would_cost(untimed, tmp_path) == "40 runs: not measured yet."
    write_table(tmp_path / "costs.csv", table[table["method"] == "erm"])
    assert f"{GPU}, for 10 of them; measured: " in would_cost(grid, tmp_path)
    distances = next(on for on in report.PAPERS[1].settings if "table2" in on[1].name)[1]
    assert would_cost(distances, tmp_path) == ""  # no run is trained for it
