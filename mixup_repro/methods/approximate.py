"""Mixup's second-order approximation as a training loss (Carratino et al., eq. 12, without R2).

Both losses are, in expectation, the loss on modified data plus R1 + R3 (plus R4, which is zero for
the cross-entropy). R2 is left out as in the paper: it is not convex, and training with it is
unstable. Networks must treat every example alone: BatchNorm in training mode does not.
"""

from __future__ import annotations

from torch import Tensor

from mixup_repro.data.batches import Batch
from mixup_repro.methods.forward import along
from mixup_repro.methods.losses import Network, Outcome, convex, cross_entropy, needed
from mixup_repro.methods.second_order import (
    expected_second_order,
    logits_and_jacobian,
    second_order,
)
from mixup_repro.schema import MethodConfig


def modified(batch: Batch) -> tuple[Tensor, Tensor]:
    """x~ and y~: inputs and targets shrunk to their means by theta_bar (eq. 5)."""
    m = needed(batch.modification)
    theta = m.theta_bar.expand(batch.x.shape[:2])
    return convex(batch.x, m.x_bar, theta), convex(batch.y, m.y_bar, theta)


def erm_modified(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """ERM on modified data (eq. 20): Mixup's data without its noise."""
    inputs, targets = modified(batch)
    logits = network(inputs)
    return Outcome(cross_entropy(targets, logits), logits, targets)


def approx_mixup(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Approximate Mixup by one Jacobian product an example: about two Mixup steps.

    With the perturbations delta, epsilon (eq. 6) of the drawn theta and partner, the loss
    l(y~, f(x~)) + 1/2 (J delta)^T H (J delta) - epsilon.(J delta) has the mean that eq. 12 names.
    """
    inputs, targets = modified(batch)
    lam = needed(batch.lam)
    theta = lam.maximum(1 - lam)
    delta = convex(batch.x, needed(batch.x_partner), theta) - inputs
    epsilon = convex(batch.y, needed(batch.y_partner), theta) - targets
    logits, du = along(network, inputs, delta)
    penalty = second_order(logits.softmax(-1), du, epsilon)
    return Outcome(cross_entropy(targets, logits) + penalty, logits, targets)


def approx_mixup_exact(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Approximate Mixup with whole Jacobians (one backward pass a class), partners of the batch.

    The exact mean over theta, and over partners j in the batch, of `approx_mixup`'s penalty. Where
    logits are small, the second order is nearly all of Mixup's risk:

    >>> import torch
    >>> from mixup_repro import beta
    >>> from mixup_repro.data.batches import Batch, Modification
    >>> from mixup_repro.methods.approximate import approx_mixup_exact
    >>> from mixup_repro.methods.losses import cross_entropy
    >>> from mixup_repro.schema import MethodConfig
    >>> from mixup_repro.theory.perturbation import mixup_risk
    >>> f = lambda x: torch.cat([x, -x], -1)
    >>> x, y = torch.tensor([[-0.1], [0.3]]), torch.eye(2)
    >>> moments = (torch.tensor([[m(0.5)]]) for m in (beta.theta_bar, beta.sigma2, beta.gamma2))
    >>> batch = Batch(x[None], y[None], modification=Modification(x.mean(0), y.mean(0), *moments))
    >>> approx_mixup_exact(f, batch, MethodConfig("approx_mixup_exact")).loss.mean()
    tensor(0.8629, grad_fn=<MeanBackward0>)
    >>> mixup_risk(cross_entropy, f, x, y, alpha=0.5)
    tensor(0.8629)
    """
    inputs, targets = modified(batch)
    m = needed(batch.modification)
    logits, jacobian = logits_and_jacobian(network, inputs)
    a, b = (batch.x - m.x_bar).flatten(2), batch.y - m.y_bar
    p = logits.softmax(-1)
    penalty = expected_second_order(p, jacobian, (a, b), (a, b), m.sigma2, m.gamma2)
    return Outcome(cross_entropy(targets, logits) + penalty, logits, targets)
