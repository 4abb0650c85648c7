"""How good predictions are: metrics, a reliability diagram, a temperature."""

from __future__ import annotations

from typing import Any

import matplotlib
from matplotlib.figure import Figure
from torch import Tensor

from mixup_repro.api.checks import check_labels, check_logits, need, shape, shares
from mixup_repro.evaluation.metrics import Sums, metrics, sums
from mixup_repro.evaluation.temperature import fit_temperature


def scores(logits: Tensor, y: Tensor) -> dict[str, Any]:
    """Accuracy, cross-entropy (nats), ECE, Brier score, n and the bins of a reliability diagram.

    ece = sum over 15 equal bins of confidence of |right - confidence| / n (Guo et al., 2017), and
    brier = mean |softmax(u) - y|^2, for logits u (n, c). y: classes (n,) or shares (n, c).

    Four predictions of class 0 with confidence 3/4, of which two are right:

    >>> import torch, mixup_repro
    >>> logits, y = torch.tensor([[3.0, 1.0]] * 4).log(), torch.tensor([0, 0, 1, 1])
    >>> found = mixup_repro.scores(logits, y)
    >>> found["accuracy"], round(found["ece"], 6), round(found["brier"], 6)
    (0.5, 0.25, 0.625)

    Raises:
        InputError: probabilities in place of logits, NaN, or shapes that do not fit.
    """
    (row,) = metrics(to_sums(logits, y, "logits"))
    return row


def to_sums(logits: Tensor, y: Tensor, name: str) -> Sums:
    """Checked logits (n, c) and labels as sums that add up over batches, on the CPU."""
    n = len(logits) if isinstance(logits, Tensor) and logits.ndim else 1
    need(n, f"{name} has shape {shape(logits)}: there are no examples")
    check_logits(logits, n, name)
    need(logits.isfinite().all(), f"{name} has NaN or infinity in it")
    check_labels(y, n, f"{name} has shape {shape(logits)}")
    labels = shares(y, logits)
    logits, labels = logits.detach().cpu(), labels.detach().cpu()  # not every device has float64
    return sums(logits.unsqueeze(0), labels if y.ndim == 2 else y.detach().cpu().long())


def temperature(logits: Tensor, y: Tensor) -> float:
    """The T > 0 that minimises the cross-entropy of softmax(u / T) (Guo et al., 2017).

    Of logits u (n, c) and classes (n,) that were held out: not those that are scored then.

    Confidence 9/10 where three of four are right is too much; half of the logits have it at 3/4:

    >>> import torch, mixup_repro
    >>> logits, y = torch.tensor([[9.0, 1.0]] * 4).log(), torch.tensor([0, 0, 0, 1])
    >>> round(mixup_repro.temperature(logits, y), 4)
    2.0

    Raises:
        InputError: as `scores`; or y that are no classes.
    """
    to_sums(logits, y, "logits")
    need(y.ndim == 1, f"y has shape {shape(y)}: a temperature is fitted to classes (n,)")
    return fit_temperature(logits.detach().cpu().double().numpy(), y.detach().cpu().numpy())


def reliability_diagram(**panels: dict[str, Any]) -> Figure:
    """Accuracy against confidence, bin by bin: a panel for each of some `scores`, by its name.

    ECE is the mean gap between points and diagonal, weighted by the grey bars. Points above the
    diagonal are right more often than they claim.

    >>> import torch, mixup_repro
    >>> logits, y = torch.randn(100, 3), torch.arange(100) % 3
    >>> plain, cooler = mixup_repro.scores(logits, y), mixup_repro.scores(logits / 2, y)
    >>> figure = mixup_repro.reliability_diagram(plain=plain, cooler=cooler)
    >>> len(figure.axes)  # figure.savefig("reliability.png")
    2

    Raises:
        InputError: no panels, or something that `scores` did not return.
    """
    from mixup_repro.report.one_run import reliability_panels  # takes a second, for its style

    need(panels, "reliability_diagram() has nothing to draw: give plain=scores(logits, y)")
    for name, row in panels.items():
        fits = isinstance(row, dict) and {"bins", "ece", "n_test"} <= row.keys()
        need(fits, f"{name} is a {type(row).__name__}: must be what scores(logits, y) returns")
    with matplotlib.rc_context():  # the figure's style is not the caller's
        return reliability_panels(panels, "Reliability")
