"""Errata of the paper, each with its derivation and with numbers by two routes.

In the order of the paper; those that speak of one thing share a module. `direct` enumerates.
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
from mixup_repro.papers.errata import Erratum, Misprint

ERRATA: list[Erratum] = [
    *split.ERRATA,
    *confident.ERRATA,
    *unbounded.ERRATA,
    *linear.ERRATA,
    *rescaling.ERRATA,
    *labels.ERRATA,
    *scope.ERRATA,
]

MISPRINTS = (
    Misprint("Section 2", "[n] is the set of nonzero integers up to n", "positive integers"),
    Misprint("Section 2", "the gradient of f from R^a to R is in R^(1 x n)", "R^(1 x a)"),
    Misprint("Section 2", "grad_uv f = grad_vu f^T", "second derivatives, of a scalar f"),
    Misprint("Section 2", "the loss and (3) take u in Y", "u in R^c"),
    Misprint("Eq. (2), Corollary 3", "E^Empirical and E^ERM", "one name for one risk"),
    Misprint(
        "Lemma 1", "Sigma of modified inputs and labels", "it is not defined: theta_bar^2 Sigma"
    ),
    Misprint("Section 5", "H(p(f(x~)))", "H(f(x~)): H takes logits, and p is not defined"),
    Misprint("Proposition 1", "entropy of the average predictor", "of the average label"),
    Misprint("Section 5", "minizing; that that", "minimizing; that"),
    Misprint("Table 2, section 5", "YTTB-Robust", "YTBB-Robust"),
    Misprint("Appendix A.1", "delta~_i, epsilon~_i", "delta_i, epsilon_i"),
    Misprint("Appendix A.2", "(x~_i - x_bar) / theta", "(x~_i - x_bar) / theta_bar"),
    Misprint("Eq. (32), (33)", "l_Q", "l_Q^(i)"),
    Misprint("Eq. (38), appendix A.7", "max and min", "sup and inf: attained for p > 0 only"),
    Misprint("Appendix B.3", "sigma, gamma, b", "other quantities than those of Lemma 1 and (19)"),
    Misprint("References", "[26] and [27]", "one paper"),
)
