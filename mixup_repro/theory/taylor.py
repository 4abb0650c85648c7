"""The quadratic approximation of the Mixup risk and its regularisers (Carratino et al., section 4).

The decomposition into R1 and R3 inverts two matrices that can be singular, and the paper does not
say how. H = nabla_uu l is singular for the softmax, along the vector of ones; but labels sum to 1,
so what H's inverse is applied to has no component along it, and the pseudo-inverse is exact.
Sigma_xx^(i) is singular where n <= d, and the rows of Sigma_yx^(i) lie in its range, so there too.
`quadratic_risk` checks both. `regularisation` needs neither inverse.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import grad, hessian, jacfwd, jacrev, vmap

from mixup_repro.theory.beta import gamma2, sigma2, theta_quadrature
from mixup_repro.theory.perturbation import (
    Function,
    Loss,
    centred,
    covariance,
    modified,
    perturbation,
)

# PyTorch's forward mode compiles its own rules with torch.jit at first use, and then warns of it.
warnings.filterwarnings("ignore", "`torch.jit.script", FutureWarning)


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
    Corollaries 1 to 3 are this with the cross-entropy, logistic and squared-error losses.

    Raises:
        ValueError: the loss has no (or a degenerate) second derivative, so that R1 and R3 do not
            exist apart from each other; or as `derivatives`.
    """
    x_tilde, y_tilde = modified(x, alpha), modified(y, alpha)
    d = derivatives(loss, f, x_tilde, y_tilde)
    s_xx, s_yx, s_yy = covariance(x, x, alpha), covariance(y, x, alpha), covariance(y, y, alpha)
    h_inverse, s_inverse = torch.linalg.pinv(d.l_uu, hermitian=True), _pinv(s_xx)
    b = -d.l_uy @ s_yx
    if not torch.allclose(d.l_uu @ h_inverse @ b, b, atol=1e-9 * float(b.detach().abs().max() + 1)):
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


def _pinv(s: Tensor) -> Tensor:
    # A covariance of n points in more dimensions has rank n - 1; rounding must not count as rank.
    return torch.linalg.pinv(s, hermitian=True, rtol=1e-10)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The mean over examples of the Frobenius inner product."""
    return (a * b).sum((-2, -1)).mean()


def second_order(p: Tensor, du: Tensor, epsilon: Tensor) -> Tensor:
    """1/2 du^T H du - epsilon.du with H = diag(p) - p p^T, over the last axis (eq. 11, Cor. 1).

    What a perturbation that moves logits by du = J delta and targets by epsilon adds to the
    cross-entropy in second order, without the Hessian of f; p (..., c) is the logits' softmax.
    """
    mean = (p * du).sum(-1)
    return ((p * du.square()).sum(-1) - mean.square()) / 2 - (epsilon * du).sum(-1)


def logits_and_jacobian(f: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    """f(x) (..., c) and the Jacobian (..., c, d) of each example, by one backward pass a class.

    x is (..., *input) and f maps a batch; an example's outputs may depend on its own input only.
    The result can be differentiated again wherever gradients are enabled.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        u = f(x)
        rows = [
            torch.autograd.grad(u[..., k].sum(), x, create_graph=again, retain_graph=True)[0]
            for k in range(u.shape[-1])
        ]
    jacobian = torch.stack([row.flatten(u.ndim - 1) for row in rows], -2)
    return (u, jacobian) if again else (u.detach(), jacobian)


def expected_second_order(
    p: Tensor,
    jacobian: Tensor,
    own: tuple[Tensor, Tensor],
    partners: tuple[Tensor, Tensor],
    s2: Tensor | float,
    g2: Tensor | float,
) -> Tensor:
    """The mean of `second_order` over theta and partners j, for each example (..., b).

    By Lemma 1 the covariances are sigma^2 a_i b_i^T + gamma^2 sum_j a_j b_j^T / n, so J enters
    through J a_i and J a_j alone. `own` holds the centred inputs a (..., b, d) and labels
    b (..., b, c) of the examples, `partners` those of all partners, (..., n, d) and (..., n, c).
    """
    own_du = (jacobian @ own[0].unsqueeze(-1)).squeeze(-1)
    partner_du = (jacobian @ partners[0].mT.unsqueeze(-3)).mT  # (..., b, n, c)
    spread = second_order(p.unsqueeze(-2), partner_du, partners[1].unsqueeze(-3)).mean(-1)
    return s2 * second_order(p, own_du, own[1]) + g2 * spread


def regularisation(f: Function, x: Tensor, y: Tensor, alpha: float, chunk: int = 64) -> Tensor:
    """R1 + R3 for the cross-entropy without any inverse, nor a d x d matrix; for pictures.

    The mean of 1/2 <Sigma_xx^(i), J^T H J> - <Sigma_yx^(i), J> (eq. 33 with Corollary 1).
    x (n, *input) are training inputs, y (n, c) one-hot; f maps a batch of inputs to logits.
    chunk: examples whose Jacobians are held at once.

    Raises:
        ValueError: as `check_per_example`; or fewer than two examples.
    """
    check_per_example(f)
    a, b = centred(x).flatten(1), centred(y)
    x_tilde = modified(x, alpha)
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for rows in torch.split(torch.arange(len(x), device=x.device), chunk):
        u, jacobian = logits_and_jacobian(f, x_tilde[rows])
        own = (a[rows], b[rows])
        p = u.softmax(-1)
        terms = expected_second_order(p, jacobian, own, (a, b), sigma2(alpha), gamma2(alpha))
        total = total + terms.sum()
    return total / len(x)


def cross_entropy(y: Tensor, u: Tensor) -> Tensor:
    """l^CE(y, u) (eq. 3) in nats, for targets that sum to 1."""
    return u.logsumexp(-1) - (y * u).sum(-1)


def logistic(y: Tensor, u: Tensor) -> Tensor:
    """l^LR(y, u) (eq. 15), for one output and classes 0 and 1."""
    return nn.functional.softplus(u).sum(-1) - (y * u).sum(-1)


def squared_error(y: Tensor, u: Tensor) -> Tensor:
    """l^SE(y, u) = |y - u|^2 / 2 (eq. 3)."""
    return (y - u).square().sum(-1) / 2
