"""What soft labels ask for: finite logits, a divergence, lambda, and the classes between (A, B)."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import beta, norm

from mixup_repro.papers.carratino2020.errata import direct
from mixup_repro.papers.errata import Erratum, Kind, Number
from mixup_repro.papers.notes.theorems.direct import digits
from mixup_repro.papers.notes.theorems.optimum import h, penalty_slope, soft_loss
from mixup_repro.theory.gaussians import bayes_gaussians, mixup_gaussians, mixup_uniforms
from mixup_repro.theory.mixing import Beta
from mixup_repro.theory.optimal import mixup_optimal_limit

SURE = 1e-6  # what a confidence of 99.9999 % lacks
SHARE = 0.3  # of the second class in a mixed label


def _saturated() -> list[Number]:
    numbers = []
    for lacks in (SURE, SURE**2):
        loss = soft_loss(float(np.log(1 / lacks - 1)), SHARE)
        formula = -(1 - SHARE) * np.log1p(-lacks) - SHARE * np.log(lacks)
        said = f"at 1 - {lacks:g} on the label (0.7, 0.3)"
        numbers.append(Number(f"loss {said}", None, loss, formula))
        numbers.append(Number(f"1 / loss {said}; printed: unbounded", 0.0, 1 / loss, 1 / formula))
    y = digits()[1]
    share = np.bincount(y) / len(y)
    counted = float((y[:, None] == y).mean())
    what = "share of one-hot mixed labels, digits"
    return [*numbers, Number(what, 0.0, float(share @ share), counted)]


def _penalty() -> list[Number]:
    u, step, numbers = torch.tensor([0.5, 0.5], dtype=torch.float64), 1e-5, []
    for z in (3.0, 10.0):
        logits = torch.tensor([z, 0.0], dtype=torch.float64)
        printed, ours = (float(penalty_slope(logits, u, reverse)[0]) for reverse in (True, False))
        ends = [np.logaddexp(0, -(z + s)) / 2 + np.logaddexp(0, z + s) / 2 for s in (step, -step)]
        what = f"slope of the penalty in a logit {z:g} above the other; printed: of -H(p)"
        numbers.append(Number(what, printed, ours, (ends[0] - ends[1]) / (2 * step), 1e-8))
    return numbers


def _half() -> list[Number]:
    numbers, at, width = [], SHARE, 1e-4
    for alpha in (1.0, 8.0):
        found = mixup_optimal_limit([0.0, 1.0], [0, 1], Beta(alpha, alpha), [at])[0, 1]
        law = beta(alpha, alpha)  # of lambda, which is where the mixture of 0 and 1 lies
        ends = at - width, at + width
        label = quad(lambda t, law=law: t * law.pdf(t), *ends)[0] / (
            law.cdf(ends[1]) - law.cdf(ends[0])
        )
        what = f"optimal probability of class 1 at 0.3 between two points, alpha = {alpha:g}"
        numbers.append(Number(what, 0.5, float(found), float(label), 1e-6))
    return numbers


def gaussians_by_quadrature(x: float, m: float) -> float:
    """E[y~ | x~ = x] for classes N(-m, 1) and N(m, 1), alpha = 1, by adaptive quadrature."""

    def part(lam: float, labelled: bool) -> float:
        total, sd = 0.0, (lam**2 + (1 - lam) ** 2) ** 0.5
        for a, b in product((0, 1), repeat=2):
            mean = m * (lam * (2 * a - 1) + (1 - lam) * (2 * b - 1))
            label = lam * a + (1 - lam) * b if labelled else 1.0
            total += label * float(norm.pdf(x, mean, sd))
        return total

    top, all_of = (quad(part, 0, 1, (labelled,), epsabs=1e-12)[0] for labelled in (True, False))
    return float(top / all_of)


def _uniforms(x: float) -> float:
    """The same for classes uniform on [-2, 1] and [-1, 2]: mixtures' densities are trapezoids."""
    lam, weight = direct.uniform(0, 1, 2000)
    top = total = 0.0
    for a, b in product((0, 1), repeat=2):
        low = np.maximum(lam * (a - 2), x - (1 - lam) * (b + 1))
        high = np.minimum(lam * (a + 1), x - (1 - lam) * (b - 2))
        likely = weight * np.maximum(high - low, 0) / (9 * lam * (1 - lam))
        total += likely.sum()
        top += likely @ (lam * a + (1 - lam) * b)
    return float(top / total)


