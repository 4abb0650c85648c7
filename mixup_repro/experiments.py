"""The jobs that an experiment file, or a command line, stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from mixup_repro.config import CHECKOUT, Config, register, resolve

CONFIGS = CHECKOUT / "configs"


def names() -> list[str]:
    """All experiments, as <paper>/<item>."""
    folder = CONFIGS / "experiment"
    return sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.glob("*/*.yaml"))


def jobs(overrides: Sequence[str]) -> Iterator[Config]:
    """The jobs of a command line such as `train.py -m <overrides>`, sweep expanded.

    Each is composed, which takes a tenth of a second, when it is asked for.

    Raises:
        InputError: a job that cannot run as asked.
        hydra.errors.HydraException: an unknown group, option or field.
    """
    parser = OverridesParser.create()
    given = {o.key_or_group: _choices(o) for o in parser.parse_overrides(list(overrides))}
    first = [words[0] for words in given.values()]
    hydra = _compose(first, return_hydra_config=True).hydra
    sweep = [f"{key}={value}" for key, value in (hydra.sweeper.params or {}).items()]
    # A choice on the command line replaces the experiment's sweep over the same key.
    choices = {o.key_or_group: _choices(o) for o in parser.parse_overrides(sweep)} | given
    for cell in product(*choices.values()):
        yield resolve(_compose(list(cell)))


def _compose(words: list[str], **kwargs: Any) -> DictConfig:
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("config", words, **kwargs)


def _choices(override: Override) -> list[str]:
    key = override.input_line.split("=")[0]
    if not override.is_sweep_override():
        return [override.input_line]
    return [f"{key}={value}" for value in override.sweep_string_iterator()]
