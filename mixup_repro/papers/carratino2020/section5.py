"""What sections 4 and 5 say of R2, of labels and of predictions, as numbers in float64."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from mixup_repro.beta import theta_bar
from mixup_repro.data.batches import Batch, Modification
from mixup_repro.evaluation.rescaling import rescaled
from mixup_repro.methods.losses import label_smoothing
from mixup_repro.methods.modified import modified
from mixup_repro.papers.claims import Check
from mixup_repro.schema import MethodConfig
from mixup_repro.theory.taylor import logistic, quadratic_risk

ALPHAS = (0.2, 1.0, 8.0)
ROUNDING = 1e-12
UNBALANCED = torch.tensor([0, 0, 0, 1, 1, 2])
BALANCED = torch.tensor([0, 0, 1, 1, 2, 2])
# Four points of a line, two a class: the data of the check of R2.
LINE = torch.tensor([[-1.5], [-0.5], [0.6], [1.4]], dtype=torch.float64)
CLASSES = torch.tensor([[0.0], [0.0], [1.0], [1.0]], dtype=torch.float64)
STEEP = 1e6  # how far along its line f_c goes


def one_hot(labels: Tensor) -> Tensor:
    """(n, 3) in float64."""
    return nn.functional.one_hot(labels, 3).double()


def smoothed(y: Tensor, epsilon: float, u: str | None) -> Tensor:
    """The targets (n, c) that the method `label_smoothing` trains on."""
    none = torch.zeros(())
    mean = Modification(none, y.mean(0), none, none, none)
    batch = Batch(torch.zeros_like(y)[None], y[None], modification=mean)
    config = MethodConfig("label_smoothing", epsilon=epsilon, u=u)
    return label_smoothing(lambda x: x, batch, config).targets[0]


def smoothing_is_modified_labels() -> list[Check]:
    """Label smoothing at epsilon = 1 - theta_bar towards y_bar, less the labels of eq. (5).

    Only for balanced classes is y_bar the uniform distribution, to which labels are usually
    smoothed.
    """
    parts = []
    for name, labels, u in (
        ("u = y_bar, unbalanced classes", UNBALANCED, "mean"),
        ("u uniform, balanced classes", BALANCED, None),
    ):
        y = one_hot(labels)
        errors = [
            float((smoothed(y, 1 - theta_bar(a), u) - modified(y, a)).abs().max()) for a in ALPHAS
        ]
        parts.append(Check(f"smoothed less modified labels, {name}", 3, max(errors), ROUNDING))
    return parts


def rescaling_is_temperature() -> list[Check]:
    """For balanced classes: probabilities by (22), less those of the logits f(x~) / theta_bar.

    The input is shrunk in both. The paper says nothing of other class frequencies.
    """
    g = torch.Generator().manual_seed(0)
    x, w = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((6, 4), (4, 3)))

    def f(x: Tensor) -> Tensor:
        return 3 * torch.tanh(x @ w)

    errors, y_bar = [], one_hot(BALANCED).mean(0)
    for alpha in ALPHAS:
        theta, x_bar = theta_bar(alpha), x.mean(0)
        scaled = f(x_bar + theta * (x - x_bar)) / theta
        p, q = rescaled(f, x, alpha, x_bar, y_bar).softmax(-1), scaled.softmax(-1)
        errors.append(float((p - q).abs().max()))
    return [Check("probabilities of (22) less those at T = theta_bar", 3, max(errors), ROUNDING)]


def along(c: float, alpha: float) -> tuple[float, float]:
    """R2, and the other terms of (12), of f_c = c g with the logistic loss on LINE.

    g(x) is the product of (x - x~_i)^2: at every modified input g = g' = 0 < g''.
    """
    x_tilde = modified(LINE, alpha)[:, 0]

    def f(x: Tensor) -> Tensor:
        return c * (x - x_tilde).square().prod(-1, keepdim=True)

    terms = quadratic_risk(logistic, f, LINE, CLASSES, alpha)
    return float(terms.r2), float(replace(terms, r2=torch.zeros_like(terms.r2)).total)


def second_derivatives_are_unstable() -> list[Check]:
    """The terms of (12) for f_c = c g (`along`), at c = -STEEP and c = STEEP.

    At the modified inputs f_c has the value 0 and the slope 0 for every c, so all terms but R2 are
    those of f = 0. R2 is linear in c and so has no lower bound, while the Mixup risk (4) is never
    negative.
    """
    others, lines, lowest = [], [], []
    for alpha in ALPHAS:
        slope, level = along(1.0, alpha)
        ends = {c: along(c, alpha) for c in (-STEEP, STEEP)}
        others += [abs(rest / level - 1) for _, rest in ends.values()]
        lines += [abs(r2 / (c * slope) - 1) for c, (r2, _) in ends.items()]
        lowest.append(min(map(sum, ends.values())))
    return [
        Check("(12) without R2 along f_c, relative change", len(others), max(others), 1e-9),
        Check("R2 along f_c, relative distance from a line", len(lines), max(lines), 1e-9),
        Check("(12) with R2 far along f_c (nats)", len(lowest), max(lowest), 0.0),
    ]
