"""The shrinkage factor against numerical integration, and Algorithm 1 as the paper prints it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as sc
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from mixup_repro.evaluation.rescaling import rescaled, theta_bar


def theta_bar_by_quadrature(alpha: float) -> float:
    """E[theta], theta ~ Beta(alpha, alpha) on [1/2, 1], integrated numerically."""
    if alpha <= 1:
        # weight="alg" integrates the density's singular factor (1 - theta)^(alpha - 1) exactly.
        options = {"weight": "alg", "wvar": (0, alpha - 1), "epsabs": 0, "epsrel": 1e-12}
        mass = quad(lambda theta: theta ** (alpha - 1), 0.5, 1, **options)[0]
        mean = quad(lambda theta: theta**alpha, 0.5, 1, **options)[0]
        return mean / mass
    # With theta = 1/2 + d; the mass lies within a few 1/sqrt(alpha) of the mode at d = 0.
    width = min(0.5, 12 / np.sqrt(alpha))

    def density(d: float) -> float:
        return np.exp((alpha - 1) * np.log1p(-4 * d * d)) if d < 0.5 else 0.0

    mass = quad(density, 0, width, epsabs=0, epsrel=1e-12)[0]
    mean = quad(lambda d: d * density(d), 0, width, epsabs=0, epsrel=1e-12)[0]
    return 0.5 + mean / mass


def algorithm_1(X_test, trained_model, alpha, X_train, Y_train):
    """Algorithm 1 of Carratino et al., as printed."""
    X_bar = torch.mean(X_train, dim=0, keepdim=True)
    Y_bar = torch.mean(Y_train, dim=0, keepdim=True)

    # expectation of a truncated beta distribution in [0.5, 1]
    theta_bar = 1.0 - sc.betainc(alpha + 1.0, alpha, 0.5)

    f_X = trained_model.forward((1.0 - theta_bar) * X_bar + theta_bar * X_test)
    return Y_bar * (1.0 - 1.0 / theta_bar) + f_X / theta_bar


ALPHAS = [1e-3, 1e-2, 0.1, 0.2, 0.5, 0.999, 1.0, 1.001, 2.0, 8.0, 32.0, 1024.0, 1e4]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_theta_bar_is_the_mean_of_the_truncated_beta(alpha):
    assert theta_bar(alpha) == pytest.approx(theta_bar_by_quadrature(alpha), rel=1e-9)


def test_theta_bar_of_the_uniform_distribution_is_three_quarters():
    assert theta_bar(1) == pytest.approx(0.75, abs=1e-15)


def test_theta_bar_at_alpha_one_half_is_the_arcsine_mean():
    # Beta(1/2, 1/2) on [1/2, 1]: theta = cos^2(phi), phi uniform on [0, pi/4].
    assert theta_bar(0.5) == pytest.approx(0.5 + 1 / np.pi, abs=1e-15)


@given(st.floats(-3, 4), st.floats(0.01, 1))
def test_theta_bar_falls_with_alpha(log_alpha, step):
    assert theta_bar(10**log_alpha) > theta_bar(10 ** (log_alpha + step))


def test_theta_bar_goes_to_one_and_to_one_half():
    # 1 - theta_bar -> alpha ln 2 as alpha -> 0;  theta_bar - 1/2 -> 1 / (2 sqrt(pi alpha)).
    assert 1 - theta_bar(1e-6) == pytest.approx(1e-6 * np.log(2), rel=1e-4)
    assert theta_bar(1e8) - 0.5 == pytest.approx(1 / (2 * np.sqrt(np.pi * 1e8)), rel=1e-4)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_theta_bar_refuses_alpha_that_is_not_positive(alpha):
    with pytest.raises(ValueError, match="alpha"):
        theta_bar(alpha)


def network(inputs: int, classes: int) -> torch.nn.Module:
    """A network with biases, so that shrinking its input is not a scaling of its output."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [torch.nn.Linear(inputs, 7), torch.nn.Tanh(), torch.nn.Linear(7, classes)]
        return torch.nn.Sequential(*layers).double()


def examples(counts: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    y = F.one_hot(torch.tensor([k for k, n in enumerate(counts) for _ in range(n)])).double()
    x_train = torch.from_numpy(rng.normal(1.5, 2.0, (len(y), 6)))
    return torch.from_numpy(rng.normal(size=(9, 6))), x_train, y


@pytest.mark.parametrize("alpha", [1e-3, 0.2, 1.0, 32.0])
@torch.no_grad()
def test_rescaled_is_algorithm_1_with_unbalanced_classes(alpha):
    x, x_train, y_train = examples([8, 3, 1])
    f = network(6, 3)
    ours = rescaled(f, x, alpha, x_train.mean(0), y_train.mean(0))
    torch.testing.assert_close(ours, algorithm_1(x, f, alpha, x_train, y_train))
    assert not torch.allclose(ours, f(x), atol=1e-4)


@torch.no_grad()
def test_rescaled_keeps_leading_replica_axes():
    x, x_train, y_train = examples([8, 3, 1])
    f = network(6, 3)
    stack = torch.stack([x, x + 1])
    ours = rescaled(f, stack, 0.7, x_train.mean(0), y_train.mean(0))
    for replica in (0, 1):
        expected = algorithm_1(stack[replica], f, 0.7, x_train, y_train)
        torch.testing.assert_close(ours[replica], expected)


@torch.no_grad()
def test_balanced_classes_make_it_temperature_scaling_at_the_shrunk_input():
    x, x_train, y_train = examples([4, 4, 4])
    f, x_bar, temperature = network(6, 3), x_train.mean(0), 0.75
    ours = rescaled(f, x, 1.0, x_bar, y_train.mean(0))
    expected = (f(x_bar + 0.75 * (x - x_bar)) / temperature).softmax(-1)
    torch.testing.assert_close(ours.softmax(-1), expected)


@torch.no_grad()
def test_a_centred_linear_model_is_left_as_it_is():
    """The paper's remark below Algorithm 1: x_bar = y_bar = 0 and f homogeneous."""
    x, _, _ = examples([1, 1, 1])
    f = torch.nn.Linear(6, 3, bias=False).double()
    torch.testing.assert_close(rescaled(f, x, 2.0, torch.zeros(6), torch.zeros(3)), f(x))
