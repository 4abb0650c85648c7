"""What probes find, against brute force, closed forms and other libraries, in float64."""

from __future__ import annotations

from collections import Counter

import mpmath
import numpy as np
import pytest
import torch
from helpers import job
from probing import CE, one, subject
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score, roc_curve

from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.probes import membership as membership_module
from mixup_repro.probes import segments as segments_module
from mixup_repro.probes.held_out import held_out
from mixup_repro.probes.jacobian import (
    concentration,
    jacobian,
    jacobians,
    loss_gradient,
    of_log_probabilities,
)
from mixup_repro.probes.membership import auc, loss, membership, separation
from mixup_repro.probes.memorised import memorised
from mixup_repro.probes.occlusion import block, occlusion
from mixup_repro.probes.segments import segments
from mixup_repro.probes.subject import check_pictures

PARTS = ("train", "test")

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


def test_non_members_have_as_many_wrong_labels_as_members():
    s = subject("membership", "method=erm")
    assert membership_module.as_wrong(s, s.dataset.y_test) is s.dataset.y_test
    s.dataset.y_clean = s.dataset.y_train
    s.dataset.y_train = s.dataset.y_train.clone()
    s.dataset.y_train[:449] += 1
    y = torch.arange(20_000).expand(2, -1) % 10
    steps = (membership_module.as_wrong(s, y) - y) % 10
    for counts in (row.bincount(minlength=10) / 20_000 for row in steps):
        assert counts[0].item() == pytest.approx(0.5, abs=0.02)
        assert (counts[1:] - 0.5 / 9).abs().max() < 0.01


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
    with pytest.raises(InputError, match="needs pictures"):
        check_pictures(data)


# memorised


def test_memorised_labels_are_counted_where_they_are_wrong():
    s = subject("memorised", "method=erm")
    with torch.no_grad():
        x = s.inputs(s.dataset.x_train)
        predicted = s.network(x.expand(2, *x.shape)).argmax(-1)
    clean = s.dataset.y_train
    wrong = clean.clone()
    wrong[:300] = (wrong[:300] + 1 + torch.arange(300) % 9) % 10
    s.dataset.y_train, s.dataset.y_clean = wrong, clean
    found = memorised(s)
    for r in range(2):
        for setting, part in (("wrong", slice(0, 300)), ("right", slice(300, None))):
            p, expected = predicted[r, part], {"as_labelled": wrong[part], "as_true": clean[part]}
            for name, classes in expected.items():
                share = (p == classes).double().mean().item()
                assert found[setting, name][r].item() == pytest.approx(share)
        assert found["wrong", "examples"][r].item() == pytest.approx(300 / 898)


def test_a_set_without_wrong_labels_is_refused():
    with pytest.raises(InputError, match=r"no label of digits is known.*dataset.flipped"):
        memorised(subject("memorised", "method=erm"))
