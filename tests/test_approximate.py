"""Approximate mixup and ERM on modified data against the theory, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import job, make_image_folder, points, smooth_network
from scipy import stats
from torch.nn.attention import SDPBackend, sdpa_kernel

from mixup_repro import beta, networks
from mixup_repro.data import Dataset, load
from mixup_repro.data.batches import Batch, Modification, crop, mean_input
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.launch.session import run_job
from mixup_repro.methods.forward import along
from mixup_repro.methods.losses import cross_entropy
from mixup_repro.methods.modified import modified
from mixup_repro.methods.registry import METHODS
from mixup_repro.methods.second_order import regularisation
from mixup_repro.schema import ArchitectureConfig, MethodConfig
from mixup_repro.theory.taylor import cross_entropy as exact_cross_entropy
from mixup_repro.theory.taylor import quadratic_risk
from mixup_repro.training.loop import Stack
from mixup_repro.training.progress import Progress

F64 = torch.float64
CONFIG = MethodConfig(name="any")
ALPHA = 0.7


def modification(x: torch.Tensor, y: torch.Tensor, alphas: list[float]) -> Modification:
    moments = (
        torch.tensor([[f(a)] for a in alphas], dtype=F64)
        for f in (beta.theta_bar, beta.sigma2, beta.gamma2)
    )
    return Modification(x.mean(0), y.mean(0), *moments)


def test_the_estimator_is_unbiased():
    """z-test of its mean over draws of theta and partner, example by example, and over all."""
    (x, y), f, draws = points(n=6, d=4), smooth_network(d=4), 60_000
    rng = np.random.default_rng(0)
    partner = torch.from_numpy(rng.integers(len(x), size=(draws, len(x))))
    lam = torch.from_numpy(rng.beta(ALPHA, ALPHA, (draws, len(x))))
    many = (t.expand(draws, *t.shape) for t in (x, y))
    batch = Batch(
        *many, x[partner], y[partner], lam, modification=modification(x, y, [ALPHA] * draws)
    )
    with torch.no_grad():
        sampled = METHODS["approx_mixup"].function(f, batch, CONFIG).loss
    exact = (
        METHODS["approx_mixup_exact"]
        .function(f, Batch(x[None], y[None], modification=modification(x, y, [ALPHA])), CONFIG)
        .loss[0]
    )
    terms = quadratic_risk(exact_cross_entropy, f, x, y, ALPHA)
    truth = terms.modified_loss + terms.r1 + terms.r3
    assert exact.mean().item() == pytest.approx(truth.item(), rel=1e-10)
    z = (sampled.mean(0) - exact.detach()) / (sampled.std(0) / draws**0.5)
    assert stats.chi2.sf(float(z.square().sum()), len(x)) > 1e-3
    # The mean is known to a few thousandths of what the regularisation adds.
    error = float(sampled.mean(1).std()) / draws**0.5
    assert error < 0.02 * abs((terms.r1 + terms.r3).item())


def test_gradients_of_the_estimator_are_those_of_the_exact_loss_in_the_mean():
    (x, y), draws = points(n=6, d=4), 20_000
    rng = np.random.default_rng(1)
    partner = torch.from_numpy(rng.integers(len(x), size=(draws, len(x))))
    lam = torch.from_numpy(rng.beta(ALPHA, ALPHA, (draws, len(x))))
    many = (t.expand(draws, *t.shape) for t in (x, y))
    sampled = Batch(
        *many, x[partner], y[partner], lam, modification=modification(x, y, [ALPHA] * draws)
    )
    exact = Batch(x[None], y[None], modification=modification(x, y, [ALPHA]))
    gradients = []
    for name, batch in (("approx_mixup", sampled), ("approx_mixup_exact", exact)):
        f = smooth_network(d=4)
        METHODS[name].function(f, batch, CONFIG).loss.mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in f.parameters()]))
    assert (gradients[0] - gradients[1]).norm() < 0.02 * gradients[1].norm()


def test_erm_on_modified_data_is_equation_20():
    (x, y), f = points(n=6, d=4), smooth_network(d=4)
    batch = Batch(x[None], y[None], modification=modification(x, y, [ALPHA]))
    outcome = METHODS["erm_modified"].function(f, batch, CONFIG)
    expected = cross_entropy(modified(y, ALPHA), f(modified(x, ALPHA)))
    torch.testing.assert_close(outcome.loss[0], expected)


def test_at_lambda_one_for_a_tiny_alpha_nothing_is_added():
    """theta_bar tends to 1 with alpha to 0: no shrinking, no perturbation, plain ERM."""
    (x, y), f = points(n=6, d=4), smooth_network(d=4)
    ones = torch.ones(1, len(x), dtype=F64)
    m = modification(x, y, [1e-12])
    batch = Batch(x[None], y[None], x.flip(0)[None], y.flip(0)[None], ones, modification=m)
    plain = cross_entropy(y, f(x))
    torch.testing.assert_close(METHODS["approx_mixup"].function(f, batch, CONFIG).loss[0], plain)


@pytest.mark.parametrize("method", ["approx_mixup", "approx_mixup_exact", "erm_modified"])
def test_replicas_of_several_alphas_equal_single_runs(method):
    """One step of a stack of two alphas and two seeds, and of each alone."""
    words = ("dataset=two_moons", "architecture=random_features", "recipe=carratino_moons")
    config = job(*words, f"method={method}", "method.alpha=[0.5,4]", "seeds=2")
    runs, dataset = expand(config), load(config.dataset)

    def after_a_step(members):
        data = dataset.for_seeds([run.seed for run in members])
        stack = Stack.of(members, data)
        learner, batches, plans = stack.learner, stack.batches, stack.plans
        loss, _ = learner.step(next(batches(plans.epoch(0), 50)))
        return loss, learner.network.w.detach()

    stacked_loss, stacked = after_a_step(runs)
    for k, run in enumerate(runs):
        loss, weights = after_a_step([run])
        torch.testing.assert_close(stacked_loss[k : k + 1], loss, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(stacked[k : k + 1], weights, atol=1e-6, rtol=1e-4)
    assert not torch.allclose(stacked[0], stacked[2], atol=1e-4)  # alphas differ


def test_the_mean_input_is_that_of_every_crop_and_flip(tmp_path):
    root = make_image_folder(tmp_path / "set", per_class=3, size=16)
    dataset = load(job("dataset=image_folder", f"dataset.root={root}").dataset)
    n, padding = dataset.n_train, 2
    seen = []
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            offset = torch.tensor([top, left]).expand(1, n, 2)
            windows = dataset.normalise(crop(dataset.x_train[None], offset, padding)[0])
            seen += [windows, windows.flip(-1)]
    torch.testing.assert_close(
        mean_input(dataset, padding, True), torch.cat(seen).mean(0), atol=1e-5, rtol=1e-4
    )
    assert torch.equal(mean_input(dataset, 0, False), dataset.x_bar)


def test_regularisation_of_a_network_of_the_project_equals_the_quadratic_terms():
    """LeNet in float64 on four pictures: Jacobian products against torch.func's derivatives."""
    config = ArchitectureConfig("lenet")
    lenet = networks.build(config, (1, 16, 16), 3, [0]).to(F64).eval()
    g = torch.Generator().manual_seed(0)
    x = torch.rand(4, 1, 16, 16, generator=g, dtype=F64)
    y = F.one_hot(torch.tensor([0, 1, 2, 1]), 3).to(F64)
    ours = regularisation(lambda z: lenet(z.unsqueeze(0)).squeeze(0), x, y, 1.0)
    terms = quadratic_risk(
        exact_cross_entropy,
        lambda z: lenet(z.reshape(-1, 1, 16, 16).unsqueeze(0))[0].reshape(*z.shape[:-1], 3),
        x.flatten(1),
        y,
        1.0,
    )
    assert ours.item() == pytest.approx((terms.r1 + terms.r3).item(), rel=1e-8)


