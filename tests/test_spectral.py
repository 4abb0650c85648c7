"""The spectral penalty against NumPy's singular values, and its gradient in a step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import job
from torch.func import functional_call

from mixup_repro.data import load
from mixup_repro.data.batches import Batch
from mixup_repro.errors import InputError
from mixup_repro.networks import Single, build
from mixup_repro.networks.lenet import LeNet
from mixup_repro.schema import ArchitectureConfig
from mixup_repro.training.learner import Learner
from mixup_repro.training.preconditions import check_job
from mixup_repro.training.spectral import spectral_penalty, squared_norm

SHAPES = [(64, 128), (128, 64), (10, 128), (1, 5), (6, 25)]


def largest(w: np.ndarray) -> float:
    return float(np.linalg.svd(w.reshape(len(w), -1), compute_uv=False)[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_squared_norms_are_those_of_numpys_svd(shape):
    w = np.random.default_rng(0).normal(size=(20, *shape))
    found = squared_norm(torch.from_numpy(w))
    np.testing.assert_allclose(found, [largest(one) ** 2 for one in w], rtol=1e-12)


def test_a_matrix_of_zeros_has_norm_zero_and_a_finite_gradient():
    w = torch.zeros(2, 4, 3, requires_grad=True)
    norm = squared_norm(w)
    norm.sum().backward()
    assert norm.tolist() == [0, 0]
    assert w.grad is not None and not w.grad.any()


@pytest.mark.parametrize("name", ["mlp", "lenet"])
def test_the_penalty_sums_over_layers_of_each_replica_kernels_as_rows_of_outputs(name):
    hidden = [7, 6] if name == "mlp" else None
    shape = (1, 8, 8) if name == "mlp" else (3, 32, 32)
    network = build(ArchitectureConfig(name, hidden=hidden), shape, 4, [0, 1]).double()
    found = spectral_penalty(network, 0.3)
    for r in range(2):
        weights = [w.numpy() for w in network.replica_tensors(r).values() if w.ndim > 1]
        assert len(weights) == (3 if name == "mlp" else 5)
        assert float(found[r]) == pytest.approx(0.15 * sum(largest(w) ** 2 for w in weights))


def test_one_network_has_the_penalty_of_its_own_matrices():
    lenet = LeNet((3, 32, 32), 4).double()
    expected = 0.5 * sum(largest(p.detach().numpy()) ** 2 for p in lenet.parameters() if p.ndim > 1)
    assert float(spectral_penalty(Single(lenet), 1.0)) == pytest.approx(expected)


def test_the_gradient_is_that_of_finite_differences_of_the_svd():
    w = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 5, 3))).requires_grad_()
    squared_norm(w).sum().backward()
    assert w.grad is not None
    base, step = w.detach().numpy(), 1e-6
    for index in np.ndindex(base.shape):
        ends = []
        for sign in (1, -1):
            moved = base.copy()
            moved[index] += sign * step
            ends.append(largest(moved[index[0]]) ** 2)
        assert float(w.grad[index]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("microbatch", [None, 4])
def test_a_step_subtracts_the_penaltys_gradient_once_and_reports_the_loss_alone(microbatch):
    """By torch's own spectral norm and autograd through it, over a batch of 8 in parts or whole."""
    words = (
        "dataset=digits architecture=mlp recipe=digits method=erm architecture.hidden=[7] "
        "recipe.momentum=null recipe.weight_decay=null recipe.spectral=0.4 recipe.lr=0.1 "
        f"recipe.microbatch={'null' if microbatch is None else microbatch}"
    )
    config = job(*words.split())
    network = build(config.architecture, (64,), 10, [0, 1])
    before = {n: p.detach().clone().requires_grad_() for n, p in network.named_parameters()}
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(2, 8, 64))).float()
    y = torch.eye(10)[torch.from_numpy(rng.integers(10, size=(2, 8)))]
    loss = -(y * functional_call(network, before, x).log_softmax(-1)).sum(-1).mean(-1)
    matrices = [p for p in before.values() if p.ndim == 3]
    norms = sum(torch.linalg.matrix_norm(p, 2).square().sum() for p in matrices)
    (loss.sum() + 0.2 * norms).backward()
    reported, _ = Learner(network, config, torch.device("cpu")).step(Batch(x, y))
    torch.testing.assert_close(reported, loss.detach())
    for name, p in network.named_parameters():
        old = before[name]
        assert old.grad is not None
        torch.testing.assert_close(p.detach(), old.detach() - 0.1 * old.grad, rtol=1e-4, atol=1e-6)


def test_the_penalty_is_refused_where_parameters_are_not_known_to_be_matrices():
    words = "dataset=digits architecture=timm architecture.name=resnet18 recipe=digits method=erm"
    config = job(*words.split(), "recipe.spectral=0.01")
    data = load(config.dataset)
    with pytest.raises(InputError, match=r"recipe\.spectral: which weights of resnet18"):
        check_job(config, data, Single(LeNet((3, 32, 32), 10)), 1)
