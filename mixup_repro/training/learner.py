"""A learner: R replicas of one network with their optimiser, stepped together."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any, Optional, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from mixup_repro.data.batches import Batch
from mixup_repro.distributed import begin_exchange, broadcast, world_size
from mixup_repro.methods.registry import METHODS
from mixup_repro.networks import Replicas, is_stacked, normalises
from mixup_repro.networks.replicas import load_weights
from mixup_repro.schema import Config, RecipeConfig
from mixup_repro.training.graph import Graph
from mixup_repro.training.spectral import spectral_penalty

K = TypeVar("K")


def optimiser(recipe: RecipeConfig, network: Replicas) -> torch.optim.Optimizer:
    """The recipe's optimiser, fused: one kernel updates every parameter.

    The learning rate is a tensor, which a CUDA graph reads at every step. Fused kernels want it in
    float32 on a GPU; on a CPU float64 gives exactly the steps of a plain number.
    """
    device = next(network.parameters()).device
    lr = torch.tensor(recipe.lr, dtype=torch.float64 if device.type == "cpu" else None)
    common: dict[str, Any] = {
        "lr": lr.to(device),
        "weight_decay": recipe.weight_decay or 0.0,
        "fused": True,
    }
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}]
    if recipe.norm_decay is False:
        norms = {p for m in network.modules() if isinstance(m, _BatchNorm) for p in m.parameters()}
        kept = [p for p in network.parameters() if p not in norms]
        groups = [{"params": kept}, {"params": list(norms), "weight_decay": 0.0}]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, capturable=device.type == "cuda", **common)
    return torch.optim.SGD(
        groups,
        momentum=recipe.momentum or 0.0,
        nesterov=bool(recipe.nesterov),
        **common,
    )


def learning_rate(recipe: RecipeConfig, epoch: float) -> float:
    """The step schedule: lr * decay_by^(number of decay points reached by `epoch`).

    During the warm-up it is that times epoch / warmup_epochs, where `epoch` counts steps as
    fractions.
    """
    passed = sum(epoch >= round(f * recipe.epochs) for f in recipe.decay_at or ())
    rise = min(1.0, epoch / recipe.warmup_epochs) if recipe.warmup_epochs else 1.0
    return recipe.lr * (recipe.decay_by or 1.0) ** passed * rise


def precision(config: Config, network: Replicas, device: torch.device) -> Optional[torch.dtype]:
    """What the network computes in while it trains: bfloat16, or None for float32.

    auto is bfloat16 where it pays: on GPUs that have it, and on CPUs that have it for convolutions
    with BatchNorm (LeNet gains little there). Losses that differentiate the network stay in
    float32, and perceptrons and random features know nothing else.
    """
    if is_stacked(config.architecture):
        return None
    asked = config.hardware.precision
    if asked == "auto":
        pays = device.type == "cuda" or normalises(network)
        fit = pays and not METHODS[config.method.name].differentiates and has_bfloat16(device)
        asked = "bfloat16" if fit else "float32"
    return torch.bfloat16 if asked == "bfloat16" else None


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself; emulated, it is slower than float32."""
    if device.type == "mps":
        return False  # some have it, and none was to be had for a test
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Private, but the public get_capabilities is younger than the oldest PyTorch we support.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


class Loss(nn.Module):
    """Network and method as one module, which maps a part of a batch to three values (R,).

    They are what is to be differentiated, the part's share of the mean loss, and its share of the
    mean weight of the predicted class. The first has the recipe's spectral penalty besides.

    A module, so that DistributedDataParallel can wrap it with all that a method does to the network
    inside.
    """

    def __init__(self, network: Replicas, config: Config) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.function = METHODS[config.method.name].function

    def forward(self, part: Batch) -> tuple[Tensor, Tensor, Tensor]:
        network = partial(self.network, keys=part.keys) if self.network.drops else self.network
        outcome = self.function(network, part, self.config.method)
        loss = outcome.loss.mean(-1)
        if part.share < 1:
            loss = part.share * loss
        total, spectral = loss, self.config.recipe.spectral
        if spectral is not None:
            total = loss + part.share * spectral_penalty(self.network, spectral)
        with torch.no_grad():
            predicted = outcome.logits.argmax(-1, keepdim=True)
            weight = outcome.targets.gather(-1, predicted).squeeze(-1).mean(-1)
        return total, loss.detach(), weight if part.share == 1 else part.share * weight