@pytest.mark.parametrize("method", ["approx_mixup", "approx_mixup_exact"])
def test_batchnorm_is_refused_before_any_work(method, tmp_path):
    root = make_image_folder(tmp_path / "set", per_class=3)
    words = ("dataset=image_folder", f"dataset.root={root}", "architecture=resnet18")
    config = job(*words, "recipe=carratino_lenet", f"method={method}", f"runs_dir={tmp_path}/runs")
    with pytest.raises(InputError, match=r"BatchNorm2d in training mode.*=lenet"):
        run_job(config, Progress())


@pytest.mark.parametrize("method", ["approx_mixup", "erm_modified", "mixup_inputs"])
def test_alpha_must_be_positive(method):
    with pytest.raises(InputError, match=r"method\.alpha=0: must be > 0"):
        job(f"method={method}", "method.alpha=0")


def test_one_class_or_one_example_is_refused():
    x, y = torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)
    with pytest.raises(InputError, match="has 1 class"):
        Dataset("few", x, y, x, y, classes=1)
    with pytest.raises(InputError, match="has 1 training example"):
        Dataset("few", x[:1], y[:1], x, y, classes=2)


def networks_of_every_kind() -> list[tuple[torch.nn.Module, tuple[int, ...]]]:
    """With the layers whose rule is ours, called in every way, and others; and inputs' shapes."""
    grouped = torch.nn.Conv2d(4, 8, 3, stride=2, padding=1, dilation=2, groups=2, bias=False)
    mixed = [torch.nn.Conv2d(3, 4, 3, padding="same"), torch.nn.GroupNorm(2, 4), torch.nn.GELU()]
    attention = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    other = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.ConvTranspose1d(4, 2, 3))
    members = [networks.LeNet((3, 20, 20), 3) for _ in range(2)]
    mlp = networks.build(ArchitectureConfig(name="mlp", hidden=[5]), (4,), 3, [0, 1])
    return [
        (networks.LeNet((3, 20, 20), 3), (6, 3, 20, 20)),
        (torch.nn.Sequential(*mixed, grouped, torch.nn.Flatten()), (6, 3, 8, 8)),
        (torch.nn.Linear(4, 3, bias=False), (6, 5, 4)),
        (other, (6, 2, 9)),
        (attention, (6, 5, 8)),
        (mlp, (2, 6, 4)),
        (networks.Vmapped(members), (2, 6, 3, 20, 20)),
    ]


