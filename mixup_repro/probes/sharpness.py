"""How sharp the minimum is, by the clean training loss, by Mixup's, and by a run's own.

A network that is sure of its training examples has a clean loss that is flat for that reason alone,
so each loss is a setting of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.data.batches import Batch
from mixup_repro.jobs import batch_size
from mixup_repro.methods.losses import Outcome, cross_entropy
from mixup_repro.methods.registry import METHODS
from mixup_repro.probes.curvature import Parts, flat, hessian, top_eigenvalue, trace, unflat
from mixup_repro.probes.subject import Answers, Subject
from mixup_repro.training.loop import Plans

EXAMPLES = 500
ALPHA = 1.0  # of the Mixup loss that all runs are compared by
SIGNS = 10  # vectors of the trace
NOISE, DRAWS = 0.2, 10  # each weight times 1 + NOISE N(0, 1)


def sharpness(subject: Subject) -> Answers:
    """Curvature of mean losses at the weights, in evaluation mode, and their rise under noise.

    loss, top, trace: its value, the largest eigenvalue and the trace of its Hessian. top_relative:
    the eigenvalue by relative changes of the weights, which scaling them between layers leaves
    alone. rise: of the loss, where each weight is multiplied by 1 + NOISE N(0, 1).
    train, test: cross-entropy of examples. mixed 1: of Mixup of training examples at alpha 1. own:
    what training minimised; there is none where that differentiates the network itself.
    """
    found: Answers = {}
    for setting, loss in losses(subject).items():
        network, weights = subject.network, flat(subject.network, subject.network.parameters())
        product = partial(hessian, network, loss)
        start = subject.drawn(lambda rng, p=weights.shape[1]: rng.standard_normal(p))
        values = {"loss": value(loss), "top": top_eigenvalue(product, start)}
        if setting in ("train", "own"):
            values["trace"] = trace(product, signs(subject, weights.shape[1]))
            relative = partial(_relative, product, weights.detach())
            values["top_relative"] = top_eigenvalue(relative, start)
            values["rise"] = rise(subject, loss)
        found |= {(setting, name): v for name, v in values.items()}
    return found


def losses(subject: Subject) -> dict[str, Parts]:
    """The losses by setting, each in parts that add up to the mean over its examples."""
    parts: dict[str, tuple[Tensor, Tensor]] = {}
    for part in ("train", "test"):
        raw, y = subject.examples(part, EXAMPLES)
        x = subject.inputs(raw)
        parts[part] = x, F.one_hot(y, subject.dataset.classes).to(x.dtype)
    alphas = [ALPHA] * len(subject.runs)
    parts[f"mixed {ALPHA:g}"] = subject.mixed(*parts["train"], alphas)

    def share(n: int, x: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(targets, subject.network(x)).sum(1) / n

    found: dict[str, Parts] = {
        name: [partial(share, pair[0].shape[1], *some) for some in subject.chunks(*pair)]
        for name, pair in parts.items()
    }
    method = METHODS[subject.runs[0].config.method.name]
    if method.loss and not method.differentiates:
        found["own"] = own(subject, method.function)
    return found


def own(subject: Subject, method: Callable[..., Outcome]) -> Parts:
    """The loss that training minimises, on the first batches of an epoch that it did not see."""
    config, n = subject.runs[0].config, subject.dataset.n_train
    plan = Plans(subject.runs, n, subject.dataset.device).epoch(config.recipe.epochs)
    size = batch_size(config.recipe, n)
    batches = subject.dataset.batches(config, [run.alpha for run in subject.runs])
    some = list(islice(batches(plan, size), -(-min(EXAMPLES, n) // size)))
    total = sum(batch.x.shape[1] for batch in some)

    def share(batch: Batch) -> Tensor:
        outcome = method(subject.network, batch, config.method)
        return outcome.loss.sum(1) / total

    return [partial(share, batch) for batch in some]


@torch.no_grad()
def value(loss: Parts) -> Tensor:
    """(R,) the loss."""
    return torch.stack([part() for part in loss]).sum(0)


def signs(subject: Subject, size: int) -> Iterator[Tensor]:
    """SIGNS vectors (R, size) of random signs."""
    for _ in range(SIGNS):
        coins = subject.drawn(lambda rng: rng.integers(2, size=size))
        yield (2 * coins - 1).to(subject.dtype)


def _relative(product: Callable[[Tensor], Tensor], weights: Tensor, vector: Tensor) -> Tensor:
    return weights * product(weights * vector)


@torch.no_grad()
def rise(subject: Subject, loss: Parts) -> Tensor:
    """(R,) the mean rise of the loss over DRAWS of noise; the weights are put back."""
    parameters = list(subject.network.parameters())
    kept = [p.clone() for p in parameters]
    size = flat(subject.network, parameters).shape[1]
    before, after = value(loss), []
    for _ in range(DRAWS):
        noise = subject.drawn(lambda rng: NOISE * rng.standard_normal(size))
        for parameter, old, change in zip(parameters, kept, unflat(subject.network, noise)):
            parameter.copy_(old * (1 + change))
        after.append(value(loss))
    for parameter, old in zip(parameters, kept):
        parameter.copy_(old)
    return torch.stack(after).mean(0) - before