class Learner:
    """Replicas that share a recipe and a method but neither seed nor alpha."""

    def __init__(self, network: Replicas, config: Config, device: torch.device) -> None:
        if config.hardware.sync_batchnorm and world_size() > 1:
            network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)
        self.network = network.to(device).train()
        self.network.autocast = precision(config, self.network, device)
        self.config = config
        method = METHODS[config.method.name]
        self.loss: nn.Module = Loss(self.network, config)
        if world_size() > 1:  # ranks start from one seed; BatchNorm's statistics are each its own
            self.loss = DistributedDataParallel(self.loss, broadcast_buffers=False)
        self.optimiser = optimiser(config.recipe, self.network)
        self.accumulates = method.accumulates
        self._parameters = list(self.network.parameters())
        self._lr: Optional[float] = None
        # No CUDA graph across ranks, where the hooks of DistributedDataParallel are not captured;
        # nor where gradients are kept from step to step, or the loss differentiates the network.
        eager = method.accumulates or method.differentiates or world_size() > 1
        graph = device.type == "cuda" and not eager
        self.graph = Graph(self._step, device) if graph and config.hardware.graph else None

    @property
    def replicas(self) -> int:
        return self.network.replicas

    def set_learning_rate(self, lr: float) -> None:
        """Write it into the tensor that the optimiser, and a captured step, read."""
        if lr != self._lr:
            self._lr = lr
            for group in self.optimiser.param_groups:
                group["lr"].fill_(lr)

    def share_buffers(self) -> None:
        """Give every rank the BatchNorm statistics of rank 0."""
        for buffer in self.network.buffers():
            broadcast(buffer)

    def step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One update. Returns (R,) mean loss and (R,) mean weight of the predicted class.

        What is differentiated is the sum over replicas of their mean losses, so each replica gets
        its own gradient; the spectral penalty is in it, and not in the loss that is returned. The
        second value is the lambda-weighted accuracy of mixup, and the accuracy of ERM.
        The gradients of a batch's parts, here and on other ranks, add up to the whole batch's. The
        two values are of this rank's part; `summed` adds up those of all ranks.
        """
        return self.graph(batch) if self.graph else self._step(batch)

    def _step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if not self.accumulates:
            self.optimiser.zero_grad(set_to_none=True)
        *before, last = batch.split(self.config.recipe.microbatch)
        ddp = self.loss if isinstance(self.loss, DistributedDataParallel) else None
        with ddp.no_sync() if ddp else nullcontext():
            parts = [self._pass(part) for part in before]
        parts.append(self._pass(last))
        loss, weight = parts[0] if len(parts) == 1 else (sum(values) for values in zip(*parts))
        self.optimiser.step()
        return loss, weight

    def _pass(self, part: Batch) -> tuple[Tensor, Tensor]:
        """Forward and backward over a part of a batch: its share of both means."""
        total, loss, weight = self.loss(part)
        begin_exchange()
        # DistributedDataParallel averages gradients over the ranks; here their sum is wanted.
        (total.sum() * world_size() if world_size() > 1 else total.sum()).backward()
        return loss, weight

    def release(self) -> None:
        """Drop DistributedDataParallel, and keep the network.

        Else gloo may abort the process when its process group is destroyed first: with torch 2.15
        it did so in a third of the runs.
        """
        self.loss = Loss(self.network, self.config)

    def weights(self, replica: int) -> dict[str, Tensor]:
        """The weights of one replica by name, on the CPU."""
        return _cpu(self.network.replica_tensors(replica))

    def replica_state(self, replica: int) -> dict[str, Any]:
        """Everything one replica needs to go on: weights and optimiser state, on the CPU."""
        network = self.network
        state: dict[str, Any] = {"network": self.weights(replica), "optimiser": {}}
        if self.accumulates:
            gradients = [p.grad for p in self._parameters]
            own = {i: network.own(g, replica) for i, g in enumerate(gradients) if g is not None}
            state["gradients"] = _cpu(own)
        for index, parameter in enumerate(self._parameters):
            values = self.optimiser.state.get(parameter, {})
            # Momentum and moments have the parameter's shape; Adam's step count is shared.
            state["optimiser"][index] = _cpu(
                {
                    k: network.own(v, replica) if v.shape == parameter.shape else v
                    for k, v in values.items()
                    if v is not None
                }
            )
        return state

    def load_states(self, states: list[dict[str, Any]]) -> None:
        """Go on from the states of all replicas, which must be of the same epoch and step."""
        load_weights(self.network, [s["network"] for s in states])
        for index, parameter in enumerate(self._parameters):
            if self.accumulates:
                gradients = [s["gradients"][index] for s in states]
                parameter.grad = self.network.joined(gradients).to(parameter.device)
            columns = [s["optimiser"][index] for s in states]
            own_shape = self.network.own(parameter, 0).shape
            self.optimiser.state[parameter] = {
                k: self.network.joined([c[k] for c in columns]).to(parameter.device)
                if columns[0][k].shape == own_shape
                else columns[0][k].to(parameter.device)
                for k in columns[0]
            }


def _cpu(tensors: dict[K, Tensor]) -> dict[K, Tensor]:
    return {k: v.detach().to("cpu", copy=True) for k, v in tensors.items()}
