"""A small convolutional network with BatchNorm, for pictures as small as 8 x 8."""

import torch.nn.functional as F
from torch import Tensor, nn

from mixup_repro.errors import InputError


class SmallCNN(nn.Module):
    """Three 3 x 3 convolutions of `width` channels, each with BatchNorm and ReLU; mean; linear.

    Pooling halves the picture after each of the first two.

    Raises:
        InputError: pictures smaller than 4 x 4, or inputs that are no pictures.
    """

    def __init__(self, input_shape: tuple[int, ...], classes: int, width: int = 32) -> None:
        super().__init__()
        if len(input_shape) != 3 or min(input_shape[1:]) < 4:
            raise InputError(
                f"architecture=small_cnn needs pictures of at least 4 x 4 pixels, not inputs of "
                f"shape {input_shape}; use architecture=mlp"
            )
        channels = [input_shape[0], width, width, width]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False)
            for before, after in zip(channels, channels[1:])
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(3))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        for k, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            x = F.relu(norm(convolution(x)))
            if k < 2:
                x = F.max_pool2d(x, 2)
        return self.head(x.mean((-2, -1)))
