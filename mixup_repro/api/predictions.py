"""The prediction to ask of a network trained with Mixup, and plain beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional, cast

import torch
from torch import Tensor, nn

from mixup_repro.api.calibration import to_sums
from mixup_repro.api.checks import (
    check_examples,
    check_logits,
    need,
    number,
    shape,
    shares,
    wide,
)
from mixup_repro.evaluation.metrics import Sums, metrics
from mixup_repro.evaluation.rescaling import rescaled

if TYPE_CHECKING:
    import pandas as pd

Batches = Iterable[tuple[Tensor, Tensor]]


class Rescaled(nn.Module):
    """A model trained with Mixup, asked as Carratino et al. do (eq. 22 and Algorithm 1):

        y_bar (1 - 1/theta_bar) + f(theta_bar x + (1 - theta_bar) x_bar) / theta_bar

    on logits f, with theta_bar = 1 - I_{1/2}(alpha + 1, alpha) (`theta_bar(alpha)`). It asks the
    model in evaluation mode, whatever mode it is in, and leaves it in that.

    train: batches (x, y) of the training set, such as its DataLoader, best without augmentation,
        for one pass that finds the mean input x_bar and the class frequencies y_bar.
    x_bar, y_bar: or these themselves. Both are buffers: moved and saved with the module.

    >>> import torch, mixup_repro
    >>> model = torch.nn.Linear(2, 2, bias=False)
    >>> _ = torch.nn.init.eye_(model.weight)
    >>> x, y = torch.tensor([[4.0, 0.0], [-4.0, 0.0]]), torch.tensor([0, 1])
    >>> rescaled = mixup_repro.Rescaled(model, alpha=1.0, train=[(x, y)])
    >>> rescaled.x_bar, rescaled.y_bar
    (tensor([0., 0.]), tensor([0.5000, 0.5000]))
    >>> rescaled(x).detach()  # theta_bar is 3/4: f(3) / 0.75 = 4, moved by 0.5 (1 - 4/3)
    tensor([[ 3.8333, -0.1667],
            [-4.1667, -0.1667]])

    Raises:
        InputError: a model that is no module, alpha <= 0, or what does not fit it or one another.
    """

    x_bar: Tensor
    y_bar: Tensor

    def __init__(
        self,
        model: nn.Module,
        alpha: float,
        train: Optional[Batches] = None,
        x_bar: Optional[Tensor] = None,
        y_bar: Optional[Tensor] = None,
    ) -> None:
        super().__init__()
        _check_module(model)
        given = (train is not None, x_bar is not None, y_bar is not None)
        need(
            given in ((True, False, False), (False, True, True)),
            "train, x_bar, y_bar: give the training set's batches, or both of its means",
        )
        self.model = model
        self.alpha = number(alpha, "alpha")
        means = _means(model, train) if train is not None else (x_bar, y_bar)
        for name, mean in zip(("x_bar", "y_bar"), means):
            need(isinstance(mean, Tensor), f"{name} is a {type(mean).__name__}: must be a tensor")
            self.register_buffer(name, mean)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (b, c) of inputs x (b, ...)."""
        need(isinstance(x, Tensor), f"x is a {type(x).__name__}: must be a tensor (b, ...)")
        need(
            x.is_floating_point() and x.shape[1:] == self.x_bar.shape,
            f"x has shape {shape(x)} and dtype {x.dtype}: must be floats (b, ...) as x_bar "
            f"{shape(self.x_bar)}",
        )
        dtype = wide(x.dtype)

        def f(inputs: Tensor) -> Tensor:
            logits = self.model(inputs.to(x.dtype))
            check_logits(logits, len(x))
            fits = self.y_bar.shape == logits.shape[1:]
            need(fits, f"y_bar has shape {shape(self.y_bar)} but the logits {shape(logits)}")
            return cast(Tensor, logits.to(dtype))

        means = (mean.to(x.device, dtype) for mean in (self.x_bar, self.y_bar))
        with evaluating(self.model):
            return rescaled(f, x.to(dtype), self.alpha, *means)


