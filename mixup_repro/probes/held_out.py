"""How sure a network is of its errors on test examples, and whether its confidence tells them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixup_repro.probes.membership import auc
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 10_000


@torch.no_grad()
def held_out(subject: Subject) -> Answers:
    """Mean confidence and entropy (nats) of errors and of right predictions on test examples.

    error: share of errors. auroc, auroc_entropy: the probability that an error has less confidence,
    or more entropy, than a right prediction. A network without errors has none of these.
    """
    raw, y = subject.examples("test", EXAMPLES)
    logits = subject.logits(subject.inputs(raw)).double()
    p = logits.softmax(-1)
    entropy = -torch.special.xlogy(p, p).sum(-1)
    wrong = logits.argmax(-1) != y
    sure = log_odds(logits)
    found: Answers = {("all", "error"): wrong.double().mean(-1)}
    for setting, chosen in (("errors", wrong), ("right", ~wrong)):
        for name, value in (("confidence", p.amax(-1)), ("entropy", entropy)):
            found[setting, name] = (value * chosen).sum(-1) / chosen.sum(-1)
    for name, value in (("auroc", sure), ("auroc_entropy", -entropy)):
        areas = [auc(v[w][None], v[~w][None]) for v, w in zip(value, wrong)]
        found["all", name] = torch.cat(areas)
    return found


def log_odds(logits: Tensor) -> Tensor:
    """(R, n) log p / (1 - p) of the predicted class: ordered as confidence, without ties at 1."""
    top = logits.argmax(-1, keepdim=True)
    others = logits.scatter(-1, top, -math.inf).logsumexp(-1)
    return logits.amax(-1) - others
