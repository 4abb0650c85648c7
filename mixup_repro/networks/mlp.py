"""Linear models and multilayer perceptrons, as lists of linear layers with ReLU between."""

import math

from torch import nn


def mlp_layers(input_shape: tuple[int, ...], hidden: list[int], classes: int) -> nn.ModuleList:
    """The linear layers of an MLP with PyTorch's default initialisation."""
    widths = [math.prod(input_shape), *hidden, classes]
    return nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
