"""On Mixup Regularization: one module an item, the theorems, and pictures of the theory."""

from mixup_repro.papers.carratino2020 import lecture, theorems

__all__ = ["lecture", "theorems"]
