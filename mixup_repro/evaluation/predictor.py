"""Plain and rescaled predictions of a network over a whole data set."""

from __future__ import annotations

from functools import partial
from typing import Optional

import torch
from torch import Tensor

from mixup_repro.architectures import Single, Stack
from mixup_repro.data import Dataset
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.evaluation.temperature import scaled
from mixup_repro.theory.beta import theta_bar
from mixup_repro.theory.rescaling import rescaled

CHUNK = 1000  # examples in one forward pass; a stack of R replicas takes CHUNK / R, at least 50


@torch.no_grad()  # not inference_mode: the data set keeps x_bar, which training may use
def predict(
    network: Single | Stack, dataset: Dataset, x: Tensor, alpha: Optional[float] = None
) -> Tensor:
    """Logits (R, n, classes) for raw examples x of the data set, in evaluation mode.

    x: (n, ...) for all replicas, or (R, n, ...).
    alpha: rescale the prediction for mixup with this alpha (eq. 22); None predicts plainly.
    """
    was_training = network.training
    network.eval()
    f = network
    if alpha is not None:
        f = partial(rescaled, network, alpha=alpha, x_bar=dataset.x_bar, y_bar=dataset.y_bar)
    if x.ndim == 1 + len(dataset.input_shape):
        x = x.expand(network.replicas, *x.shape)
    parts = x.split(max(50, CHUNK // network.replicas), dim=1)
    logits = [f(dataset.normalise(part)).float() for part in parts]
    network.train(was_training)
    return torch.cat(logits, dim=1)


def evaluate(
    network: Single | Stack,
    dataset: Dataset,
    alphas: list[float],
    temperature_at: Optional[list[Optional[float]]] = None,
) -> list[list[dict]]:
    """For each replica, the rows of the plain evaluation and of the rescaled one at each alpha.

    temperature_at: an alpha (or None) a replica; adds temperature scaling of the plain logits and,
    at that alpha, of the logits f(x~) of the shrunk inputs, which rescaling divides by theta_bar.
    """
    rows: list[list[dict]] = [[] for _ in range(network.replicas)]
    y = dataset.y_test.expand(network.replicas, -1)
    for alpha in (None, *alphas):
        logits = predict(network, dataset, dataset.x_test, alpha)
        name = {"evaluation": "plain" if alpha is None else "rescaled", "eval_alpha": alpha}
        for r, row in enumerate(metrics(sums(logits, y))):
            rows[r].append(name | row)
        if temperature_at is None:
            continue
        if alpha is not None:  # back to the logits of the shrunk inputs
            logits = theta_bar(alpha) * logits + (1 - theta_bar(alpha)) * dataset.y_bar
        name = {"evaluation": "temperature", "eval_alpha": alpha}
        for r, own in enumerate(temperature_at):
            if alpha in (None, own):
                u, temperature = scaled(logits[r], y[r])
                (row,) = metrics(sums(u.unsqueeze(0), y[r]))
                rows[r].append(name | row | {"temperature": temperature})
    return rows
