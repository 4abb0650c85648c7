"""What users hand over, checked: each failure is one sentence that names the argument.

The checks of values (labels in range, logits that are no probabilities) look at every batch, which
on a GPU waits for it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.errors import InputError


def need(ok: object, message: str) -> None:
    """Raise InputError with the message unless ok."""
    if not ok:
        raise InputError(message)


def number(value: Any, name: str, low: float = 0.0, high: float = float("inf")) -> float:
    """A number strictly between two others."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    wanted = f"> {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
    need(low < number < high, f"{name}={value!r}: must be a number {wanted}")
    return number


def shape(value: Any) -> str:
    """(8, 3, 32, 32) of a tensor, as messages show it."""
    return str(tuple(getattr(value, "shape", ())))


def check_examples(x: Any, y: Any, name: str = "x") -> None:
    """x (b, ...) are floats, and y has a label for each."""
    need(isinstance(x, Tensor), f"{name} is a {type(x).__name__}: must be a tensor (b, ...)")
    need(x.ndim >= 2, f"{name} has shape {shape(x)}: must be (b, ...), an axis of examples first")
    need(len(x), f"{name} has shape {shape(x)}: there are no examples")
    need(
        x.is_floating_point(),
        f"{name} has dtype {x.dtype}: must be floats, as the model takes them after normalising",
    )
    check_labels(y, len(x), f"{name} has shape {shape(x)}")


def check_labels(y: Any, n: int, beside: str) -> None:
    """y holds a label for each of n examples: classes (n,), or shares (n, c) that sum to 1."""
    need(isinstance(y, Tensor), f"y is a {type(y).__name__}: must be a tensor of labels")
    need(
        y.ndim in (1, 2) and len(y) == n,
        f"y has shape {shape(y)} where {beside}: must be classes ({n},) or shares ({n}, c)",
    )
    if y.ndim == 1:
        whole = not y.is_floating_point() and not y.is_complex() and y.dtype != torch.bool
        need(whole, f"y has shape {shape(y)} and dtype {y.dtype}: classes must be integers")
        need(y.min() >= 0, f"y has class {int(y.min())}: classes are counted from 0")
        return
    need(
        y.is_floating_point(),
        f"y has shape {shape(y)} and dtype {y.dtype}: shares must be floats, and classes ({n},)",
    )
    need(_sum_to_one(y), "y has rows that are no shares: each must be >= 0 and sum to 1")


def check_logits(logits: Any, n: int, name: str = "the model's output") -> None:
    """Logits (n, c) of at least two classes, which are not probabilities."""
    need(
        isinstance(logits, Tensor),
        f"{name} is a {type(logits).__name__}: must be a tensor of logits ({n}, c)",
    )
    need(
        logits.ndim == 2 and len(logits) == n,
        f"{name} has shape {shape(logits)}: must be logits ({n}, c), a row an example",
    )
    need(
        logits.shape[1] >= 2,
        f"{name} has shape {shape(logits)}: must have a logit for each class, and at least two",
    )
    need(
        logits.is_floating_point(),
        f"{name} has dtype {logits.dtype}: logits must be floats",
    )
    need(
        not _sum_to_one(logits),
        f"{name} has rows that sum to 1, so these are probabilities: give the logits before the "
        f"softmax",
    )


def _sum_to_one(rows: Tensor) -> bool:
    """Whether every row (n, c) is a distribution, up to its dtype's rounding."""
    rows = rows.detach()
    close = max(1e-5, 2 * torch.finfo(rows.dtype).eps)
    total = rows.sum(-1, dtype=wide(rows.dtype))
    return bool(((rows >= 0).all(-1) & ((total - 1).abs() <= close)).all())


def wide(dtype: torch.dtype) -> torch.dtype:
    """float32 at least, in which inputs are mixed and losses computed."""
    return torch.promote_types(dtype, torch.float32)


def shares(y: Tensor, logits: Tensor) -> Tensor:
    """Checked labels as shares (n, c) beside logits (n, c): classes become one-hot.

    Raises:
        InputError: a class that the logits do not have, or shares of another number of classes.
    """
    c = logits.shape[1]
    if y.ndim == 2:
        need(y.shape[1] == c, f"y has shape {shape(y)} but the logits {shape(logits)}")
        return y.to(logits.device, wide(logits.dtype))
    need(y.max() < c, f"y has class {int(y.max())}, and logits {shape(logits)} know 0 to {c - 1}")
    return F.one_hot(y.to(logits.device).long(), c).to(wide(logits.dtype))
