"""Plain and rescaled predictions of a network over a whole data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor

from mixup_repro.architectures import Single, Stack
from mixup_repro.data import Dataset
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.theory.shrinkage import rescaled

CHUNK = 1000  # examples in one forward pass; a stack of R replicas takes CHUNK / R, at least 50


@torch.inference_mode()
def predict(
    network: Single | Stack, dataset: Dataset, x: Tensor, alpha: Optional[float] = None
) -> Tensor:
    """Logits (R, n, classes) for raw examples x (n, ...), in evaluation mode.

    alpha: rescale the prediction for mixup with this alpha (eq. 22); None predicts plainly.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    f = _prediction(network, dataset, device, alpha)
    chunk = max(50, CHUNK // network.replicas)
    logits = []
    for part in x.split(chunk):
        inputs = dataset.normalise(part.to(device))
        logits.append(f(inputs.expand(network.replicas, *inputs.shape)).float())
    network.train(was_training)
    return torch.cat(logits, dim=1)


def _prediction(
    network: Single | Stack, dataset: Dataset, device: torch.device, alpha: Optional[float]
) -> Callable[[Tensor], Tensor]:
    if alpha is None:
        return network
    x_bar, y_bar = dataset.x_bar().to(device), dataset.y_bar().to(device)
    return lambda x: rescaled(network, x, alpha, x_bar, y_bar)


def evaluate(network: Single | Stack, dataset: Dataset, alphas: list[float]) -> list[list[dict]]:
    """For each replica, the rows of the plain evaluation and of the rescaled one at each alpha."""
    rows: list[list[dict]] = [[] for _ in range(network.replicas)]
    for alpha in (None, *alphas):
        logits = predict(network, dataset, dataset.x_test, alpha)
        name = {"evaluation": "plain" if alpha is None else "rescaled", "eval_alpha": alpha}
        for r, row in enumerate(metrics(sums(logits, dataset.y_test.to(logits.device)))):
            rows[r].append(name | row)
    return rows
