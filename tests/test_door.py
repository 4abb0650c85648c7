"""The door: mixup-repro and the scripts, Hydra's flags and errors, fields that nothing reads,
configs from elsewhere, and the wheel. Commands run in this process, one of a kind in its own."""

from __future__ import annotations

import ast
import errno
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import commands
import pytest
from commands import environment
from helpers import HARDWARE

import mixup_repro
from mixup_repro import cli
from mixup_repro.jobs import experiments
from mixup_repro.paths import CHECKOUT

QUICK = ("dataset=digits", "architecture=mlp", "architecture.hidden=[8]", "recipe.epochs=1")
QUICK += HARDWARE


pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def door(monkeypatch, capsys):
    """door(*words): exit code, stdout and stderr of `mixup-repro <words>`."""
    handlers = logging.root.handlers[:]

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/mixup-repro", *words])
        try:
            code = cli.main()
        except SystemExit as stop:
            code = stop.code
        logging.root.handlers[:] = handlers  # Hydra's write to a stream that is closed by now
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def refused(answer: tuple[int, str, str]) -> str:
    """The one line of a refusal."""
    code, out, err = answer
    assert (code, out, len(err.splitlines())) == (2, "", 1), answer
    assert err.startswith("error: ") and "HYDRA_FULL_ERROR" not in err
    return err


# --- Commands ----------------------------------------------------------------------------------


def test_help_names_every_command_and_each_command_has_its_own(door):
    code, out, _ = door("--help")
    assert code == 0
    listed = re.findall(r"^  (\S+) {2,}\S", out, re.MULTILINE)
    assert tuple(listed) == cli.COMMANDS
    for command in cli.COMMANDS:
        code, out, err = door(command, "--help")
        assert (code, err) == (0, "")
        assert f"mixup-repro {command} " in out and "Exit codes: 0" in out, command


def test_every_command_has_a_script_of_its_name():
    for command in cli.COMMANDS:
        text = (CHECKOUT / "scripts" / f"{command.replace('-', '_')}.py").read_text()
        assert f'run("{command}", sys.argv[1:])' in text


def test_no_command_and_an_unknown_one_are_bad_input(door):
    code, out, err = door()
    assert (code, out) == (2, "") and "train" in err
    assert f"nope: choose one of {', '.join(cli.COMMANDS)}" in refused(door("nope"))


