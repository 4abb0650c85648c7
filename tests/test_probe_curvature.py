"""Hessians and gradients of stacks against closed forms and dense ones, in float64."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from helpers import epoch_plan
from probing import CE, subject
from scipy.linalg import eigvalsh
from scipy.special import softmax
from torch import Tensor

from mixup_repro.probes import gradient_noise as gradient_noise_module
from mixup_repro.probes import sharpness as sharpness_module
from mixup_repro.probes.curvature import flat, hessian, top_eigenvalue, trace
from mixup_repro.probes.subject import Subject
from mixup_repro.training.loop import plan_spec

# sharpness and gradient_noise

LINEAR = ("architecture=linear", "architecture.hidden=null")


def linear_parts(s: Subject, x: Tensor, replica: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a linear model: probabilities (n, c), and inputs with a one at the end (n, d + 1)."""
    weights, bias = (p.detach()[replica].numpy() for p in s.network.parameters())
    inputs = x[replica].flatten(1).numpy()
    p = softmax(inputs @ weights.T + bias, axis=1)
    return p, np.c_[inputs, np.ones(len(inputs))]


def test_curvature_of_softmax_regression_is_its_closed_form():
    """H = mean of (diag p - p p') x (x, 1)(x, 1)'; approx_mixup has no loss of its own."""
    s = subject("sharpness", *LINEAR, "method=approx_mixup", gain=1.0)
    found = sharpness_module.sharpness(s)
    s = subject("sharpness", *LINEAR, "method=approx_mixup", gain=1.0)
    raw, y = s.examples("train", 500)
    for r in range(2):
        p, x = linear_parts(s, s.inputs(raw), r)
        hs = np.einsum("ni,ij->nij", p, np.eye(10)) - np.einsum("ni,nj->nij", p, p)
        h = np.einsum("nij,nk,nl->ikjl", hs, x, x, optimize=True).reshape(650, 650) / 500
        assert found["train", "top"][r].item() == pytest.approx(eigvalsh(h)[-1], rel=1e-4)
        spread = np.sqrt(2 * ((h**2).sum() - (h.diagonal() ** 2).sum()) / sharpness_module.SIGNS)
        assert found["train", "trace"][r].item() == pytest.approx(np.trace(h), abs=4 * spread)
        weights = np.c_[s.network.stacks[0].detach()[r], s.network.stacks[1].detach()[r]].ravel()
        top = eigvalsh(weights[:, None] * h * weights)[-1]
        assert found["train", "top_relative"][r].item() == pytest.approx(top, rel=1e-3)
        expected = -np.log(p[np.arange(500), y[r]]).mean()
        assert found["train", "loss"][r].item() == pytest.approx(expected)


def test_products_with_the_hessian_of_an_mlp_equal_a_dense_one_in_parts():
    s = subject("sharpness", "method=erm", "architecture.hidden=[3]", gain=1.0)
    raw, y = s.examples("train", 6)
    x, shapes = s.inputs(raw), [p.shape[1:] for p in s.network.parameters()]

    def loss_of(flat_weights: Tensor, r: int) -> Tensor:
        a, b, c, d = (
            part.reshape(shape)
            for part, shape in zip(flat_weights.split([k.numel() for k in shapes]), shapes)
        )
        return CE((x[r].flatten(1) @ a.T + b).relu() @ c.T + d, y[r])

    def part(low: int, high: int) -> Tensor:
        logits = s.network(x[:, low:high])
        return (
            CE(logits.flatten(0, 1), y[:, low:high].flatten(), reduction="none")
            .view(2, high - low)
            .sum(1)
            / 6
        )

    loss = [lambda: part(0, 4), lambda: part(4, 6)]
    weights = flat(s.network, s.network.parameters()).detach()
    torch.manual_seed(0)
    v = torch.randn_like(weights)
    found = hessian(s.network, loss, v)
    for r in range(2):
        dense = torch.autograd.functional.hessian(lambda w, r=r: loss_of(w, r), weights[r])
        torch.testing.assert_close(found[r], dense @ v[r])
        top = top_eigenvalue(lambda w: hessian(s.network, loss, w), v, steps=60)[r]
        assert top.item() == pytest.approx(torch.linalg.eigvalsh(dense)[-1].item(), rel=1e-6)


def test_the_largest_eigenvalue_is_not_the_one_furthest_from_zero():
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(30, 30).double()).Q
    values = torch.linspace(-5, 2, 30).double()
    a = basis @ values.diag() @ basis.T
    start = torch.randn(2, 30).double()
    assert top_eigenvalue(lambda v: v @ a, start, 30).tolist() == pytest.approx([2, 2])
    assert top_eigenvalue(lambda v: 3 * v, start[:, :1], 15).tolist() == pytest.approx([3, 3])