def _between() -> list[Number]:
    numbers = []
    for m in (0.5, 2.0):
        x = m / 2
        what = (
            f"Mixup's optimum at {x:g}, classes N(-{m:g}, 1), N({m:g}, 1); printed: Bayes' or surer"
        )
        bayes = float(bayes_gaussians(x, m))
        ours = float(mixup_gaussians(x, m, 1.0))
        numbers.append(Number(what, bayes, ours, gaussians_by_quadrature(x, m)))
    sure, other = (h(p) - np.log(2) for p in (mixup_uniforms(0.75, 1.0), _uniforms(0.75)))
    what = "classes uniform on [-2, 1], [-1, 2], at 0.75: entropy less Bayes'"
    return [*numbers, Number(what, None, sure, other, 1e-4)]


ERRATA = (
    Erratum(
        id="saturated_loss",
        where="A20, B29",
        kind=Kind.FALSE,
        printed="""
            Saturated outputs have an unbounded loss on soft labels, so that Mixup necessarily
            prevents them and never asks for certainty.
            """,
        right="""
            The loss is finite for all logits and grows like q log(1/eps), so linearly in the logit:
            4.1 nats at a confidence of 99.9999 %. And where both examples are of one class the
            label is one-hot: it asks for certainty.
            """,
        derivation="""
            1. At confidence 1 - eps on the label (1 - q, q) the loss is
               -(1 - q) log(1 - eps) - q log eps.
            2. eps = 1 / (1 + e^u), so log(1/eps) is u up to e^-u: unbounded in the limit only.
            3. A share sum p_k^2 of pairs is of one class, a tenth for ten equal ones. At a training
               point that no other pair's segment meets the optimum is its one-hot label.
            """,
        holds="For two different classes the optimum is inside of the simplex, at finite logits.",
        witness=_saturated,
    ),
    Erratum(
        id="entropy_of_u",
        where="A21",
        kind=Kind.FALSE,
        printed="The loss is a cross-entropy and a term that penalises low entropy of predictions.",
        right="""
            The term is KL(u, p), with u the mean label, and not -H(p), which is KL(p, u) for
            uniform u. Both are least at p = u; for a sure prediction the first pulls with all its
            force and the second with none.
            """,
        derivation="""
            1. Cross-entropy is affine in the label: that of (1 - e) y + e u is (1 - e) CE(y, p) + e
               CE(u, p).
            2. CE(u, p) = H(u) + KL(u, p), and H(u) is fixed.
            3. The gradients in the logits are p - u, and p (log p + H(p)), which vanishes as p
               becomes one-hot.
            """,
        holds="It is a penalty on sure predictions, with the same minimum.",
        witness=_penalty,
    ),
    Erratum(
        id="half_or_lambda",
        where="B29",
        kind=Kind.CONDITION,
        printed="For a mix of two classes the optimal prediction is lambda's mean, 1/2.",
        right="""
            Where the mixed input shows lambda, as a point between two examples does, it is lambda.
            It is 1/2 for a network that sees nothing but which classes are mixed.
            """,
        derivation="""
            1. The minimiser of a proper loss is E[y~ given what the network sees].
            2. It sees x~ = lam x_i + (1 - lam) x_j. Where no other pair makes the same x~, lam can
               be computed from it, and E[y~ | x~] = lam y_i + (1 - lam) y_j.
            3. If it saw i and j only, E lam = 1/2 would be left.
            """,
        holds="The optimal prediction is the expected mixed label (`optimal_label`).",
        witness=_half,
    ),
    Erratum(
        id="between_gaussians",
        where="B40",
        kind=Kind.CONDITION,
        printed="""
            As Mixup makes a model linear between classes, it can be less uncertain there than
            Bayes' classifier.
            """,
        right="""
            Not by its optimum between two equal Gaussians, which is the less certain one at every
            point and alpha that we tried. It can where the true posterior is flat; and a model that
            were linear could where the means are less than two standard deviations apart.
            """,
        derivation="""
            1. Between N(-m, 1) and N(m, 1) Bayes' logit at m (2 lam - 1) is 2 m^2 (2 lam - 1), of
               slope 4 m^2 in lam. A prediction lam has the slope 4 at the middle: it is surer there
               only if m < 1.
            2. The optimum is a mean label over all pairs and lambdas that make x~, same-class ones
               included. By quadrature it is nearer to 1/2 than Bayes' (`active_entropy`).
            3. Where two uniform classes overlap Bayes' is 1/2, whose entropy is the largest there
               is; any other prediction has less.
            """,
        holds="The statement, of some data.",
        witness=_between,
    ),
)
