"""Probes: measurements on the weights of finished runs. Only `active` trains anything.

A probe returns numbers for a stack of finished runs. Each number has a setting, such as the
examples it is about, and a metric. All that a probe draws at random comes from the run's seed and
the probe's name, so runs of one seed are asked about the same examples, and methods are compared in
pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch

from mixup_repro.data import Dataset, DataSource
from mixup_repro.distributed import world_size
from mixup_repro.errors import InputError
from mixup_repro.evaluation.predictor import in_memory
from mixup_repro.networks import Replicas, build
from mixup_repro.probes import (
    active,
    adversarial,
    attention,
    batch_norm,
    boundary,
    gradient_noise,
    groups,
    held_out,
    jacobian,
    membership,
    memorised,
    occlusion,
    representation,
    segments,
    sharpness,
    smoothness,
)
from mixup_repro.probes.subject import Answers, Subject, check_pictures
from mixup_repro.schema import ArchitectureConfig


@dataclass(frozen=True)
class Probe:
    """A question to a stack of runs.

    check, fits: raise InputError where the question is not for a data set, or a network.
    version: it is raised when the question changes; runs are then asked again.
    """

    ask: Callable[[Subject], Answers]
    check: Callable[[Dataset], object] = lambda data: None
    fits: Callable[[Replicas], object] = lambda network: None
    version: int = 1


PROBES = {
    "active": Probe(active.active, active.check_examples),
    "adversarial": Probe(adversarial.adversarial, check_pictures),
    "attention": Probe(attention.attention, fits=attention.transformer),
    "batch_norm": Probe(batch_norm.batch_norm, fits=batch_norm.check_layers),
    "boundary": Probe(boundary.boundary, boundary.check_plane),
    "gradient_noise": Probe(gradient_noise.gradient_noise),
    "groups": Probe(groups.groups),
    "held_out": Probe(held_out.held_out),
    "jacobian": Probe(jacobian.jacobian),
    "membership": Probe(membership.membership),
    "memorised": Probe(memorised.memorised, memorised.clean_labels),
    "occlusion": Probe(occlusion.occlusion, check_pictures),
    "representation": Probe(representation.representation, fits=representation.check_stages),
    "segments": Probe(segments.segments),
    "sharpness": Probe(sharpness.sharpness),
    "smoothness": Probe(smoothness.smoothness),
}


def named(names: Any, dataset: DataSource, architecture: ArchitectureConfig) -> list[str]:
    """The probes that a job's `probe` names: one, or a list of them.

    Raises:
        InputError: none is named, there is no such probe, the data set is streamed, it or the
            network is none that a probe is for, the device has no float64, or there are several
            ranks.
    """
    asked = [str(name) for name in (names if isinstance(names, list) else [names])]
    choices = f"choose from {', '.join(sorted(PROBES))}"
    if not asked:
        raise InputError(f"probe=[]: names none; {choices}")
    for name in asked:
        if name not in PROBES:
            near = get_close_matches(name, PROBES, n=1, cutoff=0)[0]
            raise InputError(
                f"probe={name}: there is no such probe, and {near} is the nearest name; {choices}"
            )
    told = f"probe={','.join(asked)}"
    data = in_memory(dataset, told)
    with torch.device("meta"):  # its layers alone
        network = build(architecture, dataset.input_shape, dataset.classes, [0])
    for name in asked:
        try:
            PROBES[name].check(data)
            PROBES[name].fits(network)
        except InputError as error:
            raise InputError(f"probe={name}: {error}") from error
    if dataset.device.type == "mps":
        raise InputError(f"{told}: needs float64, which mps lacks; use hardware.device=cpu")
    if world_size() > 1:
        raise InputError(f"{told}: is asked by one process, without torchrun")
    return list(dict.fromkeys(asked))
