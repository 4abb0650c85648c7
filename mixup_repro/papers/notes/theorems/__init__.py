"""The notes' claims that need no trained network, each as numbers in float64.

A claim that holds under a condition has two kinds of parts: as printed, and as it holds.
"""

from mixup_repro.papers.claims import Theorem
from mixup_repro.papers.notes.theorems import gradients, landscape, linearity, moments, optimum

THEOREMS: tuple[Theorem, ...] = (
    *moments.THEOREMS,
    *gradients.THEOREMS,
    *landscape.THEOREMS,
    *linearity.THEOREMS,
    *optimum.THEOREMS,
)
