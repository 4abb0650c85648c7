"""What each probe finds, against brute force, closed forms and other libraries, in float64."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from itertools import product

import mpmath
import numpy as np
import pytest
import torch
from helpers import epoch_plan, job
from scipy.linalg import eigvalsh
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor, nn

from mixup_repro import networks
from mixup_repro.data import Dataset, load
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.networks import Replicas
from mixup_repro.probes import adversarial as adversarial_module
from mixup_repro.probes import gradient_noise as gradient_noise_module
from mixup_repro.probes import membership as membership_module
from mixup_repro.probes import segments as segments_module
from mixup_repro.probes import sharpness as sharpness_module
from mixup_repro.probes.adversarial import margin, pgd
from mixup_repro.probes.curvature import flat, hessian, top_eigenvalue, trace
from mixup_repro.probes.held_out import held_out
from mixup_repro.probes.jacobian import (
    concentration,
    jacobian,
    jacobians,
    loss_gradient,
    of_log_probabilities,
)
from mixup_repro.probes.membership import auc, loss, membership, separation
from mixup_repro.probes.occlusion import block, occlusion
from mixup_repro.probes.segments import segments
from mixup_repro.probes.subject import Subject
from mixup_repro.training.loop import plan_spec

PARTS = ("train", "test")
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


# segments


def test_a_linear_models_logits_do_not_leave_the_line():
    s = subject("segments", "architecture=linear", "architecture.hidden=null", "method=erm")
    found = segments(s)
    for setting in ("inside", "outside"):
        assert found[setting, "logits"].max() < 1e-12
        assert found[setting, "probabilities"].min() > 0.01
    assert found["beside", "logits"].min() > 0.01
    names = ("probabilities", "logits", "labels")
    every = {(s, n) for s in ("inside", "outside", "beside", "three") for n in names}
    assert set(found) == every - {("three", "logits")}


def test_deviations_on_segments_equal_a_loop(monkeypatch):
    monkeypatch.setattr(segments_module, "PAIRS", 3)
    found = segments(subject("segments", "method=erm"))
    s = subject("segments", "method=erm")  # its generators start anew
    x, y = segments_module.points(s)
    total: dict = {}
    for r, (raw, labels) in enumerate(zip(x, y)):
        for (a, b, _), (k, m, _) in zip(raw, labels):
            assert k != m
            u0, u1 = one(s.network, r, a), one(s.network, r, b)
            for t in segments_module.INSIDE:
                u = one(s.network, r, a + t * (b - a))
                p = u.softmax(-1)
                line = (1 - t) * u0.softmax(-1) + t * u1.softmax(-1)
                label = torch.zeros(10).double()
                label[k], label[m] = 1 - t, t
                for name, value in (
                    ("probabilities", (p - line).abs().sum()),
                    ("logits", (u - u0 - t * (u1 - u0)).norm() / (u1 - u0).norm()),
                    ("labels", (p - label).abs().sum()),
                ):
                    total[name, r] = total.get((name, r), 0) + value.item() / 24
    for (name, r), value in total.items():
        assert found["inside", name][r].item() == pytest.approx(value)


def test_steps_beside_a_segment_are_orthogonal_and_half_as_long():
    s = subject("segments", "method=erm")
    x, _ = segments_module.points(s)
    along = (x[:, :, 1] - x[:, :, 0]).flatten(2)
    step = segments_module.orthogonal(s, x).flatten(2)
    assert (along * step).sum(-1).abs().max() < 1e-10
    torch.testing.assert_close(step.norm(dim=-1), along.norm(dim=-1) / 2)


def test_pairs_are_uniform_among_those_of_different_classes():
    y = np.array([2, 0, 0, 2, 3, 0])
    found = segments_module.triples(np.random.default_rng(0), y, 60_000)
    pairs = Counter(map(tuple, found[:, :2].tolist()))
    expected = {(i, j): 1 / 6 / sum(y != y[i]) for i in range(6) for j in range(6) if y[i] != y[j]}
    assert pairs.keys() == expected.keys()
    for pair, share in expected.items():
        assert pairs[pair] / 60_000 == pytest.approx(share, abs=0.004)
    with pytest.raises(InputError, match="one class"):
        segments_module.triples(np.random.default_rng(0), np.zeros(4, dtype=int), 2)


# membership and held_out


def test_separation_equals_scikit_learns_curve_with_ties():
    rng = np.random.default_rng(0)
    members = torch.from_numpy(rng.integers(0, 60, (3, 400)) / 7)
    others = torch.from_numpy(rng.integers(3, 75, (3, 300)) / 7)
    found = separation(members, others)
    for r in range(3):
        truth = np.r_[np.ones(400), np.zeros(300)]
        score = -np.r_[members[r], others[r]]
        assert found["auc"][r].item() == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
        false, true, _ = roc_curve(truth, score, drop_intermediate=False)
        assert found["tpr"][r].item() == pytest.approx(true[false <= 0.01].max(), abs=1e-12)
        gap = np.median(others[r]) - np.median(members[r])
        assert found["gap_median"][r].item() == pytest.approx(gap)


def test_losses_keep_their_digits_where_a_network_is_sure():
    logits = torch.tensor([[[60.0, 0.0], [0.0, 60.0], [1000.0, 0.0]]])
    found = loss(logits, torch.tensor([[0, 0, 1]]))[0]
    expected = [float(mpmath.log1p(mpmath.exp(-60))), 60.0, 1000.0]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)
    torch.manual_seed(0)
    logits, y = torch.randn(2, 5, 4).double(), torch.randint(4, (2, 5))
    expected = CE(logits.flatten(0, 1), y.flatten(), reduction="none").view(2, 5)
    torch.testing.assert_close(loss(logits, y), expected)


def test_membership_equals_a_loop(monkeypatch):
    monkeypatch.setattr(membership_module, "MIXTURES", 2)
    s = subject("membership", "method=erm", seeds=1)
    found = membership(s)
    s = subject("membership", "method=erm", seeds=1)
    (x, y), (x_test, y_test) = ((s.inputs(x), y) for x, y in map(s.examples, PARTS, (898, 898)))
    assert sorted(y_test[0].tolist()) != sorted(s.dataset.y_test.tolist())  # one was left out

    def losses(inputs, labels, other=None, y_other=None):
        out = np.zeros(898)
        for _ in range(1 if other is None else 2):
            if other is not None:
                lam = s.rngs[0].uniform(0.5, 1, 898)
                at = s.rngs[0].integers(898, size=898)
            for i in range(898):
                z, label = inputs[i], torch.eye(10).double()[labels[i]]
                if other is not None:
                    z = lam[i] * z + (1 - lam[i]) * other[at[i]]
                    label = lam[i] * label + (1 - lam[i]) * torch.eye(10)[y_other[at[i]]]
                out[i] += -(label * one(s.network, 0, z).log_softmax(-1)).sum().item()
        return out if other is None else out / 2

    truth = np.r_[np.ones(898), np.zeros(898)]
    with torch.no_grad():
        own = losses(x[0], y[0]), losses(x_test[0], y_test[0])
        mixed = [losses(a[0], b[0], x_test[0], y_test[0]) for a, b in ((x, y), (x_test, y_test))]
    for setting, (members, others) in (("own", own), ("mixed", mixed)):
        expected = roc_auc_score(truth, -np.r_[members, others])
        assert found[setting, "auc"].item() == pytest.approx(expected, abs=1e-9)
        assert found[setting, "gap_mean"].item() == pytest.approx(others.mean() - members.mean())


def test_held_out_equals_scikit_learn_on_every_example():
    s = subject("held_out", "method=erm")
    found = held_out(s)
    x, y = s.inputs(s.dataset.x_test), s.dataset.y_test
    with torch.no_grad():
        p = s.network(x.expand(2, *x.shape)).softmax(-1)
    for r in range(2):
        wrong = (p[r].argmax(-1) != y).numpy()
        confidence = p[r].amax(-1).numpy()
        h = entropy(p[r].numpy(), axis=1)
        assert found["all", "error"][r].item() == pytest.approx(wrong.mean())
        assert found["errors", "confidence"][r].item() == pytest.approx(confidence[wrong].mean())
        assert found["right", "entropy"][r].item() == pytest.approx(h[~wrong].mean())
        for name, score in (("auroc", -confidence), ("auroc_entropy", h)):
            expected = roc_auc_score(wrong, score)
            assert found["all", name][r].item() == pytest.approx(expected, abs=1e-6)


def test_a_network_without_errors_has_no_area_of_them():
    assert torch.isnan(auc(torch.zeros(1, 0), torch.ones(1, 3))).all()
    assert torch.isnan(auc(torch.ones(1, 3), torch.zeros(1, 0))).all()


# occlusion


def test_blocks_have_their_size_and_place():
    s = subject("occlusion", "method=erm")
    centre = block(s, 5, 3, "centre")[..., 0]
    assert centre[0, 0].nonzero().tolist() == [[i, j] for i in (2, 3, 4) for j in (2, 3, 4)]
    assert (centre == centre[:1, :1]).all()
    random = block(s, 400, 3, "random")[..., 0]
    assert (random.sum((-2, -1)) == 9).all()
    corners = {tuple(m.nonzero()[0].tolist()) for m in random.flatten(0, 1)}
    assert corners == {(i, j) for i in range(6) for j in range(6)}


def test_occluded_accuracy_equals_a_loop():
    s = subject("occlusion", "method=erm")
    found = occlusion(s)
    s = subject("occlusion", "method=erm")
    raw, y = s.examples("test", 2000)
    mean, std = s.dataset.mean[0], s.dataset.std[0]
    for setting, low, high in (("clean", 0, 0), ("centre 0.5", 2, 6), ("centre 0.25", 3, 5)):
        pixels = raw.double().numpy().copy() / 16
        pixels[:, :, low:high, low:high] = mean
        for r in range(2):
            x = torch.from_numpy((pixels[r] - mean) / std)
            with torch.no_grad():
                right = [one(s.network, r, a.movedim(-1, 0)).argmax() == b for a, b in zip(x, y[r])]
            assert found[setting, "accuracy"][r].item() == pytest.approx(np.mean(right), abs=2e-3)
    assert len({s for s, _ in found}) == 1 + 8 + 4


def test_what_needs_pictures_refuses_points():
    data = load(job("dataset=alternating_line", "dataset.points=6", "dataset.classes=2").dataset)
    s = subject("occlusion", "method=erm")
    with pytest.raises(InputError, match="needs pictures"):
        occlusion(replace(s, dataset=data))


# adversarial


def pictures(s: Subject, n: int) -> tuple[Tensor, Tensor]:
    """Pixels (R, n, H, W, C) from 0 to 1, and classes."""
    raw, y = s.examples("test", n)
    return raw.double() / 16, y


def of_pixels(s: Subject):
    return lambda x: s.network(s.inputs(16 * x))


def test_an_attack_on_a_linear_model_reaches_the_corner_of_the_box():
    """Its margin grows fastest towards one corner of the box, cut at black and white."""
    s = subject("adversarial", "architecture=linear", "architecture.hidden=null", "method=erm")
    x, _ = pictures(s, 20)
    y = of_pixels(s)(x).topk(2).indices  # margins to the second class change sign at no step
    weights = s.network.stacks[0].detach().unflatten(-1, (8, 8, 1)) / s.dataset.std[0]
    for epsilon in (1e-4, 1e-3):
        found = pgd(of_pixels(s), margin, x, x, y[..., 0], epsilon)
        for r in range(2):
            up = weights[r, y[r, :, 1]] - weights[r, y[r, :, 0]]
            torch.testing.assert_close(found[r], (x[r] + epsilon * up.sign()).clamp(0, 1))


def test_a_sure_network_is_attacked_by_its_margin_and_not_by_its_loss():
    s = subject("adversarial", "architecture=linear", "architecture.hidden=null", "method=erm")
    with torch.no_grad():
        for parameter in s.network.parameters():
            parameter.mul_(1e4)
    x, _ = pictures(s, 50)
    y = of_pixels(s)(x).argmax(-1)
    held = {}
    for name, objective in (("loss", adversarial_module.cross_entropy), ("margin", margin)):
        held[name] = of_pixels(s)(pgd(of_pixels(s), objective, x, x, y, 0.1)).argmax(-1) == y
    assert held["loss"].double().mean() > held["margin"].double().mean() + 0.3


def test_attacks_stay_in_the_box_and_stronger_ones_leave_less():
    s = subject("adversarial", "method=erm", "architecture.hidden=[16]")
    x, y = pictures(s, 30)
    for start in adversarial_module.starts(s, x, 0.1):
        found = pgd(of_pixels(s), margin, start, x, y, 0.1)
        assert (found - x).abs().max() <= 0.1 + 1e-12
        assert found.min() >= 0 and found.max() <= 1
    found = adversarial_module.adversarial(s)
    for r in range(2):
        at = {setting: value[r].item() for (setting, _), value in found.items()}
        for epsilon in ("0.01", "0.03", "0.1"):
            for name in ("loss", "margin"):
                assert at[f"pgd worst {epsilon}"] <= at[f"pgd {name} {epsilon}"] <= at["clean"]
        assert at["pgd worst 0.1"] <= at["pgd worst 0.01"]


def test_attacks_equal_foolboxs(monkeypatch):
    foolbox = pytest.importorskip(
        "foolbox", reason="foolbox is an extra: pip install -e .[attacks]"
    )
    s = subject("adversarial", "method=erm", "architecture.hidden=[16]")
    x, _ = pictures(s, 60)
    y = of_pixels(s)(x).argmax(-1)
    own = {
        "FGSM": lambda eps: pgd(
            of_pixels(s), adversarial_module.cross_entropy, x, x, y, eps, steps=1, step=eps
        ),
        "PGD": lambda eps: pgd(of_pixels(s), adversarial_module.cross_entropy, x, x, y, eps),
    }
    theirs = {
        "FGSM": foolbox.attacks.LinfFastGradientAttack(random_start=False),
        "PGD": foolbox.attacks.LinfPGD(rel_stepsize=0.1, steps=20, random_start=False),
    }

    class One(nn.Module):
        def __init__(self, replica: int) -> None:
            super().__init__()
            self.replica = replica

        def forward(self, pixels: Tensor) -> Tensor:
            return of_pixels(s)(pixels.expand(2, *pixels.shape))[self.replica]

    for name, attack in theirs.items():
        for epsilon in (0.01, 0.1):
            ours = own[name](epsilon)
            for r in range(2):
                model = foolbox.PyTorchModel(One(r).eval(), bounds=(0, 1), device="cpu")
                _, moved, fooled = attack(model, x[r], y[r], epsilons=epsilon)
                torch.testing.assert_close(ours[r], moved, atol=1e-6, rtol=0)
                held = of_pixels(s)(ours).argmax(-1)[r] == y[r]
                assert held.tolist() == (~fooled).tolist() and fooled.sum() > 0


def test_an_attack_without_gradients_is_refused():
    x, y = torch.rand(1, 2, 4), torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(InputError, match="an attack needs gradients"):
        pgd(lambda z: z.detach(), margin, x, x, y, 0.1)


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
