"""ERM, mixup and its ablations, CutMix, Cutout, noise and label smoothing.

Shapes: R replicas, b examples, c classes; inputs (R, b, ...), targets (R, b, c), lam (R, b).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Optional, TypeVar

import torch
from torch import Tensor

from mixup_repro import random_bits
from mixup_repro.data.batches import Batch
from mixup_repro.schema import MethodConfig

Network = Callable[..., Tensor]  # inputs, or hidden values and the stages to go through
T = TypeVar("T")
NOISE_PLACE = 1000  # of random_bits; networks number their own from 0


class Outcome(NamedTuple):
    """loss (R, b) of each example, the logits (R, b, c) and the targets (R, b, c) behind it."""

    loss: Tensor
    logits: Tensor
    targets: Tensor


def cross_entropy(targets: Tensor, logits: Tensor) -> Tensor:
    """l^CE(y, u) = log sum_i exp(u_i) - y.u for targets that sum to 1 (Carratino et al., eq. 3).

    In float32 at least; as -y . log softmax(u), which keeps its precision for logits far from 0.

    >>> import torch
    >>> from mixup_repro.methods.losses import cross_entropy
    >>> logits = torch.tensor([3.0, 1.0]).log()  # probabilities 3/4 and 1/4
    >>> targets = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    >>> cross_entropy(targets, logits).exp()  # 4/3 and the root of 4/3 * 4
    tensor([1.3333, 2.3094])
    """
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    return -(targets * logits.log_softmax(-1)).sum(-1)


def _outcome(network: Network, inputs: Tensor, targets: Tensor) -> Outcome:
    logits = network(inputs)
    return Outcome(cross_entropy(targets, logits), logits, targets)


def _like(lam: Tensor, x: Tensor) -> Tensor:
    """lam (R, b) shaped so that it multiplies x (R, b, ...)."""
    return lam.reshape(*lam.shape, *(1,) * (x.ndim - lam.ndim))


def convex(x: Tensor, partner: Tensor, lam: Tensor) -> Tensor:
    """lam x + (1 - lam) partner, for each example."""
    return torch.lerp(partner, x, _like(lam, x))


def needed(value: Optional[T]) -> T:
    """A field that a method needs; the method's record and the plan see to it.

    Raises:
        ValueError: it is not.
    """
    if value is None:
        raise ValueError("the batch or the config lacks what this method needs")
    return value


def _inputs(batch: Batch) -> Tensor:
    return convex(batch.x, needed(batch.x_partner), needed(batch.lam))


def _targets(batch: Batch, lam: Tensor) -> Tensor:
    return convex(batch.y, needed(batch.y_partner), lam)


def erm(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Empirical risk minimisation (Carratino et al., eq. 2)."""
    return _outcome(network, batch.x, batch.y)


