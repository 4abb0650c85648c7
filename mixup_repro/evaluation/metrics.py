"""Accuracy, cross-entropy, expected calibration error and Brier score from sums that add up.

A `Sums` holds counts and sums, never means, so that parts of a test set (batches, or the shards of
several ranks) add up to exactly the metrics of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mixup_repro.exact import host

BINS = 15


@dataclass(frozen=True)
class Sums:
    """Per replica: counts (R,), float64 sums (R,), and per-bin values (R, BINS).

    cross_entropy is in nats. bin_count, bin_correct, bin_confidence: over equal-width bins of the
    top-1 confidence.
    """

    n: int
    correct: Tensor
    cross_entropy: Tensor
    brier: Tensor
    bin_count: Tensor
    bin_correct: Tensor
    bin_confidence: Tensor

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, k) + getattr(other, k) for k in self.__dataclass_fields__))

    def cpu(self) -> Sums:
        """The same, copied to the CPU."""
        return Sums(self.n, *(getattr(self, k).cpu() for k in list(self.__dataclass_fields__)[1:]))


def sums(logits: Tensor, y: Tensor) -> Sums:
    """The sums of logits (R, n, c) against classes y (n,) or (R, n).

    y may also be shares (n, c) or (R, n, c), such as people's votes: then a prediction is right by
    the share of its class, and losses are means over the classes that y makes of one example.
    A confidence in (k/15, (k+1)/15] as float arithmetic has it falls in bin k; exactly 1 falls in
    the last bin and exactly 0 in the first. Parts add up to the whole:

    >>> import torch
    >>> from mixup_repro.evaluation.metrics import metrics, sums
    >>> logits, y = torch.tensor([[[3.0, 1.0]] * 4]).log(), torch.tensor([0, 0, 1, 1])
    >>> whole = metrics(sums(logits, y))
    >>> whole == metrics(sums(logits[:, :3], y[:3]) + sums(logits[:, 3:], y[3:]))
    True
    """
    logits, y = host(logits.float()), host(y)
    log_p = logits.log_softmax(-1)
    p = log_p.exp()
    confidence, top = p.max(-1)
    n = y.shape[-2] if y.is_floating_point() else y.shape[-1]

    def of(values: Tensor) -> Tensor:
        """(R, n) the values (R, n, c) of the examples' own classes."""
        if y.is_floating_point():
            return (values.double() * y).sum(-1)
        return values.gather(-1, y.expand(len(p), -1).unsqueeze(-1)).squeeze(-1).double()

    hit = of(torch.zeros_like(p).scatter_(-1, top.unsqueeze(-1), 1.0))
    index = ((confidence * BINS).ceil().long() - 1).clamp_(0, BINS - 1)

    def per_bin(values: Tensor) -> Tensor:
        zeros = torch.zeros(len(p), BINS, dtype=torch.float64, device=p.device)
        return zeros.scatter_add_(1, index, values)

    # |p - onehot|^2 = |p|^2 - 2 p_y + 1
    brier = p.double().square().sum(-1) - 2 * of(p) + 1
    return Sums(
        n=n,
        correct=hit.sum(-1),
        cross_entropy=-of(log_p).sum(-1),
        brier=brier.sum(-1),
        bin_count=per_bin(torch.ones_like(hit)),
        bin_correct=per_bin(hit),
        bin_confidence=per_bin(confidence.double()),
    )


def metrics(total: Sums) -> list[dict[str, Any]]:
    """One dict a replica: accuracy, cross_entropy (nats), ece, brier, n_test, and the bins.

    ece = sum over bins of |correct - confidence| / n (Guo et al., 2017); empty bins add nothing.
    brier = mean of |p - onehot(y)|^2, between 0 and 2.

    Four predictions of class 0 with confidence 3/4, of which two are right:

    >>> import torch
    >>> from mixup_repro.evaluation.metrics import metrics, sums
    >>> logits, y = torch.tensor([[[3.0, 1.0]] * 4]).log(), torch.tensor([0, 0, 1, 1])
    >>> row = metrics(sums(logits, y))[0]
    >>> row["accuracy"], round(row["ece"], 6), round(row["brier"], 6)
    (0.5, 0.25, 0.625)
    """
    n = total.n
    ece = (total.bin_correct - total.bin_confidence).abs().sum(-1) / n
    return [
        {
            "accuracy": (total.correct[r] / n).item(),
            "cross_entropy": (total.cross_entropy[r] / n).item(),
            "ece": ece[r].item(),
            "brier": (total.brier[r] / n).item(),
            "n_test": n,
            "bins": {
                "count": [int(v) for v in total.bin_count[r].tolist()],
                "correct": [int(v) if v.is_integer() else v for v in total.bin_correct[r].tolist()],
                "confidence": total.bin_confidence[r].tolist(),
            },
        }
        for r in range(len(total.correct))
    ]
