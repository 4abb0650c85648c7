"""From the words of a command line to jobs, and from a job to its runs.

A job is one composed Hydra config. `seeds` and `method.alpha` may be lists; the job's runs are
their product (`expand`), and each run has a config of its own with one seed and one alpha.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, TypeVar, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mixup_repro.checks import check, number_list, part_of, seed_list
from mixup_repro.errors import InputError
from mixup_repro.methods.registry import METHODS
from mixup_repro.paths import CONFIGS, home
from mixup_repro.schema import SCALES, Config, MethodConfig, RecipeConfig, Run

T = TypeVar("T")

# Data sets that are named after their root, without this ending.
NAMED_BY_ROOT = {"image_folder": "", "npz": ".npz", "csv": ".csv", "huggingface": ""}
# The recipe of a network that was trained elsewhere, by a recipe that is not ours to name.
NO_RECIPE = RecipeConfig(optimizer="none", lr=0.0, epochs=0)


@cache  # once a process: it takes a fifth of the time of a composition
def register() -> None:
    """Make schema and methods known to Hydra, with the two resolvers that config files use.

    Hydra copies its whole store each time that it looks for a config, a hundred times for --help.
    What it takes from the store it copies once more, so the store itself need not be copied.
    """
    store: Any = ConfigStore.instance()
    type(store).__deepcopy__ = lambda self, memo: self
    store.store(name="schema", node=Config)
    for name, method in METHODS.items():
        given = {key: value for key, value in method.defaults.items() if value is not None}
        store.store(group="method", name=name, node={"name": name, **given})
    OmegaConf.register_new_resolver("home", lambda name: str(home() / name), replace=True)
    OmegaConf.register_new_resolver("tier", _tier, replace=True)


def _tier(paper: Any, short: Any, smoke: Any, *, _root_: DictConfig) -> Any:
    scale = _root_.get("scale")
    if scale not in SCALES:
        raise InputError(f"scale={scale}: an experiment needs one of {', '.join(SCALES)}")
    return {"paper": paper, "short": short, "smoke": smoke}[scale]


def resolve(cfg: DictConfig) -> Config:
    """Resolve, type and check a composed config.

    Raises:
        InputError: a field is unknown or out of range, or two fields contradict each other.
    """
    try:
        job = cast(Config, OmegaConf.to_object(cfg))
    except OmegaConfBaseException as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, InputError):  # raised by a resolver of ours
            cause = cause.__cause__ or cause.__context__
        line = str(cause or error).splitlines()[0]
        raise InputError(line if cause else f"{error.full_key}: {line}") from error
    if not isinstance(job, Config):
        raise InputError("this config is no job: its defaults must begin with schema")
    if unread := sorted(_unread(job)):
        raise InputError(f"{', '.join(unread)}: no such field; nothing would read it")
    _expand_home(job)
    if job.dataset.name in NAMED_BY_ROOT and not job.dataset.label and job.dataset.root:
        name = Path(job.dataset.root).absolute().name
        job.dataset.label = name.removesuffix(NAMED_BY_ROOT[job.dataset.name])
    if job.evaluation.alphas is not None:
        job.evaluation.alphas = number_list(job.evaluation.alphas, "evaluation.alphas")
    check(job)
    if job.method.u == "uniform":  # one run has one id
        job.method.u = None
    return job


def _expand_home(job: Config) -> None:
    """Write out the home folder in paths that begin with ~, as a shell does."""
    places: list[tuple[str, Any, str]] = [
        ("dataset.root", job.dataset, "root"),
        ("benchmark.root", job.benchmark, "root"),
        ("data_root", job, "data_root"),
        ("runs_dir", job, "runs_dir"),
    ]
    for name, group, field in places:
        path = getattr(group, field)
        if path and path.startswith("~"):
            whole = os.path.expanduser(path)
            if whole == path:
                raise InputError(f"{name}={path}: there is no such home folder")
            setattr(group, field, whole)


def _unread(node: Any, place: str = "") -> Iterator[str]:
    """Fields that are not in the schema: on a command line `+field=...` can add them."""
    known = {field.name for field in fields(node)}
    for name, value in vars(node).items():
        if name not in known:
            yield place + name
        elif is_dataclass(value):
            yield from _unread(value, f"{place}{name}.")


def batch_size(recipe: RecipeConfig, n: int) -> int:
    """Examples of one step on n training examples: at most all of them."""
    return min(recipe.batch_size or n, n)


def expand(job: Config) -> list[Run]:
    """The runs of a job, alpha by alpha.

    Fields that a method does not read are left out: ERM's cells of a grid over alpha are one run.
    A part may be empty, where there are fewer runs than parts.
    """
    reads = METHODS[job.method.name].reads
    method = MethodConfig(job.method.name, **{k: getattr(job.method, k) for k in reads})
    methods = [method]
    if "alpha" in reads:
        methods = [replace(method, alpha=a) for a in number_list(method.alpha, "method.alpha")]
    seeds = seed_list(job.seeds)
    if not METHODS[method.name].loss:  # not trained here, so no recipe of ours names it
        job = replace(job, recipe=NO_RECIPE)
    runs = [
        Run(replace(deepcopy(job), method=method, seeds=None, part=None, retry="all"), seed)
        for method in methods
        for seed in seeds
    ]
    return portion(runs, *part_of(job.part))


def portion(items: list[T], k: int, n: int) -> list[T]:
    """The k-th, from 1, of n portions that a list is cut into, as equal in length as possible."""
    return items[len(items) * (k - 1) // n : len(items) * k // n]


@dataclass(frozen=True)
class Source:
    """Where configs are composed from: Hydra's --config-path, --config-name and --config-dir."""

    path: str = str(CONFIGS)
    name: str = "config"
    extra: str | None = None  # a folder of more configs

    def options(self) -> list[str]:
        """The words of a command line that say so."""
        extra = ["--config-dir", self.extra] if self.extra else []
        return ["--config-path", self.path, "--config-name", self.name, *extra]


