"""A learner: R replicas of one network with their optimiser, stepped together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mixup_repro.architectures import Single, Stack
from mixup_repro.config import Config, RecipeConfig
from mixup_repro.data.batches import Batch
from mixup_repro.methods import METHODS


def optimiser(recipe: RecipeConfig, network: Single | Stack) -> torch.optim.Optimizer:
    """The recipe's optimiser, fused: one kernel updates every parameter."""
    common = {"lr": recipe.lr, "weight_decay": recipe.weight_decay or 0.0, "fused": True}
    if recipe.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), **common)
    return torch.optim.SGD(
        network.parameters(),
        momentum=recipe.momentum or 0.0,
        nesterov=bool(recipe.nesterov),
        **common,
    )


def learning_rate(recipe: RecipeConfig, epoch: int) -> float:
    """The step schedule: lr * decay_by^(number of decay points reached by `epoch`)."""
    passed = sum(epoch >= round(f * recipe.epochs) for f in recipe.decay_at or ())
    return recipe.lr * (recipe.decay_by or 1.0) ** passed


class Learner:
    """Replicas that share a recipe and a method but neither seed nor alpha."""

    def __init__(self, network: Single | Stack, config: Config, device: torch.device) -> None:
        self.network = network.to(device).train()
        self.config = config
        self.method: Callable = METHODS[config.method.name]
        self.optimiser = optimiser(config.recipe, network)
        self.accumulates = config.method.name == "mixup_accumulated"
        self._parameters = list(network.parameters())

    @property
    def replicas(self) -> int:
        return self.network.replicas

    def set_learning_rate(self, lr: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = lr

    def step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One update. Returns (R,) mean loss and (R,) mean weight of the predicted class.

        The loss is the sum over replicas of their means: each replica's gradient is its own.
        The second value is the lambda-weighted accuracy of mixup and the accuracy of ERM.
        """
        outcome = self.method(self.network, batch, self.config.method)
        loss = outcome.loss.mean(-1)
        if not self.accumulates:
            self.optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        self.optimiser.step()
        with torch.no_grad():
            predicted = outcome.logits.argmax(-1, keepdim=True)
            weight = outcome.targets.gather(-1, predicted).squeeze(-1).mean(-1)
        return loss.detach(), weight

    def replica_state(self, replica: int) -> dict[str, dict]:
        """Everything one replica needs to go on: weights and optimiser state, on the CPU."""
        network = self.network
        state = {"network": _cpu(network.replica_tensors(replica)), "optimiser": {}}
        if self.accumulates:
            gradients = (p.grad[replica] if network.stacked else p.grad for p in self._parameters)
            state["gradients"] = _cpu(dict(enumerate(gradients)))
        for index, parameter in enumerate(self._parameters):
            values = self.optimiser.state.get(parameter, {})
            state["optimiser"][index] = _cpu(
                {
                    k: v[replica] if network.stacked and v.shape == parameter.shape else v
                    for k, v in values.items()
                    if v is not None
                }
            )
        return state

    def load_states(self, states: list[dict[str, dict]]) -> None:
        """Continue from the states of all replicas, which must be of one epoch."""
        load_weights(self.network, [s["network"] for s in states])
        for index, parameter in enumerate(self._parameters):
            if self.accumulates:
                gradients = [s["gradients"][index].to(parameter.device) for s in states]
                parameter.grad = torch.stack(gradients) if self.network.stacked else gradients[0]
            columns = [s["optimiser"][index] for s in states]
            # Momentum and moments have the parameter's shape; Adam's step count is shared.
            self.optimiser.state[parameter] = {
                k: torch.stack([c[k] for c in columns]).to(parameter.device)
                if self.network.stacked and columns[0][k].shape == parameter.shape[1:]
                else columns[0][k].to(parameter.device)
                for k in columns[0]
            }


def load_weights(network: Single | Stack, states: list[dict[str, Tensor]]) -> None:
    """Copy the weights of each replica into the network."""
    for replica, weights in enumerate(states):
        for name, tensor in network.replica_tensors(replica).items():
            tensor.copy_(weights[name])


def _cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.detach().to("cpu", copy=True) for k, v in tensors.items()}
