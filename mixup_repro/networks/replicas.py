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

from mixup_repro.random_bits import dropout


class Replicas(nn.Module, ABC):
    """R replicas of one network.

    replicas: R.
    stages: into how many parts its layers can be cut, each with the next one's inputs as outputs.
    drops: whether it drops units in training, for which it needs the examples' keys.
    one_logit: whether its two logits (0, u) stand for one, u, of labels 0 and 1.

    `network(x)` are the logits of x; `network(x, first, last)` goes through stages first to
    last - 1 only, and `keys` (R, b) are what the units to drop are drawn by (`random_bits`).
    autocast: the precision of the network's inner computations; parameters and logits are float32.
    """

    replicas: int
    stages: int = 1
    drops: bool = False
    one_logit: bool = False
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

    def __init__(self, members: list[nn.Module], dropout: float = 0.0) -> None:
        super().__init__()
        self.replicas = len(members)
        self.dropout, self.drops = dropout, dropout > 0
        self.names = [name for name, _ in members[0].named_parameters()]
        columns = zip(*(m.parameters() for m in members))
        self.stacks = nn.ParameterList(
            torch.stack([p.detach() for p in column]) for column in columns
        )
        self.stages = len(self.stacks) // 2

    def forward(
        self,
        x: Tensor,
        first: int = 0,
        last: Optional[int] = None,
        keys: Optional[Tensor] = None,
    ) -> Tensor:
        """A stage is a layer with the ReLU after it, and the units that are dropped there."""
        x = x.flatten(2)
        for stage in range(first, self.stages if last is None else last):
            weight, bias = self.stacks[2 * stage], self.stacks[2 * stage + 1]
            x = torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
            if stage < self.stages - 1:
                x = F.relu(x)
                if keys is not None and self.training:
                    x = dropout(x, keys, self.dropout, stage)
        return x

    def replica_tensors(self, replica: int) -> dict[str, Tensor]:
        """The parameters of one replica by name, as views."""
        return {name: s.detach()[replica] for name, s in zip(self.names, self.stacks)}


class Vmapped(Stack):
    """R networks without BatchNorm. Convolutions become grouped: meant for a GPU."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__(members)
        self._network = [deepcopy(members[0]).to("meta")]  # in a list: its parameters are not ours
        self.stages = getattr(members[0], "stages", 1)
        self.drops = getattr(members[0], "dropout", 0) > 0

    def forward(
        self,
        x: Tensor,
        first: int = 0,
        last: Optional[int] = None,
        keys: Optional[Tensor] = None,
    ) -> Tensor:
        cut = _cut(self.stages, first, last)
        self._network[0].train(self.training)

        def one(parameters: dict[str, Tensor], inputs: Tensor, *keys: Tensor) -> Tensor:
            words = cut | ({"keys": keys[0]} if keys else {})
            return functional_call(self._network[0], parameters, (inputs,), words)

        with _precision(self.autocast, x.device):
            weights = dict(zip(self.names, self.stacks))
            return _exact(vmap(one)(weights, x, *(() if keys is None else (keys,))))


class Single(Replicas):
    """One network as a stack of one."""

    replicas = 1

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.stages = getattr(network, "stages", 1)
        self.drops = getattr(network, "dropout", 0) > 0

    def forward(
        self,
        x: Tensor,
        first: int = 0,
        last: Optional[int] = None,
        keys: Optional[Tensor] = None,
    ) -> Tensor:
        words: dict[str, Any] = _cut(self.stages, first, last)
        if keys is not None:
            words["keys"] = keys[0]
        with _precision(self.autocast, x.device):
            return _exact(self.network(x[0], **words)).unsqueeze(0)

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


def _cut(stages: int, first: int, last: Optional[int]) -> dict[str, int]:
    """The words for a network's own forward; none where it is taken whole."""
    whole = first == 0 and last is None
    return {} if whole else {"first": first, "last": stages if last is None else last}


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
