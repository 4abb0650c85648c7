"""Every numbered statement of `On Mixup Regularization`, in float64 against brute force."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import points, smooth_network
from scipy import integrate, stats
from scipy.special import betainc
from sklearn.datasets import load_digits, make_blobs
from torch import nn

from mixup_repro import beta
from mixup_repro.methods.modified import modified
from mixup_repro.methods.second_order import regularisation
from mixup_repro.theory.entropy import entropy, proposition_1, softmax_regression
from mixup_repro.theory.perturbation import covariance, mixup_risk, perturbation, perturbed_risk
from mixup_repro.theory.taylor import (
    approximate_risk,
    cross_entropy,
    logistic,
    quadratic_risk,
    squared_error,
)

ALPHAS = [1e-3, 0.1, 0.5, 1.0, 2.0, 32.0, 1e4]
F64 = torch.float64


def draws(alpha: float, n: int) -> list[tuple[float, float, int]]:
    """(theta, probability, j): the whole distribution of the perturbations."""
    nodes = zip(*beta.theta_quadrature(alpha, 30))
    return [(theta, weight / n, j) for theta, weight in nodes for j in range(n)]


def delta(x: torch.Tensor, theta: float, i: int, j: int, alpha: float) -> torch.Tensor:
    """One perturbation: of example i by partner j."""
    return perturbation(x, torch.tensor([theta], dtype=F64), i, alpha)[0, j]


# --- theta --------------------------------------------------------------------------------------


def moment(alpha: float, power: int, centre: float) -> float:
    """E (theta - centre)^power by adaptive quadrature in the logarithm of 1 - theta."""
    # 1 - theta = exp(-s) / 2 removes the singularity at theta = 1 for alpha < 1.
    scale = max(1.0, 1 / alpha)
    log_norm = np.log(2) - _log_beta(alpha)

    def integrand(s: float) -> float:
        rest = np.exp(-s) / 2
        log = -alpha * (s + np.log(2)) + (alpha - 1) * np.log1p(-rest) + log_norm
        return np.exp(log) * (1 - rest - centre) ** power

    points = [0.0, *(10.0 ** np.arange(-6, 0) * scale), scale, 10 * scale, 60 * scale]
    pairs = zip(points, points[1:])
    return sum(
        integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-12, limit=200)[0] for a, b in pairs
    )


def _log_beta(alpha: float) -> float:
    from mpmath import beta as mp_beta
    from mpmath import log, mp

    mp.dps = 40
    return float(log(mp_beta(alpha, alpha)))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_moments_of_theta_equal_quadrature(alpha):
    mean = moment(alpha, 1, 0.0)
    assert moment(alpha, 0, 0.0) == pytest.approx(1, rel=1e-9)
    assert beta.theta_bar(alpha) == pytest.approx(mean, rel=1e-10)
    assert beta.sigma2(alpha) == pytest.approx(moment(alpha, 2, beta.theta_bar(alpha)), rel=1e-8)
    assert beta.gamma2(alpha) == pytest.approx(moment(alpha, 2, 1.0), rel=1e-8)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_theta_bar_is_that_of_algorithm_1(alpha):
    assert beta.theta_bar(alpha) == pytest.approx(1 - betainc(alpha + 1, alpha, 0.5), rel=1e-10)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 32.0])
def test_density_and_sample_are_of_the_folded_beta(alpha):
    grid = np.linspace(0.51, 0.99, 9)
    reference = 2 * stats.beta(alpha, alpha).pdf(grid)
    assert beta.density(grid, alpha) == pytest.approx(reference)
    assert (beta.density(np.array([0.2, 1.2]), alpha) == 0).all()
    at_half = 2 * stats.beta(alpha, alpha).pdf(0.5)
    assert beta.density(np.array(0.5), alpha) == pytest.approx(at_half)
    drawn = beta.sample(alpha, 4000, np.random.default_rng(0))

    def cdf(theta):
        return 2 * stats.beta(alpha, alpha).cdf(theta) - 1

    # Draws of exactly 1 (rounding, at small alpha) have no place in a continuous law.
    assert stats.kstest(drawn[drawn < 0.999], lambda t: cdf(t) / cdf(0.999)).pvalue > 1e-3


@pytest.mark.parametrize("bad", [0, -1, float("nan")])
def test_alpha_must_be_positive(bad):
    for function in (beta.theta_bar, beta.sigma2, beta.gamma2):
        with pytest.raises(ValueError, match="must be > 0"):
            function(bad)


# --- Theorem 1 and Lemma 1 ----------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_theorem_1_both_risks_are_equal(alpha, loss):
    x, y = points()
    f = smooth_network()
    mixup = mixup_risk(loss, f, x, y, alpha, nodes=60)
    assert perturbed_risk(loss, f, x, y, alpha, nodes=60).item() == pytest.approx(
        mixup.item(), rel=1e-10
    )
    assert mixup.item() != pytest.approx(loss(y, f(x)).mean().item(), rel=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_theorem_1_perturbations_have_mean_zero_and_add_up_to_the_mixture(alpha):
    x, _ = points()
    for i in range(len(x)):
        mean = sum(w * delta(x, t, i, j, alpha) for t, w, j in draws(alpha, len(x)))
        assert mean.abs().max() < 1e-12
        mixed = modified(x, alpha)[i] + delta(x, 0.7, i, 2, alpha)
        torch.testing.assert_close(mixed, 0.7 * x[i] + 0.3 * x[2])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_lemma_1_covariances_of_the_perturbations(alpha):
    x, y = points()
    for a, b in ((x, x), (x, y), (y, y)):
        expected = torch.zeros(len(x), a.shape[1], b.shape[1], dtype=F64)
        for i in range(len(x)):
            for theta, weight, j in draws(alpha, len(x)):
                pair = (delta(z, theta, i, j, alpha) for z in (a, b))
                expected[i] += weight * torch.outer(*pair)
        torch.testing.assert_close(covariance(a, b, alpha), expected, atol=1e-12, rtol=1e-10)


# --- Theorem 2 and its corollaries --------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.3, 2.0])
@pytest.mark.parametrize("d", [3, 6])  # n = 5: Sigma_xx has full rank, and has not
@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_theorem_2_terms_add_up_to_the_second_order_expectation(alpha, d, loss):
    x, y = points(d=d)
    f = smooth_network(d=d)
    terms = quadratic_risk(loss, f, x, y, alpha)
    assert terms.total.item() == pytest.approx(
        approximate_risk(loss, f, x, y, alpha).item(), rel=1e-10
    )
    assert terms.r1 > 0 and terms.r3 < 0


def test_corollary_1_closed_form_of_the_cross_entropy():
    x, y = points()
    f, alpha = smooth_network(), 1.0
    x_tilde, y_tilde = modified(x, alpha), modified(y, alpha)
    r1 = r2 = r3 = 0.0
    for i in range(len(x)):
        p = f(x_tilde[i]).softmax(-1)
        h = torch.diag(p) - torch.outer(p, p)
        s_xx, s_yx = covariance(x, x, alpha)[i], covariance(y, x, alpha)[i]
        j = torch.linalg.pinv(h) @ s_yx @ torch.linalg.inv(s_xx)
        difference = torch.func.jacrev(f)(x_tilde[i]) - j
        r1 += torch.trace(s_xx @ difference.T @ h @ difference) / (2 * len(x))
        curve = torch.einsum("c,cij->ij", p - y_tilde[i], torch.func.hessian(f)(x_tilde[i]))
        r2 += (s_xx * curve).sum() / (2 * len(x))
        half = s_yx.T @ torch.linalg.pinv(h) @ s_yx
        r3 -= torch.trace(torch.linalg.inv(s_xx) @ half) / (2 * len(x))
    terms = quadratic_risk(cross_entropy, f, x, y, alpha)
    assert [terms.r1.item(), terms.r2.item(), terms.r3.item()] == pytest.approx(
        [r1.item(), r2.item(), r3.item()], rel=1e-9
    )
    assert terms.r4 == 0


def test_corollary_2_logistic_equals_cross_entropy_of_two_classes():
    x, _ = points()
    y = torch.tensor([0, 1, 1, 0, 1], dtype=F64)
    g = smooth_network(c=1)
    two = quadratic_risk(
        cross_entropy,
        lambda z: torch.cat([-g(z) / 2, g(z) / 2], -1),
        x,
        torch.stack([1 - y, y], 1),
        1.0,
    )
    one = quadratic_risk(logistic, g, x, y.unsqueeze(1), 1.0)
    for name in ("modified_loss", "r1", "r2", "r3", "r4"):
        assert getattr(one, name).item() == pytest.approx(getattr(two, name).item(), rel=1e-9)


def linear(w: torch.Tensor, b: torch.Tensor):
    return lambda z: z @ w.T + b


def linear_risks(alpha: float):
    """For random W, b: Mixup risk, mean error with the best intercept, and |b - b_bar|^2."""
    x, y = points(n=6)
    g = torch.Generator().manual_seed(2)
    rows = []
    for _ in range(6):
        w, b = torch.randn(3, 3, generator=g, dtype=F64), torch.randn(3, generator=g, dtype=F64)
        b_bar = y.mean(0) - w @ x.mean(0)
        fitted = squared_error(y, linear(w, b_bar)(x)).mean()
        risk = mixup_risk(squared_error, linear(w, b), x, y, alpha)
        rows.append([risk, fitted, (b - b_bar).square().sum()])
    return np.array(rows, dtype=float)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_corollary_3_exact_risk_of_linear_least_squares(alpha):
    """The risk is 2 E[lambda^2] times the fit, plus |b - b_bar|^2 / 2, and C = 0."""
    risk, fitted, intercept = linear_risks(alpha).T
    mean, variance = beta.theta_bar(alpha), beta.sigma2(alpha)
    coefficient = 2 * variance + mean**2 + (1 - mean) ** 2
    assert risk == pytest.approx(coefficient * fitted + intercept / 2, rel=1e-10)


def test_corollary_3_equation_19_as_printed_has_other_coefficients():
    """Its proof drops the 1/2 of l^SE in eq. (37); the conclusion about least squares stands."""
    alpha = 1.0
    risk, fitted, intercept = linear_risks(alpha).T
    mean, variance = beta.theta_bar(alpha), beta.sigma2(alpha)
    printed = (2 * variance + 2 * mean**2 + (1 - mean) ** 2) / 2 * fitted + intercept
    left_over = risk - printed  # eq. (19) calls this a constant C
    assert np.ptp(left_over) > 0.1 * np.ptp(risk)


@pytest.mark.parametrize("alpha", [0.2, 8.0])
def test_corollary_3_mixup_has_no_effect_on_linear_least_squares(alpha):
    x, y = points(n=8)
    design = torch.cat([x, torch.ones(len(x), 1, dtype=F64)], 1)
    solution = torch.linalg.lstsq(design, y).solution.T
    w, b = solution[:, :3].clone().requires_grad_(), solution[:, 3].clone().requires_grad_()
    risk = mixup_risk(squared_error, linear(w, b), x, y, alpha)
    gradients = torch.autograd.grad(risk, (w, b))
    assert max(float(g.abs().max()) for g in gradients) < 1e-10


def random_network(seed: int, scale: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Smooth, two inputs and three classes; its logits are about as large as `scale`."""
    g = torch.Generator().manual_seed(seed)
    v, w = (torch.randn(shape, generator=g, dtype=F64) for shape in ((2, 8), (8, 3)))
    return lambda x: scale * torch.tanh(x @ v) @ w


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_smooth_network_is_refused(count):
    """Rounding leaves a few 1e-16 where the softmax's Hessian has its zero."""
    for seed in range(count):
        x, y = points(n=3, d=2, seed=seed)
        f = random_network(seed, 1.0)
        total = quadratic_risk(cross_entropy, f, x, y, 0.7).total.item()
        truth = approximate_risk(cross_entropy, f, x, y, 0.7, nodes=8).item()
        assert total == pytest.approx(truth, rel=1e-9, abs=1e-9), seed


