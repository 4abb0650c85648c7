"""The closed forms behind the notes, each by another route: draws, enumeration, quadrature."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from mixup_repro.papers.claims import CONTRADICTED, SUPPORTED
from mixup_repro.papers.notes.paper import PAPER
from mixup_repro.theory import gaussians, gradients, moments, paths
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


# --- overlapping classes ------------------------------------------------------------------------


def drawn_label(low: float, high: float, alpha: float, draw) -> float:
    """The mean label of mixtures in [low, high]; `draw` gives inputs of labels."""
    rng, n = np.random.default_rng(0), 1_000_000
    one, other = rng.integers(2, size=(2, n))
    lam = rng.beta(alpha, alpha, n)
    x = lam * draw(rng, one) + (1 - lam) * draw(rng, other)
    inside = (low < x) & (x < high)
    return (lam * one + (1 - lam) * other)[inside].mean()


@pytest.mark.parametrize("alpha", ALPHAS)
def test_optimal_predictions_between_classes_are_what_draws_have(alpha):
    ours = gaussians.mixup_gaussians(np.linspace(0.4, 0.6, 21), 1.0, alpha).mean()
    found = drawn_label(0.4, 0.6, alpha, lambda rng, y: rng.normal(2.0 * y - 1))
    assert ours == pytest.approx(found, abs=4e-3)
    found = drawn_label(0.74, 0.76, alpha, lambda rng, y: rng.uniform(y - 2, y + 1))
    assert gaussians.mixup_uniforms(0.75, alpha) == pytest.approx(found, abs=0.012)
    assert gaussians.mixup_uniforms(0.0, alpha) == pytest.approx(0.5, abs=1e-7)
    assert gaussians.mixup_uniforms(-0.75, alpha) == pytest.approx(
        1 - gaussians.mixup_uniforms(0.75, alpha), abs=1e-6
    )


def test_with_hardly_any_mixing_the_optimal_prediction_is_bayes():
    x = np.linspace(-2, 2, 9)
    ours = gaussians.mixup_gaussians(x, 0.7, 1e-4)
    truth = stats.norm.pdf(x, 0.7) / (stats.norm.pdf(x, 0.7) + stats.norm.pdf(x, -0.7))
    np.testing.assert_allclose(gaussians.bayes_gaussians(x, 0.7), truth, atol=1e-12)
    np.testing.assert_allclose(ours, truth, atol=1e-3)


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_relu_networks_path_strays_by_its_kinks(seed):
    rng = np.random.default_rng(seed)
    w, b, v = rng.normal(size=(40, 3)), rng.normal(size=40), rng.normal(size=40)
    start, stop = rng.normal(size=(2, 3)) * 2
    t, change = paths.kinks(w, b, v, start, stop)
    assert 0 < len(t) < 40

    def away(at):
        f = [v @ np.maximum(w @ (start + s * (stop - start)) + b, 0) for s in (0, at, 1)]
        return f[1] - (1 - at) * f[0] - at * f[2]

    cuts = np.r_[0, np.sort(t), 1]
    whole = sum(integrate.quad(lambda s: away(s) ** 2, *ends)[0] for ends in zip(cuts, cuts[1:]))
    assert paths.path_error(t, change) == pytest.approx(whole, rel=1e-9)
    at = rng.random(7)
    np.testing.assert_allclose(paths.stray(t, change, at), [away(s) for s in at], atol=1e-12)


def test_a_path_without_kinks_is_straight():
    none = paths.kinks(np.ones((1, 1)), np.ones(1), np.ones(1), np.zeros(1), np.ones(1))
    assert paths.path_error(*none) == 0


# --- what is said of the notes ------------------------------------------------------------------


@pytest.mark.parametrize("theorem", PAPER.theorems, ids=lambda t: t.id)
def test_only_what_the_notes_print_is_ever_contradicted(theorem):
    """Our own closed forms, and what holds under a condition, are borne out."""
    found = theorem.check()
    own = [check for check in found if "as printed" not in check.part]
    assert found and {check.verdict for check in own if "below 1" not in check.part} <= {SUPPORTED}


VERDICTS = {  # by the parts that are contradicted: none, some, all
    "mean_kept cutmix_local label_soft ls_uniform optimal_label active_entropy path_error": "none",
    "cov_shrink cov_regularises never_sees cutmix_area grad_mean grad_bias grad_added "
    "grad_variance grad_snr hessian_shrink saturation entropy_term optimal_half": "some",
    "hessian_easier saturation_points": "all",
}


def test_the_verdict_on_every_exact_claim():
    words = {}
    for theorem in PAPER.theorems:
        wrong = [check.verdict == CONTRADICTED for check in theorem.check()]
        words[theorem.id] = "all" if all(wrong) else "some" if any(wrong) else "none"
    assert words == {name: word for names, word in VERDICTS.items() for name in names.split()}
