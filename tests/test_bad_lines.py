"""Bad input on the command line: exit code 2, one line, nothing made, before any work.

`LINES` is the table; each line stands for a kind. `{here}` is a temporary folder.
"""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

import pytest
from helpers import job, make_image_folder, make_imagenet

from mixup_repro import cli, live
from mixup_repro.cli import site as cli_site
from mixup_repro.cli.words import source_of, whole_path
from mixup_repro.errors import InputError
from mixup_repro.training import run as run_module

pytestmark = pytest.mark.usefixtures("elsewhere")

MOONS = "dataset=two_moons recipe=carratino_moons"
APART = "dataset=separated_moons recipe=chidambaram_moons"
FEATURES = f"{MOONS} architecture=random_features"
MLP = "architecture=mlp"
IMAGENET = (
    "dataset=imagenet architecture=resnet50 recipe=carratino_imagenet dataset.root={here}/inet"
)
FOLDER = "dataset=image_folder dataset.root={here}/pictures architecture=mlp recipe=digits"

# What train is asked, and what its answer names.
TRAIN = [
    # Numbers that are none, or beyond what single precision or a clock can count.
    ("method.alpha=1e308", "method.alpha"),
    ("method.alpha=inf", "method.alpha"),
    ("method.alpha=[1,1]", "method.alpha"),
    ("method.alpha=[1,1.0]", "method.alpha"),
    ("evaluation.alphas=[1e308]", "evaluation.alphas"),
    ("evaluation.alphas=[2,2]", "evaluation.alphas"),
    ("evaluation.terms=inf", "evaluation.terms"),
    ("evaluation.terms=1e308", "evaluation.terms"),
    ("evaluation.terms=nan", "evaluation.terms"),
    ("evaluation.bins=0", "evaluation.bins"),
    ("recipe.lr=inf", "recipe.lr"),
    ("recipe.lr=1e308", "recipe.lr"),
    ("recipe.momentum=nan", "recipe.momentum"),
    ("recipe.weight_decay=inf", "recipe.weight_decay"),
    ("recipe.decay_at=[0.5] recipe.decay_by=inf", "recipe.decay_by"),
    ("recipe.spectral=0", "recipe.spectral"),
    ("recipe.spectral=nan", "recipe.spectral"),
    ("recipe.spectral=inf", "recipe.spectral"),
    ("recipe.spectral=abc", "recipe.spectral"),
    ("recipe.decay_at=[nan] recipe.decay_by=0.1", "recipe.decay_at"),
    ("recipe.epochs=100000000000000000000", "recipe.epochs"),
    ("recipe.epochs=1.5", "recipe.epochs"),
    ("recipe.epochs=abc", "recipe.epochs"),
    ("recipe.epochs=1e3", "recipe.epochs"),
    ("recipe.lr=abc", "recipe.lr"),
    ("recipe.lr=null", "recipe.lr"),
    ("recipe.batch_size=1.5", "recipe.batch_size"),
    ("recipe.batch_size=abc", "recipe.batch_size"),
    ("recipe.crop_padding=100000", "recipe.crop_padding"),
    ("recipe.resized_crop=0.5", "recipe.resized_crop"),
    ("recipe.resized_crop=nan", "recipe.resized_crop"),
    ("recipe.microbatch=7", "recipe.microbatch"),
    ("recipe.flip=maybe", "recipe.flip"),
    ("recipe=null", "recipe"),
    ("method.truncated=maybe", "method.truncated"),
    ("method.lam_per=nope", "method.lam_per"),
    ("method=label_smoothing method.epsilon=nan", "method.epsilon"),
    ("hardware.checkpoint_minutes=nan", "hardware.checkpoint_minutes"),
    ("hardware.checkpoint_minutes=inf", "hardware.checkpoint_minutes"),
    ("hardware.threads=1000000000", "hardware.threads"),
    # Seeds
    ("seeds=[99999999999999999999999999]", "seeds"),
    ("seeds=1000000000000", "seeds"),
    ("seeds=[3,3]", "seeds"),
    ("seeds=[true]", "seeds"),
    ("seeds=null", "seeds"),
    (f"{APART} seeds=[4294967296]", "seeds"),
    # Data
    ("dataset.mean=[nan] dataset.std=[1]", "dataset.mean"),
    ("dataset.mean=[0.5] dataset.std=[inf]", "dataset.std"),
    ("dataset.mean=[128] dataset.std=[64]", "dataset.mean"),
    ("dataset.mean=[-0.1] dataset.std=[0.2]", "dataset.mean"),
    ("dataset.mean=[0.5] dataset.std=[64]", "dataset.std"),
    (f"{MOONS} dataset.noise=nan", "noise"),
    (f"{MOONS} dataset.noise=-1", "noise"),
    (f"{MOONS} dataset.flipped=nan", "flipped"),
    (f"{MOONS} dataset.points=1000000000", "dataset.points"),
    (f"{APART} dataset.separation=nan", "separation"),
    (f"{APART} dataset.separation=1e308", "separation"),
    ("dataset=alternating_line dataset.points=2000000000 recipe=chidambaram_line", "points"),
    (f"{IMAGENET} dataset.size=0", "dataset.size"),
    (f"{IMAGENET} dataset.size=100000000", "dataset.size"),
    (f"{IMAGENET} dataset.resize=-3", "dataset.resize"),
    (f"{IMAGENET} dataset.workers=-1", "dataset.workers"),
    (f"{IMAGENET} recipe.resized_crop=null", "recipe.resized_crop"),
    (f"{IMAGENET} method=erm_modified", "erm_modified"),
    (f"{FOLDER} dataset.mean=[0.5]", "dataset.mean"),
    (f"{FOLDER} dataset.size=-1", "dataset.size"),
    ("dataset=mnist dataset.root={here}/empty", "empty"),
    ("dataset=image_folder dataset.root=", "dataset.root"),
    ("dataset=npz dataset.root={here}/none.npz", "none.npz"),
    ("dataset=npz dataset.root={here}/file", "file"),
    ("dataset=csv dataset.root={here}/none.csv", "none.csv"),
    ("dataset=csv dataset.root={here}/empty", "train.csv"),
    ("dataset=torchvision", "dataset.label"),
    ("dataset=torchvision dataset.label=NoSuch", "NoSuch"),
    ("dataset=huggingface dataset.root={here}/empty", "datasets"),
    ("dataset=digits evaluation.objective=accuracy", "train_examples"),
    # Networks
    (f"{MLP} architecture.hidden=[1.5]", "architecture.hidden"),
    (f"{MLP} architecture.hidden=[100000000,100000000]", "architecture.hidden"),
    (f"{MLP} architecture.hidden=[1000000,1000000]", "memory"),
    (f"{MLP} architecture.hidden=[100000000000000000000]", "architecture.hidden"),
    (f"{MLP} architecture.hidden=null", "architecture.hidden"),
    (f"{MLP} architecture.hidden=[]", "architecture.hidden"),
    ("architecture.name=nosuch", "architecture.name"),
    ("architecture=timm architecture.name=resnet_nosuch", "resnet_nosuch"),
    ("architecture=resnet18 architecture.width=100000", "memory"),
    (f"{FEATURES} architecture.features=0", "features"),
    (f"{FEATURES} architecture.features=-4", "features"),
    (f"{FEATURES} architecture.features=2000000000", "features"),
    (f"{FEATURES} architecture.sigma=-1", "sigma"),
    (f"{FEATURES} architecture.sigma=nan", "sigma"),
    ("architecture=lenet", "lenet"),
    (f"{MOONS} architecture=lenet", "lenet"),
    ("dataset=alternating_line architecture=resnet18 recipe=chidambaram_line", "ResNet"),
    ("architecture=resnet18 method=approx_mixup", "BatchNorm"),
    ("architecture=resnet18 recipe.batch_size=1", "BatchNorm"),
    ("architecture=timm architecture.name=resnet18 recipe.batch_size=1", "BatchNorm"),
    # Methods that do not fit
    (f"{MOONS} method=cutmix", "cutmix"),
    (f"{MOONS} recipe.flip=true", "recipe.flip"),
    ("method=approx_mixup_exact recipe.microbatch=8", "recipe.microbatch"),
    # Words that name nothing, and grammar
    ("dataset=nosuch", "nosuch"),
    ("architecture=nosuch", "nosuch"),
    ("method=nosuch", "nosuch"),
    ("benchmark=nosuch", "nosuch"),
    ("probe=[]", "names none"),
    ("probe=[jacobian,boundary]", "probe=boundary: needs two classes in the plane"),
    ("probe=memorised", "probe=memorised: needs wrong labels"),
    ("dataset=two_moons probe=occlusion", "probe=occlusion: needs pictures"),
    ("dataset.train_examples=60 probe=active", "probe=active: labels 120"),
    ("probe={{a:1}}", "there is no such probe"),
    ("dataset=digits dataset.mean=[]", "dataset.mean"),
    ("hardware=nosuch", "nosuch"),
    ("probe=nosuch", "nosuch"),
    ("experiment=nosuch", "nosuch"),
    ("experiment=carratino2020/fig99", "fig99"),
    ("nosuch=1", "nosuch"),
    ("recipe.nosuch=1", "nosuch"),
    ("+method.nosuch=1", "nosuch"),
    ("=1", "=1"),
    ("garbage", "garbage"),
    ("--nosuch", "--nosuch"),
    ("method.alpha=[1,", "method.alpha"),
    ("dataset.root=~/pictures", "~"),
    # Places
    ("runs_dir=", "runs_dir"),
    ("runs_dir=null", "runs_dir"),
    ("runs_dir='~nobody_here/runs'", "runs_dir"),
    ("runs_dir={here}/file", "runs_dir"),
    ("data_root= dataset=mnist", "data_root"),
    ("benchmark=generated benchmark.severities=[6]", "severit"),
    ("benchmark=generated benchmark.severities=[]", "severit"),
    ("benchmark=generated benchmark.corruptions=[nosuch]", "nosuch"),
    ("benchmark=generated benchmark.examples=0", "benchmark.examples"),
    ("benchmark=cifar10_c benchmark.root={here}/none", "benchmark"),
    ("-m --config-dir {here}/none method.alpha=1,2", "--config-dir"),
]

