"""The closed forms behind the notes, each by another route: draws, enumeration, quadrature."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from mixup_repro.theory import gradients, moments
from mixup_repro.theory.perturbation import mixup_risk
from mixup_repro.theory.taylor import squared_error

ALPHAS = (0.2, 1.0, 8.0)


# --- moments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("k, m", [(2, 0), (4, 0), (2, 2), (1.5, 0)])
def test_moments_of_lambda_are_integrals(alpha, k, m):
    law = stats.beta(alpha, alpha)
    truth = law.expect(lambda lam: lam**k * (1 - lam) ** m)
    assert moments.beta_moment(alpha, k, m) == pytest.approx(truth, rel=1e-6)


def shuffled(pairing: moments.Pairing, b: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """One draw of examples and partners."""
    order = rng.permutation(b)
    if pairing == moments.Pairing.UNIFORM:
        return np.arange(b), rng.integers(b, size=b)
    if pairing == moments.Pairing.PERMUTATION:
        return np.arange(b), order
    if pairing == moments.Pairing.NEVER_SELF:
        return order, np.roll(order, rng.integers(1, b))
    return order, order[::-1]


@pytest.mark.parametrize("per_example", [True, False])
@pytest.mark.parametrize("pairing", moments.Pairing)
def test_covariances_of_a_mixed_batch_are_what_draws_have(pairing, per_example):
    rng, alpha = np.random.default_rng(0), 0.5
    b = 7 if pairing == moments.Pairing.ODD_REVERSAL else 6
    x = rng.normal(size=b)
    x -= x.mean()
    second, within = np.empty((2, 20000))
    for k in range(second.size):
        own, partner = shuffled(pairing, b, rng)
        lam = rng.beta(alpha, alpha, b if per_example else 1)
        mixed = lam * x[own] + (1 - lam) * x[partner]
        second[k], within[k] = (mixed**2).mean(), mixed.var()
    for drawn, factor in (
        (second, moments.second_moment_factor(alpha, pairing, b)),
        (within, moments.batch_factor(alpha, pairing, b, per_example)),
    ):
        error = drawn.std() / np.sqrt(drawn.size) / x.var()
        assert abs(drawn.mean() / x.var() - factor) < 4 * error


@pytest.mark.parametrize("alpha", ALPHAS)
def test_cut_boxes_cover_what_draws_have(alpha):
    rng, n = np.random.default_rng(1), 200_000
    side, centre = np.sqrt(1 - rng.beta(alpha, alpha, (n, 1))), rng.random((n, 2))
    low, high = np.clip(centre - side / 2, 0, 1), np.clip(centre + side / 2, 0, 1)
    share = (high - low).prod(1)
    assert moments.mean_pasted_share(alpha) == pytest.approx(share.mean(), abs=4e-3)
    for p, q in (((0.5, 0.5), (0.55, 0.5)), ((0.1, 0.3), (0.9, 0.9))):
        inside = [((low <= point) & (point <= high)).all(1) for point in (p, q)]
        same = (inside[0] == inside[1]).mean()
        assert moments.same_picture(p, q, alpha) == pytest.approx(same, abs=4e-3)


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.9])
def test_the_pasted_share_of_a_lambda_is_an_integral_over_centres(lam):
    r = np.sqrt(1 - lam)
    side = integrate.quad(
        lambda u: min(1, u + r / 2) - max(0, u - r / 2), 0, 1, points=[r / 2, 1 - r / 2]
    )[0]
    assert moments.pasted_share(lam) == pytest.approx(side**2, abs=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_labels_of_mixtures(alpha):
    law = stats.beta(alpha, alpha)
    entropy = law.expect(lambda t: stats.entropy([t, 1 - t]))
    assert moments.label_entropy(alpha) == pytest.approx(entropy, abs=1e-6)
    assert moments.barely_mixed(alpha, 0.1) == pytest.approx(2 * law.cdf(0.1))
    truth = law.expect(lambda t: abs(t - 0.3))
    assert moments.over_lambda(lambda t: abs(t - 0.3), alpha, [0.3]) == pytest.approx(truth)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_alpha_must_be_positive(alpha):
    for f in (moments.shrink, moments.label_entropy, moments.barely_mixed):
        with pytest.raises(ValueError, match="must be > 0"):
            f(alpha)


# --- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_gradients_variance_is_what_draws_have(alpha):
    """Of a linear model on data that are not at its optimum."""
    rng, n = np.random.default_rng(0), 400_000
    x, r = rng.normal(size=(9, 2)), rng.normal(size=(9, 2))
    r += x
    x, r = x - x.mean(0), r - r.mean(0)
    i, j, lam = rng.integers(9, size=n), rng.integers(9, size=n), rng.beta(alpha, alpha, (n, 1))
    mixed = [lam * v[i] + (1 - lam) * v[j] for v in (r, x)]
    g = mixed[0][:, :, None] * mixed[1][:, None, :]
    assert gradients.mean_square(r, x, alpha) == pytest.approx((g**2).sum((1, 2)).mean(), rel=0.02)
    assert gradients.variance(r, x, alpha) == pytest.approx(g.var(0).sum(), rel=0.02)
    # Given the pair: twice the variance is the mean square of a difference of two draws of lambda.
    lam = rng.beta(alpha, alpha, (n, 1))
    again = [lam * v[i] + (1 - lam) * v[j] for v in (r, x)]
    apart = g - again[0][:, :, None] * again[1][:, None, :]
    spread = (apart**2).sum((1, 2)).mean() / 2
    assert gradients.added_variance(r, x, alpha) == pytest.approx(spread, rel=0.03)
    each = r[:, :, None] * x[:, None, :]
    assert gradients.variance(r, x, None) == pytest.approx(each.var(0).sum())


def test_variances_want_centred_data():
    with pytest.raises(ValueError, match="mean zero"):
        gradients.variance(np.ones((3, 1)), np.ones((3, 1)), 1.0)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_linear_models_gradient_and_hessian_by_differentiating_the_mixup_risk(alpha):
    rng, c = np.random.default_rng(1), moments.shrink(alpha)
    x, y = rng.normal(size=(7, 3)) + 2, rng.normal(size=(7, 2))
    w, b = rng.normal(size=(2, 3)), rng.normal(size=2)
    data = [torch.from_numpy(v) for v in (x, y)]

    def risk(weight, bias):
        return mixup_risk(squared_error, lambda z: z @ weight.T + bias, *data, alpha)

    at = tuple(torch.from_numpy(v).requires_grad_() for v in (w, b))
    for ours, theirs in zip(
        gradients.linear_gradient(w, b, x, y, c), torch.autograd.grad(risk(*at), at)
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    (ww, wb), (_, bb) = torch.autograd.functional.hessian(risk, at)
    hessian = gradients.linear_hessian(x, c)
    np.testing.assert_allclose(hessian[:3, :3], ww[0, :, 0], atol=1e-12)
    np.testing.assert_allclose(hessian[:3, 3], wb[0, :, 0], atol=1e-12)
    np.testing.assert_allclose(hessian[3, 3], bb[0, 0], atol=1e-12)


def test_averaging_labels_changes_the_gradient_of_the_absolute_error_alone():
    """By hand: labels 0 and 1 beside an output 3/4 pull by +1 and -1, their mean by +1."""
    labels, chance = torch.tensor([[0.0], [1.0]]), torch.tensor([0.5, 0.5])
    u = torch.tensor([0.75])
    assert gradients.label_effect(gradients.absolute_error, u, labels, chance).item() == -1
    assert gradients.label_effect(squared_error, u, labels, chance).item() == 0


def test_losses_by_hand():
    y, u = torch.tensor([0.25, 0.75]).double(), torch.tensor([0.0, np.log(3.0)]).double()
    for loss, value in (  # softmax(u) is (1/4, 3/4)
        (gradients.brier, 0),
        (gradients.focal, -(0.25 * 0.5625 * np.log(0.25) + 0.75 * 0.0625 * np.log(0.75))),
        (gradients.absolute_error, 0.25 + np.log(3) - 0.75),
        (gradients.hinge, 1 + 1 - np.log(3) / 2),
        (gradients.huber, 0.25**2 / 2 + (np.log(3) - 0.75) ** 2 / 2),
        (gradients.reversed_kl, 0),
        (gradients.generalised, (1 - 0.625**0.7) / 0.7),
    ):
        assert loss(y, u).item() == pytest.approx(value, abs=1e-12)