def evaluate(
    model: nn.Module,
    loader: Batches,
    alphas: Sequence[float] = (),
    train: Optional[Batches] = None,
) -> pd.DataFrame:
    """Scores over a loader's batches (x, y): plain, and rescaled for Mixup at each alpha.

    A table with a row each, and columns as in this project's results. Asked in evaluation mode and
    without gradients, on the device of the model. train: as in `Rescaled`, needed with alphas.

    >>> import torch, mixup_repro
    >>> _, model = torch.manual_seed(0), torch.nn.Linear(4, 3)
    >>> batches = [(torch.randn(8, 4), torch.arange(8) % 3) for _ in range(5)]
    >>> table = mixup_repro.evaluate(model, batches[4:], alphas=[0.5, 1], train=batches[:4])
    >>> table[["evaluation", "eval_alpha", "n_test"]]
      evaluation  eval_alpha  n_test
    0      plain         NaN       8
    1   rescaled         0.5       8
    2   rescaled         1.0       8

    Raises:
        InputError: as `Rescaled` and `scores`; or batches that are not pairs (x, y).
    """
    import pandas as pd

    _check_module(model)
    listed = isinstance(alphas, Iterable)
    need(listed, f"alphas={alphas!r}: must be a list of numbers, such as [0.5, 1]")
    wanted = [number(alpha, "alphas") for alpha in alphas]
    need(train is not None or not wanted, "train is None: rescaling needs the training set's means")
    predictors: dict[Optional[float], Callable[[Tensor], Tensor]] = {None: model}
    if train is not None and wanted:
        x_bar, y_bar = _means(model, train)
        predictors |= {a: Rescaled(model, a, x_bar=x_bar, y_bar=y_bar) for a in wanted}
    totals: dict[Optional[float], Sums] = {}
    with torch.no_grad(), evaluating(model):
        for x, y in _pairs(loader, "loader"):
            x = _there(x, model)
            for alpha, f in predictors.items():
                part = to_sums(f(x), y, "the model's output")
                totals[alpha] = totals[alpha] + part if alpha in totals else part
    rows = []
    for alpha, total in totals.items():
        (row,) = metrics(total)
        row.pop("bins")
        name = "plain" if alpha is None else "rescaled"
        rows.append({"evaluation": name, "eval_alpha": alpha} | row)
    return pd.DataFrame(rows).astype({"eval_alpha": float})


def _check_module(model: Any) -> None:
    need(isinstance(model, nn.Module), f"model is a {type(model).__name__}: must be an nn.Module")


def _pairs(batches: Any, name: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Checked pairs (x, y); at least one."""
    empty = True
    for batch in batches:
        pair = isinstance(batch, tuple | list) and len(batch) == 2
        kind = f"{type(batch).__name__} of {len(batch)}" if hasattr(batch, "__len__") else "else"
        need(pair, f"{name}: its batches must be pairs (x, y), and one is a {kind}")
        x, y = batch
        check_examples(x, y, f"x of {name}")
        empty = False
        yield x, y
    need(not empty, f"{name} has no batches")


def _there(x: Tensor, model: nn.Module) -> Tensor:
    """x on the device of the model's first parameter."""
    first = next(model.parameters(), None)
    return x if first is None else x.to(first.device)


def _means(model: nn.Module, train: Batches) -> tuple[Tensor, Tensor]:
    """x_bar (*input) and y_bar (c,) of the training batches; the model says how many classes."""
    x_sum, y_sum, n = torch.zeros(()), torch.zeros(()), 0
    for x, y in _pairs(train, "train"):
        if not n:
            with torch.no_grad(), evaluating(model):
                like = model(_there(x[:1], model)).cpu()
            check_logits(like, 1)
        x_sum = x_sum + x.detach().cpu().sum(0, dtype=torch.float64)
        y_sum = y_sum + shares(y.cpu(), like).sum(0, dtype=torch.float64)
        n += len(x)
    dtype = wide(x.dtype)
    x_bar, y_bar = ((total / n).to(dtype) for total in (x_sum, y_sum))
    return _there(x_bar, model), _there(y_bar, model)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; afterwards every part of it is in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
