"""Batches from the plan: gather, crop, flip and normalise on the device, without a loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.beta import gamma2, sigma2, theta_bar
from mixup_repro.distributed import rank, world_size
from mixup_repro.plan import EpochPlan, rank_slice

if TYPE_CHECKING:
    from mixup_repro.data.dataset import Dataset


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
    keys (R, b): of each example's random numbers (`random_bits`); layer: where to mix.
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
    keys: Optional[Tensor] = None
    layer: Optional[int] = None

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


class Batches(ABC):
    """The training set, cut into batches as a plan says.

    within_batch: partners are positions of the same batch.
    group: positions of an epoch that stay on one rank together.
    """

    def __init__(
        self, within_batch: bool, modification: Optional[Modification] = None, group: int = 1
    ) -> None:
        self.within_batch = within_batch
        self.modification = modification
        self.group = group

    @abstractmethod
    def examples(self, plan: EpochPlan, at: Any) -> tuple[Tensor, Tensor]:
        """Inputs and one-hot labels of the examples at positions `at`, augmented as planned."""

    def __call__(self, plan: EpochPlan, batch_size: int, first: int = 0) -> Iterator[Batch]:
        """This rank's part of the batches of an epoch from step `first` on. Plan arrays: (R, n).

        The last batch is included, and may be smaller.
        """
        for part, size in self.parts(plan, batch_size, first):
            yield self.batch(plan, part, size)

    def parts(self, plan: EpochPlan, batch_size: int, first: int) -> list[tuple[slice, int]]:
        """This rank's positions in each batch, and the size of the whole batch."""
        n = plan.order.shape[1]
        ends = [(a, min(a + batch_size, n)) for a in range(first * batch_size, n, batch_size)]
        return [(rank_slice(a, b, rank(), world_size(), self.group), b - a) for a, b in ends]

    def batch(self, plan: EpochPlan, part: slice, size: int) -> Batch:
        """The examples at positions `part` of every replica's epoch, of a step of `size`."""
        x, y = self.examples(plan, (slice(None), part))
        whole = Batch(x, y, modification=self.modification, size=size)
        if plan.box is not None:
            whole = replace(whole, box=plan.box[:, part])
        if plan.keys is not None:
            whole = replace(whole, keys=plan.keys[:, part])
        if plan.layer is not None:
            whole = replace(whole, layer=int(plan.layer[0, part.start]))
        if plan.partner is None:
            return whole
        replica = torch.arange(len(x), device=x.device).unsqueeze(1)

        def partners(position: Tensor) -> tuple[Tensor, Tensor]:
            if self.within_batch:  # the partner's augmented picture is already here
                local = (replica, position[:, part] - part.start)
                return x[local], y[local]
            return self.examples(plan, (replica, position[:, part]))

        x_partner, y_partner = partners(plan.partner)
        label_lam = None
        if plan.label_partner is not None:
            _, y_partner = partners(plan.label_partner)
            label_lam = plan.label_lam[:, part]
        lam = plan.lam[:, part]
        return replace(
            whole, x_partner=x_partner, y_partner=y_partner, lam=lam, label_lam=label_lam
        )


class MemoryBatches(Batches):
    """Batches of a data set in memory.

    A batch is cropped by one gather: in a view of its zero-padded raw pixels every window of every
    picture is an index. Zero-padding raw pixels before normalising is what `RandomCrop` before
    `Normalize` does; padding a batch and not the set keeps a second copy of the set out of memory.
    """

    def __init__(
        self,
        dataset: Dataset,
        crop_padding: int,
        within_batch: bool,
        modification: Optional[Modification] = None,
    ) -> None:
        # On several ranks a partner may be another rank's example, so it is gathered anew.
        super().__init__(within_batch and world_size() == 1, modification)
        self.dataset = dataset
        self.crop_padding = crop_padding

    def examples(self, plan: EpochPlan, at: Any) -> tuple[Tensor, Tensor]:
        pixels, y = self.dataset.take(plan.order[at])
        if self.crop_padding:
            pixels = crop(pixels, plan.offset[at], self.crop_padding)
        if plan.flip is not None:
            pixels = torch.where(plan.flip[at][..., None, None, None], pixels.flip(-2), pixels)
        return self.dataset.normalise(pixels), y


def crop(pixels: Tensor, offset: Tensor, padding: int) -> Tensor:
    """Windows of pictures (R, b, H, W, C) at `offset` (R, b, 2) of them padded with zeros."""
    replicas, examples, height, width = pixels.shape[:4]
    padded = F.pad(pixels, (0, 0, padding, padding, padding, padding))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (R, b, top, left, C, H, W)
    r = torch.arange(replicas, device=pixels.device).unsqueeze(1)
    k = torch.arange(examples, device=pixels.device)
    return windows[r, k, offset[..., 0], offset[..., 1]].movedim(-3, -1)


def modification(
    dataset: Dataset, alphas: Sequence[float], crop_padding: int, flip: bool
) -> Modification:
    """What modified data are made of, for training inputs cropped and flipped at random."""
    device = dataset.y_train.device
    moments = (
        torch.tensor([[moment(a)] for a in alphas], device=device)
        for moment in (theta_bar, sigma2, gamma2)
    )
    return Modification(mean_input(dataset, crop_padding, flip), dataset.y_bar, *moments)


def mean_input(dataset: Dataset, crop_padding: int, flip: bool) -> Tensor:
    """The mean of the augmented training inputs: of every window of x_bar, and of its mirror."""
    mean = dataset.x_bar
    if crop_padding:
        black = dataset.normalise(mean.new_zeros((1, 1, mean.shape[-3]), dtype=torch.uint8))
        padded = F.pad(mean - black, [crop_padding] * 4)
        pooled = F.avg_pool2d(padded.flatten(0, -3), 2 * crop_padding + 1, stride=1)
        mean = pooled.view_as(mean) + black
    return (mean + mean.flip(-1)) / 2 if flip else mean
