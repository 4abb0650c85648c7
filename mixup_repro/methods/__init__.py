"""Training methods: each a pure function from a network and a batch to losses."""

from collections.abc import Callable

from mixup_repro.errors import InputError
from mixup_repro.methods.approximate import approx_mixup, approx_mixup_exact, erm_modified
from mixup_repro.methods.losses import (
    Outcome,
    cross_entropy,
    cutmix,
    erm,
    label_smoothing,
    mixup,
    mixup_independent,
    mixup_inputs,
)

__all__ = ["DIFFERENTIATED", "METHODS", "ON_MODIFIED_DATA", "Outcome", "cross_entropy", "loss_of"]

METHODS = {
    method.__name__: method
    for method in (
        erm,
        mixup,
        mixup_inputs,
        mixup_independent,
        approx_mixup,
        approx_mixup_exact,
        erm_modified,
        cutmix,
        label_smoothing,
    )
}
# Mixup by a learner that never zeroes its gradients: they add up over all steps. The published
# two-moons code of Chidambaram et al. trains so.
METHODS["mixup_accumulated"] = mixup
DIFFERENTIATED = ("approx_mixup", "approx_mixup_exact")  # these need derivatives of each example
ON_MODIFIED_DATA = (*DIFFERENTIATED, "erm_modified")


def loss_of(name: str) -> Callable[..., Outcome]:
    """The function of a method.

    Raises:
        InputError: its networks are not trained here.
    """
    if name not in METHODS:
        raise InputError(
            f"method={name}: nothing to train; scripts/import_weights.py makes such a run of a "
            f"file of weights, and scripts/evaluate.py asks it"
        )
    return METHODS[name]
