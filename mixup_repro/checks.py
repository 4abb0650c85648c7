"""Checks of a composed job: each failure is one line that says what to do."""

from __future__ import annotations

import math
import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Optional

from mixup_repro.errors import InputError
from mixup_repro.methods.registry import METHODS
from mixup_repro.paths import has_wandb_key
from mixup_repro.schema import (
    SCALES,
    ArchitectureConfig,
    Config,
    DatasetConfig,
    HardwareConfig,
    MethodConfig,
    RecipeConfig,
)

MOST_ALPHA = 1e6  # lambda is 1/2 to three digits there, and closed forms lose theirs beyond
MOST_SEEDS = 100_000
MOST_POINTS = 10_000_000  # of a toy set
MOST_PIXELS = 10_000  # of a side
MOST_WIDTH = 10_000_000  # of a layer; memory has less, and says so by the data set's size
MOST_THREADS = 1024
MOST_FLOAT = 1e30  # its square is near the end of single precision
MOST_INT = 2**31 - 1  # scikit-learn takes no larger seeds, and nothing here is that long


def number_list(value: Any, name: str) -> list[float]:
    """`value` as a list of distinct finite floats; a single number becomes a list of one."""
    values = value if isinstance(value, (list, tuple)) else [value]
    try:
        numbers = [float(v) for v in values if not isinstance(v, bool)]
    except (TypeError, ValueError):
        numbers = []
    if not numbers or len(numbers) != len(values) or not all(map(math.isfinite, numbers)):
        raise InputError(f"{name}={value}: give a number or a list of numbers, such as [0.5, 1]")
    _need(len(set(numbers)) == len(numbers), f"{name}={value}: a number is there twice")
    return numbers


