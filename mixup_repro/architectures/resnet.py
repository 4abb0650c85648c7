"""CIFAR ResNets: the basic-block ResNets of He et al. (2016) with a 3 x 3 stem and no max pool."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mixup_repro.errors import InputError


def _conv3(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (1 x 1 convolution where the shape changes)."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv3(width_in, width_out, stride), nn.BatchNorm2d(width_out)
        self.conv2, self.bn2 = _conv3(width_out, width_out), nn.BatchNorm2d(width_out)
        self.shortcut = nn.Sequential()
        if stride != 1 or width_in != width_out:
            project = nn.Conv2d(width_in, width_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(width_out))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet(nn.Module):
    """Four stages of basic blocks with 64, 128, 256 and 512 channels."""

    def __init__(self, blocks: list[int], input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        if len(input_shape) != 3:
            raise InputError(f"a ResNet needs pictures, not inputs of shape {input_shape}")
        self.conv1, self.bn1 = _conv3(input_shape[0], 64), nn.BatchNorm2d(64)
        stages, width_in = [], 64
        for stage, count in enumerate(blocks):
            width = 64 * 2**stage
            for block in range(count):
                stages.append(BasicBlock(width_in, width, 2 if stage and not block else 1))
                width_in = width
        self.blocks = nn.Sequential(*stages)
        self.fc = nn.Linear(width_in, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def resnet18(input_shape: tuple[int, ...], classes: int) -> ResNet:
    """ResNet-18: 11.17 million parameters for CIFAR-10."""
    return ResNet([2, 2, 2, 2], input_shape, classes)


def resnet34(input_shape: tuple[int, ...], classes: int) -> ResNet:
    """ResNet-34: 21.28 million parameters for CIFAR-10."""
    return ResNet([3, 4, 6, 3], input_shape, classes)