def test_the_version_is_that_of_the_package(door):
    assert door("--version") == (0, f"mixup-repro {mixup_repro.__version__}\n", "")
    cited = re.search(r"^version: (.+)$", (CHECKOUT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited[1] == mixup_repro.__version__


def test_scripts_and_the_module_are_the_same_door():
    for way in (["scripts/train.py"], ["-m", "mixup_repro.cli", "train"]):
        done = commands.run(*way, "--cfg", "job", "--package", "wandb")
        assert (done.returncode, done.stderr) == (0, "")
        rest = "".join(f"{name}: null\n" for name in ("entity", "group", "name", "tags"))
        assert done.stdout == f"# @package wandb\nmode: disabled\nproject: mixup_repro\n{rest}"


def test_the_scripts_differ_in_their_command_alone_and_python_itself_starts_them():
    """Other tests fork their commands, with the libraries loaded."""

    def code(name: str) -> str:
        path = CHECKOUT / "scripts" / f"{name.replace('-', '_')}.py"
        return ast.unparse(ast.parse(path.read_text()).body[1:]).replace(repr(name), "command")

    assert {code(name) for name in cli.COMMANDS} == {code("train")}
    for name in ("train", "plan"):
        done = commands.plain(f"scripts/{name}.py", "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"mixup-repro {name}" in done.stdout


def test_an_error_of_our_own_keeps_its_traceback(door, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("mixup_repro.launch.session.open_data", broken)
    code, _, err = door("train", *QUICK)
    assert code == 1 and "Traceback" in err and "RuntimeError: a bug" in err


def test_what_cannot_be_written_is_one_line_and_exit_code_1(door, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/runs/x")

    monkeypatch.setattr("mixup_repro.cli.plan.plan", full)
    assert door("plan", *QUICK) == (1, "", "error: /runs/x: No space left on device\n")


def test_ctrl_c_is_130(door, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mixup_repro.launch.session.open_data", interrupted)
    assert door("train", *QUICK)[0] == 130


# --- Hydra's flags -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("--cfg job", "recipe:"),
        ("--cfg hydra", "sweeper:"),
        ("--cfg job --resolve", "runs_dir: /"),
        ("--cfg job --package recipe", "# @package recipe"),
        ("--info defaults", "Defaults List"),
        ("--info", "Config search path"),
        ("--help", "== Configuration groups =="),
        ("--hydra-help", "== Flags =="),
        ("-sc install=bash", "complete -o nospace -o default -F hydra_bash_completion"),
        ("--version", "Hydra 1.3"),
    ],
)
def test_flags_of_hydra_show_what_they_show_and_run_nothing(words, shown, door):
    code, out, err = door("train", *words.split())
    assert (code, err) == (0, "")
    assert shown in out
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--cfg job --package nope", "nope"),
        ("--cfg job -m", "Only one of"),
        ("--resolve", "--cfg"),
        ("-sc install=nope", "nope"),
        ("--nope", "--nope"),
        ("--cfg nope", "nope"),
    ],
)
def test_flags_that_make_no_sense_are_one_line(words, named, door):
    code, out, err = door("train", *words.split())
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert named in err


def test_a_shell_completes_commands_and_their_fields(door, monkeypatch):
    def completed(line: str) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        code, out, err = door("-sc", "query=bash")
        assert (code, err) == (0, "")
        return out.split()

    assert "clean" in completed("mixup-repro ")
    assert completed("mixup-repro clean dat") == []
    assert "dataset=" in completed("mixup-repro train data")
    assert completed("mixup-repro evaluate dataset=cifar") == [
        "dataset=cifar10",
        "dataset=cifar100",
    ]
    assert completed("mixup-repro train recipe.optim") == ["recipe.optimizer="]


def test_a_shell_finds_hydra_in_the_scripts():
    for name in ("train", "evaluate"):  # the script that Hydra prints for bash greps for this
        assert "@hydra.main" in (CHECKOUT / f"scripts/{name}.py").read_text()


# --- Bad words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["train", "plan"])
@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("dataset=nope", ("dataset/nope", "digits", "cifar10")),
        ("nope=digits", ("nope", "it has dataset, architecture")),
        ("recipe.nope=1", ("recipe.nope", "it has optimizer, lr")),
        ("recipe.epochs=[", ("recipe.epochs=[",)),
        ("recipe.epochs", ("recipe.epochs",)),
        ("recipe.epochs=two", ("recipe.epochs=two", "Integer")),
        ("recipe.epochs=${nope}", ("recipe.epochs", "'nope' not found")),
        ("dataset.root=${oc.env:NOPE_}", ("dataset.root", "NOPE_")),
        ("recipe.lr=???", ("recipe.lr", "missing mandatory value")),
        ("hydra/launcher=nope", ("hydra/launcher/nope", "basic")),
        ("hydra.nope=1", ("hydra.nope",)),
        ("evaluation=fig4_grid", ("evaluation=fig4_grid", "it has alphas, temperature, terms")),
        ("hardware=gpu", ("hardware/gpu", "auto, node, slurm")),
        ("--config-dir=nope", ("--config-dir nope", "no such folder")),
        ("--config-name=nope", ("'nope'",)),
    ],
)
def test_bad_words_are_one_line_that_says_what_there_is(command, words, named, door):
    line = refused(door(command, words))
    assert all(name in line for name in named), line


def test_options_may_stand_anywhere(door):
    code, out, _ = door("train", "recipe.lr=1", "--cfg", "job", "recipe.epochs=7", "-p", "recipe")
    assert code == 0 and "lr: 1.0\n" in out and "epochs: 7\n" in out