OTHERS = [
    ("evaluate method=nosuch", "nosuch"),
    ("evaluate nosuch=1", "nosuch"),
    ("evaluate runs_dir=", "runs_dir"),
    ("plan experiment=nosuch", "nosuch"),
    ("plan --watch nan dataset=digits", "--watch"),
    ("plan --watch inf dataset=digits", "--watch"),
    ("plan --watch 1e308 dataset=digits", "--watch"),
    ("plan garbage", "garbage"),
    ("plan --probe dataset=mnist dataset.root={here}/empty", "empty"),
    ("plan --probe --watch nan dataset=digits", "--watch"),
    ("plan dataset=mnist dataset.points=3", "points"),
    ("plan --ladder dataset=digits", "--ladder"),
    ("plan --ladder experiment=nosuch", "--ladder"),
    ("reproduce carratino2020/fig4_digits --probe", "--probe"),
    ("plan dataset=digits runs_dir={here}/file", "runs_dir"),
    ("plan dataset=digits architecture=lenet", "lenet"),
    ("clean", "state"),
    ("clean done", "name runs"),
    ("clean done runs_dir={here}/runs", "name runs"),
    ("clean done nosuch-01234567", "nosuch"),
    ("report --nosuch", "--nosuch"),
    ("report --runs-dir", "--runs-dir"),
    ("report --runs-dir {here}/none --results-dir {here}/out", "--runs-dir"),
    ("report --runs-dir {here}/file --results-dir {here}/out", "--runs-dir"),
    ("report --no-collect --results-dir {here}/none", "--results-dir"),
    ("report extra", "extra"),
    ("report experiment=nosuch", "nosuch"),
    ("report dataset=digits runs_dir={here}/empty", "of these runs"),
    ("report dataset=digits --no-collect", "--no-collect"),
    ("distances", "overrides"),
    ("distances dataset=nosuch", "nosuch"),
    ("distances dataset=digits --share abc", "--share"),
    ("distances dataset=digits --share nan", "--share"),
    ("distances dataset=digits --share 0", "--share"),
    ("distances dataset=digits --share 2", "--share"),
    ("distances dataset=digits --draws 0", "--draws"),
    ("distances dataset=digits --draws -1", "--draws"),
    ("distances dataset=digits --draws x", "--draws"),
    ("distances dataset=digits --results-dir {here}/file", "file"),
    ("reproduce nosuch", "nosuch"),
    ("reproduce", "item"),
    ("import-weights", "required"),
    ("import-weights {here}/none --source s --recipe r dataset=digits", "none"),
    ("import-weights {here}/file --source s --recipe r dataset=digits", "file"),
    ("check nosuch", "nosuch"),
    ("nosuch", "nosuch"),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("here")
    make_image_folder(place / "pictures", per_class=2, size=4)
    make_imagenet(place / "inet", per_class=2)
    (place / "empty").mkdir()
    (place / "file").write_text("no folder")
    return place


def made(*places: Path) -> set[Path]:
    """What there is, but for the decoded pictures beside their folder, which are a cache."""
    aside = (".hydra", ".mixup_repro_cache.npz")
    return {path for place in places for path in place.rglob("*") if path.name not in aside}


def answer(line: str, monkeypatch, capsys) -> list[str]:
    """What `mixup-repro <line>` says; it must be refused, with exit code 2."""

    def never(*_):
        raise AssertionError("it trains")

    monkeypatch.setattr(run_module, "fit", never)
    monkeypatch.setattr(live, "SOON_S", 3600.0)  # on a busy machine hashing too is worth a line
    monkeypatch.setattr(sys, "argv", ["mixup-repro", *line.split(" ")])
    handlers = logging.root.handlers[:]
    try:
        code = cli.main()
    except SystemExit as stop:
        code = stop.code
    logging.root.handlers[:] = handlers
    said = capsys.readouterr()
    assert (code, said.out) == (2, ""), (code, said)
    return said.err.splitlines()


@pytest.mark.parametrize(("words", "named"), TRAIN)
def test_train_refuses(words, named, here, tmp_path, monkeypatch, capsys):
    before = made(here, tmp_path)
    fields = [f"runs_dir={tmp_path / 'runs'}"] if "runs_dir" not in words else []
    first = [] if "dataset=" in words else ["dataset=digits"]
    line = " ".join(
        ["train", *first, "recipe.epochs=2"[: 99 * ("recipe" not in words)], words, *fields]
    )
    said = answer(" ".join(line.format(here=here).split()), monkeypatch, capsys)
    assert len(said) == 1 and said[0].startswith("error: ") and named in said[0], said
    assert made(here, tmp_path) == before


@pytest.mark.parametrize(("line", "named"), OTHERS)
def test_the_other_commands_refuse(line, named, here, tmp_path, monkeypatch, capsys):
    before = made(here, tmp_path)
    said = answer(line.format(here=here), monkeypatch, capsys)
    assert len(said) == 1 and said[0].startswith("error: ") and named in said[0], said
    assert made(here, tmp_path) == before


def test_plan_names_the_jobs_that_cannot_run_and_tells_of_the_others(tmp_path, capsys):
    """One that the words rule out, one whose network does not take the data, and one that can."""
    words = "plan dataset=digits recipe.epochs=1 method=erm,mixup method.alpha=1,-1"
    both = f"{words} architecture=mlp,lenet runs_dir={tmp_path}"
    sys.argv = ["mixup-repro", *both.split()]
    assert cli.main() == 2
    said = capsys.readouterr().err
    assert "digits-mlp-erm" in said and "digits-mlp-mixup-a1-" in said and "2 runs to train" in said
    told = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(told) == 2 and "method.alpha" in told[0] and "lenet" in told[1].lower()


def test_a_home_folder_is_written_out_in_every_option(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert whole_path("~/results") == tmp_path / "results" and whole_path("r~") == Path("r~")
    with pytest.raises(ArgumentTypeError, match="no such home folder"):
        whole_path("~nobody_of_this_name/results")
    (tmp_path / "more").mkdir()
    with pytest.raises(InputError, match=str(tmp_path / "none")):  # and not of a folder named ~
        cli_site.main(["--results-dir=~/none"])
    asked = Namespace(config_path=None, config_dir="~/more", config_name=None)
    assert source_of(asked).extra == str(tmp_path / "more")


def test_a_home_folder_is_written_out_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fields = ("runs_dir", "data_root", "dataset.root", "benchmark.root")
    found = job("benchmark=generated", *(f"{field}='~/{field}'" for field in fields))
    assert found.runs_dir == str(tmp_path / "runs_dir")
    assert found.data_root == str(tmp_path / "data_root")
    assert found.dataset.root == str(tmp_path / "dataset.root")
    assert found.benchmark.root == str(tmp_path / "benchmark.root")
