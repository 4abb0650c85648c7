"""The smallest effect that matters, for each metric.

An effect whose whole interval is smaller is called negligible, whatever its sign. The sizes are
about the standard errors that Carratino et al. print for ten repetitions on ImageNet (Table 2:
accuracy 0.06 to 0.22 points, cross-entropy 0.005 to 0.019 nats, ECE 0.3 to 1.3 points). Another ten
runs of theirs could not show a smaller difference.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Smallest:
    """A smallest effect.

    size: a share; nats for losses; a percentage for linearity. metrics: those that it is for.
    says: the size in words. why: its reason in words.
    """

    size: float
    metrics: tuple[str, ...]
    says: str
    why: str


PRINTED = "about the standard error that Carratino et al. print in Table 2"
TABLE = (
    Smallest(
        0.001,
        ("accuracy", "test_accuracy", "train_accuracy", "error", "disagreement", "mce"),
        "0.1 point of accuracy, of error or of decisions that differ",
        PRINTED,
    ),
    Smallest(
        0.01,
        ("cross_entropy", "test_cross_entropy", "mixed_loss", "modified_loss", "regularisation"),
        "0.01 nats of cross-entropy, loss or regularisation",
        PRINTED,
    ),
    Smallest(0.005, ("ece", "confidence"), "0.5 points of ECE or of mean confidence", PRINTED),
    Smallest(
        0.5,
        ("linearity",),
        "0.5 points of a boundary's linearity",
        "half of what a nearly straight boundary may lack",
    ),
)
SMALLEST = {metric: row.size for row in TABLE for metric in row.metrics}


def about() -> str:
    """All sizes in one sentence, with each reason once."""
    by_reason: dict[str, list[str]] = {}
    for row in TABLE:
        by_reason.setdefault(row.why, []).append(row.says)
    return "; ".join(f"{', '.join(says)} ({why})" for why, says in by_reason.items())
