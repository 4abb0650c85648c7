"""CIFAR ResNets of basic blocks, with a 3 x 3 stem and no max pool.

ResNet-18 and -34 are the ImageNet networks of He et al. (2015), Table 1, on the small stem.
ResNet-20, -32, -44 and -56 are those of their section 4.2, made for CIFAR.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Optional

import torch.nn.functional as F
from torch import Tensor, nn

from mixup_repro.errors import InputError

Shortcut = Callable[[int, int, int], nn.Module]  # of channels in and out, and the stride


def _conv3(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False)


class Padded(nn.Module):
    """Shortcut A of He et al.: every stride-th pixel, and channels of zeros; no parameters.

    Half of the zeros come before the channels and half after. The paper does not say where, and
    published weights (akamaster/pytorch_resnet_cifar10) are of networks that have them there.
    """

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.more = stride, width_out - width_in

    def forward(self, x: Tensor) -> Tensor:
        before = self.more // 2
        x = x[..., :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, before, self.more - before))


def projected(width_in: int, width_out: int, stride: int) -> nn.Sequential:
    """Shortcut B: a 1 x 1 convolution with BatchNorm."""
    project = nn.Conv2d(width_in, width_out, 1, stride, bias=False)
    return nn.Sequential(project, nn.BatchNorm2d(width_out))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut: `change` where the shape does, else the input."""

    def __init__(self, width_in: int, width_out: int, stride: int, change: Shortcut) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv3(width_in, width_out, stride), nn.BatchNorm2d(width_out)
        self.conv2, self.bn2 = _conv3(width_out, width_out), nn.BatchNorm2d(width_out)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or width_in != width_out:
            self.shortcut = change(width_in, width_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet(nn.Module):
    """Stages of basic blocks: the first has `width` channels, each other one twice its last's."""

    def __init__(
        self,
        blocks: list[int],
        input_shape: tuple[int, ...],
        classes: int,
        width: int,
        change: Shortcut,
    ) -> None:
        super().__init__()
        if len(input_shape) != 3:
            raise InputError(f"a ResNet needs pictures, not inputs of shape {input_shape}")
        self.conv1, self.bn1 = _conv3(input_shape[0], width), nn.BatchNorm2d(width)
        stages, width_in = [], width
        for stage, count in enumerate(blocks):
            width_out = width * 2**stage
            for block in range(count):
                stride = 2 if stage and not block else 1
                stages.append(BasicBlock(width_in, width_out, stride, change))
                width_in = width_out
        self.blocks = nn.Sequential(*stages)
        self.starts = [0, *accumulate(blocks)]
        self.stages = len(blocks) + 1
        self.fc = nn.Linear(width_in, classes)

    def forward(self, x: Tensor, first: int = 0, last: Optional[int] = None) -> Tensor:
        """Stages first to last - 1: those of blocks, the first with the stem, and then `fc`."""
        for stage in range(first, self.stages if last is None else last):
            if stage == 0:
                x = F.relu(self.bn1(self.conv1(x)))
            if stage == self.stages - 1:
                x = self.fc(x.mean((2, 3)))
            else:
                x = self.blocks[self.starts[stage] : self.starts[stage + 1]](x)
        return x


def resnet18(input_shape: tuple[int, ...], classes: int, width: int = 64) -> ResNet:
    """ResNet-18: 11.17 million parameters for CIFAR-10."""
    return ResNet([2, 2, 2, 2], input_shape, classes, width, projected)


def resnet34(input_shape: tuple[int, ...], classes: int, width: int = 64) -> ResNet:
    """ResNet-34: 21.28 million parameters for CIFAR-10."""
    return ResNet([3, 4, 6, 3], input_shape, classes, width, projected)


def resnet20(input_shape: tuple[int, ...], classes: int) -> ResNet:
    """ResNet-20: 0.27 million parameters for CIFAR-10."""
    return ResNet([3, 3, 3], input_shape, classes, 16, Padded)


def resnet32(input_shape: tuple[int, ...], classes: int) -> ResNet:
    """ResNet-32: 0.46 million parameters for CIFAR-10."""
    return ResNet([5, 5, 5], input_shape, classes, 16, Padded)


def resnet44(input_shape: tuple[int, ...], classes: int) -> ResNet:
    """ResNet-44: 0.66 million parameters for CIFAR-10."""
    return ResNet([7, 7, 7], input_shape, classes, 16, Padded)


def resnet56(input_shape: tuple[int, ...], classes: int) -> ResNet:
    """ResNet-56: 0.85 million parameters for CIFAR-10."""
    return ResNet([9, 9, 9], input_shape, classes, 16, Padded)
