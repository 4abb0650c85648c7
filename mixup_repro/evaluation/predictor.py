"""Plain and rescaled predictions of a network over a whole data set."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial, reduce
from operator import add
from typing import Any, Optional, Protocol, TypeVar

import torch
from torch import Tensor

from mixup_repro import interrupt
from mixup_repro.beta import theta_bar
from mixup_repro.data import Dataset, DataSource
from mixup_repro.distributed import merge, rank, world_size
from mixup_repro.errors import InputError
from mixup_repro.evaluation.metrics import Sums, metrics, sums
from mixup_repro.evaluation.rescaling import rescaled
from mixup_repro.evaluation.temperature import scaled
from mixup_repro.live import Phase, phase
from mixup_repro.networks import Replicas

CHUNK = 1000  # examples in one forward pass; a stack of R replicas takes CHUNK / R, at least 50


K = TypeVar("K", bound=Hashable)
S = TypeVar("S", bound="Score")


class Score(Protocol):
    """What logits say of a chunk of examples: adds up, and can go to the CPU."""

    def __add__(self: S, other: S) -> S: ...

    def cpu(self: S) -> S: ...


Alphas = Iterable[Optional[float]]  # of rescaled predictions; None is the plain one


@torch.no_grad()
def totals(
    network: Replicas, dataset: DataSource, part: str, alphas: Alphas
) -> dict[Optional[float], Sums]:
    """The sums behind the metrics on a part (train or test) of the data set, in evaluation mode.

    The ranks of a run take turns with the chunks of examples, and add up all chunks in one order:
    whatever their number, the result is the same to the last bit. Nothing is padded.
    """
    was_training = network.training
    network.eval()
    predictors = {alpha: predictor(network, dataset, alpha) for alpha in alphas}
    size = max(50, CHUNK // network.replicas)
    chunks = dataset.chunks(part, size, network.replicas, rank(), world_size())
    examples = dataset.n_test if part == "test" else dataset.n_train
    with phase("evaluating", -(-examples // world_size()), "examples") as at:
        found = added_up(_counted(chunks, at), dataset, predictors, sums)
    network.train(was_training)
    return found


def _counted(
    chunks: Iterable[tuple[int, Tensor, Tensor]], at: Phase
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """The chunks, where it counts the examples of those that are done with."""
    for chunk in chunks:
        yield chunk
        at.done += chunk[1].shape[1]


def added_up(
    chunks: Iterable[tuple[int, Tensor, Tensor]],
    dataset: DataSource,
    predictors: dict[K, Callable[[Tensor], Tensor]],
    score: Callable[[Tensor, Tensor], S],
) -> dict[K, S]:
    """For each predictor, the sum of the scores of all ranks' chunks, in the order of the chunks.

    chunks: those of this rank: number, raw inputs (R, b, ...), y (R, b).
    """
    found: dict[int, dict[K, S]] = {}
    for k, x, y in chunks:
        interrupt.check()
        x = dataset.normalise(x)
        found[k] = {name: score(f(x).float(), y).cpu() for name, f in predictors.items()}
    ordered = merge(found).values()
    return {name: reduce(add, (by[name] for by in ordered)) for name in predictors}


def predictor(
    network: Replicas, dataset: DataSource, alpha: Optional[float]
) -> Callable[[Tensor], Tensor]:
    """Plain, or rescaled for mixup with this alpha (eq. 22)."""
    if alpha is None:
        return network
    return partial(
        rescaled, network, alpha=alpha, x_bar=dataset.x_bar, y_bar=_y_bar(network, dataset)
    )


def _y_bar(network: Replicas, dataset: DataSource) -> Tensor:
    """The y_bar of eq. (22), (c,) or (R, 1, c): where one logit u stands for (0, u), (0, y_bar_1).

    Labels 0 and 1 have the mean y_bar_1, which the paper's map then adds to u alone.
    """
    y_bar = dataset.y_bar
    return y_bar * y_bar.new_tensor([0, 1]) if network.one_logit else y_bar


@torch.no_grad()  # not inference_mode: the data set keeps x_bar, which training may use
def predict(
    network: Replicas, dataset: DataSource, x: Tensor, alpha: Optional[float] = None
) -> Tensor:
    """Logits (R, n, classes) for raw examples x of the data set, in evaluation mode.

    x: (n, ...) for all replicas, or (R, n, ...).
    alpha: rescale the prediction for mixup with this alpha (eq. 22); None predicts plainly.
    """
    was_training = network.training
    network.eval()
    f = predictor(network, dataset, alpha)
    if x.ndim == 1 + len(dataset.input_shape):
        x = x.expand(network.replicas, *x.shape)
    parts = x.split(max(50, CHUNK // network.replicas), dim=1)
    logits = [f(dataset.normalise(part)).float() for part in parts]
    network.train(was_training)
    return torch.cat(logits, dim=1)


def in_memory(dataset: DataSource, asked: str) -> Dataset:
    """The data set, for what needs all of its examples at once.

    Raises:
        InputError: it is streamed.
    """
    if not isinstance(dataset, Dataset):
        raise InputError(f"{asked}: needs a data set in memory, and {dataset.label} is streamed")
    return dataset


def evaluate(
    network: Replicas,
    dataset: DataSource,
    alphas: list[float],
    temperature_at: Optional[list[Optional[float]]] = None,
) -> list[list[dict[str, Any]]]:
    """For each replica, the rows of the plain evaluation and of the rescaled one at each alpha.

    temperature_at: an alpha (or None) a replica; adds temperature scaling of the plain logits and,
    at that alpha, of the logits f(x~) of the shrunk inputs, which rescaling divides by theta_bar.
    """
    rows: list[list[dict[str, Any]]] = [[] for _ in range(network.replicas)]
    for alpha, total in totals(network, dataset, "test", (None, *alphas)).items():
        name = {"evaluation": "plain" if alpha is None else "rescaled", "eval_alpha": alpha}
        for r, row in enumerate(metrics(total)):
            rows[r].append(name | row)
    if temperature_at is None:
        return rows
    dataset = in_memory(dataset, "evaluation.temperature")
    y = dataset.y_test.expand(network.replicas, -1)
    for alpha in (None, *(a for a in alphas if a in temperature_at)):
        logits = predict(network, dataset, dataset.x_test, alpha)
        if alpha is not None:  # back to the logits of the shrunk inputs
            logits = theta_bar(alpha) * logits + (1 - theta_bar(alpha)) * _y_bar(network, dataset)
        name = {"evaluation": "temperature", "eval_alpha": alpha}
        for r, own in enumerate(temperature_at):
            if alpha in (None, own):
                u, temperature = scaled(logits[r], y[r])
                (row,) = metrics(sums(u.unsqueeze(0), y[r]))
                rows[r].append(name | row | {"temperature": temperature})
    return rows
