"""Attacks on test pictures within a box around each: FGSM, PGD, and noise of the same size.

Goodfellow et al. (2015) and Madry et al. (2018). Where a network is sure the gradient of its loss
vanishes, so each attack also climbs the margin, the largest other logit less the true one, which
does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mixup_repro.errors import InputError
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 300
EPSILONS = (0.01, 0.03, 0.1)  # half sides of the box, of the range of a pixel
STEPS, STEP = 20, 0.1  # of PGD; a step's length as a share of epsilon
RESTARTS = 2  # from random points of the box, besides the picture itself

Network = Callable[[Tensor], Tensor]
Objective = Callable[[Tensor, Tensor], Tensor]


def adversarial(subject: Subject) -> Answers:
    """Accuracy on test pictures, attacked.

    fgsm, pgd: by loss and by margin; pgd worst: a picture counts where no start of either finds
    another class. noise: every pixel moved by epsilon up or down, by a coin.

    Raises:
        InputError: the network has no gradients.
    """
    data = subject.dataset
    raw, y = subject.examples("test", EXAMPLES)
    found: dict[tuple[str, str], list[Tensor]] = {}
    for pixels, classes in subject.chunks(raw, y):
        x = pixels.to(subject.dtype) / data.pixel_max
        for setting, right in _attacked(subject, x, classes).items():
            found.setdefault((setting, "accuracy"), []).append(right)
    return {key: torch.cat(right, 1).double().mean(1) for key, right in found.items()}


def _attacked(subject: Subject, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Whether each prediction (R, b) is still right, by setting, for pixels x from 0 to 1."""

    def f(pixels: Tensor) -> Tensor:
        return subject.network(subject.inputs(pixels * subject.dataset.pixel_max))

    def right(pixels: Tensor) -> Tensor:
        with torch.no_grad():
            return f(pixels).argmax(-1) == y

    found = {"clean": right(x)}
    for epsilon in EPSILONS:
        coins = subject.drawn(lambda rng: rng.integers(2, size=x.shape[1:]))
        found[f"noise {epsilon:g}"] = right((x + epsilon * (2 * coins - 1)).clamp(0, 1))
        worst = found["clean"]
        for name, objective in (("loss", cross_entropy), ("margin", margin)):
            one_step = pgd(f, objective, x, x, y, epsilon, steps=1, step=epsilon)
            found[f"fgsm {name} {epsilon:g}"] = right(one_step)
            held = found["clean"]
            for start in starts(subject, x, epsilon):
                held = held & right(pgd(f, objective, start, x, y, epsilon))
            found[f"pgd {name} {epsilon:g}"] = held
            worst = worst & held
        found[f"pgd worst {epsilon:g}"] = worst
    return found


def starts(subject: Subject, x: Tensor, epsilon: float) -> list[Tensor]:
    """Pixels x (R, b, ...), and RESTARTS random points of the box around them."""
    shape = x.shape[1:]
    moved = [subject.drawn(lambda rng: rng.uniform(-1, 1, shape)) for _ in range(RESTARTS)]
    return [x, *((x + epsilon * step).clamp(0, 1) for step in moved)]


def pgd(
    f: Network,
    objective: Objective,
    start: Tensor,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    steps: int = STEPS,
    step: float | None = None,
) -> Tensor:
    """Pixels from `start` after steps up the sign of the gradient of an objective (R, b).

    They stay within epsilon of x (R, b, ...), and between 0 and 1. One step of epsilon from x
    itself is FGSM. step: its length; None: STEP times epsilon.

    Raises:
        InputError: the network has no gradients.
    """
    low, high = (x - epsilon).clamp(min=0), (x + epsilon).clamp(max=1)
    moved = start
    for _ in range(steps):
        at = moved.detach().requires_grad_()
        value = objective(f(at), y)
        if not value.requires_grad:
            raise InputError("an attack needs gradients, and the network's logits have none")
        (gradient,) = torch.autograd.grad(value.sum(), at)
        length = STEP * epsilon if step is None else step
        moved = (moved + length * gradient.sign()).clamp(low, high)
    return moved


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """(R, b) of logits (R, b, c) at classes y (R, b)."""
    return logits.logsumexp(-1) - logits.gather(-1, y.unsqueeze(-1)).squeeze(-1)


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """(R, b) the largest logit of another class, less that of class y (R, b)."""
    own = y.unsqueeze(-1)
    others = logits.scatter(-1, own, -math.inf).amax(-1)
    return others - logits.gather(-1, own).squeeze(-1)
