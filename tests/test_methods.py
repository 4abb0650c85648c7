"""Losses and mixing against NumPy, PyTorch, timm and the CutMix authors' code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import epoch_plan
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from timm.data.mixup import Mixup

from mixup_repro.data.batches import Batch
from mixup_repro.methods.losses import (
    cross_entropy,
    cutmix,
    cutmix_box,
    cutmix_smoothed,
    erm,
    label_smoothing,
    mixup,
    mixup_smoothed,
)
from mixup_repro.plan import PlanSpec
from mixup_repro.schema import MethodConfig

CLASSES = 5
CONFIG = MethodConfig(name="any")


class Recorder:
    """A small fixed network that keeps the inputs it was given."""

    def __init__(self, features: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.weight = torch.randn(features, CLASSES, generator=generator)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        return x.flatten(2) @ self.weight


def batch_of(
    size: int, shape: tuple[int, ...] = (3, 6, 8), replicas: int = 1, lam: float | None = None
) -> Batch:
    """Random examples whose partners are the batch reversed."""
    rng = np.random.default_rng(size)
    x = torch.from_numpy(rng.normal(size=(replicas, size, *shape)).astype(np.float32))
    y = F.one_hot(torch.from_numpy(rng.integers(CLASSES, size=(replicas, size))), CLASSES).float()
    weight = rng.random((replicas, size)).astype(np.float32)
    if lam is not None:
        weight[:] = lam
    box = torch.from_numpy(rng.random((replicas, size, 2)).astype(np.float32))
    return Batch(x, y, x.flip(1), y.flip(1), torch.from_numpy(weight), box)


def authors_box(cy: int, cx: int, lam: float, height: int, width: int) -> tuple[int, ...]:
    """rand_bbox of github.com/clovaai/CutMix-PyTorch, with the random centre as an argument."""
    cut_rat = np.sqrt(np.float32(1.0) - np.float32(lam))
    cut_h, cut_w = int(np.float32(height) * cut_rat), int(np.float32(width) * cut_rat)
    y1, x1 = np.clip(cy - cut_h // 2, 0, height), np.clip(cx - cut_w // 2, 0, width)
    y2, x2 = np.clip(cy + cut_h // 2, 0, height), np.clip(cx + cut_w // 2, 0, width)
    return y1, y2, x1, x2


@pytest.mark.parametrize("size", [1, 2, 5])
def test_mixup_equals_two_lines_of_numpy(size):
    batch, network = batch_of(size, replicas=2), Recorder(3 * 6 * 8)
    outcome = mixup(network, batch, CONFIG)
    x, y, lam = (t.double().numpy() for t in (batch.x, batch.y, batch.lam))
    mixed = lam[..., None, None, None] * x + (1 - lam[..., None, None, None]) * x[:, ::-1]
    targets = lam[..., None] * y + (1 - lam[..., None]) * y[:, ::-1]
    np.testing.assert_allclose(network.seen, mixed, atol=1e-6)
    np.testing.assert_allclose(outcome.targets, targets, atol=1e-6)
    u = outcome.logits.double().numpy()
    loss = np.log(np.exp(u).sum(-1)) - (targets * u).sum(-1)
    np.testing.assert_allclose(outcome.loss, loss, rtol=1e-5, atol=1e-5)


def as_timm_sees_it(seed: int, lam_per: str) -> tuple[Batch, torch.Tensor, torch.Tensor]:
    """A batch drawn with pairing=reversal, and the plain pictures and classes of it."""
    plan = epoch_plan(PlanSpec(8, 8, "reversal", alpha=0.7, lam_per=lam_per), seed, 0)
    x = torch.randn(8, 3, 6, 8, generator=torch.Generator().manual_seed(seed))
    y = torch.arange(8) % CLASSES
    one_hot = F.one_hot(y, CLASSES).float()
    partner = torch.from_numpy(plan.partner)
    lam = torch.from_numpy(plan.lam)[None]
    batch = Batch(x[None], one_hot[None], x[partner][None], one_hot[partner][None], lam)
    return batch, x, y


@pytest.mark.parametrize("mode, lam_per", [("elem", "example"), ("batch", "batch")])
def test_mixup_with_reversal_pairing_equals_timm(mode, lam_per, monkeypatch):
    batch, x, y = as_timm_sees_it(3, lam_per)
    lam = batch.lam[0].numpy()
    theirs = Mixup(mixup_alpha=1.0, mode=mode, label_smoothing=0.0, num_classes=CLASSES)
    # timm's own lambda is replaced by the plan's; the mixing of inputs and targets stays timm's.
    no_box = np.zeros(8, dtype=bool)
    monkeypatch.setattr(theirs, "_params_per_elem", lambda size: (lam.copy(), no_box))
    monkeypatch.setattr(theirs, "_params_per_batch", lambda: (float(lam[0]), False))
    their_x, their_y = theirs(x.clone(), y)
    network = Recorder(3 * 6 * 8)
    outcome = mixup(network, batch, CONFIG)
    torch.testing.assert_close(network.seen[0], their_x, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(outcome.targets[0], their_y, atol=1e-6, rtol=1e-5)


def test_mixup_of_smoothed_labels_equals_timm(monkeypatch):
    batch, x, y = as_timm_sees_it(4, "example")
    theirs = Mixup(mixup_alpha=1.0, mode="elem", label_smoothing=0.2, num_classes=CLASSES)
    lam, no_box = batch.lam[0].numpy(), np.zeros(8, dtype=bool)
    monkeypatch.setattr(theirs, "_params_per_elem", lambda size: (lam.copy(), no_box))
    their_x, their_y = theirs(x.clone(), y)
    network = Recorder(3 * 6 * 8)
    outcome = mixup_smoothed(network, batch, MethodConfig("mixup_smoothed", epsilon=0.2))
    torch.testing.assert_close(network.seen[0], their_x, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(outcome.targets[0], their_y, atol=1e-6, rtol=1e-5)


def test_cutmix_of_smoothed_labels_is_cutmix_with_its_labels_smoothed():
    batch, network = batch_of(4), Recorder(3 * 6 * 8)
    plain = cutmix(network, batch, CONFIG)
    seen = network.seen
    outcome = cutmix_smoothed(network, batch, MethodConfig("cutmix_smoothed", epsilon=0.2))
    assert torch.equal(network.seen, seen)
    torch.testing.assert_close(outcome.targets, 0.8 * plain.targets + 0.2 / CLASSES)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_mixup_at_lambda_one_is_erm_exactly(size):
    batch, network = batch_of(size, lam=1.0), Recorder(3 * 6 * 8)
    mixed, plain = mixup(network, batch, CONFIG), erm(network, batch, CONFIG)
    for a, b in zip(mixed, plain):
        assert torch.equal(a, b)


def test_mixup_at_lambda_zero_is_erm_on_the_partners_exactly():
    batch, network = batch_of(4, lam=0.0), Recorder(3 * 6 * 8)
    mixed = mixup(network, batch, CONFIG)
    plain = erm(network, Batch(batch.x_partner, batch.y_partner), CONFIG)
    for a, b in zip(mixed, plain):
        assert torch.equal(a, b)


def test_mixup_of_features_mixes_each_example_by_its_own_lambda():
    x = torch.tensor([[[0.0], [10.0]]])
    y = torch.tensor([[[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0]]])
    batch = Batch(x, y, x.flip(1), y.flip(1), torch.tensor([[0.9, 0.7]]))
    network = Recorder(1)
    outcome = mixup(network, batch, CONFIG)
    np.testing.assert_allclose(network.seen.flatten(), [1.0, 7.0], rtol=1e-6)
    np.testing.assert_allclose(outcome.targets[0, :, :2], [[0.9, 0.1], [0.3, 0.7]], rtol=1e-6)


@settings(deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(0, 1, width=32),
    st.floats(0, 1, width=32, exclude_max=True),
    st.floats(0, 1, width=32, exclude_max=True),
)
def test_cutmix_box_is_the_authors_box(height, width, lam, fy, fx):
    sides = np.array([height, width]) * np.sqrt(1 - lam)
    # Where a side is a whole number up to float32's rounding, float64's may cut it one pixel off.
    assume(np.all((np.abs(sides - sides.round()) > 1e-4) | (lam == 0) | (lam == 1)))
    centre = torch.tensor([[[fy, fx]]], dtype=torch.float32)
    inside = cutmix_box(centre, torch.tensor([[lam]], dtype=torch.float32), height, width)[0, 0]
    cy, cx = int(np.float32(fy) * np.float32(height)), int(np.float32(fx) * np.float32(width))
    y1, y2, x1, x2 = authors_box(cy, cx, lam, height, width)
    expected = np.zeros((height, width), dtype=bool)
    expected[y1:y2, x1:x2] = True
    np.testing.assert_array_equal(inside.numpy(), expected)


def test_cutmix_pastes_the_partners_box_and_weighs_labels_by_its_area():
    batch, network = batch_of(6, shape=(3, 12, 10), replicas=2), Recorder(3 * 12 * 10)
    outcome = cutmix(network, batch, CONFIG)
    for r in range(2):
        for i in range(6):
            fy, fx = batch.box[r, i].tolist()
            box = authors_box(int(fy * 12), int(fx * 10), batch.lam[r, i].item(), 12, 10)
            y1, y2, x1, x2 = box
            picture = batch.x[r, i].clone()
            picture[:, y1:y2, x1:x2] = batch.x_partner[r, i][:, y1:y2, x1:x2]
            assert torch.equal(network.seen[r, i], picture)
            lam = 1 - (y2 - y1) * (x2 - x1) / (12 * 10)
            expected = lam * batch.y[r, i] + (1 - lam) * batch.y_partner[r, i]
            torch.testing.assert_close(outcome.targets[r, i], expected)


def test_cutmix_without_a_box_is_erm_and_with_the_whole_picture_is_the_partner():
    network = Recorder(3 * 6 * 8)
    whole = batch_of(3, lam=0.0)
    whole.box.fill_(0.5)
    outcome = cutmix(network, whole, CONFIG)
    assert torch.equal(network.seen, whole.x_partner)
    assert torch.equal(outcome.targets, whole.y_partner)
    none = batch_of(3, lam=1.0)
    assert torch.equal(cutmix(network, none, CONFIG).loss, erm(network, none, CONFIG).loss)


@pytest.mark.parametrize("epsilon", [0.1, 0.5])
def test_label_smoothing_equals_torchs(epsilon):
    batch, network = batch_of(7), Recorder(3 * 6 * 8)
    outcome = label_smoothing(network, batch, MethodConfig(epsilon=epsilon))
    expected = F.cross_entropy(
        outcome.logits[0], batch.y[0].argmax(-1), label_smoothing=epsilon, reduction="none"
    )
    torch.testing.assert_close(outcome.loss[0], expected)


def test_erm_equals_torchs_cross_entropy_with_class_numbers():
    batch, network = batch_of(7), Recorder(3 * 6 * 8)
    outcome = erm(network, batch, CONFIG)
    expected = F.cross_entropy(outcome.logits[0], batch.y[0].argmax(-1), reduction="none")
    torch.testing.assert_close(outcome.loss[0], expected)


def test_replicas_do_not_see_each_other():
    batch, network = batch_of(5, replicas=3), Recorder(3 * 6 * 8)
    for method in (erm, mixup, cutmix):
        together = method(network, batch, CONFIG).loss
        parts = (batch.x, batch.y, batch.x_partner, batch.y_partner, batch.lam, batch.box)
        alone = [method(network, Batch(*(t[r : r + 1] for t in parts)), CONFIG) for r in range(3)]
        torch.testing.assert_close(together, torch.cat([a.loss for a in alone]))


vectors = st.lists(st.floats(-50, 50, width=32), min_size=CLASSES, max_size=CLASSES)
weights = st.lists(st.floats(0.0078125, 1, width=32), min_size=CLASSES, max_size=CLASSES)


@settings(deadline=None)
@given(vectors, weights)
def test_cross_entropy_on_soft_targets_equals_torchs_in_float64(logits, target):
    u = torch.tensor(logits, dtype=torch.float64)
    y = torch.tensor(target, dtype=torch.float64)
    y = y / y.sum()
    ours = cross_entropy(y[None, None].float(), u[None, None].float()).item()
    assert ours == pytest.approx(F.cross_entropy(u, y).item(), rel=1e-5, abs=3e-5)


def test_cross_entropy_of_large_logits_is_finite():
    logits = torch.tensor([[[1000.0, 0.0, -1000.0]]])
    target = torch.tensor([[[0.0, 0.5, 0.5]]])
    assert cross_entropy(target, logits).item() == pytest.approx(1500.0)


def test_gradient_of_the_mixed_loss_is_the_mix_of_two_gradients():
    """CE is affine in its target: the soft-target loss is Zhang et al.'s two-term loss."""
    batch = batch_of(4)
    logits = torch.randn(1, 4, CLASSES, generator=torch.Generator().manual_seed(1))
    logits.requires_grad_()
    targets = torch.lerp(batch.y_partner, batch.y, batch.lam.unsqueeze(-1))
    (grad,) = torch.autograd.grad(cross_entropy(targets, logits).sum(), logits)
    own, partner = batch.y[0].argmax(-1), batch.y_partner[0].argmax(-1)
    two_terms = batch.lam[0] * F.cross_entropy(logits[0], own, reduction="none")
    two_terms = two_terms + (1 - batch.lam[0]) * F.cross_entropy(
        logits[0], partner, reduction="none"
    )
    (expected,) = torch.autograd.grad(two_terms.sum(), logits)
    torch.testing.assert_close(grad, expected)


def test_a_method_says_that_it_lacks_what_it_needs():
    whole = batch_of(4)
    for method, gone in ((mixup, "x_partner"), (mixup, "lam"), (cutmix, "box")):
        with pytest.raises(ValueError, match="lacks what this method needs"):
            method(Recorder(3 * 6 * 8), replace(whole, **{gone: None}), CONFIG)
    with pytest.raises(ValueError, match="lacks what this method needs"):
        label_smoothing(Recorder(3 * 6 * 8), whole, CONFIG)