def mixup(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Mixup (Carratino et al., eq. 4; Zhang et al., 2018): inputs and labels mixed alike.

    Two examples, at 0 and 8, each the other's partner; the network shows what it is given.

    >>> import torch
    >>> from mixup_repro.data.batches import Batch
    >>> from mixup_repro.schema import MethodConfig
    >>> from mixup_repro.methods.losses import mixup
    >>> x, y = torch.tensor([[[0.0], [8.0]]]), torch.eye(2).unsqueeze(0)
    >>> batch = Batch(x, y, x.flip(1), y.flip(1), lam=torch.tensor([[0.75, 0.5]]))
    >>> mixed = mixup(lambda x: torch.cat([x, -x], -1), batch, MethodConfig("mixup"))
    >>> mixed.logits[0, :, 0]
    tensor([2., 4.])
    >>> mixed.targets[0]
    tensor([[0.7500, 0.2500],
            [0.5000, 0.5000]])
    """
    return _outcome(network, _inputs(batch), _targets(batch, needed(batch.lam)))


def mixup_inputs(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Mixup of inputs only: the label is that of the example with the larger weight."""
    larger = needed(batch.lam).ge(0.5).float()
    return _outcome(network, _inputs(batch), _targets(batch, larger))


def mixup_independent(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Inputs and labels mixed independently: each with a partner and a lambda of its own."""
    return _outcome(network, _inputs(batch), _targets(batch, needed(batch.label_lam)))


def cutmix(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """CutMix (Yun et al., 2019): a box of the partner's pixels, labels mixed by its true area.

    A white picture's box in a black one of 5 x 5 pixels: lam = 3/4 asks for a box of half the
    height and width, which is 2 x 2 of 25 pixels, and so many are the partner's label.

    >>> import torch
    >>> from mixup_repro.data.batches import Batch
    >>> from mixup_repro.schema import MethodConfig
    >>> from mixup_repro.methods.losses import cutmix
    >>> black, white = torch.zeros(1, 1, 1, 5, 5), torch.ones(1, 1, 1, 5, 5)
    >>> lam, centre = torch.tensor([[0.75]]), torch.tensor([[[0.5, 0.5]]])
    >>> batch = Batch(black, torch.eye(2)[:1, None], white, torch.eye(2)[1:, None], lam, centre)
    >>> network = lambda x: x.sum((-3, -2, -1)).unsqueeze(-1)  # counts white pixels
    >>> seen = cutmix(network, batch, MethodConfig("cutmix"))
    >>> seen.logits, seen.targets
    (tensor([[[4.]]]), tensor([[[0.8400, 0.1600]]]))
    """
    height, width = batch.x.shape[-2:]
    inside = cutmix_box(needed(batch.box), needed(batch.lam), height, width)
    inputs = torch.where(inside.unsqueeze(2), needed(batch.x_partner), batch.x)
    lam = 1 - inside.float().mean((-2, -1))
    return _outcome(network, inputs, _targets(batch, lam))


def cutmix_box(centre: Tensor, lam: Tensor, height: int, width: int) -> Tensor:
    """(R, b, H, W) true inside the box: sides sqrt(1 - lam) of the picture's, cut at its edges.

    `centre` (R, b, 2) holds fractions of height and width; pixel coordinates are whole numbers,
    as in the authors' code.

    >>> import torch
    >>> from mixup_repro.methods.losses import cutmix_box
    >>> cutmix_box(torch.tensor([[[0.5, 0.0]]]), torch.tensor([[0.75]]), 4, 4)[0, 0].int().tolist()
    [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    """
    masks = []
    for axis, size in enumerate((height, width)):
        middle = (centre[..., axis] * size).floor()
        half = (size * (1 - lam).sqrt()).floor().div(2, rounding_mode="floor")
        pixel = torch.arange(size, device=lam.device)
        low, high = (middle - half).unsqueeze(-1), (middle + half).unsqueeze(-1)
        masks.append((pixel >= low) & (pixel < high))
    return masks[0].unsqueeze(-1) & masks[1].unsqueeze(-2)


def label_smoothing(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Label smoothing (Szegedy et al., 2016): (1 - epsilon) y + epsilon u.

    u is uniform, 1 / c, or the class frequencies y_bar of the training set.

    >>> import torch
    >>> from mixup_repro.data.batches import Batch
    >>> from mixup_repro.schema import MethodConfig
    >>> from mixup_repro.methods.losses import label_smoothing
    >>> batch = Batch(x=torch.zeros(1, 2, 4), y=torch.eye(4)[None, :2])
    >>> config = MethodConfig("label_smoothing", epsilon=0.2)
    >>> label_smoothing(lambda x: x, batch, config).targets[0]
    tensor([[0.8500, 0.0500, 0.0500, 0.0500],
            [0.0500, 0.8500, 0.0500, 0.0500]])
    """
    return erm(network, _smoothed(batch, config), config)


def mixup_smoothed(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Mixup of smoothed labels, which are the smoothed mixed labels."""
    return mixup(network, _smoothed(batch, config), config)


def cutmix_smoothed(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """CutMix of smoothed labels."""
    return cutmix(network, _smoothed(batch, config), config)


def _smoothed(batch: Batch, config: MethodConfig) -> Batch:
    """The batch with labels (1 - epsilon) y + epsilon u, its partners' as well."""
    epsilon, classes = needed(config.epsilon), batch.y.shape[-1]
    u = needed(batch.modification).y_bar if config.u == "mean" else 1 / classes
    y, partner = (
        labels if labels is None else (1 - epsilon) * labels + epsilon * u
        for labels in (batch.y, batch.y_partner)
    )
    return replace(batch, y=needed(y), y_partner=partner)


def manifold_mixup(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Manifold Mixup (Verma et al., 2019): as Mixup, of the inputs of stage `layer` of the network.

    Stage 0 takes the pixels: there it is Mixup.
    """
    layer = needed(batch.layer)
    hidden, partner = (network(x, 0, layer) for x in (batch.x, needed(batch.x_partner)))
    mixed = convex(hidden, partner, needed(batch.lam))
    targets = _targets(batch, needed(batch.lam))
    logits = network(mixed, layer)
    return Outcome(cross_entropy(targets, logits), logits, targets)


def gaussian_noise(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """ERM on x + sigma e with e standard normal, drawn anew for each value of each input.

    Vicinal risk minimisation with a Gaussian vicinity (Chapelle et al., 2000).
    """
    noise = random_bits.normal(needed(batch.keys), tuple(batch.x.shape[2:]), place=NOISE_PLACE)
    return _outcome(network, batch.x + needed(config.sigma) * noise, batch.y)


def cutout(network: Network, batch: Batch, config: MethodConfig) -> Outcome:
    """Cutout (DeVries and Taylor, 2017): a square of normalised pixels is zero in each picture.

    Its centre is any pixel, and it is cut at the edges, as in the authors' code.
    """
    height, width = batch.x.shape[-2:]
    inside = square(needed(batch.box), needed(config.side), height, width)
    return _outcome(network, batch.x.masked_fill(inside.unsqueeze(2), 0), batch.y)


def square(centre: Tensor, side: int, height: int, width: int) -> Tensor:
    """(R, b, H, W) true from `side` // 2 pixels before the centre to as many after it.

    `centre` (R, b, 2) holds fractions of height and width.

    >>> import torch
    >>> from mixup_repro.methods.losses import square
    >>> square(torch.tensor([[[0.5, 0.0]]]), 2, 4, 4)[0, 0].int().tolist()
    [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    """
    masks = []
    for axis, size in enumerate((height, width)):
        middle = (centre[..., axis] * size).floor().unsqueeze(-1)
        pixel = torch.arange(size, device=centre.device)
        masks.append((pixel >= middle - side // 2) & (pixel < middle + side // 2))
    return masks[0].unsqueeze(-1) & masks[1].unsqueeze(-2)
