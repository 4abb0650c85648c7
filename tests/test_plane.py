"""Data sets in the plane, drawn anew for each seed, and random Fourier features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import job
from scipy import stats
from sklearn.datasets import make_moons

from mixup_repro import networks
from mixup_repro.beta import theta_bar
from mixup_repro.data import load
from mixup_repro.data.toy import GRID, LAYOUTS, REACH, gaussians_bayes, grid, sample_gaussians
from mixup_repro.errors import InputError
from mixup_repro.evaluation.predictor import predict
from mixup_repro.papers.chidambaram2022 import boundaries
from mixup_repro.plan import stream
from mixup_repro.schema import ArchitectureConfig, DatasetConfig

MOONS = DatasetConfig("two_moons", points=300, noise=0.01, flipped=0.2)
RING = DatasetConfig("gaussians", points=400, layout="ring")


def test_two_moons_are_scikit_learns_with_a_fifth_of_training_labels_flipped():
    own = load(MOONS).draw(7)
    seed = int(stream(7, "data").integers(2**31))
    x, y = make_moons(300, noise=0.01, random_state=seed)
    assert own.x_train.shape == own.x_test.shape == (150, 2)
    np.testing.assert_allclose(torch.cat([own.x_train, own.x_test]), x, atol=1e-6)
    assert (own.y_train.numpy() != y[:150]).sum() == 30
    assert (own.y_test.numpy() == y[150:]).all()


def test_circles_are_scikit_learns_around_the_origin():
    data = load(job("dataset=circles", "dataset.noise=0").dataset)
    radius = torch.cat([data.x_train, data.x_test]).norm(dim=1)
    inner = torch.cat([data.y_train, data.y_test])
    assert torch.allclose(radius, 1 - 0.5 * inner, atol=1e-6)
    assert data.n_train == data.n_test == 200


@pytest.mark.parametrize("config", [MOONS, RING])
def test_every_seed_has_a_data_set_of_its_own_and_stacks_hold_them(config):
    dataset = load(config)
    stacked = dataset.for_seeds([3, 0])
    alone = [dataset.for_seeds([seed]) for seed in (3, 0)]
    for k, one in enumerate(alone):
        assert torch.equal(stacked.x_train[k], one.x_train[0])
        assert torch.equal(stacked.x_bar[k], one.x_bar[0])
        assert torch.equal(stacked.y_bar[k], one.y_bar[0])
    assert not torch.equal(stacked.x_train[0], stacked.x_train[1])
    assert stacked.fingerprint() == dataset.fingerprint()
    torch.testing.assert_close(stacked.x_bar[0, 0], stacked.x_train[0].mean(0))
    frequency = (stacked.y_train[1] == 1).double().mean().item()
    assert stacked.y_bar[1, 0, 1].item() == pytest.approx(frequency)


def test_data_sets_without_seeds_are_shared():
    dataset = load(job().dataset)
    assert dataset.for_seeds([0, 1, 2]) is dataset


def test_take_reads_each_replicas_own_data():
    stacked = load(RING).for_seeds([0, 1])
    index = torch.tensor([[5, 0], [7, 7]])
    x, y = stacked.take(index)
    assert torch.equal(x[1, 0], stacked.x_train[1, 7])
    assert y[0, 0].argmax() == stacked.y_train[0, 5]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_bayes_score_is_the_log_ratio_of_the_densities(layout):
    (zero, one, sd), points = LAYOUTS[layout], np.random.default_rng(0).normal(size=(20, 2))

    def density(centres):
        normals = [stats.multivariate_normal(c, sd**2 * np.eye(2)) for c in centres]
        return np.mean([n.pdf(points) for n in normals], axis=0)

    expected = np.log(density(one)) - np.log(density(zero))
    np.testing.assert_allclose(gaussians_bayes(layout, points), expected, atol=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_beats_the_bayes_classifier_on_its_own_sample(layout):
    x, y = sample_gaussians(layout, 50_000, np.random.default_rng(0))
    score = gaussians_bayes(layout, x)
    right = ((score > 0) == y).mean()
    # Its mean posterior is its accuracy, and moving the threshold only loses.
    assert right == pytest.approx((1 / (1 + np.exp(-np.abs(score)))).mean(), abs=0.005)
    assert all(((score > t) == y).mean() < right for t in (-1.5, 1.5))


def test_the_grid_runs_row_by_row():
    points = grid().reshape(GRID, GRID, 2)
    assert torch.equal(points[0, 0], torch.tensor([-REACH, -REACH]))
    assert points[0, -1, 0] == REACH and points[0, -1, 1] == -REACH


@pytest.mark.parametrize(
    "config, words",
    [
        (DatasetConfig("two_moons", points=4, noise=0.1, flipped=0.0), "at least 8 points"),
        (DatasetConfig("two_moons", points=30, noise=-1.0, flipped=0.0), "noise >= 0"),
        (DatasetConfig("two_moons", points=30, noise=0.1, flipped=1.0), "flipped < 1"),
        (DatasetConfig("circles", points=30, noise=0.1, ratio=1.0), "0 < ratio < 1"),
        (DatasetConfig("gaussians", points=30, layout="spiral"), "one of ring, arch"),
        (DatasetConfig("gaussians", points=2, layout="ring"), "at least 8 points"),
        (DatasetConfig("separated_moons", points=30, noise=0.1), "separation >= 0"),
    ],
)
def test_bad_fields_are_refused_with_a_remedy(config, words):
    with pytest.raises(InputError, match=words):
        load(config)


def features(seeds: list[int], classes: int = 2) -> networks.RandomFeatures:
    config = ArchitectureConfig("random_features", features=500, sigma=10.0)
    return networks.build(config, (2,), classes, seeds)


def test_random_features_are_those_of_appendix_b3():
    network = features([4, 9])
    network.w.data.normal_()
    x = torch.randn(2, 5, 2)
    rng = stream(9, "features")
    s, b = rng.normal(0, 10, (500, 2)), rng.uniform(0, 2 * np.pi, 500)
    phi = np.cos(x[1].double().numpy() @ s.T + b) / np.sqrt(500)
    u = phi @ network.w[1, 0].detach().double().numpy()
    logits = network(x)[1].detach().numpy()
    np.testing.assert_allclose(logits[:, 1], u, atol=1e-4)
    assert (logits[:, 0] == 0).all()


def test_two_classes_are_logistic_regression_and_start_at_zero():
    network = features([0])
    x, y = torch.randn(1, 6, 2), torch.tensor([0, 1, 1, 0, 1, 0])
    assert (network.w == 0).all()
    network.w.data.normal_()
    logits = network(x)[0]
    ours = torch.nn.functional.cross_entropy(logits, y)
    logistic = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 1], y.float())
    torch.testing.assert_close(ours, logistic)


def test_features_approximate_the_gaussian_kernel():
    config = ArchitectureConfig("random_features", features=200_000, sigma=1.0)
    network = networks.build(config, (2,), 2, [0])
    x = torch.tensor([[[0.0, 0.0], [0.6, -0.3]]])
    phi = torch.baddbmm(network.b, x, network.s.mT).cos()[0] / 200_000**0.5
    kernel = 2 * float(phi[0] @ phi[1])
    assert kernel == pytest.approx(np.exp(-(0.6**2 + 0.3**2) / 2), abs=0.01)


def test_one_logit_is_rescaled_as_labels_0_and_1_are():
    """Eq. (22) for the paper's own f = w.phi and y in {0, 1}, in float64."""
    config = ArchitectureConfig("random_features", features=500, sigma=10.0, one_logit=True)
    network = networks.build(config, (2,), 2, [3, 4])
    network.w.data.normal_()
    data = load(DatasetConfig("two_moons", points=60, noise=0.1, flipped=0.2)).for_seeds([3, 4])
    theta = theta_bar(2.0)
    logits = predict(network, data, data.x_test, alpha=2.0)
    for r, seed in enumerate((3, 4)):
        own = load(DatasetConfig("two_moons", points=60, noise=0.1, flipped=0.2)).for_seeds([seed])
        x_bar, y_bar = own.x_train[0].double().mean(0), own.y_train.double().mean()
        shrunk = theta * own.x_test[0].double() + (1 - theta) * x_bar
        phi = (shrunk @ network.s[r].double().T + network.b[r].double()).cos() / 500**0.5
        u = (phi @ network.w[r, 0].double() - (1 - theta) * y_bar) / theta
        torch.testing.assert_close(logits[r, :, 1].double(), u.detach(), atol=1e-4, rtol=0)
        assert (logits[r, :, 0] == 0).all()