def test_confident_predictions_are_right_or_refused_with_the_sum():
    """R1 and R3 grow like the inverse of the least probability; their sum does not."""
    refused = 0
    for seed in range(30):
        x, y = points(n=3, d=2, seed=seed)
        f = random_network(seed, 5.0)
        terms = regularisation(f, x, y, 0.7).item()
        try:
            found = quadratic_risk(cross_entropy, f, x, y, 0.7)
        except ValueError as error:
            refused += 1
            assert float(str(error).rsplit(": ")[-1]) == pytest.approx(terms, rel=1e-5)
        else:
            assert (found.r1 + found.r3).item() == pytest.approx(terms, rel=1e-8, abs=1e-8)
    assert 0 < refused < 30


def test_corollary_3_quadratic_risk_is_exact_for_linear_models():
    x, y = points()
    f = linear(torch.randn(3, 3, dtype=F64), torch.randn(3, dtype=F64))
    exact = mixup_risk(squared_error, f, x, y, 1.0)
    assert quadratic_risk(squared_error, f, x, y, 1.0).total.item() == pytest.approx(
        exact.item(), rel=1e-10
    )


@pytest.mark.parametrize("n, d", [(5, 3), (5, 12)])
def test_regularisation_without_inverses_is_r1_plus_r3(n, d):
    x, y = points(n=n, d=d)
    f = smooth_network(d=d)
    terms = quadratic_risk(cross_entropy, f, x, y, 0.7)
    assert regularisation(f, x, y, 0.7, chunk=2).item() == pytest.approx(
        (terms.r1 + terms.r3).item(), rel=1e-9
    )


