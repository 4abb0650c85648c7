"""Probes of groups of test examples, and of boundaries in the plane, against loops and circles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import job
from probing import one, subject
from scipy import integrate, stats
from torch import nn

from mixup_repro.data import load
from mixup_repro.data.altered import rare_group
from mixup_repro.data.toy import LAYOUTS, gaussians_density
from mixup_repro.errors import InputError
from mixup_repro.evaluation.temperature import scaled
from mixup_repro.jobs import expand
from mixup_repro.networks import Single
from mixup_repro.probes.boundary import boundary, check_plane, measures, square, trace, turning
from mixup_repro.probes.groups import SURE, class_ece, groups
from mixup_repro.probes.subject import Subject


def ece(confidence: np.ndarray, right: np.ndarray) -> float:
    """15 bins of equal width, each example put in its bin by hand."""
    total = 0.0
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        total += abs((confidence[inside] - right[inside]).sum())
    return total / len(right)


def test_groups_of_a_rare_group_equal_loops():
    words = ("method=erm", "dataset.rare=0.05")
    s = subject("groups", *words)
    data = load(job("dataset=digits", "dataset.rare=0.05").dataset).for_seeds([0, 1])
    s = Subject("groups", s.network, data, s.runs)
    found = groups(s)
    for r in range(2):
        y, rare = data.y_test[r], rare_group(data.n_test, 0.5, r, "test")
        with torch.no_grad():
            u = torch.stack([one(s.network, r, x) for x in s.inputs(data.x_test[r])])
        for end, logits in (("", u), ("_temperature", scaled(u, y)[0])):
            p = logits.softmax(-1).numpy()
            right = (p.argmax(1) == y.numpy()).astype(float)
            for name, chosen in (("rare", rare.numpy()), ("common", ~rare.numpy())):
                expected = ece(p.max(1)[chosen], right[chosen])
                assert found[name, f"ece{end}"][r].item() == pytest.approx(expected, abs=1e-4)
            each = [ece(p[:, k], (y == k).numpy().astype(float)) for k in range(10)]
            value = found["classes", f"ece{end}"][r].item()
            assert value == pytest.approx(np.mean(each), abs=1e-6)
        right = (u.argmax(1) == y).double()
        for k in range(10):
            assert found[f"class {k}", "accuracy"][r].item() == pytest.approx(
                right[y == k].mean().item()
            )
        assert found["rare", "accuracy"][r].item() == pytest.approx(right[rare].mean().item())


def test_class_wise_errors_vanish_for_frequencies_and_count_the_rest():
    """Of four examples at 1/4, one is of class 0; at 3/4 in place of it the error is 1/2 each."""
    p = torch.tensor([[[0.25, 0.75]] * 4]).double()
    y = torch.tensor([[0, 1, 1, 1]])
    assert class_ece(p, y).item() == 0
    assert class_ece(p.flip(-1), y).item() == pytest.approx(0.5)


class Score(nn.Module):
    """Logits (0, score) of a function of points in the plane."""

    def __init__(self, score):
        super().__init__()
        self.score = score
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        value = self.score(x)
        return torch.stack([torch.zeros_like(value), value], -1)


def in_plane(score, *words: str) -> Subject:
    """One network whose logit is a score, on the ring of Gaussians."""
    words = words or ("dataset=gaussians", "dataset.layout=ring")
    (run,) = expand(job(*words, "architecture.hidden=[4]", "method=erm"))
    data = load(run.config.dataset).for_seeds([0])
    return Subject("boundary", Single(Score(score)), data, [run])


def ring_score(x):
    """log p(1 | x) - log p(0 | x) of the ring, by SciPy's densities."""
    *classes, sd = LAYOUTS["ring"]
    z = x.detach().double().numpy()
    p = [np.mean([stats.multivariate_normal(c, sd**2).pdf(z) for c in cs], 0) for cs in classes]
    return torch.from_numpy(np.log(p[1] / p[0]))