def test_the_trace_is_exact_for_diagonals_and_right_in_the_mean():
    torch.manual_seed(0)
    a = torch.randn(9, 9).double()
    a = a + a.T
    signs = [torch.tensor(v).double()[None] for v in product((-1, 1), repeat=9)]
    assert trace(lambda v: v @ a, signs).item() == pytest.approx(a.trace().item())
    diagonal = a.diagonal()
    assert trace(lambda v: v * diagonal, signs[5:6]).item() == pytest.approx(a.trace().item())


def test_the_rise_under_noise_equals_a_loop_and_leaves_the_weights():
    s = subject("sharpness", *LINEAR, "method=erm", gain=1.0)
    before = [p.detach().clone() for p in s.network.parameters()]
    raw, y = s.examples("train", 50)
    x, classes = s.inputs(raw), y
    loss = [lambda: sharpness_module.cross_entropy(torch.eye(10)[classes], s.network(x)).mean(1)]
    rngs = deepcopy(s.rngs)
    found = sharpness_module.rise(s, loss)
    assert all(torch.equal(p, old) for p, old in zip(s.network.parameters(), before))
    for r in range(2):
        rises = []
        p, inputs = linear_parts(s, x, r)
        clean = -np.log(p[np.arange(50), y[r]]).mean()
        for _ in range(sharpness_module.DRAWS):
            z = 1 + 0.2 * rngs[r].standard_normal(650)
            weights = before[0][r].numpy() * z[:640].reshape(10, 64)
            logits = inputs[:, :-1] @ weights.T + before[1][r].numpy() * z[640:]
            rises.append(-np.log(softmax(logits, axis=1)[np.arange(50), y[r]]).mean() - clean)
        assert found[r].item() == pytest.approx(np.mean(rises))


@pytest.mark.parametrize("method", ["method=erm", "method=mixup", "method=approx_mixup"])
def test_a_runs_own_loss_is_that_of_an_epoch_of_its_plan(method):
    s = subject("sharpness", method, gain=1.0)
    s = replace(s, network=s.network.float())
    found = sharpness_module.losses(s)
    if method == "method=approx_mixup":
        assert set(found) == {"train", "test", "mixed 1"}
        return
    plans = [
        epoch_plan(plan_spec(run.config, 898), run.seed, run.config.recipe.epochs) for run in s.runs
    ]
    for r, plan in enumerate(plans):
        x = s.inputs(s.dataset.x_train[plan.order])[:512]
        y = torch.eye(10)[s.dataset.y_train[plan.order]][:512]
        if method == "method=mixup":
            partner, lam = plan.partner[:512], torch.from_numpy(plan.lam)[:512, None]
            x = lam[..., None, None] * x + (1 - lam[..., None, None]) * x[partner]
            y = lam * y + (1 - lam) * y[partner]
        with torch.no_grad():
            expected = CE(s.network(x.expand(2, *x.shape))[r], y)
        found_value = sharpness_module.value(found["own"])[r]
        torch.testing.assert_close(found_value, expected, rtol=1e-4, atol=1e-5)


def test_gradient_moments_of_softmax_regression_are_their_closed_form():
    s = subject("gradient_noise", *LINEAR, "method=mixup", "method.alpha=8", gain=1.0)
    found = gradient_noise_module.gradient_noise(s)
    s = subject("gradient_noise", *LINEAR, "method=mixup", "method.alpha=8", gain=1.0)
    raw, y = s.examples("train", 300)
    clean = s.inputs(raw), torch.eye(10).double()[y]
    mixed = s.mixed(*clean, [8.0, 8.0])
    for setting, (x, targets) in (("clean", clean), ("mixed", mixed)):
        for r in range(2):
            p, inputs = linear_parts(s, x, r)
            g = np.einsum("ni,nj->nij", p - targets[r].numpy(), inputs).reshape(300, -1)
            variance = g.var(axis=0, ddof=1).sum()
            assert found[setting, "variance"][r].item() == pytest.approx(variance)
            expected = (g.mean(0) ** 2).sum() - variance / 300
            assert found[setting, "squared_mean"][r].item() == pytest.approx(expected)


def test_mixtures_are_of_partners_and_lambdas_at_the_alpha_of_each_replica():
    s = subject("gradient_noise", "method=erm")
    x = torch.arange(4000).double().expand(2, -1).unsqueeze(-1)
    y = torch.eye(2).double()[(x[..., 0] % 2).long()]
    mixed, labels = s.mixed(x, y, [0.2, 8.0])
    for r, alpha in ((0, 0.2), (1, 8.0)):
        lam = labels[r, :, 0][(labels[r, :, 0] > 0) & (labels[r, :, 0] < 1)]
        spread = 1 / (4 * (2 * alpha + 1))  # the variance of Beta(alpha, alpha)
        assert lam.var().item() == pytest.approx(spread, rel=0.1)
        assert mixed[r].mean().item() == pytest.approx(2000, rel=0.03)
