"""The closed forms behind the notes, each by another route: draws, enumeration, quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from mixup_repro.theory import moments

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
