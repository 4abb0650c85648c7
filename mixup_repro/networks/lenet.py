"""LeNet for 28- and 32-pixel pictures (LeCun et al., 1998, with ReLU and max pooling)."""

from typing import Optional

import torch.nn.functional as F
from torch import Tensor, nn

from mixup_repro.errors import InputError
from mixup_repro.random_bits import dropout

STAGES = 5


class LeNet(nn.Module):
    """Two 5 x 5 convolutions (6, 16 channels), then 120, 84 and `classes` units: five stages.

    Pooling comes before the ReLU: the two commute, and a quarter of the values remain to rectify.

    Raises:
        InputError: pictures smaller than 16 x 16, or inputs that are no pictures.
    """

    stages = STAGES

    def __init__(self, input_shape: tuple[int, ...], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout  # rate of the 120 and the 84 units
        if len(input_shape) != 3 or min(input_shape[1:]) < 16:
            raise InputError(
                f"architecture=lenet needs pictures of at least 16 x 16 pixels, not inputs of "
                f"shape {input_shape}; use architecture=mlp"
            )
        channels, height, width = input_shape
        side = [((s - 4) // 2 - 4) // 2 for s in (height, width)]
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * side[0] * side[1], 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(
        self, x: Tensor, first: int = 0, last: int = STAGES, keys: Optional[Tensor] = None
    ) -> Tensor:
        """Stages first to last - 1; keys (b,): of the examples, where units are dropped."""
        for stage in range(first, last):
            x = self._stage(stage, x)
            if keys is not None and self.training and stage in (2, 3):
                x = dropout(x, keys, self.dropout, stage)
        return x

    def _stage(self, stage: int, x: Tensor) -> Tensor:
        if stage < 2:
            convolution = (self.conv1, self.conv2)[stage]
            return F.relu(F.max_pool2d(convolution(x), 2))
        if stage == 4:
            return self.fc3(x)
        return F.relu((self.fc1, self.fc2)[stage - 2](x.flatten(1)))
