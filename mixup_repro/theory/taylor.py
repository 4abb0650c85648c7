"""The quadratic approximation of the Mixup risk and its regularisers (Carratino et al., section 4).

The decomposition into R1 and R3 inverts two matrices that can be singular, and the paper does not
say how. H = nabla_uu l is singular for the softmax, along the vector of ones; but labels sum to 1,
so what H's inverse is applied to has no component along it, and the pseudo-inverse is exact.
Sigma_xx^(i) is singular where n <= d, and the rows of Sigma_yx^(i) lie in its range, so there too.
`quadratic_risk` checks both. `regularisation` needs neither inverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import grad, hessian, jacfwd, jacrev, vmap

from mixup_repro.theory.beta import gamma2, sigma2
from mixup_repro.theory.perturbation import Function, Loss, centred, covariance, modified


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
    """At every modified pair: J (n, c, d), d2f (n, c, d, d); of the loss: u, uu, uy, yy."""

    jacobian: Tensor
    f_xx: Tensor
    l_u: Tensor
    l_uu: Tensor
    l_uy: Tensor
    l_yy: Tensor


def check_per_example(f: Function) -> None:
    """Raise ValueError where an output depends on other examples of the batch, or on chance."""
    if isinstance(f, nn.Module) and f.training:
        kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
        for module in f.modules():
            if isinstance(module, kinds):
                raise ValueError(
                    f"{type(module).__name__} in training mode has no derivative per example; "
                    f"call .eval() first"
                )


def derivatives(loss: Loss, f: Function, x: Tensor, y: Tensor) -> Derivatives:
    """All derivatives that eq. (11) needs, at pairs x (n, d), y (n, c); small d only."""
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
    Corollaries 1 to 3 are this with the cross-entropy, logistic and squared-error losses.

    Raises:
        ValueError: the loss has no (or a degenerate) second derivative, so that R1 and R3 do not
            exist apart from each other; or f is in training mode with BatchNorm or dropout.
    """
    x_tilde, y_tilde = modified(x, alpha), modified(y, alpha)
    d = derivatives(loss, f, x_tilde, y_tilde)
    s_xx, s_yx, s_yy = covariance(x, x, alpha), covariance(y, x, alpha), covariance(y, y, alpha)
    h_inverse, s_inverse = torch.linalg.pinv(d.l_uu, hermitian=True), _pinv(s_xx)
    b = -d.l_uy @ s_yx
    if not torch.allclose(d.l_uu @ h_inverse @ b, b, atol=1e-9 * float(b.abs().max() + 1)):
        raise ValueError(
            "R1 and R3 need a loss whose second derivative in u is there and is not zero along "
            "the labels; this one has none"
        )
    j = h_inverse @ b @ s_inverse  # J^(i), eq. (13)
    difference = d.jacobian - j
    r1 = _inner(s_xx, difference.mT @ d.l_uu @ difference) / 2
    r3 = -_inner(s_inverse, b.mT @ h_inverse @ b) / 2
    r2 = _inner(s_xx, torch.einsum("nc,ncij->nij", d.l_u, d.f_xx)) / 2
    r4 = _inner(s_yy, d.l_yy) / 2
    return Quadratic(vmap(loss)(y_tilde, f(x_tilde)).mean(), r1, r2, r3, r4)


def _pinv(s: Tensor) -> Tensor:
    # A covariance of n points in more dimensions has rank n - 1; rounding must not count as rank.
    return torch.linalg.pinv(s, hermitian=True, rtol=1e-10)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The mean over examples of the Frobenius inner product."""
    return (a * b).sum((-2, -1)).mean()


def regularisation(
    f: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, alpha: float, chunk: int = 64
) -> Tensor:
    """R1 + R3 for the cross-entropy without any inverse, nor a d x d matrix; for pictures.

    The mean of 1/2 <Sigma_xx^(i), J^T H J> - <Sigma_yx^(i), J> (eq. 33 with Corollary 1), where
    Sigma^(i) = sigma^2 a_i a_i^T + gamma^2 A^T A / n enters through J a_i and J A^T alone.
    x (n, *input) are training inputs, y (n, c) one-hot; f maps one input to (c,) logits.
    """
    check_per_example(f)
    n = len(x)
    a, b = centred(x).flatten(1), centred(y)
    x_tilde = modified(x, alpha)
    s2, g2 = sigma2(alpha), gamma2(alpha)
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for rows in torch.arange(n, device=x.device).split(chunk):
        jacobian, p = vmap(jacrev(lambda z: (f(z), f(z).softmax(-1)), has_aux=True))(x_tilde[rows])
        jacobian = jacobian.flatten(2)
        own = torch.einsum("ncd,nd->nc", jacobian, a[rows])  # J a_i
        spread = jacobian @ a.T  # (rows, c, n): J A^T
        for scale, ja, weight in (
            (s2, own.unsqueeze(2), b[rows].unsqueeze(2)),
            (g2 / n, spread, b.T),
        ):
            mean = torch.einsum("nc,nck->nk", p, ja)
            quadratic = torch.einsum("nc,nck->nk", p, ja.square()) - mean.square()
            linear = (ja * weight).sum(1)
            total = total + scale * (quadratic / 2 - linear).sum()
    return total / n


def cross_entropy(y: Tensor, u: Tensor) -> Tensor:
    """l^CE(y, u) (eq. 3), for targets that sum to 1."""
    return u.logsumexp(-1) - (y * u).sum(-1)


def logistic(y: Tensor, u: Tensor) -> Tensor:
    """l^LR(y, u) (eq. 15), for one output and classes 0 and 1."""
    return nn.functional.softplus(u).sum(-1) - (y * u).sum(-1)


def squared_error(y: Tensor, u: Tensor) -> Tensor:
    """l^SE(y, u) = |y - u|^2 / 2 (eq. 3)."""
    return (y - u).square().sum(-1) / 2
