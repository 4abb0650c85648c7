"""Pictures of one run from its record: curves, reliability diagrams, one prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mixup_repro.data import Dataset
from mixup_repro.evaluation.metrics import BINS
from mixup_repro.evaluation.predictor import predict
from mixup_repro.networks import Replicas
from mixup_repro.papers import style

LOSSES = {
    "mixed_loss": ("in training", style.ORANGE, "-"),
    "train_cross_entropy": ("training set, clean", style.BLUE, "--"),
    "test_cross_entropy": ("test set", "black", "-."),
}
ACCURACIES = {
    "weighted_accuracy": LOSSES["mixed_loss"],
    "train_accuracy": LOSSES["train_cross_entropy"],
    "test_accuracy": LOSSES["test_cross_entropy"],
}


def title(record: dict[str, Any]) -> str:
    """The run's id and seed."""
    return f"{record['run_id']}, seed {record['seed']}"


def curves(record: dict[str, Any]) -> Figure:
    """Losses and accuracies by epoch: in training (of mixed examples), and of clean examples.

    Those of the clean training set are drawn where the recipe has `evaluate_train`.
    """
    figure, axes = style.panels(2)
    for axis, columns, unit in ((axes[0], LOSSES, 1), (axes[1], ACCURACIES, 100)):
        for column, (name, colour, line) in columns.items():
            rows = [row for row in record["curves"] if column in row]
            if rows:
                values = [unit * row[column] for row in rows]
                axis.plot([row["epoch"] for row in rows], values, line, color=colour, label=name)
        axis.set_xlabel("Epoch")
    axes[0].set_ylabel("Cross-entropy (nats)")
    axes[1].set_ylabel("Accuracy (%)")
    note = "In training the accuracy is the weight that the predicted class has in the mixed label."
    return style.finish(figure, title(record), note)


def reliability(record: dict[str, Any]) -> Figure:
    """Reliability diagrams of the plain prediction and of the one rescaled at the run's alpha."""
    own = record["config"]["method"]["alpha"]
    shown = {
        row["evaluation"]: row
        for row in record["evaluations"]
        if row["evaluation"] in ("plain", "rescaled") and row["eval_alpha"] in (None, own)
    }
    return reliability_panels(shown, title(record))


def reliability_panels(rows: Mapping[str, dict[str, Any]], title: str) -> Figure:
    """Reliability diagrams: accuracy against mean confidence in each bin, a panel for each row.

    rows: rows of a record's evaluations, by the title of their panel.
    """
    figure, axes = style.panels(len(rows), sharey=True)
    for axis, (name, row) in zip(axes, rows.items()):
        count, correct, confidence = (
            np.array(row["bins"][name], dtype=float) for name in ("count", "correct", "confidence")
        )
        full = count > 0
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.7, label="calibrated")
        axis.bar(
            (np.arange(BINS) + 0.5) / BINS,
            count / count.sum(),
            1 / BINS,
            color="0.85",
            label="share of examples",
        )
        axis.plot(
            confidence[full] / count[full],
            correct[full] / count[full],
            "o",
            color=style.BLUE,
            label="accuracy of a bin",
        )
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.set_xlabel("Confidence")
        axis.set_title(f"{name}: ECE {row['ece']:.3f}")
    axes[0].set_ylabel("Accuracy, share")
    sizes = " and ".join(map(str, sorted({row["n_test"] for row in rows.values()})))
    return style.finish(figure, title, f"{sizes} test examples, {BINS} bins.")


def prediction(network: Replicas, dataset: Dataset, example: int, alpha: float) -> Figure:
    """One test picture, and the probability of each class: plain, and rescaled at alpha."""
    figure, (picture, axis) = style.panels(2)
    pixels = dataset.x_test[example]
    picture.imshow(pixels.cpu().numpy().squeeze(), cmap="gray_r")
    picture.set_title(f"test example {example}, class {int(dataset.y_test[example])}")
    picture.set_axis_off()
    looks = {"plain": (None, style.BLUE), "rescaled": (alpha, style.ORANGE)}
    for side, (name, (at, colour)) in zip((-0.2, 0.2), looks.items()):
        p = predict(network, dataset, pixels[None], at)[0, 0].softmax(-1).cpu().numpy()
        axis.bar(np.arange(len(p)) + side, 100 * p, 0.4, color=colour, label=name)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("Class")
    axis.set_ylabel("Probability (%)")
    return style.finish(
        figure, f"{dataset.label}: one prediction", f"Rescaled at alpha = {alpha:g}."
    )
