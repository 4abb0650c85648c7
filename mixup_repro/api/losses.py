"""Losses of a training step: call one in place of `F.cross_entropy(model(x), y)`.

Each calls the model once, as a step does, and returns the mean over the batch. What is random is
drawn from PyTorch's generator, so `torch.manual_seed` fixes it. Inputs are mixed, and losses
computed, in float32 at least.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Optional

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from mixup_repro.api.checks import (
    check_examples,
    check_logits,
    need,
    number,
    shape,
    shares,
    wide,
)
from mixup_repro.beta import theta_bar
from mixup_repro.errors import InputError
from mixup_repro.methods.forward import along
from mixup_repro.methods.losses import convex, cross_entropy, cutmix_box
from mixup_repro.methods.second_order import check_per_example, second_order

Model = Callable[[Tensor], Tensor]
Draws = tuple[Tensor, Tensor, Tensor]


def mixup_loss(
    model: Model,
    x: Tensor,
    y: Tensor,
    alpha: float = 1.0,
    generator: Optional[torch.Generator] = None,
) -> Tensor:
    """Mixup's loss (Carratino et al., eq. 4; Zhang et al., 2018), the mean over a batch of

        l(lam y_i + (1 - lam) y_j, f(lam x_i + (1 - lam) x_j)),  lam ~ Beta(alpha, alpha),

    with a lam for each example, and partners j that are a permutation of the batch.
    l is the cross-entropy. A model that says 1/2 has log 2, whatever is mixed:

    >>> import torch, mixup_repro
    >>> model = torch.nn.Linear(4, 2)
    >>> _ = torch.nn.init.zeros_(model.weight), torch.nn.init.zeros_(model.bias)
    >>> x, y = torch.randn(8, 4), torch.arange(8) % 2
    >>> loss = mixup_repro.mixup_loss(model, x, y, alpha=1.0)
    >>> loss
    tensor(0.6931, grad_fn=<MeanBackward0>)
    >>> loss.backward()

    Raises:
        InputError: arguments, or a model's output, of another shape or kind than they must be.
    """
    check_examples(x, y)
    partner, lam, _ = _draws(x, alpha, generator)
    logits = _logits(model, _mixed(x, partner, lam))
    return _loss(logits, _mixed(shares(y, logits), partner, lam))


def cutmix_loss(
    model: Model,
    x: Tensor,
    y: Tensor,
    alpha: float = 1.0,
    generator: Optional[torch.Generator] = None,
) -> Tensor:
    """CutMix's loss (Yun et al., 2019) of pictures x (b, C, H, W), the mean over a batch of

        l((1 - a) y_i + a y_j, f(x_i with a box of x_j's pixels)),

    where the box has sides sqrt(1 - lam) of the picture's, lam ~ Beta(alpha, alpha), any pixel for
    its centre, and is cut at the edges; a is the share of the picture that it covers.

    >>> import torch, mixup_repro
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 5))
    >>> x, y = torch.randn(8, 3, 4, 4), torch.arange(8) % 5
    >>> loss = mixup_repro.cutmix_loss(model, x, y)
    >>> loss.shape, loss.requires_grad
    (torch.Size([]), True)

    Raises:
        InputError: as `mixup_loss`; or no pictures.
    """
    check_examples(x, y)
    need(x.ndim == 4, f"x has shape {shape(x)}: must be pictures (b, C, H, W) to be cut")
    partner, lam, centre = _draws(x, alpha, generator)
    inside = cutmix_box(centre, lam, *x.shape[-2:])
    logits = _logits(model, torch.where(inside.unsqueeze(1), x[partner], x))
    targets = shares(y, logits)
    kept = 1 - inside.to(targets).mean((-2, -1))
    return _loss(logits, _mixed(targets, partner, kept))


def label_smoothing_loss(model: Model, x: Tensor, y: Tensor, epsilon: float = 0.1) -> Tensor:
    """Label smoothing (Szegedy et al., 2016), the mean over a batch of

        l((1 - epsilon) y_i + epsilon / c, f(x_i))  with c classes.

    `F.cross_entropy(..., label_smoothing=epsilon)` is the same for classes.

    >>> import torch, mixup_repro
    >>> from torch.nn.functional import cross_entropy
    >>> model, x, y = torch.nn.Linear(4, 3), torch.randn(8, 4), torch.arange(8) % 3
    >>> loss = mixup_repro.label_smoothing_loss(model, x, y, epsilon=0.2)
    >>> torch.allclose(loss, cross_entropy(model(x), y, label_smoothing=0.2))
    True

    Raises:
        InputError: as `mixup_loss`; or epsilon outside (0, 1).
    """
    check_examples(x, y)
    epsilon = number(epsilon, "epsilon", 0, 1)
    logits = _logits(model, x)
    targets = shares(y, logits)
    return _loss(logits, (1 - epsilon) * targets + epsilon / targets.shape[1])


def approx_mixup_loss(
    model: Model,
    x: Tensor,
    y: Tensor,
    alpha: float = 1.0,
    x_bar: Optional[Tensor] = None,
    y_bar: Optional[Tensor] = None,
    generator: Optional[torch.Generator] = None,
) -> Tensor:
    """Approximate Mixup (Carratino et al., eq. 12 without R2), the mean over a batch of

        l(y~_i, f(x~_i)) + 1/2 (J delta)^T H (J delta) - epsilon . (J delta),

    where x~ = x_bar + theta_bar (x - x_bar) and y~ alike are the modified data (eq. 5), J and H the
    derivatives of f and l there, and delta, epsilon what a drawn theta and partner add to x~ and y~
    (eq. 6). One forward-mode product: about two steps of Mixup.

    x_bar, y_bar: mean input and class frequencies of the training set, as `Rescaled` keeps them;
        None takes the batch's. Give both or none.

    Of a linear model only the cross-entropy is expanded, and near zero that is nearly exact:

    >>> import torch, mixup_repro
    >>> _, model = torch.manual_seed(0), torch.nn.Linear(4, 3)
    >>> x, y = 0.1 * torch.randn(6000, 4), torch.arange(6000) % 3
    >>> mixup, approximate = mixup_repro.mixup_loss, mixup_repro.approx_mixup_loss
    >>> bool((mixup(model, x, y) - approximate(model, x, y)).abs() < 0.01)
    True

    Raises:
        InputError: as `mixup_loss`; or a model with BatchNorm or dropout in training mode.
    """
    check_examples(x, y)
    _check_means(x, x_bar, y_bar)
    try:
        check_per_example(model)
    except ValueError as error:
        why = error.args[0].split(";")[0]
        raise InputError(
            f"model: {why}, and approximate Mixup is made of that; use a model without it "
            f"(GroupNorm is fine), or call .eval() on that layer"
        ) from error
    partner, lam, _ = _draws(x, alpha, generator)
    theta, bar = lam.maximum(1 - lam), theta_bar(alpha)
    start = _shrunk(x, x_bar, bar)
    delta = _mixed(x.to(wide(x.dtype)), partner, theta) - start
    with sdpa_kernel(SDPBackend.MATH):  # the one kernel of attention with a forward mode
        logits, du = along(partial(_logits, model), start.to(x.dtype), delta.to(x.dtype))
    labels = shares(y, logits)
    if y_bar is not None:
        need(y_bar.shape == labels.shape[1:], f"y_bar has shape {shape(y_bar)}: {_of(logits)}")
    targets = _shrunk(labels, y_bar, bar)
    epsilon = _mixed(labels, partner, theta) - targets
    p = logits.to(labels.dtype).softmax(-1)
    return _loss(logits, targets) + second_order(p, du.to(labels.dtype), epsilon).mean()


def _check_means(x: Tensor, x_bar: Optional[Tensor], y_bar: Optional[Tensor]) -> None:
    need((x_bar is None) == (y_bar is None), "x_bar and y_bar: give both, or neither")
    for name, mean in (("x_bar", x_bar), ("y_bar", y_bar)):
        tensor = mean is None or isinstance(mean, Tensor)
        need(tensor, f"{name} is a {type(mean).__name__}: must be a tensor")
    if x_bar is not None:
        fits = x_bar.shape == x.shape[1:]
        need(fits, f"x_bar has shape {shape(x_bar)}: must be {shape(x[0])}, as one input of x")


def _of(logits: Tensor) -> str:
    return f"must be ({logits.shape[1]},), as the logits {shape(logits)} have classes"


def _draws(x: Tensor, alpha: float, generator: Optional[torch.Generator]) -> Draws:
    """Partners (b,), lambdas (b,) and centres of boxes (b, 2), on the device of x."""
    alpha, b = number(alpha, "alpha"), len(x)
    device = generator.device if generator else "cpu"
    seed = torch.randint(2**62, (), generator=generator, device=device)
    rng = np.random.default_rng(int(seed))  # torch's Beta is wrong for small alpha
    drawn = rng.permutation(b), rng.beta(alpha, alpha, b), rng.random((b, 2))
    partner, lam, centre = map(torch.from_numpy, drawn)
    dtype = wide(x.dtype)
    return partner.to(x.device), lam.to(dtype).to(x.device), centre.to(dtype).to(x.device)


def _mixed(x: Tensor, partner: Tensor, lam: Tensor) -> Tensor:
    """lam x_i + (1 - lam) x_j, in float32 at least, and returned as x is."""
    dtype = wide(x.dtype)
    whole = x.to(dtype)
    return convex(whole, whole[partner], lam.to(whole)).to(x.dtype)


def _shrunk(x: Tensor, mean: Optional[Tensor], by: float) -> Tensor:
    """mean + by (x - mean) in float32 at least; without a mean given, that of x."""
    x = x.to(wide(x.dtype))
    mean = x.mean(0) if mean is None else mean.to(x)
    return mean + by * (x - mean)


def _logits(model: Model, inputs: Tensor) -> Tensor:
    logits = model(inputs)
    check_logits(logits, len(inputs))
    return logits


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(targets, logits).mean()
