"""mixup_repro: the reference reproduction of mixup's theory.

The names below are for a PyTorch model, loader and loop of one's own; they are loaded at first use.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
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

if TYPE_CHECKING:
    from mixup_repro.api import (
        MixupOptimal,
        Rescaled,
        approx_mixup_loss,
        collinearity,
        cutmix_loss,
        evaluate,
        label_smoothing_loss,
        mixup_loss,
        reliability_diagram,
        scores,
        temperature,
        theta_bar,
    )


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("mixup_repro.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
