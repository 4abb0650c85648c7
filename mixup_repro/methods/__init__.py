"""Training methods: each a pure function from a network and a batch to losses."""

from mixup_repro.methods.losses import (
    METHODS,
    Outcome,
    cross_entropy,
    cutmix,
    erm,
    label_smoothing,
    mixup,
)

__all__ = [
    "METHODS",
    "Outcome",
    "cross_entropy",
    "cutmix",
    "erm",
    "label_smoothing",
    "mixup",
]
