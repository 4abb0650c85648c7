"""Attacks on membership: was an example trained on? By its loss, and by that of its mixtures.

Yeom et al. (2018) call an example a member where its loss is below a threshold.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.methods.losses import convex, cross_entropy
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 2500  # of each part, at most
MIXTURES = 4  # of an example, with test examples, at weights of its own from 1/2 to 1
FALSE_POSITIVES = 0.01


@torch.no_grad()
def membership(subject: Subject) -> Answers:
    """Losses of as many training examples (members) as test examples, and their separation.

    Where training labels were made wrong, as many test labels are: see `as_wrong`.

    gap_mean, gap_median: mean (median) of the test losses less that of the training losses. auc:
    area under the curve of the attack that calls losses below a threshold members. tpr: the share
    of members it finds at a threshold where at most 1 % of test examples are called members.
    own: the examples' own losses. mixed: their mean losses in mixtures with test examples.
    """
    data = subject.dataset
    most = min(EXAMPLES, data.n_train, data.n_test)
    parts = {part: subject.examples(part, most) for part in ("train", "test")}
    raw, y = parts["test"]
    parts["test"] = raw, as_wrong(subject, y)
    own = {part: loss(subject.logits(subject.inputs(x)), y) for part, (x, y) in parts.items()}
    mixed = {part: mixed_loss(subject, *parts[part], *parts["test"]) for part in parts}
    return {
        (setting, name): value
        for setting, losses in (("own", own), ("mixed", mixed))
        for name, value in separation(losses["train"], losses["test"]).items()
    }


def as_wrong(subject: Subject, y: Tensor) -> Tensor:
    """Test labels (R, n), as large a share of them wrong as of the training labels.

    Uniform over the other classes. Else an attack would only find out whose label is wrong.
    """
    clean = subject.dataset.y_clean
    if clean is None:
        return y
    share = (subject.dataset.y_train != clean).double().mean(-1).expand(len(y)).tolist()
    n, classes = y.shape[1], subject.dataset.classes
    wrong = subject.drawn(lambda rng, q: rng.random(n) < q, share)
    moved = (y + subject.drawn(lambda rng: rng.integers(1, classes, n))) % classes
    return torch.where(wrong, moved, y)


def loss(logits: Tensor, y: Tensor) -> Tensor:
    """(R, n) cross-entropies in float64, without the ties of losses that are rounded to zero."""
    logits, own = logits.double(), y.unsqueeze(-1)
    others = logits.scatter(-1, own, -math.inf).logsumexp(-1)
    return F.softplus(others - logits.gather(-1, own).squeeze(-1), threshold=700)


def mixed_loss(subject: Subject, raw: Tensor, y: Tensor, other: Tensor, y_other: Tensor) -> Tensor:
    """(R, n) mean losses of MIXTURES of each example with others, at the mixed labels."""
    n, classes = y.shape[1], subject.dataset.classes
    x, x_other = subject.inputs(raw), subject.inputs(other)
    hot, hot_other = (F.one_hot(labels, classes).to(x.dtype) for labels in (y, y_other))
    replica = torch.arange(len(y), device=y.device).unsqueeze(1)
    total = x.new_zeros(y.shape, dtype=torch.float64)
    for _ in range(MIXTURES):
        lam = subject.drawn(lambda rng: rng.uniform(0.5, 1, n))
        at = replica, subject.drawn(lambda rng: rng.integers(n, size=n))
        logits = subject.logits(convex(x, x_other[at], lam))
        total += cross_entropy(convex(hot, hot_other[at], lam).double(), logits.double())
    return total / MIXTURES


def separation(members: Tensor, others: Tensor) -> dict[str, Tensor]:
    """How losses (R, n) of members and of others differ, for each replica."""
    at = others.sort(-1).values[:, math.floor(FALSE_POSITIVES * others.shape[-1])]
    return {
        "gap_mean": others.mean(-1) - members.mean(-1),
        "gap_median": others.quantile(0.5, -1) - members.quantile(0.5, -1),
        "auc": auc(members, others),
        "tpr": (members < at.unsqueeze(-1)).double().mean(-1),
    }


def auc(low: Tensor, high: Tensor) -> Tensor:
    """(R,) the probability that a value of `low` (R, n) is below one of `high` (R, m).

    Equal values count half: the area under the curve of true against false positives.
    """
    high = high.sort(-1).values
    up_to, below = (
        torch.searchsorted(high, low.contiguous(), right=right).double() for right in (True, False)
    )
    return 1 - (up_to + below).mean(-1) / (2 * high.shape[-1])
