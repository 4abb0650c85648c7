"""A training step as one CUDA graph: launched once, where it would be hundreds of kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor

from mixup_repro.data.batches import Batch

Step = Callable[[Batch], tuple[Tensor, Tensor]]
Shape = tuple[torch.Size, Optional[int], Optional[int]]
Captured = tuple[torch.cuda.CUDAGraph, Batch, tuple[Tensor, Tensor]]  # graph, its batch, its result
WARM_UP = 3  # steps of each shape before its capture: optimiser states and libraries set up


class Graph:
    """Replays `step`, captured once for each shape of batch (an epoch's last may be smaller).

    A replay repeats kernels on fixed addresses, so whatever changes between steps must be in
    tensors: the batch is copied into the captured one, and the learning rate is a tensor of the
    optimiser. The first steps of a shape run as they are, on the stream of the capture; they train
    like any other.
    """

    def __init__(self, step: Step, device: torch.device) -> None:
        self.step = step
        self.stream = torch.cuda.Stream(device)
        self.seen: Counter[Shape] = Counter()
        self.captured: dict[Shape, Captured] = {}

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        shape = (batch.x.shape, batch.size, batch.layer)
        if self.seen[shape] < WARM_UP:
            self.seen[shape] += 1
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                result = self.step(batch)
            torch.cuda.current_stream().wait_stream(self.stream)
            return result
        if shape not in self.captured:
            self.captured[shape] = self._capture(batch)
        graph, static, result = self.captured[shape]
        static.copy_(batch)
        graph.replay()
        loss, weight = result
        return loss.clone(), weight.clone()

    def _capture(self, batch: Batch) -> Captured:
        static = batch.clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            result = self.step(static)
        return graph, static, result
