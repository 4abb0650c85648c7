"""What a user may have meant: the words that came to mind, and slips of the finger."""

from __future__ import annotations

import commands
import pytest

from mixup_repro.cli.nearest import meant, options
from mixup_repro.jobs import compose


@pytest.mark.parametrize(
    "typed, wanted",
    [
        ("network=lenet", "architecture=lenet"),
        ("model=resnet18", "architecture=resnet18"),
        ("data=digits", "dataset=digits"),  # not recipe=digits
        ("architecture=lenett", "architecture=lenet"),
        ("dataset=cifar", "dataset=cifar10"),
        ("experiment=fig4_digits", "experiment=carratino2020/fig4_digits"),
        ("experiment=carratino2020/fig4_digit", "experiment=carratino2020/fig4_digits"),
        ("schedule.epochs=1", "recipe.epochs=1"),
        ("optimizer.lr=0.1", "recipe.lr=0.1"),
        ("epochs=3", "recipe.epochs=3"),
        ("alpha=0.5", "method.alpha=0.5"),
        ("method.alhpa=1", "method.alpha=1"),
        ("evaluation.alpha=1", "evaluation.alphas=1"),  # its own group first
        ("recipe.epoch=3", "recipe.epochs=3"),
        ("seed=3", "seeds=3"),
        ("+runs_dri=x", "runs_dir=x"),
        ("quux=7", ""),
        ("dataset=zzz", ""),
    ],
)
def test_the_nearest_word(typed, wanted):
    assert meant(typed) == wanted


def test_every_option_that_is_there_is_nearest_to_itself():
    for group, names in options().items():
        for name in names:
            assert meant(f"{group}={name}") == f"{group}={name}"


def test_what_is_meant_composes():
    for word in ("network=mlp", "alpha=0.5", "schedule.epochs=1", "seed=2"):
        assert len(list(compose(["dataset=digits", "recipe=digits", meant(word)]))) == 1


def test_the_door_asks_in_its_one_line():
    done = commands.run("scripts/train.py", "network=lenet")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.rstrip().endswith("did you mean architecture=lenet?")
