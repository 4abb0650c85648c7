"""Errata of the paper, each with its derivation and with numbers by two routes.

In the order of the paper. What it says of its training runs, and its code, are no part of them.
"""

from mixup_repro.papers.chidambaram2022.errata import (
    assumptions,
    classifier,
    failure,
    linear,
    points,
)
from mixup_repro.papers.errata import Erratum

ERRATA: list[Erratum] = [
    *classifier.ERRATA,
    *failure.ERRATA,
    *assumptions.ERRATA,
    *points.ERRATA,
    *linear.ERRATA,
]
