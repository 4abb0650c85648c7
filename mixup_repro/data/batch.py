"""One training step's examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from typing import Any, Optional

import torch
from torch import Tensor


@dataclass(frozen=True)
class Modification:
    """What modified data (Carratino et al., eq. 5) and their covariances (eq. 8) are made of.

    x_bar and y_bar broadcast over inputs (R, b, ...) and targets (R, b, c); the moments of theta,
    one alpha a replica, are (R, 1).
    """

    x_bar: Tensor
    y_bar: Tensor
    theta_bar: Tensor
    sigma2: Tensor
    gamma2: Tensor


@dataclass(frozen=True)
class Batch:
    """One step's examples for R replicas. Inputs are (R, b, C, H, W) or (R, b, d).

    y and y_partner are one-hot (R, b, classes); lam is (R, b); box is (R, b, 2). label_lam (R, b)
    is there where labels are mixed on their own, and y_partner is then of their own partner.
    size: examples of the whole step, where other passes or other ranks have parts of it too.
    """

    x: Tensor
    y: Tensor
    x_partner: Optional[Tensor] = None
    y_partner: Optional[Tensor] = None
    lam: Optional[Tensor] = None
    box: Optional[Tensor] = None
    label_lam: Optional[Tensor] = None
    modification: Optional[Modification] = None
    size: Optional[int] = None

    @property
    def share(self) -> float:
        """The share of the step's examples that are here."""
        return 1.0 if self.size is None else self.x.shape[1] / self.size

    def split(self, examples: Optional[int]) -> list[Batch]:
        """Parts of at most so many examples, in order; None keeps it whole."""
        if examples is None:
            return [self]
        whole = replace(self, size=self.size or self.x.shape[1])
        starts = range(0, self.x.shape[1], examples)
        return [whole._map(itemgetter((slice(None), slice(a, a + examples)))) for a in starts]

    def clone(self) -> Batch:
        """A copy in memory of its own."""
        return self._map(torch.clone)

    def copy_(self, other: Batch) -> None:
        """Overwrite the examples by those of another batch of the same shape."""
        for name, tensor in self._tensors().items():
            tensor.copy_(getattr(other, name))

    def _tensors(self) -> dict[str, Tensor]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}

    def _map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        changed: dict[str, Any] = {k: function(t) for k, t in self._tensors().items()}
        return replace(self, **changed)