def test_a_sweep_of_bad_words_alone_trains_nothing(door):
    assert "recipe.nope" in refused(door("train", "-m", *QUICK, "recipe.nope=1,2"))
    assert not list(Path.cwd().rglob("record.json"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("architecture=mlp,nope seeds=2", "nope"),
        ("recipe.lr=abc,0.1,0.2", "recipe.lr=abc"),
        ("recipe.lr=0.1,-1,0.2", "recipe.lr=-1"),
    ],
)
def test_a_bad_job_of_a_sweep_does_not_end_the_others(words, named, door):
    code, _, err = door("train", "-m", *QUICK, *words.split(), f"runs_dir={Path.cwd()}")
    assert code == 2 and "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert named in line and err.splitlines()[-1] == line.replace("error", "not run", 1)
    assert len(list(Path.cwd().rglob("record.json"))) == 2


def test_an_unknown_experiment_is_answered_by_those_there_are(door):
    assert all(name in refused(door("plan", "experiment=nope")) for name in experiments())
    line = refused(door("plan", "experiment=chidambaram2022/nope"))
    assert "chidambaram2022/fig1," in line and "carratino2020" not in line


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("+nope=1", "nope"),
        ("++nope=1", "nope"),
        ("+nope=digits", "nope"),
        ("+dataset.nope=1", "dataset.nope"),
        ("++recipe.nope=1", "recipe.nope"),
        ("+method.nope.deep=1", "method.nope"),
        ("+nope=1 +wandb.nope=2", "nope, wandb.nope"),
    ],
)
def test_a_field_that_nothing_reads_is_refused(words, named, door):
    line = refused(door("train", *QUICK, *words.split(), f"runs_dir={Path.cwd()}"))
    assert line == f"error: {named}: no such field; nothing would read it\n"
    assert not list(Path.cwd().rglob("record.json"))


def test_hydras_own_node_takes_what_it_takes_anywhere(door):
    words = ["+hydra.job.env_set.MIXUP_NOTE=1", "hydra.job.name=x", "++recipe.epochs=1"]
    assert door("train", *QUICK, *words, f"runs_dir={Path.cwd()}")[0] == 0
    assert list(Path.cwd().rglob("record.json"))


# --- Configs from elsewhere --------------------------------------------------------------------


@pytest.fixture
def more(tmp_path) -> Path:
    """A folder of more configs: a recipe of our own."""
    (tmp_path / "more/recipe").mkdir(parents=True)
    (tmp_path / "more/recipe/own.yaml").write_text("optimizer: sgd\nlr: 0.07\nepochs: 1\n")
    return tmp_path / "more"


def lrs(runs_dir: Path) -> set[float]:
    found = [re.search(r'"lr": ([\d.]+)', p.read_text()) for p in runs_dir.rglob("record.json")]
    return {float(match[1]) for match in found}


@pytest.mark.parametrize(
    ("how", "flag"),
    [
        ("one process", "--config-dir"),
        pytest.param("slots", "--config-dir", marks=pytest.mark.slow),
        pytest.param("slots", "hydra.searchpath", marks=pytest.mark.slow),
        pytest.param("submitit", "--config-dir", marks=pytest.mark.slow),
    ],
)
def test_a_folder_of_more_configs_reaches_every_process(how, flag, more, door, tmp_path):
    given = ["--config-dir", "more"] if "dir" in flag else [f"hydra.searchpath=[file://{more}]"]
    words = [*given, "-m", *QUICK[:3], *HARDWARE, "recipe=own", f"runs_dir={tmp_path / 'runs'}"]
    if how == "slots":
        words += ["hardware=node", "hardware.slots=[0]"]
    if how == "submitit":
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
        words += ["hydra/launcher=submitit_local"]
    code, _, err = door("train", *words)
    assert code == 0, err
    assert "1 done" in err
    assert lrs(tmp_path / "runs") == {0.07}
    planned = [word for word in words if not word.startswith("hardware")]
    code, _, err = door("plan", *planned)
    assert code == 0 and "0 runs to train" in err


