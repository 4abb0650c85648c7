"""Accuracy and calibration by groups of test examples, as a run comes and with one temperature."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mixup_repro.data.altered import rare_group
from mixup_repro.data.toy import gaussians_bayes
from mixup_repro.evaluation.metrics import BINS, metrics, sums
from mixup_repro.evaluation.temperature import scaled
from mixup_repro.probes.subject import Answers, Subject

SURE = 0.9  # where classes overlap, the likelier one is at most so likely


@torch.no_grad()
def groups(subject: Subject) -> Answers:
    """Accuracy and ECE on each group of all test examples; the ECE also with one temperature.

    The temperature (`*_temperature`) is fitted on the other half of all test examples, not of a
    group (`scaled`).
    class k: the examples of class k. Only their accuracy: calibration is about examples of all
    classes. classes: the calibration error of the classes' probabilities (`class_ece`).
    rare, common: pictures that are negatives, and the others, where the data have both. overlap,
    apart: where the true probabilities are known, points at which the likelier class has less than
    SURE, and the others; `from_truth` is the mean distance of the predicted from the true one.
    """
    n = subject.dataset.n_test
    raw, y = subject.at("test", torch.arange(n).expand(len(subject.runs), n))
    logits = subject.logits(subject.inputs(raw))
    by_temperature = torch.stack([scaled(u, labels)[0] for u, labels in zip(logits, y)])
    truth = true_probabilities(subject, raw)
    right = (logits.argmax(-1) == y).double()
    found: Answers = {
        (f"class {k}", "accuracy"): (right * (y == k)).sum(1) / (y == k).sum(1)
        for k in range(subject.dataset.classes)
    }
    for end, u in (("", logits.double()), ("_temperature", by_temperature)):
        found["classes", f"ece{end}"] = class_ece(u.softmax(-1), y)
        for name, chosen in members(subject, truth).items():
            rows = [
                metrics(sums(u[r, m].unsqueeze(0), y[r, m].unsqueeze(0)))[0]
                for r, m in enumerate(chosen)
            ]
            for metric in ("ece",) if end else ("accuracy", "ece"):
                values = [row[metric] for row in rows]
                found[name, f"{metric}{end}"] = torch.tensor(values, dtype=torch.float64)
            if truth is not None:
                away = (u.softmax(-1)[..., 1] - truth).abs()
                found[name, f"from_truth{end}"] = (away * chosen).sum(1) / chosen.sum(1)
    return found


def members(subject: Subject, truth: Tensor | None) -> dict[str, Tensor]:
    """Which test examples (R, n) belong to each group that the data have."""
    if truth is not None:
        overlap = truth.maximum(1 - truth) < SURE
        return {"overlap": overlap, "apart": ~overlap}
    if subject.runs[0].config.dataset.rare is None:
        return {}
    n = subject.dataset.n_test
    rare = torch.stack([rare_group(n, 0.5, run.seed, "test") for run in subject.runs])
    rare = rare.to(subject.dataset.device)
    return {"rare": rare, "common": ~rare}


def true_probabilities(subject: Subject, raw: Tensor) -> Tensor | None:
    """(R, n) the probability of class 1 at inputs (R, n, 2); None where it is not known."""
    config = subject.runs[0].config.dataset
    if config.name != "gaussians" or config.layout is None:
        return None
    score = gaussians_bayes(config.layout, raw.double().cpu().numpy())
    return torch.from_numpy(score).to(raw.device).sigmoid()


def class_ece(p: Tensor, y: Tensor) -> Tensor:
    """(R,) Kull et al.'s (2019) class-wise ECE of probabilities p (R, n, c) at classes y (R, n).

    Of each class the examples are binned by its probability, in BINS bins of equal width; the mean
    over classes of sum over bins of |sum of (p_k - [y = k])| / n.
    """
    own = F.one_hot(y, p.shape[-1]).to(p.dtype)
    index = ((p * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    off = p.new_zeros(len(p), BINS, p.shape[-1]).scatter_add_(1, index, p - own)
    return off.abs().sum(1).mean(-1) / y.shape[1]
