"""What a measure does not say: gaps of losses (B38), cues (C93), calibration errors (C64)."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.papers.notes.errata.labels import gaussians_by_quadrature
from mixup_repro.theory.gaussians import bayes_gaussians, mixup_gaussians

CUE = np.array([[1.0, 1.0], [1.0, 3.0], [-1.0, -1.0], [-1.0, -3.0]])  # the cue, and a feature
CLASSES = np.array([1.0, 1.0, 0.0, 0.0])


def _auc(gap: float, sd: float) -> tuple[float, float]:
    """That of normal losses whose means are `gap` apart: by its formula, and by quadrature."""
    found = quad(
        lambda t: norm.pdf(t, 0, sd) * norm.sf(t, gap, sd), -12 * sd, 12 * sd, epsabs=1e-12
    )
    return float(norm.cdf(gap / sd / 2**0.5)), float(found[0])


def _gap() -> list[Number]:
    before = _auc(0.4, 1.0)
    return [
        Number("AUC, losses N(0, 1) of members and N(0.4, 1) of others", None, *before),
        Number(
            "AUC, half of the gap, a quarter of the deviation; printed: no more than before",
            before[0],
            *_auc(0.2, 0.25),
        ),
    ]


def _mixed_slope(w: np.ndarray) -> np.ndarray:
    """The gradient of the Mixup risk of logits w.x, alpha = 1, on CUE: all pairs and lambdas."""
    lam, weight = direct.uniform(0, 1)
    t = lam[:, None, None]
    label = t * CLASSES[:, None] + (1 - t) * CLASSES
    x = t[..., None] * CUE[:, None] + (1 - t[..., None]) * CUE
    return np.asarray(np.einsum("t,tij,tijd->d", weight, expit(x @ w) - label, x) / 16)


def _root() -> np.ndarray:
    """Where it is zero, by Newton's steps; the Hessian by differences."""
    w, step = np.zeros(2), 1e-5
    for _ in range(50):
        bend = [(_mixed_slope(w + e) - _mixed_slope(w - e)) / (2 * step) for e in step * np.eye(2)]
        w = w - np.linalg.solve(np.array(bend), _mixed_slope(w))
    return w


def _cue() -> list[Number]:
    ours = _root()
    found = minimize(
        lambda w: direct.mixup(direct.logistic, lambda z: z @ w, CUE, CLASSES, nodes=20),
        np.ones(2),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-14},
    ).x
    erm = CUE[0] / np.linalg.norm(CUE[0])  # half of the way between the nearest two points
    return [
        Number(
            "share of the weights that the cue has; printed: no more than ERM's",
            float(erm[0] / erm.sum()),
            float(ours[0] / ours.sum()),
            float(found[0] / found.sum()),
            1e-5,
        ),
    ]


def _direction() -> list[Number]:
    m, far = 1.0, 9.0

    def lacks(x: np.ndarray | float, ours: np.ndarray | float) -> np.ndarray:
        """The confidence that Mixup's optimum lacks at x > 0, times how often |x| is there."""
        return np.asarray((norm.pdf(x, m) + norm.pdf(x, -m)) * (bayes_gaussians(x, m) - ours))

    x, weight = direct.uniform(0, far, 200)
    error = far * float(weight @ lacks(x, mixup_gaussians(x, m, 1.0)))
    other = quad(lambda z: float(lacks(z, gaussians_by_quadrature(z, m))), 0, far, epsabs=1e-9)[0]
    what = "ECE without bins, classes N(-1, 1), N(1, 1): of Mixup's optimum; printed: ERM's or less"
    return [Number(what, 0.0, error, other, 1e-7)]


ERRATA = (
    Erratum(
        id="gap_no_attack",
        where="B38",
        kind=Kind.CONDITION,
        printed="""
            Mixup reduces the gap between the losses of members and others, so an attacker cannot
            tell them apart as well.
            """,
        right="""
            A threshold on the loss uses the order of losses, not their distance. The gap can shrink
            while the attack gains, when losses of a kind come closer together than the kinds do.
            """,
        derivation="""
            1. The attack's AUC is the probability that a member's loss is below another's: any
               increasing function of the losses leaves it as it is.
            2. The gap of means is multiplied by k when losses are.
            3. Of normal losses the AUC is Phi(gap / (sd sqrt(2))): half of the gap with a quarter
               of the deviation raises it.
            """,
        holds="""
            The mean gap does shrink; what becomes of the attack is a question to runs (`mia_gap`,
            `mia_auc`).
            """,
        witness=_gap,
    ),
    Erratum(
        id="low_variance_cue",
        where="C93, C95",
        kind=Kind.FALSE,
        printed="Mixup reduces the learning of shortcuts and spurious correlations.",
        right="""
            It increases it for cues that vary little within a class, such as a mark: these tell
            lambda, which is what Mixup asks a network for.
            """,
        derivation="""
            1. Take a cue that is 1 or -1 by class, and a feature 1 or 3, -1 or -3. ERM's separating
               line tends to the one half of the way between (1, 1) and -(1, 1): equal weights.
            2. A mixture has the cue 2 lam - 1, up to sign: it tells the label without error. Given
               the cue, the feature is twice it on average, and more tells nothing of the label.
            3. So at weights (w, 0) the gradient in the feature is twice that in the cue. At the w
               that is best for the cue alone both vanish, and the risk is convex: the feature gets
               no weight at all.
            """,
        holds="""
            What networks do with a cue that errs is a question to runs, also of CutMix
            (`shortcut`).
            """,
        witness=_cue,
    ),
    Erratum(
        id="ece_direction",
        where="A22, B29, C64, C74",
        kind=Kind.CONDITION,
        printed="Mixup improves calibration.",
        right="""
            It lowers confidence. That improves the calibration of a network that is too sure by as
            much, and worsens that of one which is right about its errors.
            """,
        derivation="""
            1. With enough data the best prediction for ERM is the true posterior, which is
               calibrated: its ECE is 0.
            2. For Mixup it is E[y~ | x~], which at a clean x is nearer to 1/2: mixtures of other
               classes lie there too.
            3. Confidence is increasing in |x| for both, so without bins the ECE is the mean of
               their difference.
            """,
        holds="""
            Where ERM's confidence is above its accuracy by more than Mixup takes, the ECE falls;
            a question to runs (`calibration_ece`).
            """,
        witness=_direction,
    ),
)
