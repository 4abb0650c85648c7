"""What BatchNorm's statistics were in training, beside those of the clean training examples."""

from __future__ import annotations

from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn

from mixup_repro.errors import InputError
from mixup_repro.evaluation.metrics import metrics, sums
from mixup_repro.networks import Replicas
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 1000


@torch.no_grad()
def batch_norm(subject: Subject) -> Answers:
    """How the variances that BatchNorm kept from training compare with those of clean examples.

    layer k: ratio is the kept variance divided by that of at most EXAMPLES clean training examples
    in one pass; within and means are the `shares` of the latter. All are means over channels.
    kept, clean: accuracy, cross-entropy and calibration error on test examples, with the kept
    statistics and with the clean ones.
    """
    kept = layers(subject.network)
    raw, _ = subject.examples("train", EXAMPLES)
    clean, parts = estimated(subject.network, subject.inputs(raw))
    found: Answers = {}
    for k, (old, new) in enumerate(zip(kept, layers(clean))):
        ratio = (_variance(old) / _variance(new)).mean()
        found[f"layer {k + 1}", "ratio"] = ratio.unsqueeze(0)
        for name, share in zip(("within", "means"), parts[k]):
            found[f"layer {k + 1}", name] = share.mean().unsqueeze(0)
    raw, y = subject.examples("test", EXAMPLES)
    x = subject.inputs(raw)
    for setting, network in (("kept", subject.network), ("clean", clean)):
        logits = torch.cat([network(part) for (part,) in subject.chunks(x)], 1)
        for name in ("accuracy", "cross_entropy", "ece"):
            values = [row[name] for row in metrics(sums(logits, y))]
            found[setting, name] = torch.tensor(values, dtype=torch.float64)
    return found


def check_layers(network: Replicas) -> None:
    """Raise InputError where there is no BatchNorm of pictures, or it keeps no statistics."""
    found = layers(network)
    if not found:
        raise InputError("needs BatchNorm of pictures, and this network has none")
    if any(layer.running_var is None for layer in found):
        raise InputError("needs BatchNorm that keeps its statistics")


def layers(network: Replicas) -> list[nn.BatchNorm2d]:
    """Those of BatchNorm, in the order in which the network names them."""
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def estimated(network: Replicas, x: Tensor) -> tuple[Replicas, dict[int, tuple[Tensor, Tensor]]]:
    """A copy whose BatchNorm keeps the statistics of x (R, n, ...), and `shares` by layer.

    As in training a layer sees what those before it make of the same examples.
    """
    copy, parts = deepcopy(network), {}

    def look(module: nn.Module, inputs: tuple[Tensor], output: Tensor, k: int) -> None:
        parts[k] = shares(inputs[0])

    hooks = []
    for k, layer in enumerate(layers(copy)):
        layer.momentum = 1.0  # keep nothing of what was
        layer.train()
        hooks.append(layer.register_forward_hook(partial(look, k=k)))
    copy(x)
    for hook in hooks:
        hook.remove()
    return copy.eval(), parts


def shares(seen: Tensor) -> tuple[Tensor, Tensor]:
    """(C,) each: W and U as shares of the variance W + M of channels of pictures (n, C, H, W).

    W: of examples, mean over pixels. M: of the mean picture, over its pixels, which is the rest.
    U: of examples' own means over pixels.
    """
    total = seen.var((0, 2, 3), unbiased=False)
    within = seen.var(0, unbiased=False).mean((-2, -1))
    return within / total, seen.mean((-2, -1)).var(0, unbiased=False) / total


def _variance(layer: nn.BatchNorm2d) -> Tensor:
    variance = layer.running_var
    assert variance is not None, "check_layers has seen it"
    return variance