def test_regularisation_takes_pictures():
    x, y = points(n=4, d=3 * 8 * 8)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(-3), nn.Linear(192, 5), nn.Tanh(), nn.Linear(5, 3)).to(F64)
    flat = regularisation(net[1:], x, y, 1.0)
    assert regularisation(net, x.view(4, 3, 8, 8), y, 1.0).item() == pytest.approx(flat.item())


# --- Proposition 1 ------------------------------------------------------------------------------


def blobs(weights: list[int], spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, label = make_blobs(
        weights, n_features=2, cluster_std=spread, center_box=(-2, 2), random_state=seed
    )
    return np.c_[x, np.ones(len(x))], np.eye(len(weights))[label]


def noisy_digits() -> tuple[np.ndarray, np.ndarray]:
    x, label = load_digits(return_X_y=True)
    x = x[:600, ::7] / 16
    rng = np.random.default_rng(0)  # noise, or the classes would be separable
    label = np.where(rng.random(600) < 0.4, rng.integers(10, size=600), label[:600])
    return np.c_[x, np.ones(600)], np.eye(10)[label]


DATA = {
    "balanced": blobs([60, 60, 60], 2.0, 0),
    "one class in ten": blobs([180, 20], 2.5, 1),
    "four unbalanced": blobs([100, 50, 20, 10], 2.0, 2),
    "without intercept": tuple(a[:, :2] if a.shape[1] == 3 else a for a in blobs([90, 30], 3.0, 3)),
    "noisy digits": noisy_digits(),
}


@pytest.mark.parametrize("alpha", [0.1, 1.0, 8.0])
@pytest.mark.parametrize("name", DATA)
def test_proposition_1_label_smoothing_raises_the_mean_entropy(name, alpha):
    found = proposition_1(*DATA[name], alpha)
    assert found.bound <= found.smoothed + 1e-9
    if found.plain <= found.prior:
        assert found.plain <= found.smoothed + 1e-9
    assert abs(found.smoothed - found.plain) > 1e-6  # smoothing did something


def test_softmax_regression_equals_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    x, y = DATA["four unbalanced"]
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=10_000)
    expected = model.fit(x, y.argmax(1)).predict_proba(x)
    logits = x @ softmax_regression(x, y).T
    ours = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert ours == pytest.approx(expected, abs=1e-4)


