"""Errata of the paper, each with its derivation and with numbers by two routes.

In the order of the paper; those of a section that speak of one thing share a module.
"""

from mixup_repro.papers.carratino2020.errata import (
    confident,
    labels,
    linear,
    rescaling,
    scope,
    split,
    unbounded,
)
from mixup_repro.papers.errata import Erratum

ERRATA: list[Erratum] = [
    *split.ERRATA,
    *confident.ERRATA,
    *unbounded.ERRATA,
    *linear.ERRATA,
    *rescaling.ERRATA,
    *labels.ERRATA,
    *scope.ERRATA,
]
