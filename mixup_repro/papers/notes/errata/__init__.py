"""Errata of the notes: what they say that is false, or true under a condition only.

In the order of the notes' topics; what is a question to runs is a claim of an item.
"""

from mixup_repro.papers.errata import Erratum, Misprint
from mixup_repro.papers.notes.errata import expansion, geometry, labels, learning, measures

ERRATA: tuple[Erratum, ...] = (
    *geometry.ERRATA,
    *expansion.ERRATA,
    *labels.ERRATA,
    *learning.ERRATA,
    *measures.ERRATA,
)
MISPRINTS = (
    Misprint(
        "A1",
        "Zhang et al. (2018) showed better calibration",
        "Thulasidasan et al. (2019); it is not among the claims of Zhang et al.",
    ),
    Misprint(
        "A21",
        "Thakur, Coleman and others split the loss so",
        "we found no such source, but the identity of `entropy_of_u`",
    ),
)