@pytest.mark.slow
def test_a_first_config_of_another_name_and_place(more, door, tmp_path):
    first = "defaults: [schema, _self_, {dataset: digits}, {architecture: mlp}, {method: erm},"
    first += " {recipe: digits}]\nhydra: {run: {dir: .}, output_subdir: null}\nseeds: 1\n"
    shutil.copytree(CHECKOUT / "configs", tmp_path / "others")
    (tmp_path / "others/mine.yaml").write_text(first)
    words = ["--config-path", "others", "--config-name", "mine", "recipe.epochs=1", "seeds=2"]
    words += [*HARDWARE, f"runs_dir={tmp_path / 'runs'}", "hardware.slots=[0]"]
    assert door("train", *words)[0] == 0
    assert len(list((tmp_path / "runs").rglob("record.json"))) == 2
    (tmp_path / "others/bare.yaml").write_text("seeds: 1\n")
    assert "schema" in refused(door("plan", "--config-path", "others", "--config-name", "bare"))


# --- The wheel ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The bin/ of an environment that has the wheel, and of this one what the wheel requires."""
    base = tmp_path_factory.mktemp("wheel")
    (base / "tree").mkdir()
    for name in ("mixup_repro", "configs"):
        shutil.copytree(
            CHECKOUT / name, base / "tree" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, base / "tree")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    made = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", base, base / "tree"]
    subprocess.run([*pip, *made], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", base / "env"], check=True)
    (packages,) = (base / "env/lib").glob("python*/site-packages")
    (packages / "required.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    (wheel,) = base.glob("*.whl")
    there = ["--python", base / "env/bin/python", "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *there], check=True)
    return base / "env/bin"


@pytest.mark.slow
def test_a_wheel_trains_plans_and_reports_in_an_empty_folder(installed, tmp_path):
    kept = {k: v for k, v in environment().items() if k not in ("PYTHONPATH", "MIXUP_REPRO_DATA")}

    def call(*words: str) -> str:
        done = subprocess.run(
            [installed / "mixup-repro", *words],
            cwd=tmp_path,
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout + done.stderr

    quick = ("dataset=digits", "architecture=mlp", "recipe.epochs=2")
    assert call("--version") == f"mixup-repro {mixup_repro.__version__}\n"
    assert "1 done" in call("train", *quick)
    assert "1 done before" in call("train", "-m", "hardware=node", *quick, "method=mixup,erm")
    assert len(list((tmp_path / "runs").glob("*/seed0/record.json"))) == 2
    assert "80 runs to train" in call("plan", "experiment=carratino2020/fig4_digits")
    assert "2 finished runs in runs/ merged" in call("report")
    assert (tmp_path / "results/runs.csv").exists() and (tmp_path / "results/REPORT.md").exists()
    assert (tmp_path / "results/ERRATA.md").exists()
    assert f"data_root: {tmp_path / 'data'}\n" in call("train", "--cfg", "job", "--resolve")
    (record, *_) = (tmp_path / "runs").glob("*/seed0/record.json")
    assert '"commit": "unknown"' in record.read_text()  # not that of a repository around


@pytest.mark.slow
def test_a_wheel_holds_every_config_and_file_that_the_package_reads(installed):
    (package,) = (installed.parent / "lib").glob("python*/site-packages/mixup_repro")
    for folder, inside in (("mixup_repro", ""), ("configs", "configs")):
        tracked = subprocess.run(
            ["git", "ls-files", folder], cwd=CHECKOUT, capture_output=True, text=True, check=True
        )
        names = [os.path.relpath(name, folder) for name in tracked.stdout.splitlines()]
        assert names and not [name for name in names if not (package / inside / name).exists()]


@pytest.mark.parametrize("command", ["train", "train hardware=node", "plan"])
@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("architecture.name=nope", "architecture.name=nope: choose one of linear, mlp"),
        ("architecture.library=nope", "architecture.library=nope: timm, or null"),
        ("architecture.width=8", "architecture.width=8: is for resnet18, resnet34"),
    ],
)
def test_a_network_that_is_none_is_one_line_whoever_asks(command, word, named, door):
    name, *more = command.split()
    code, _, err = door(name, *QUICK, *more, word, f"runs_dir={Path.cwd() / 'runs'}")
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2 and named in lines[0] and "Traceback" not in err, err
    assert not list(Path.cwd().rglob("record.json"))
