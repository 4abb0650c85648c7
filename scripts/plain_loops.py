"""The loops people write today, in full: what bench.py measures this code against."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from mixup_repro.data import Dataset


class Pictures(torch.utils.data.Dataset[Any]):
    """As torchvision's CIFAR10: an array in memory, a PIL image for each item."""

    def __init__(self, dataset: Dataset) -> None:
        # Here and not above: the memory row is of a process that does without.
        import torchvision.transforms as T

        self.data, self.targets = dataset.x_train.numpy(), dataset.y_train.tolist()
        normalise = T.Normalize(dataset.mean, dataset.std)
        augment = [T.RandomCrop(32, padding=4), T.RandomHorizontalFlip()]
        self.transform = T.Compose([*augment, T.ToTensor(), normalise])

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


Loader = Iterable[tuple[Tensor, Tensor]]  # of pictures and classes
Where = str | torch.device


def textbook_lenet() -> nn.Sequential:
    convolutions = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    linear = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*convolutions, *linear)


def plain_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Loader, device: Where = "cpu"
) -> float:
    """Seconds of an epoch of mixup as in the code of Zhang et al. (2018)."""
    start = perf_counter()
    criterion = nn.CrossEntropyLoss()
    train_loss = correct = total = 0.0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        lam = np.random.beta(1.0, 1.0)
        index = torch.randperm(len(x), device=device)
        y_a, y_b = y, y[index]
        outputs = model(lam * x + (1 - lam) * x[index])
        loss = lam * criterion(outputs, y_a) + (1 - lam) * criterion(outputs, y_b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
        predicted = outputs.argmax(1)
        correct += (lam * (predicted == y_a).sum() + (1 - lam) * (predicted == y_b).sum()).item()
        total += len(y)
    return perf_counter() - start


def tuned_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Loader, device: Where = "cpu"
) -> float:
    """The same with what a GPU rewards: channels last, bfloat16, pinned copies, no waiting.

    The loader should pin its memory, and the model be channels last.
    """
    start = perf_counter()
    criterion = nn.CrossEntropyLoss()
    train_loss = torch.zeros((), device=device)
    for x, y in loader:
        x = x.to(device, non_blocking=True, memory_format=torch.channels_last)
        y = y.to(device, non_blocking=True)
        lam = np.random.beta(1.0, 1.0)
        index = torch.randperm(len(x), device=device)
        mixed = lam * x + (1 - lam) * x[index]
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            outputs = model(mixed)
            loss = lam * criterion(outputs, y) + (1 - lam) * criterion(outputs, y[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        train_loss += loss.detach()
    train_loss.item()
    return perf_counter() - start


def plain_line(dataset: Dataset, alpha: float, steps: int) -> float:
    """Seconds of `steps` steps of one run on the points of a line."""
    x, y = dataset.x_train, dataset.y_train
    loader = DataLoader(TensorDataset(x, y), batch_size=len(x), shuffle=True)
    model = nn.Sequential(nn.Linear(1, 512), nn.ReLU(), nn.Linear(512, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    errors, train_loss = [], 0.0
    start = perf_counter()
    for epoch in range(steps):
        for x_a, y_a in loader:
            lam = np.random.beta(alpha, alpha)
            index = torch.randint(len(x), (len(x_a),))
            outputs = model(lam * x_a + (1 - lam) * x[index])
            loss = lam * criterion(outputs, y_a) + (1 - lam) * criterion(outputs, y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item()
        if (epoch + 1) % 50 == 0:
            with torch.no_grad():
                errors.append((model(x).argmax(1) != y).float().mean().item())
    return perf_counter() - start


def plain_distances(points: Tensor, labels: Tensor, mixed: Tensor, mixed_labels: Tensor) -> float:
    """Seconds to find every point's nearest mixture of two other classes, point by point."""
    mixtures, classes = mixed.numpy(), mixed_labels.numpy()
    start = perf_counter()
    least = []
    for x, y in zip(points.numpy(), labels.numpy()):
        others = mixtures[(classes != y).all(1)]
        least.append(np.amin(cdist(x.reshape(1, -1), others, "euclidean")))
    return perf_counter() - start