def test_entropy_is_scipys():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=5)
    assert entropy(p) == pytest.approx(stats.entropy(p, axis=1))
    assert entropy(np.array([1.0, 0.0])) == 0


# --- Confident predictions ----------------------------------------------------------------------


@pytest.mark.parametrize("u", [-40.0, -25.0, 0.0, 25.0, 40.0])
def test_the_logistic_loss_keeps_its_curvature_at_confident_predictions(u):
    """It is 1 / (2 + 2 cosh u); PyTorch's softplus has none above 20, nor has E_Q then R1 + R3."""
    at, y = torch.tensor([u], dtype=F64), torch.tensor([0.25], dtype=F64)
    curvature = torch.func.hessian(logistic, argnums=1)(y, at)
    assert float(curvature) == pytest.approx(1 / (2 + 2 * np.cosh(u)), rel=1e-12)
    assert float(logistic(y, at)) == pytest.approx(np.logaddexp(0, u) - 0.25 * u, rel=1e-15)


# --- Bad input ----------------------------------------------------------------------------------


def test_what_cannot_be_computed_is_said():
    x, y = points()
    with pytest.raises(ValueError, match="at least two examples"):
        modified(x[:1], 1.0)
    with pytest.raises(ValueError, match="second derivative"):
        quadratic_risk(lambda t, u: (t * u).sum(), smooth_network(), x, y, 1.0)
    with pytest.raises(ValueError, match="at least two classes"):
        softmax_regression(x.numpy(), y.numpy()[:, :1])
    with pytest.raises(ValueError, match="separable"):
        softmax_regression(np.array([[1.0], [-1.0]]), np.eye(2))


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(3), nn.Dropout()])
def test_batchnorm_and_dropout_have_no_derivative_per_example(layer):
    x, y = points()
    net = nn.Sequential(layer, smooth_network()).to(F64).train()
    for function in (
        lambda: quadratic_risk(cross_entropy, net, x, y, 1.0),
        lambda: regularisation(net, x, y, 1.0),
    ):
        with pytest.raises(ValueError, match=r"call \.eval\(\) first"):
            function()
    assert regularisation(net.eval(), x, y, 1.0).isfinite()