def test_one_logit_is_refused_for_three_classes():
    config = ArchitectureConfig("random_features", features=5, sigma=1.0, one_logit=True)
    with pytest.raises(InputError, match="one logit is for two classes, not 3"):
        networks.build(config, (2,), 3, [0])


def test_random_features_need_their_two_fields():
    with pytest.raises(InputError, match="random_features needs at least 1 feature"):
        networks.build(ArchitectureConfig("random_features"), (2,), 2, [0])


SEPARATED = DatasetConfig("separated_moons", points=60, noise=0.1, separation=0.5)


def test_separated_moons_are_those_of_the_published_code():
    """Step by step as published: centre, mirror to the class's side, push apart, exchange axes."""
    own = load(SEPARATED).draw(3)
    x, y = make_moons(60, noise=0.1, random_state=3)
    sign = 2.0 * y - 1
    x = x - np.stack([np.full(60, 0.5), 0.3 * sign], axis=1)
    x[:, 1] -= x[:, 1].mean()
    x[:, 1] *= np.sign(-x[:, 1] * sign)
    x[:, 1] -= 0.5 * sign
    np.testing.assert_allclose(own.x_train, x[:, ::-1], atol=1e-6)
    assert (own.y_train.numpy() == y).all()
    side = own.x_train[:, 0].numpy() * sign
    assert side.max() <= -0.5  # the moons lie half a unit beyond the middle, on either side
    assert own.x_test.shape == (60, 2) and not torch.equal(own.x_test, own.x_train)


def test_linearity_of_a_line_is_complete_and_of_a_circle_is_not():
    points = grid().numpy()
    line = (points @ [0.6, 0.8] > 0.3).astype(float)
    assert boundaries.linearity(line) > 99.9
    assert boundaries.linearity(1 - line) > 99.9
    assert boundaries.linearity(np.zeros(len(points))) == 100
    inside = (np.linalg.norm(points, axis=1) < 1.5).astype(float)
    share = inside.mean() * 100
    # The best line leaves the disc (or all but the disc) undecided, or cuts off a corner.
    assert max(share, 100 - share) <= boundaries.linearity(inside) < 85


def test_linearity_equals_brute_force_over_lines():
    points = grid().numpy()
    p = (points[:, 0] ** 3 - points[:, 0] > points[:, 1]).astype(float)
    best = 0.0
    for angle in np.linspace(0, np.pi, 60, endpoint=False):
        projected = points @ [np.cos(angle), np.sin(angle)]
        for threshold in np.linspace(-3, 3, 60):
            agree = ((projected > threshold) == (p > 0.5)).mean()
            best = max(best, agree, 1 - agree)
    assert 100 * best <= boundaries.linearity(p) < 100 * best + 1