def seed_list(seeds: Any) -> list[int]:
    """The seeds of a job: n means 0..n-1, a list means itself."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        _need(
            1 <= seeds <= MOST_SEEDS,
            f"seeds={seeds}: must lie between 1 and {MOST_SEEDS}, or be a list such as [0, 3]",
        )
        return list(range(seeds))
    listed = isinstance(seeds, list) and seeds and all(type(s) is int and s >= 0 for s in seeds)
    if listed and len(set(seeds)) == len(seeds):
        return seeds
    raise InputError(f"seeds={seeds}: give a number of seeds, or a list of distinct seeds >= 0")


def part_of(part: Optional[str]) -> tuple[int, int]:
    """(k, n) of `part=k/n`; all runs are part 1 of 1."""
    found = re.fullmatch(r"(\d+)/(\d+)", part or "1/1")
    k, n = map(int, found.groups()) if found else (0, 0)
    _need(1 <= k <= n, f"part={part}: give k/n with k from 1 to n, such as 1/4")
    return k, n


def _need(ok: object, message: str) -> None:
    if not ok:
        raise InputError(message)


def _choice(value: Any, choices: tuple[str, ...], name: str) -> None:
    _need(value in choices, f"{name}={value}: choose one of {', '.join(choices)}")


def check(job: Config) -> None:
    """Raise InputError, saying what to do, where the job cannot run as asked."""
    _check_numbers(job)
    _need(job.data_root, "data_root=: name a folder; data_root=. is the current one")
    _check_runs_dir(job.runs_dir)
    seeds = seed_list(job.seeds)
    part_of(job.part)
    _choice(job.retry, ("all", "failed"), "retry")
    if job.scale is not None:
        _choice(job.scale, SCALES, "scale")
    _check_method(job.method, job.recipe)
    _need(
        METHODS[job.method.name].loss or seeds == [0],
        f"seeds={job.seeds}: a file of weights is one run; leave seeds out",
    )
    _check_recipe(job.recipe)
    for alpha in job.evaluation.alphas or ():
        _check_alpha(alpha, "evaluation.alphas")
    if job.evaluation.terms is not None:
        _check_alpha(job.evaluation.terms, "evaluation.terms")
    _check_hardware(job.hardware)
    _check_dataset(job.dataset)
    _check_architecture(job.architecture)
    _choice(job.wandb.mode, ("disabled", "offline", "online"), "wandb.mode")
    _need(
        job.wandb.mode != "online" or has_wandb_key(),
        "wandb.mode=online: type wandb login, or set WANDB_API_KEY; or use wandb.mode=offline",
    )


def _check_numbers(group: Any, place: str = "") -> None:
    """Raise InputError where a field is nan or infinite, or too large to compute with."""
    for name, value in vars(group).items():
        if is_dataclass(value):
            _check_numbers(value, f"{place}{name}.")
            continue
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, float):
                fits = abs(number) <= MOST_FLOAT  # nan is not
                _need(fits, f"{place}{name}={value}: must be finite, at most {MOST_FLOAT:g}")
            elif isinstance(number, int):
                fits = abs(number) <= MOST_INT
                _need(fits, f"{place}{name}={value}: must be at most {MOST_INT}")


def _check_runs_dir(runs_dir: str) -> None:
    _need(runs_dir, "runs_dir=: name a folder; runs_dir=. is the current one")
    path = Path(runs_dir)
    _need(path.is_dir() or not path.exists(), f"runs_dir={runs_dir}: is a file, not a folder")


def _check_alpha(alpha: float, name: str, more: str = "") -> None:
    _need(0 < alpha <= MOST_ALPHA, f"{name}={alpha:g}: must be > 0, at most {MOST_ALPHA:g}{more}")


def _check_dataset(dataset: DatasetConfig) -> None:
    workers, points = dataset.workers, dataset.points
    _need(workers is None or workers >= 0, f"dataset.workers={workers}: must be at least 0")
    _need(
        points is None or points <= MOST_POINTS,
        f"dataset.points={points}: must be at most {MOST_POINTS}",
    )
    for name in ("size", "resize"):
        side = getattr(dataset, name)
        _need(
            side is None or 1 <= side <= MOST_PIXELS,
            f"dataset.{name}={side}: pixels of a side, between 1 and {MOST_PIXELS}",
        )
    for name in ("flipped", "cue", "rare"):
        share = getattr(dataset, name)
        _need(share is None or 0 <= share <= 1, f"dataset.{name}={share}: must lie in [0, 1]")
    mean, std = dataset.mean or [], dataset.std or []
    _need(
        all(0 <= m <= 1 for m in mean),
        f"dataset.mean={mean}: must lie in [0, 1], where pixels lie; divide by 255",
    )
    _need(
        all(0 < s <= 1 for s in std),
        f"dataset.std={std}: must lie in (0, 1], for pixels lie in [0, 1]; divide by 255",
    )


def _check_architecture(architecture: ArchitectureConfig) -> None:
    for name in ("hidden", "width", "features"):
        value = getattr(architecture, name) or 0
        widest = max(value) if isinstance(value, list) else value
        _need(widest <= MOST_WIDTH, f"architecture.{name}={value}: at most {MOST_WIDTH}")


def _check_method(method: MethodConfig, recipe: RecipeConfig) -> None:
    _choice(method.name, tuple(METHODS), "method.name")
    reads = METHODS[method.name].reads
    if "sha256" in reads:
        _need(
            re.fullmatch("[0-9a-f]{64}", method.sha256 or ""),
            f"method.sha256={method.sha256}: give the 64 hexadecimal digits of the file of weights",
        )
    _need(
        method.u is None or "u" in reads,
        f"method.u={method.u}: method={method.name} reads no u; it is for label_smoothing",
    )
    if "u" in reads:
        _choice(method.u or "uniform", ("uniform", "mean"), "method.u")
    if "epsilon" in reads:
        epsilon = method.epsilon
        _need(
            epsilon is not None and 0 < epsilon < 1,
            f"method.epsilon={epsilon}: must lie in (0, 1)",
        )
    if "alpha" in reads:
        for alpha in number_list(method.alpha, "method.alpha"):
            _check_alpha(alpha, "method.alpha", "; without mixing use method=erm")
        _check_schedule(method, recipe.epochs)
    if "sigma" in reads:
        sigma = method.sigma
        _need(sigma is not None and 0 < sigma < math.inf, f"method.sigma={sigma}: must be > 0")
    if "side" in reads:
        side = method.side or 0
        _need(
            side >= 2 and side % 2 == 0,
            f"method.side={side}: must be even and at least 2: pixels about the centre",
        )
    if "layers" in reads:
        layers = method.layers or []
        _need(
            layers and min(layers) >= 0 and len(set(layers)) == len(layers),
            f"method.layers={layers}: give distinct stages from 0, such as [0, 1, 2]",
        )
    if "pairing" in reads:
        _check_pairing(method, recipe)


def _check_pairing(method: MethodConfig, recipe: RecipeConfig) -> None:
    _choice(method.lam_per, ("example", "batch"), "method.lam_per")
    _choice(method.pairing, ("permutation", "reversal", "uniform"), "method.pairing")
    if method.pairing_group is not None:
        group, batch = method.pairing_group, recipe.batch_size or 0
        _need(
            group >= 1 and batch % group == 0,
            f"method.pairing_group={group}: must divide recipe.batch_size={batch}",
        )


def _check_schedule(method: MethodConfig, epochs: int) -> None:
    """A schedule of alpha is for methods that read it, and must fit into the epochs."""
    end, off = method.alpha_end, method.off_epochs
    for name, value in (("alpha_end", end), ("off_epochs", off)):
        _need(
            value is None or name in METHODS[method.name].reads,
            f"method.{name}={value}: method={method.name} has one alpha for all epochs",
        )
    _need(
        end is None or (0 <= end < math.inf and epochs > 1),
        f"method.alpha_end={end}: must be at least 0, with recipe.epochs of at least 2",
    )
    _need(
        off is None or 1 <= off <= epochs,
        f"method.off_epochs={off}: must lie between 1 and recipe.epochs={epochs}",
    )


def _check_hardware(hardware: HardwareConfig) -> None:
    threads, slots, share = hardware.threads, hardware.slots, hardware.runs_per_gpu
    _need(
        threads is None or 1 <= threads <= MOST_THREADS,
        f"hardware.threads={threads}: must lie between 1 and {MOST_THREADS}",
    )
    _need(
        re.fullmatch(r"auto|cpu|cuda(:\d{1,4})?|mps", hardware.device),
        f"hardware.device={hardware.device}: choose auto, cpu, cuda or mps",
    )
    _choice(hardware.precision, ("auto", "float32", "bfloat16"), "hardware.precision")
    for name in ("checkpoint_minutes", "patience_minutes"):
        minutes = getattr(hardware, name)
        _need(0 < minutes < math.inf, f"hardware.{name}={minutes:g}: must be > 0, and finite")
    seconds = hardware.checkpoint_seconds
    _need(seconds >= 0, f"hardware.checkpoint_seconds={seconds:g}: must be at least 0")
    _need(share >= 1, f"hardware.runs_per_gpu={share}: must be at least 1")
    if slots is not None and slots != "auto":
        listed = isinstance(slots, list) and slots and all(type(s) is int and s >= 0 for s in slots)
        _need(
            listed and len(set(slots)) == len(slots),
            f"hardware.slots={slots}: give auto, or a list of distinct numbers such as [0, 1]",
        )


def _check_recipe(recipe: RecipeConfig) -> None:
    _choice(recipe.optimizer, ("sgd", "adam"), "recipe.optimizer")
    momentum, decay = recipe.momentum or 0.0, recipe.weight_decay or 0.0
    _need(0 < recipe.lr < math.inf, f"recipe.lr={recipe.lr}: must be > 0")
    _need(0 <= momentum < 1, f"recipe.momentum={momentum:g}: must lie in [0, 1)")
    _need(not recipe.nesterov or momentum > 0, "recipe.nesterov=true: needs recipe.momentum > 0")
    _need(0 <= decay < math.inf, f"recipe.weight_decay={decay:g}: must be at least 0")
    spectral = recipe.spectral
    _need(
        spectral is None or 0 < spectral < math.inf,
        f"recipe.spectral={spectral}: must be > 0, and finite; null leaves the penalty out",
    )
    for name in ("epochs", "microbatch", "evaluate_every", "crop_padding"):
        value, least = getattr(recipe, name), int(name != "crop_padding")
        _need(value is None or value >= least, f"recipe.{name}={value}: must be at least {least}")
    batch = recipe.batch_size
    _need(
        batch is None or batch >= 1,
        f"recipe.batch_size={batch}: must be at least 1, or null for the full batch",
    )
    points, factor = recipe.decay_at or (), recipe.decay_by
    _need(
        all(0 < point < 1 for point in points),
        f"recipe.decay_at={points}: fractions of the epochs, between 0 and 1",
    )
    _need(
        not points or (factor is not None and factor > 0),
        f"recipe.decay_by={factor}: must be > 0 where recipe.decay_at is given",
    )
    area, padding = recipe.resized_crop, recipe.crop_padding
    _need(area is None or 0 < area <= 1, f"recipe.resized_crop={area}: must lie in (0, 1]")
    _need(not (area and padding), "recipe.resized_crop and recipe.crop_padding: choose one")
    warmup = recipe.warmup_epochs or 0
    _need(
        0 <= warmup <= recipe.epochs,
        f"recipe.warmup_epochs={warmup}: must lie between 0 and recipe.epochs={recipe.epochs}",
    )
