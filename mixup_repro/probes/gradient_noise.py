"""How noisy one example's gradient is, of the clean loss and of Mixup's, at a run's weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro import interrupt
from mixup_repro.methods.losses import cross_entropy
from mixup_repro.networks import Replicas
from mixup_repro.probes.curvature import flat
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 300
ALPHA = 1.0  # of the Mixup loss, for a run without an alpha of its own


def gradient_noise(subject: Subject) -> Answers:
    """variance, squared_mean: of the gradient by all weights, of one training example.

    The trace of its covariance, and the squared norm of its mean: both without bias, so the second
    may be below zero. clean: of the cross-entropy. mixed: of examples mixed at the run's own alpha,
    or at ALPHA. Without augmentation, and in evaluation mode.
    """
    raw, y = subject.examples("train", EXAMPLES)
    x = subject.inputs(raw)
    targets = F.one_hot(y, subject.dataset.classes).to(x.dtype)
    mixed = subject.mixed(x, targets, [run.alpha or ALPHA for run in subject.runs])
    found: Answers = {}
    for setting, examples in (("clean", (x, targets)), ("mixed", mixed)):
        variance, squared_mean = moments(subject.network, *examples)
        found[setting, "variance"], found[setting, "squared_mean"] = variance, squared_mean
    return found


def moments(network: Replicas, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Variance and squared mean (R,) of the gradients of examples x (R, n, ...), targets (R, n, c).

    One backward pass an example, of all replicas at once.
    """
    weights, n = list(network.parameters()), x.shape[1]
    total = squares = x.new_zeros(())
    for k in range(n):
        interrupt.check()
        loss = cross_entropy(targets[:, k : k + 1], network(x[:, k : k + 1]))
        gradients = torch.autograd.grad(loss.sum(), weights, materialize_grads=True)
        gradient = flat(network, gradients)
        total = total + gradient
        squares = squares + gradient.square().sum(1)
    of_mean = (total / n).square().sum(1)
    variance = (squares / n - of_mean) * n / (n - 1)
    return variance, of_mean - variance / n
