"""R replicas of one network behind one interface: (R, b, ...) in, (R, b, classes) out.

`Stack` holds the parameters of R perceptrons with a leading replica axis and runs each layer as
one batched matrix product. `Single` is one network of any kind, with R = 1.

Parameters of one replica are stored in the network's own shapes, so that weights and checkpoints
do not depend on the company a run was trained in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Stack(nn.Module):
    """R perceptrons, from a list of R module lists of `nn.Linear` of equal widths."""

    stacked = True

    def __init__(self, members: list[nn.ModuleList]) -> None:
        super().__init__()
        self.replicas = len(members)
        self.names = [name for name, _ in members[0].named_parameters()]
        columns = zip(*(m.parameters() for m in members))
        self.stacks = nn.ParameterList(
            torch.stack([p.detach() for p in column]) for column in columns
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2)
        for layer in range(0, len(self.stacks), 2):
            weight, bias = self.stacks[layer], self.stacks[layer + 1]
            if layer:
                x = F.relu(x)
            x = torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
        return x

    def replica_tensors(self, replica: int) -> dict[str, Tensor]:
        """The parameters of one replica by name, as views."""
        return {name: s.detach()[replica] for name, s in zip(self.names, self.stacks)}


class Single(nn.Module):
    """One network as a stack of one."""

    replicas = 1
    stacked = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x[0]).unsqueeze(0)

    def replica_tensors(self, replica: int) -> dict[str, Tensor]:
        """The parameters and buffers by name."""
        return self.network.state_dict()


def bytes_of(network: Single | Stack) -> int:
    """The size of one replica's weights."""
    return sum(t.numel() * t.element_size() for t in network.replica_tensors(0).values())
