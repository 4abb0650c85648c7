"""Batches from the plan: gather, crop, flip and normalise on the device, without a loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.data.dataset import Dataset
from mixup_repro.plan import EpochPlan


@dataclass(frozen=True)
class Batch:
    """One step's examples for R replicas. Inputs are (R, b, C, H, W) or (R, b, d).

    y and y_partner are one-hot (R, b, classes); lam is (R, b); box is (R, b, 2).
    """

    x: Tensor
    y: Tensor
    x_partner: Optional[Tensor] = None
    y_partner: Optional[Tensor] = None
    lam: Optional[Tensor] = None
    box: Optional[Tensor] = None


class Batches:
    """The training set, cut into batches as a plan says.

    A batch is cropped by one gather: in a view of its zero-padded raw pixels every window of every
    picture is an index. Zero-padding raw pixels before normalising is what `RandomCrop` before
    `Normalize` does; padding a batch and not the set keeps a second copy of the set out of memory.
    """

    def __init__(self, dataset: Dataset, crop_padding: int, within_batch: bool) -> None:
        self.dataset = dataset
        self.crop_padding = crop_padding
        self.within_batch = within_batch
        self.one_hot = F.one_hot(dataset.y_train, dataset.classes).float()

    def __call__(self, plan: EpochPlan, batch_size: int) -> Iterator[Batch]:
        """All batches of an epoch, the last and smaller one included. Plan arrays: (R, n)."""
        n = plan.order.shape[1]
        for start in range(0, n, batch_size):
            yield self.batch(plan, slice(start, min(start + batch_size, n)))

    def batch(self, plan: EpochPlan, part: slice) -> Batch:
        """The examples at positions `part` of every replica's epoch."""
        x, y = self._examples(plan, (slice(None), part))
        if plan.partner is None:
            return Batch(x, y)
        partner = plan.partner[:, part]
        replica = torch.arange(len(partner), device=partner.device).unsqueeze(1)
        if self.within_batch:  # the partner's augmented picture is already here
            local = (replica, partner - part.start)
            x_partner, y_partner = x[local], y[local]
        else:
            x_partner, y_partner = self._examples(plan, (replica, partner))
        box = None if plan.box is None else plan.box[:, part]
        return Batch(x, y, x_partner, y_partner, plan.lam[:, part], box)

    def _examples(self, plan: EpochPlan, at: tuple) -> tuple[Tensor, Tensor]:
        """Inputs and one-hot labels of the examples at positions `at`, augmented as planned."""
        index = plan.order[at]
        pixels = self.dataset.x_train[index]
        if self.crop_padding:
            pixels = crop(pixels, plan.offset[at], self.crop_padding)
        if plan.flip is not None:
            pixels = torch.where(plan.flip[at][..., None, None, None], pixels.flip(-2), pixels)
        return self.dataset.normalise(pixels), self.one_hot[index]


def crop(pixels: Tensor, offset: Tensor, padding: int) -> Tensor:
    """Windows of pictures (R, b, H, W, C) at `offset` (R, b, 2) of them padded with zeros."""
    replicas, examples, height, width = pixels.shape[:4]
    padded = F.pad(pixels, (0, 0, padding, padding, padding, padding))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (R, b, top, left, C, H, W)
    r = torch.arange(replicas, device=pixels.device).unsqueeze(1)
    k = torch.arange(examples, device=pixels.device)
    return windows[r, k, offset[..., 0], offset[..., 1]].movedim(-3, -1)
