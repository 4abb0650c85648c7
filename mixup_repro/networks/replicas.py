"""R replicas of one network behind one interface: (R, b, ...) in, (R, b, classes) out.

`Stack` holds the parameters of R perceptrons with a leading replica axis and runs each layer as
one batched matrix product. `Vmapped` holds those of R networks of any kind without BatchNorm.
`Single` is one network of any kind, with R = 1.

Parameters of one replica are stored in the network's own shapes, so that weights and checkpoints
do not depend on the company a run was trained in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap


class Replicas(nn.Module, ABC):
    """R replicas of one network.

    replicas: R.
    autocast: the precision of the network's inner computations; parameters and logits are float32.
    """

    replicas: int
    autocast: Optional[torch.dtype] = None

    @abstractmethod
    def replica_tensors(self, replica: int) -> dict[str, Tensor]:
        """The parameters and buffers of one replica by name, as views, in the network's shapes."""

    def own(self, tensor: Tensor, replica: int) -> Tensor:
        """One replica's part of a tensor shaped like a parameter, such as its gradient."""
        return tensor[replica]

    def joined(self, parts: list[Tensor]) -> Tensor:
        """The tensor shaped like a parameter that has these parts, one of each replica."""
        return torch.stack(parts)


class Stack(Replicas):
    """R perceptrons, from a list of R module lists of `nn.Linear` of equal widths.

    ReLU between the layers; a linear model has one.
    """

    def __init__(self, members: list[nn.Module]) -> None:
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


class Vmapped(Stack):
    """R networks without BatchNorm. Convolutions become grouped: meant for a GPU."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__(members)
        self._network = [deepcopy(members[0]).to("meta")]  # in a list: its parameters are not ours

    def forward(self, x: Tensor) -> Tensor:
        def one(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
            return functional_call(self._network[0], parameters, (inputs,))

        with _precision(self.autocast, x.device):
            return _exact(vmap(one)(dict(zip(self.names, self.stacks)), x))


class Single(Replicas):
    """One network as a stack of one."""

    replicas = 1

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        with _precision(self.autocast, x.device):
            return _exact(self.network(x[0])).unsqueeze(0)

    def replica_tensors(self, replica: int) -> dict[str, Tensor]:
        """The parameters and buffers by name."""
        state: dict[str, Tensor] = self.network.state_dict()
        return state

    def own(self, tensor: Tensor, replica: int) -> Tensor:
        """The tensor itself."""
        return tensor

    def joined(self, parts: list[Tensor]) -> Tensor:
        """The one part itself."""
        return parts[0]


def _precision(dtype: Optional[torch.dtype], device: torch.device) -> AbstractContextManager[Any]:
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def _exact(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def bytes_of(network: Replicas) -> int:
    """The size of one replica's weights."""
    return sum(t.numel() * t.element_size() for t in network.replica_tensors(0).values())


def load_weights(network: Replicas, states: list[dict[str, Tensor]]) -> None:
    """Copy the weights of each replica into the network."""
    for replica, weights in enumerate(states):
        for name, tensor in network.replica_tensors(replica).items():
            tensor.copy_(weights[name])
