"""The library on a model of one's own: no config, no replica axis. `import mixup_repro` offers it.

Inputs are (b, ...) floats, labels (b,) classes or (b, c) shares that sum to 1, and models return
logits (b, c). An `InputError`, which is a ValueError, says in a sentence what was wrong with which
argument.
"""

from mixup_repro.api.calibration import reliability_diagram, scores, temperature
from mixup_repro.api.geometry import MixupOptimal, collinearity
from mixup_repro.api.losses import (
    approx_mixup_loss,
    cutmix_loss,
    label_smoothing_loss,
    mixup_loss,
)
from mixup_repro.api.predictions import Rescaled, evaluate
from mixup_repro.beta import theta_bar

__all__ = [
    "MixupOptimal",
    "Rescaled",
    "approx_mixup_loss",
    "collinearity",
    "cutmix_loss",
    "evaluate",
    "label_smoothing_loss",
    "mixup_loss",
    "reliability_diagram",
    "scores",
    "temperature",
    "theta_bar",
]
