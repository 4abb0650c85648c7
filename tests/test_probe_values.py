"""What each probe finds, against brute force, closed forms and other libraries, in float64."""

from __future__ import annotations

import pytest
import torch
from helpers import job
from torch import Tensor, nn

from mixup_repro import networks
from mixup_repro.data import Dataset, load
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.networks import Replicas
from mixup_repro.probes.jacobian import (
    concentration,
    jacobian,
    jacobians,
    loss_gradient,
    of_log_probabilities,
)
from mixup_repro.probes.subject import Subject

CE = nn.functional.cross_entropy


def digits() -> Dataset:
    return load(job("dataset=digits").dataset)


def subject(probe: str, *words: str, gain: float = 3.0, seeds: int = 2) -> Subject:
    """Untrained networks on digits in float64, with weights large enough to be sure of things."""
    runs = expand(job("dataset=digits", "architecture.hidden=[12]", f"seeds={seeds}", *words))
    data = digits()
    network = networks.build(
        runs[0].config.architecture, data.input_shape, data.classes, [r.seed for r in runs]
    )
    network = network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(gain)
    return Subject(probe, network, data, runs)


def one(network: Replicas, replica: int, x: Tensor) -> Tensor:
    """Logits (c,) of a replica for one input."""
    every = x.expand(network.replicas, 1, *x.shape)
    return network(every)[replica, 0]


# jacobian


def test_jacobians_equal_jacrev_one_point_at_a_time():
    s = subject("jacobian", "method=erm")
    raw, y = s.examples("test", 3)
    x = s.inputs(raw)
    logits, j = jacobians(s.network, x)
    log_j = of_log_probabilities(logits, j)
    direction, wrong = loss_gradient(logits, j, y)
    for r in range(2):
        for i in range(3):
            rows = torch.func.jacrev(lambda z, r=r: one(s.network, r, z))(x[r, i])
            torch.testing.assert_close(j[r, i], rows)
            rows = torch.func.jacrev(lambda z, r=r: one(s.network, r, z).log_softmax(-1))(x[r, i])
            torch.testing.assert_close(log_j[r, i], rows)
            row = torch.func.grad(lambda z, r=r, i=i: CE(one(s.network, r, z), y[r, i]))(x[r, i])
            torch.testing.assert_close(wrong[r, i] * direction[r, i], row)


def test_jacobian_of_linear_models_is_their_weights():
    s = subject("jacobian", "architecture=linear", "architecture.hidden=null", "method=erm")
    weights = s.network.stacks[0].detach()
    found = jacobian(s)
    torch.testing.assert_close(found["test", "logits"], weights.flatten(1).norm(dim=1))
    assert set(found) == {
        ("test", name) for name in ("logits", "log_probabilities", "loss_gradient", "concentration")
    }


def test_the_gradient_of_a_sure_network_has_a_direction_and_keeps_its_digits():
    """Logits 80 apart: p_y is 1 in float32 and in float64, and the gradient is 1.8e-35."""
    weights = torch.tensor([[40.0, 0.0], [-40.0, 0.0]])
    logits, j = jacobians(lambda x: x @ weights.T, torch.tensor([[[1.0, 0.0]]]))
    direction, wrong = loss_gradient(logits, j, torch.tensor([[0]]))
    assert direction.flatten().tolist() == [-80.0, 0.0]
    assert wrong.item() == pytest.approx(torch.tensor(-80.0).double().exp().item(), rel=1e-5)


def test_concentration_is_a_tenth_for_equal_squares_and_one_for_one_pixel():
    assert concentration(torch.ones(1, 1, 40)).item() == pytest.approx(0.1)
    single = torch.zeros(1, 1, 3, 5, 5)
    single[0, 0, :, 2, 2] = torch.tensor([1.0, -2.0, 3.0])
    assert concentration(single).item() == 1.0


def test_a_network_without_gradients_is_refused():
    with pytest.raises(InputError, match="no gradient by its inputs"):
        jacobians(lambda x: x.detach().flatten(2), torch.zeros(1, 2, 3))
