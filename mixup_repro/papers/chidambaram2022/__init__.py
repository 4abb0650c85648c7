"""Data Dependency: one module an item, the theorems, and pictures of the theory."""

from mixup_repro.papers.chidambaram2022 import lecture, theorems

__all__ = ["lecture", "theorems"]