@pytest.mark.parametrize("kind", range(7))
def test_the_derivative_along_a_direction_is_pytorchs_own_with_its_gradients(kind):
    torch.manual_seed(0)
    network, shape = networks_of_every_kind()[kind]
    x, delta = torch.randn(2, *shape, dtype=F64)
    network.double()

    def gradients(logits: torch.Tensor, du: torch.Tensor) -> list[torch.Tensor]:
        value = logits.logsumexp(-1).mean() + (du**2 * logits.detach()).sum()
        return [logits, du, *torch.autograd.grad(value, [*network.parameters()])]

    with sdpa_kernel(SDPBackend.MATH):
        ours = gradients(*along(network, x, delta))
        theirs = gradients(*torch.func.jvp(network, (x,), (delta,)))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_a_network_that_ignores_its_input_has_no_derivative_and_one_of_duals_is_left_alone():
    x, weight = torch.randn(5, 3), torch.randn(3, 3)
    assert along(lambda x: torch.ones(5, 2), x, x)[1].tolist() == 5 * [[0.0, 0.0]]
    squared = along(lambda x: F.linear(x, x), x, x)[1]  # the weights have a tangent too
    torch.testing.assert_close(squared, 2 * x @ x.T)
    torch.testing.assert_close(along(lambda v: F.linear(weight, v), x, x)[1], weight @ x.T)
