"""LeNet for 28- and 32-pixel pictures (LeCun et al., 1998, with ReLU and max pooling)."""

import torch.nn.functional as F
from torch import Tensor, nn

from mixup_repro.errors import InputError


class LeNet(nn.Module):
    """Two 5 x 5 convolutions (6, 16 channels), then 120, 84 and `classes` units.

    Pooling comes before the ReLU: the two commute, and a quarter of the values remain to rectify.

    Raises:
        InputError: pictures smaller than 16 x 16, or inputs that are no pictures.
    """

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
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

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))
