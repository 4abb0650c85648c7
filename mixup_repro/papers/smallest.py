"""The smallest effects that matter, a size for each metric; here and nowhere else.

An effect whose whole interval is smaller is negligible, whatever its sign. The sizes are those of
the standard errors that Carratino et al. print for ten repetitions on ImageNet (Table 2: accuracy
0.06 to 0.22 points, cross-entropy 0.005 to 0.019 nats, ECE 0.3 to 1.3 points): a difference below
is one that another ten runs of theirs would not show.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Smallest:
    """A size (of linearity a percentage, else a share, or nats), its metrics, what is said."""

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
    """The table in a sentence, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for row in TABLE:
        by_reason.setdefault(row.why, []).append(row.says)
    return "; ".join(f"{', '.join(says)} ({why})" for why, says in by_reason.items())
