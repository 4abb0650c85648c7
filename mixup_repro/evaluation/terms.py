"""The terms of the approximate Mixup risk, of a network and along its training (eq. 12)."""

from __future__ import annotations

import numpy as np
import torch

from mixup_repro.data import DataSource
from mixup_repro.evaluation.predictor import in_memory
from mixup_repro.methods.losses import cross_entropy
from mixup_repro.methods.modified import modified
from mixup_repro.methods.second_order import regularisation
from mixup_repro.networks import Replicas

EXAMPLES = 1000  # training examples that stand for all


def terms(network: Replicas, source: DataSource, alpha: float) -> dict[str, float]:
    """`modified_loss`, the loss of eq. (20), and `regularisation`, R1 + R3, of a stack of one.

    Exact for a data set of EXAMPLES training examples, the same for every network, without
    augmentation. R2 is left out, as in training by approximate Mixup; R4 is zero.
    """
    dataset = in_memory(source, "evaluation.terms")
    n = dataset.n_train
    index = torch.from_numpy(np.random.default_rng(0).permutation(n)[:EXAMPLES])
    pixels, y = dataset.take(index.to(dataset.y_train.device).unsqueeze(0))
    x, y = dataset.normalise(pixels)[0], y[0]
    was_training = network.training
    network.eval()

    def f(inputs: torch.Tensor) -> torch.Tensor:
        return network(inputs.unsqueeze(0)).squeeze(0)

    with torch.no_grad():
        values = {
            "modified_loss": cross_entropy(modified(y, alpha), f(modified(x, alpha))).mean().item(),
            "regularisation": regularisation(f, x, y, alpha).item(),
        }
    network.train(was_training)
    return values
