"""Carratino et al., sections 4 and 5: each identity by a route of its own, and method.u."""

from __future__ import annotations

import commands
import numpy as np
import pytest
import torch
from mpmath import mp, mpf
from numpy.polynomial import Polynomial

from mixup_repro.errors import InputError
from mixup_repro.evaluation.rescaling import rescaled
from mixup_repro.jobs import compose, expand
from mixup_repro.papers.carratino2020 import section5
from mixup_repro.papers.carratino2020.theorems import THEOREMS
from mixup_repro.store.identity import run_id

LABELS = [0, 0, 0, 1, 1, 2]


def test_smoothed_labels_are_the_mean_of_the_labels_that_mixup_draws():
    """Eq. (5) by its meaning: theta is the larger weight, and any of the examples the partner.

    At alpha = 1 theta is uniform on [1/2, 1], whose mean is 3/4: epsilon is 1/4.
    """
    rng = np.random.default_rng(0)
    y = np.eye(3)[LABELS]
    lam = rng.random((200_000, 1))
    theta = np.maximum(lam, 1 - lam)
    for i in (0, 3, 5):
        drawn = theta * y[i] + (1 - theta) * y[rng.integers(6, size=len(theta))]
        smoothed = section5.smoothed(torch.from_numpy(y), 0.25, "mean")[i]
        np.testing.assert_allclose(smoothed, drawn.mean(0), atol=3e-3)
    # By hand: 3/4 (0, 0, 1) + 1/4 (3, 2, 1) / 6; and what the uniform distribution gives instead.
    np.testing.assert_allclose(smoothed, [1 / 8, 1 / 12, 3 / 4 + 1 / 24])
    uniform = section5.smoothed(torch.from_numpy(y), 0.25, None)[5]
    np.testing.assert_allclose(uniform, [1 / 12, 1 / 12, 3 / 4 + 1 / 12])


def test_rescaling_is_temperature_scaling_for_balanced_classes_only():
    """In 30 digits: (22) adds (1 - 1/theta_bar) / c to every logit, which no softmax sees."""
    mp.dps = 30
    logits = [mpf("1.25"), mpf("-0.5"), mpf(3)]

    def softmax(u):
        total = sum(mp.exp(v) for v in u)
        return [mp.exp(v) / total for v in u]

    def ours(y_bar):
        x, u = (torch.tensor(v, dtype=torch.float64) for v in ([[0.0, 0.0]], [1.25, -0.5, 3.0]))
        y_bar = torch.tensor(y_bar, dtype=torch.float64)
        return rescaled(lambda x: u.expand(len(x), 3), x, 1.0, x[0], y_bar).softmax(-1)[0].tolist()

    scaled = [float(p) for p in softmax([v * 4 / 3 for v in logits])]
    assert ours([1 / 3] * 3) == pytest.approx(scaled, abs=1e-12)
    shifted = [v * 4 / 3 - b / 3 for v, b in zip(logits, (mpf("0.5"), mpf("0.3"), mpf("0.2")))]
    unbalanced = [float(p) for p in softmax(shifted)]
    assert ours([0.5, 0.3, 0.2]) == pytest.approx(unbalanced, abs=1e-12)
    assert ours([0.5, 0.3, 0.2]) != pytest.approx(scaled, abs=1e-3)


def test_r2_is_the_line_that_polynomials_give():
    """At alpha = 1: R2 = 1/2 mean of (sigma^2 (x_i - x_bar)^2 + gamma^2 var) (1/2 - y~_i) f''.

    theta_bar = 3/4, sigma^2 = 1/48 and gamma^2 = 1/12; at f = 0 the loss's slope is 1/2 - y~.
    """
    x, y = np.array([-1.5, -0.5, 0.6, 1.4]), np.array([0, 0, 1, 1])
    x_tilde = x.mean() + 0.75 * (x - x.mean())
    y_tilde = y.mean() + 0.75 * (y - y.mean())
    g = Polynomial.fromroots(np.repeat(x_tilde, 2))
    variance = (x - x.mean()) ** 2 / 48 + x.var() / 12
    slope = (variance * (0.5 - y_tilde) * g.deriv(2)(x_tilde)).mean() / 2
    for c in (1.0, -3.0, 1e6):
        r2, rest = section5.along(c, 1.0)
        assert r2 == pytest.approx(c * slope, rel=1e-9)
    _, at_zero = section5.along(0.0, 1.0)
    assert rest == at_zero == pytest.approx(np.log(2))  # and R1 + R3 of no slope is 0


def test_what_is_printed_and_cannot_be_is_an_erratum_beside_a_theorem_that_holds():
    (theorem,) = [t for t in THEOREMS if t.id == "thm2"]
    verdicts = {check.part: check.verdict for check in theorem.check()}
    assert sorted(verdicts.values()) == ["erratum"] + ["supported"] * 3
    # For any matrix: the vector of ones is in H's null space, so H H^-1 cannot be the identity.
    p = np.array([0.7, 0.2, 0.1])
    h = np.diag(p) - np.outer(p, p)
    assert np.abs(np.ones(3) @ h).max() < 1e-15


WORDS = ("dataset=digits", "architecture=mlp", "recipe=digits", "recipe.epochs=1", "seeds=1")


def the_run(*words):
    (job,) = compose([*WORDS, *words])
    (run,) = expand(job)
    return run


def test_u_is_of_label_smoothing_alone_and_the_uniform_one_has_the_old_id():
    plain, uniform, mean = (
        run_id(the_run("method=label_smoothing", *u).config)
        for u in ((), ("method.u=uniform",), ("method.u=mean",))
    )
    assert plain == uniform != mean
    with pytest.raises(InputError, match=r"method\.u=median: choose one of uniform, mean"):
        the_run("method=label_smoothing", "method.u=median")
    for method in ("erm", "mixup"):
        with pytest.raises(InputError, match=f"method.u=mean: method={method} reads no u"):
            the_run(f"method={method}", "method.u=mean")
    done = commands.run("scripts/train.py", *WORDS, "method=erm", "method.u=mean")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


def test_training_towards_the_class_frequencies_runs(tmp_path):
    words = (*WORDS, "method=label_smoothing", "method.u=mean", f"runs_dir={tmp_path}")
    done = commands.run("scripts/train.py", *words)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*/seed0/record.json"))) == 1
