"""Logistic regression on random Fourier features (Carratino et al., appendix B.3)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from mixup_repro.networks.replicas import Replicas
from mixup_repro.plan import stream


class RandomFeatures(Replicas):
    """R replicas of f(x) = w.phi(x), phi(x) = cos(S x + B) / sqrt(M).

    S has entries N(0, sigma^2) and B entries uniform on [0, 2 pi): drawn from each replica's seed
    and kept. The weights start at zero. Class 0 is the reference, with logit 0, and every other
    class has weights of its own: for two classes that is logistic regression with one w, as in the
    paper, and it has no intercept. Rescaling tells the two apart: see `one_logit` of `Replicas`.
    """

    s: Tensor
    b: Tensor

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        features: int,
        sigma: float,
        seeds: list[int],
    ) -> None:
        super().__init__()
        self.replicas = len(seeds)
        dim = math.prod(input_shape)
        shapes = (self.replicas, features, dim), (self.replicas, 1, features)
        if torch.get_default_device().type == "meta":  # who asks for shapes has no use for draws
            s, b = torch.empty(shapes[0]), torch.empty(shapes[1])
        else:
            rngs = [stream(seed, "features") for seed in seeds]
            s = torch.from_numpy(np.stack([r.normal(0, sigma, shapes[0][1:]) for r in rngs]))
            b = torch.from_numpy(np.stack([r.uniform(0, 2 * math.pi, shapes[1][1:]) for r in rngs]))
        self.register_buffer("s", s.float())
        self.register_buffer("b", b.float())
        self.w = nn.Parameter(torch.zeros(len(seeds), classes - 1, features))

    def forward(self, x: Tensor) -> Tensor:
        phi = torch.baddbmm(self.b, x.flatten(2), self.s.mT).cos() / math.sqrt(self.w.shape[-1])
        return nn.functional.pad(phi @ self.w.mT, (1, 0))

    def replica_tensors(self, replica: int) -> dict[str, Tensor]:
        """The weights and the drawn S and B of one replica by name, as views."""
        tensors = {"s": self.s, "b": self.b, "w": self.w}
        return {name: t.detach()[replica] for name, t in tensors.items()}
