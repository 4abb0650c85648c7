"""Probes of a gradient's change over a step, and of hidden values, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from probing import CE, subject
from torch import nn

from mixup_repro import networks
from mixup_repro.errors import InputError
from mixup_repro.networks import Single
from mixup_repro.probes import representation as representation_module
from mixup_repro.probes import smoothness as smoothness_module
from mixup_repro.probes.representation import check_stages, of_classes, representation
from mixup_repro.probes.smoothness import around, smoothness


def quadratic(matrix: torch.Tensor) -> tuple[Single, list]:
    """A network whose one weight w has the loss w A w / 2."""
    network = nn.Linear(3, 1, bias=False).double()
    single = Single(network)
    return single, [lambda: (network.weight[0] @ matrix @ network.weight[0]).reshape(1) / 2]


def test_the_gradient_of_a_quadratic_changes_by_its_matrix():
    """g = A w, and a step of -r g changes it by -r A g: at an eigenvector of A by its value."""
    matrix = torch.diag(torch.tensor([1.0, 4.0, 9.0])).double()
    network, loss = quadratic(matrix)
    for k, value in enumerate((1.0, 4.0, 9.0)):
        place = [2.0 * torch.eye(3).double()[k : k + 1]]
        found = around(network, loss, place, rate=0.1)
        assert found["change"].item() == pytest.approx(value)
        assert found["relative"].item() == pytest.approx(0.1 * value)


def test_smoothness_equals_a_loop_over_places_and_steps(monkeypatch):
    monkeypatch.setattr(smoothness_module, "PLACES", [0.0, 0.5, 1.0])
    words = ("method=approx_mixup", "architecture.hidden=[3]", "recipe.lr=0.3")
    s = subject("smoothness", *words)
    kept = [p.detach().clone() for p in s.network.parameters()]
    found = smoothness(s)
    assert all(torch.equal(p, q) for p, q in zip(kept, s.network.parameters()))
    assert {setting for setting, _ in found} == {"train", "mixed 1"}
    s = subject("smoothness", *words)
    raw, y = s.examples("train", 500)
    x = s.inputs(raw)
    start = networks.build(
        s.runs[0].config.architecture, s.dataset.input_shape, 10, [r.seed for r in s.runs]
    )
    for r in range(2):
        ends = [[p.detach()[r].double() for p in n.parameters()] for n in (start, s.network)]

        def gradient(weights, r=r):
            w0, b0, w1, b1 = (w.clone().requires_grad_() for w in weights)
            logits = (x[r].flatten(1) @ w0.T + b0).relu() @ w1.T + b1
            g = torch.autograd.grad(CE(logits, y[r]), (w0, b0, w1, b1))
            return torch.cat([part.flatten() for part in g])

        changes, relatives = [], []
        for t in (0.0, 0.5, 1.0):
            place = [(1 - t) * a + t * b for a, b in zip(*ends)]
            g, sizes, each = gradient(place), [p.numel() for p in place], {}
            for length in (0.15, 0.3, 0.6, 1.2):
                steps = [d.view_as(p) for d, p in zip((length * g).split(sizes), place)]
                after = gradient([p - d for p, d in zip(place, steps)])
                each[length] = ((after - g).norm() / (length * g.norm())).item()
            changes.append(max(each.values()))
            relatives.append(0.3 * each[0.3])
        assert found["train", "change"][r].item() == pytest.approx(np.mean(changes), rel=1e-6)
        assert found["train", "relative"][r].item() == pytest.approx(np.mean(relatives), rel=1e-6)


def test_bends_equal_a_loop_and_vanish_where_no_unit_switches(monkeypatch):
    monkeypatch.setattr(representation_module, "PAIRS", 4)
    words = ("method=erm", "architecture.hidden=[5,4]")
    s = subject("representation", *words)
    found = representation(s)
    assert {setting for setting, _ in found} == {"layer 1", "layer 2"}
    s = subject("representation", *words)
    ends = s.inputs(representation_module.pairs(s))
    weights = [p.detach() for p in s.network.parameters()]
    for r in range(2):

        def layers(x, r=r):
            first = (weights[0][r] @ x.flatten() + weights[1][r]).relu()
            return first, (weights[2][r] @ first + weights[3][r]).relu()

        for k in range(2):
            away = []
            for a, b in ends[r]:
                at, to, half = (layers(z)[k] for z in (a, b, (a + b) / 2))
                away.append(((half - (at + to) / 2).norm() / (to - at).norm()).item())
            assert found[f"layer {k + 1}", "bend"][r].item() == pytest.approx(np.nanmean(away))
    with torch.no_grad():
        s.network.stacks[1] += 100.0  # every unit of the first layer is on
    s = subject("representation", *words)
    with torch.no_grad():
        s.network.stacks[1] += 100.0
    assert representation(s)["layer 1", "bend"].max() < 1e-9


def test_spread_and_dimension_of_classes_with_known_singular_values():
    """Class 0: a square's corners, sides 2 and 2, in two directions; class 1: points on a line."""
    square = torch.tensor([[1.0, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]])
    line = torch.tensor([[0.0, 0, 3], [0, 0, 5], [0, 0, 4], [0, 0, 4]])
    h, y = torch.cat([square, line])[None], torch.tensor([[0] * 4 + [1] * 4])
    found = of_classes(h, y)
    # Singular values 2, 2 over sqrt 4; and sqrt 2 over sqrt 4.
    assert found["spread"].item() == pytest.approx((2 + 2**0.5 / 2) / 2)
    assert found["dimension"].item() == pytest.approx((2 + 1) / 2)
    assert of_classes(10 * h, y)["dimension"].item() == pytest.approx(1.5)


def test_a_network_without_layers_is_refused():
    s = subject("representation", "architecture=linear", "architecture.hidden=null", "method=erm")
    with pytest.raises(InputError, match="cut into layers, and this one is not"):
        check_stages(s.network)