def test_where_classes_overlap_is_known_and_the_truth_is_no_distance_from_itself():
    s = in_plane(ring_score)
    found = groups(s)
    assert found["overlap", "from_truth"].item() < 1e-6
    assert found["apart", "from_truth"].item() < 1e-6
    truth = ring_score(s.dataset.x_test[0]).sigmoid()
    unsure = torch.maximum(truth, 1 - truth) < SURE
    assert 0.02 < unsure.double().mean() < 0.5
    right = ((truth > 0.5) == s.dataset.y_test[0])[unsure].double().mean().item()
    assert found["overlap", "accuracy"].item() == pytest.approx(right)
    halved = groups(in_plane(lambda x: ring_score(x) / 2))
    away = ((ring_score(s.dataset.x_test[0]) / 2).sigmoid() - truth)[unsure].abs().mean().item()
    assert found["overlap", "from_truth"].item() < halved["overlap", "from_truth"].item()
    assert halved["overlap", "from_truth"].item() == pytest.approx(away)
    # One temperature undoes what one temperature did.
    restored = halved["overlap", "from_truth_temperature"].item()
    assert restored == pytest.approx(found["overlap", "from_truth_temperature"].item(), abs=1e-4)


def test_the_boundary_of_a_circle_has_its_length_and_turns_once():
    found = boundary(in_plane(lambda x: x.square().sum(-1) - 1))
    assert found["boundary", "length"].item() == pytest.approx(2 * np.pi, rel=1e-3)
    assert found["boundary", "turning"].item() == pytest.approx(2 * np.pi, rel=1e-2)


def test_a_straight_boundary_does_not_turn_and_a_wave_turns_by_its_slopes():
    straight = boundary(in_plane(lambda x: x[..., 0] + 0.3 * x[..., 1] - 0.2))
    assert straight["boundary", "turning"].item() < 1e-3
    assert straight["boundary", "length"].item() == pytest.approx(4.4 * np.hypot(1, 0.3), rel=1e-3)
    # y = a sin(k x): the angle swings between +- atan(a k), twice a period.
    a, k = 0.2, 4.0
    wave = boundary(in_plane(lambda x: x[..., 1] - a * torch.sin(k * x[..., 0])))
    length, _ = integrate.quad(lambda t: np.hypot(1, a * k * np.cos(k * t)), -2.2, 2.2)
    assert wave["boundary", "length"].item() == pytest.approx(length, rel=5e-3)
    turns, _ = integrate.quad(
        lambda t: abs(a * k * k * np.sin(k * t)) / (1 + (a * k * np.cos(k * t)) ** 2),
        -2.2,
        2.2,
        limit=200,
    )
    assert wave["boundary", "turning"].item() == pytest.approx(turns, rel=0.05)


def test_turns_of_a_closed_line_are_counted_at_its_end_too():
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=float)
    assert turning(corners) == pytest.approx(2 * np.pi)
    assert turning(corners[:-1]) == pytest.approx(np.pi)


def test_a_boundary_has_the_density_and_the_nearest_points_of_where_it_lies():
    lines = trace((square()[:, 0] - 1.0).numpy())
    train = np.array([[0.0, 0.0], [2.0, 2.0]])
    test = np.random.default_rng(0).normal(0, 1, (50, 2))
    found = measures(lines, train, test, "arch")
    t = np.linspace(-2.2, 2.2, 20_001)
    points = np.stack([np.ones_like(t), t], 1)
    nearest = np.linalg.norm(points[:, None] - train, axis=-1).min(1).mean()
    assert found["distance"] == pytest.approx(nearest, rel=1e-3)
    *classes, sd = LAYOUTS["arch"]

    def density(x: np.ndarray) -> np.ndarray:
        laws = [[stats.multivariate_normal(c, sd**2).pdf(x) for c in cs] for cs in classes]
        return np.mean([np.mean(each, 0) for each in laws], 0)

    np.testing.assert_allclose(gaussians_density("arch", test), density(test), rtol=1e-10)
    ratio = density(points).mean() / density(test).mean()
    assert found["density"] == pytest.approx(ratio, rel=1e-3)


def test_one_class_everywhere_has_no_boundary_and_pictures_have_none():
    found = boundary(in_plane(lambda x: x[..., 0] * 0 + 1))
    assert all(torch.isnan(value).all() for value in found.values())
    with pytest.raises(InputError, match="two classes in the plane, and digits"):
        check_plane(subject("boundary", "method=erm").dataset)
    assert torch.isnan(boundary(in_plane(ring_score))["boundary", "turning"]).sum() == 0
    circles = in_plane(lambda x: x[..., 0], "dataset=circles")
    assert torch.isnan(boundary(circles)["boundary", "density"]).all()
    assert boundary(circles)["boundary", "distance"].item() > 0
