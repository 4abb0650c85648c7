"""The quadratic approximation of the Mixup risk and its regularisers (Carratino et al., section 4).

The terms R1 and R3 contain inverses of two matrices that can be singular, and the paper does not
say what to do then. H = nabla_uu l is singular for the softmax, along the vector of ones. Labels
sum to 1, so the vectors to which H's inverse is applied have no component along it, and the
pseudo-inverse is exact. Sigma_xx^(i) is singular where n <= d; the rows of Sigma_yx^(i) lie in its
range, so the pseudo-inverse is exact there too. As a prediction becomes confident, R1 and R3 grow
without bound and cancel. `quadratic_risk` checks their sum by the terms of eq. (33), which need no
inverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, vmap

from mixup_repro.beta import theta_quadrature
from mixup_repro.methods.modified import Function, modified
from mixup_repro.methods.second_order import check_per_example
from mixup_repro.theory.perturbation import Loss, covariance, perturbation


@dataclass(frozen=True)
class Quadratic:
    """The terms of eq. (12): loss on modified data, and the four regularisers."""

    modified_loss: Tensor
    r1: Tensor
    r2: Tensor
    r3: Tensor
    r4: Tensor

    @property
    def total(self) -> Tensor:
        """The approximate Mixup risk E_Q."""
        return self.modified_loss + self.r1 + self.r2 + self.r3 + self.r4


@dataclass(frozen=True)
class Derivatives:
    """At every modified pair: of f the Jacobian and f_xx, of the loss l_u, l_uu, l_uy and l_yy."""

    jacobian: Tensor  # (n, c, d)
    f_xx: Tensor  # (n, c, d, d)
    l_u: Tensor  # (n, c)
    l_uu: Tensor  # (n, c, c), as l_uy and l_yy
    l_uy: Tensor
    l_yy: Tensor


def derivatives(loss: Loss, f: Function, x: Tensor, y: Tensor) -> Derivatives:
    """All derivatives that eq. (11) needs, at pairs x (n, d), y (n, c); small d only.

    Raises:
        ValueError: as `check_per_example`, or targets that have not the shape of the outputs.
    """
    check_per_example(f)
    u = f(x)
    if u.shape != y.shape:
        raise ValueError(f"outputs {tuple(u.shape)} and targets {tuple(y.shape)} must agree")
    l_u = grad(loss, argnums=1)
    return Derivatives(
        vmap(jacrev(f))(x),
        vmap(hessian(f))(x),
        vmap(l_u)(y, u),
        vmap(jacfwd(l_u, argnums=1))(y, u),
        vmap(jacfwd(l_u, argnums=0))(y, u),
        vmap(hessian(loss, argnums=0))(y, u),
    )


def quadratic_risk(loss: Loss, f: Function, x: Tensor, y: Tensor, alpha: float) -> Quadratic:
    """Theorem 2, eq. (12): E_Q of a twice differentiable loss as modified loss + R1 + ... + R4.

    x (n, d), y (n, c); f and the loss act on single examples, (d,) -> (c,) and (c,), (c,) -> ().
    Corollaries 1 to 3 are this with the cross-entropy, logistic and squared-error losses. With the
    squared error and a linear f nothing is of higher order than two, so it is the Mixup risk:

    >>> import torch
    >>> from mixup_repro.theory.perturbation import mixup_risk
    >>> from mixup_repro.theory.taylor import quadratic_risk, squared_error
    >>> x, y = torch.tensor([[0.0], [1.0], [3.0]]).double(), torch.eye(3).double()
    >>> f = lambda x: torch.cat([-x, x, 2 * x], -1)
    >>> f"{quadratic_risk(squared_error, f, x, y, alpha=0.5).total:.12f}"
    '7.277777777778'
    >>> f"{mixup_risk(squared_error, f, x, y, alpha=0.5):.12f}"
    '7.277777777778'

    Raises:
        ValueError: R1 and R3 do not exist apart from each other, because the loss has no (or a
            degenerate) second derivative; or double precision cannot tell them apart, because
            predictions are too confident; or as `derivatives`.
    """
    x_tilde, y_tilde = modified(x, alpha), modified(y, alpha)
    d = derivatives(loss, f, x_tilde, y_tilde)
    s_xx, s_yx, s_yy = covariance(x, x, alpha), covariance(y, x, alpha), covariance(y, y, alpha)
    h_inverse, s_inverse = _pinv(d.l_uu, 1e-12), _pinv(s_xx, 1e-10)
    b = -d.l_uy @ s_yx
    j = h_inverse @ b @ s_inverse  # J^(i), eq. (13)
    difference = d.jacobian - j
    r1 = _inner(s_xx, difference.mT @ d.l_uu @ difference) / 2
    r3 = -_inner(s_inverse, b.mT @ h_inverse @ b) / 2
    r2 = _inner(s_xx, torch.einsum("nc,ncij->nij", d.l_u, d.f_xx)) / 2
    r4 = _inner(s_yy, d.l_yy) / 2
    both = _inner(s_xx, d.jacobian.mT @ d.l_uu @ d.jacobian) / 2 - _inner(b, d.jacobian)
    if not abs(r1 + r3 - both) <= 1e-9 * (1 + abs(both)):
        raise ValueError(
            "R1 and R3 need a loss whose second derivative in u is not (nearly) zero along the "
            f"labels; here only their sum can be computed: {float(both):.6g}"
        )
    return Quadratic(vmap(loss)(y_tilde, f(x_tilde)).mean(), r1, r2, r3, r4)


def approximate_risk(
    loss: Loss, f: Function, x: Tensor, y: Tensor, alpha: float, nodes: int = 30
) -> Tensor:
    """E_Q by its definition, eq. (10): the mean of eq. (11) over every theta and partner.

    By brute force, with G(x, y) = l(y, f(x)) differentiated as one function: what Theorem 2's terms
    must add up to. Arguments as in `quadratic_risk`; the cost grows with n^2.
    """
    n, d = x.shape

    def g(z: Tensor) -> Tensor:
        return loss(z[d:], f(z[:d]))

    z_tilde = torch.cat([modified(x, alpha), modified(y, alpha)], 1)
    theta, weight = (torch.from_numpy(v) for v in theta_quadrature(alpha, nodes))
    total = torch.zeros((), dtype=x.dtype)
    for i in range(n):
        gradient, curvature = grad(g)(z_tilde[i]), hessian(g)(z_tilde[i])
        e = torch.cat([perturbation(v, theta, i, alpha) for v in (x, y)], -1)
        second = e @ gradient + ((e @ curvature) * e).sum(-1) / 2
        total = total + g(z_tilde[i]) + weight @ second.mean(1)
    return total / n


def _pinv(s: Tensor, rtol: float) -> Tensor:
    # A covariance of n points in more dimensions has rank n - 1, the softmax's Hessian c - 1:
    # rounding, several times the default tolerance of c 2e-16, must not count as rank.
    return torch.linalg.pinv(s, hermitian=True, rtol=rtol)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The mean over examples of the Frobenius inner product."""
    return (a * b).sum((-2, -1)).mean()


def cross_entropy(y: Tensor, u: Tensor) -> Tensor:
    """l^CE(y, u) (eq. 3) in nats, for targets that sum to 1."""
    return u.logsumexp(-1) - (y * u).sum(-1)


def logistic(y: Tensor, u: Tensor) -> Tensor:
    """l^LR(y, u) (eq. 15), for one output and classes 0 and 1."""
    # Not softplus: above its threshold of 20 its second derivative is 0.
    return torch.logaddexp(u, torch.zeros_like(u)).sum(-1) - (y * u).sum(-1)


def squared_error(y: Tensor, u: Tensor) -> Tensor:
    """l^SE(y, u) = |y - u|^2 / 2 (eq. 3)."""
    return (y - u).square().sum(-1) / 2
