"""The same jobs as plain_loops.py's, by this code: what bench.py measures."""

from __future__ import annotations

from time import perf_counter

import torch

from mixup_repro.data import Dataset
from mixup_repro.jobs import compose, expand
from mixup_repro.schema import Config
from mixup_repro.training.loop import Stack, Watcher, fit


def our_seconds(job: Config, dataset: Dataset) -> float:
    """Seconds to train all runs of `job` as one stack, with the evaluations its recipe asks for."""
    stack = Stack.of(expand(job), dataset)
    start = perf_counter()
    fit(stack, Watcher())
    return perf_counter() - start


def pictures_job(seed: int, network: str = "lenet", method: str = "mixup") -> Config:
    # One lambda a batch, as in the plain loop; one lambda an example costs the same.
    words = ["dataset=cifar10", f"architecture={network}", "recipe=carratino_lenet"]
    words += ["recipe.epochs=1", f"method={method}", "method.lam_per=batch", f"seeds=[{seed}]"]
    (job,) = compose(words)
    return job


def line_job(steps: int, seeds: int) -> Config:
    words = ["experiment=chidambaram2022/fig1", "method=mixup", "method.alpha=[1,8,32,128]"]
    (job,) = compose([*words, f"seeds={seeds}", f"recipe.epochs={steps}"])
    return job


def random_pictures(train: int, test: int) -> Dataset:
    """A data set like CIFAR-10 in all but content."""
    cifar = pictures_job(0).dataset
    generator = torch.Generator().manual_seed(0)

    def pixels(n: int) -> torch.Tensor:
        return torch.randint(256, (n, 32, 32, 3), dtype=torch.uint8, generator=generator)

    y_train, y_test = torch.arange(train) % 10, torch.arange(test) % 10
    return Dataset(
        "random", pixels(train), y_train, pixels(test), y_test, 10, cifar.mean, cifar.std
    )