def experiments() -> list[str]:
    """All experiments, as <paper>/<item>."""
    folder = CONFIGS / "experiment"
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.glob("*/*.yaml"))


def compose(
    overrides: Sequence[str],
    source: Source = Source(),
    refuse: Callable[[Exception], None] | None = None,
) -> Iterator[Config]:
    """The jobs of a command line such as `train -m <overrides>`, sweep expanded.

    Each is composed when it is asked for.

    refuse: is given the errors of single jobs, and the others follow; None raises them.

    Raises:
        InputError: a job that cannot run as asked.
        hydra.errors.HydraException: an unknown group, option or field.
    """
    first = [words[0] for words in _cells({}, overrides).values()]
    _, params = composed(first, source)
    for cell in product(*_cells(params, overrides).values()):
        try:
            job = resolve(composed(cell, source)[0])
        except (InputError, HydraException) as error:
            if refuse is None:
                raise
            refuse(error)
        else:
            yield job


def grid_size(params: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """How many jobs `train -m <overrides>` has, where an experiment sweeps over `params`."""
    return math.prod(map(len, _cells(params, overrides).values()))


def _cells(params: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, list[str]]:
    """The choices of each key. Those on the command line replace the experiment's."""
    words = [*(f"{key}={value}" for key, value in params.items()), *overrides]
    return {o.key_or_group: _choices(o) for o in OverridesParser.create().parse_overrides(words)}


def composed(words: Sequence[str], source: Source = Source()) -> tuple[DictConfig, DictConfig]:
    """The config of the words of one job, and what its experiment sweeps over.

    Hydra puts the chosen files together first and then sets single fields. Cells of a sweep, scales
    and parts of a grid differ in fields alone, so what the choices give is kept for the next.
    """
    overrides = OverridesParser.create().parse_overrides(list(words))
    alone = [override for override in overrides if _sets_a_field(override)]
    choices = tuple(word for word, override in zip(words, overrides) if override not in alone)
    config = deepcopy(_chosen(choices, source))
    ConfigLoaderImpl._apply_overrides_to_config(alone, config)
    params = config.hydra.sweeper.params  # may name other fields
    with open_dict(config):
        del config["hydra"]
    return config, params


def _sets_a_field(override: Override) -> bool:
    """Whether it is `field=value` of a field that there is; all else Hydra takes apart itself."""
    known = {field.name: is_dataclass(field.default_factory) for field in fields(Config)}
    head, dot, _ = override.key_or_group.partition(".")
    plain = override.type == OverrideType.CHANGE and not override.is_sweep_override()
    return plain and head in known and (bool(dot) or not known[head])


@cache  # files are read once a process, as modules are; it takes a tenth of a second
def _chosen(words: tuple[str, ...], source: Source) -> DictConfig:
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(source.path, version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        if hydra and source.extra:  # as hydra.main does it; the public interface lacks this
            places = create_config_search_path(source.path)
            schema = SearchPathQuery(provider="schema")
            places.prepend("command-line", f"file://{source.extra}", schema)
            hydra.config_loader = ConfigLoaderImpl(places)
        config = hydra_compose(source.name, list(words), return_hydra_config=True)
    sweeper = cast(dict[str, Any], OmegaConf.to_container(config.hydra.sweeper))
    with open_dict(config):  # the rest of Hydra's own is nothing to a job
        config.hydra = {"sweeper": {"params": sweeper.get("params") or {}}}
    return config


def _choices(override: Override) -> list[str]:
    words = override.input_line or ""
    key = words.split("=")[0]
    if not override.is_discrete_sweep():  # an interval is for a sweeper that draws from it
        return [words]
    return [f"{key}={value}" for value in override.sweep_string_iterator()]
