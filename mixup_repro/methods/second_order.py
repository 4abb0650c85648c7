"""The second order of Mixup's loss, without any inverse (Carratino et al., eq. 11 and Lemma 1)."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from mixup_repro.beta import gamma2, sigma2
from mixup_repro.methods.modified import Function, centred, modified

# PyTorch's forward mode compiles its own rules with torch.jit at first use, and then warns of it.
warnings.filterwarnings("ignore", "`torch.jit.script", FutureWarning)


def check_per_example(f: Function) -> None:
    """Raise ValueError where an output depends on other examples of the batch, or on chance."""
    if isinstance(f, nn.Module):
        kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
        for module in f.modules():
            drops_none = getattr(module, "p", None) == 0  # Dropout of rate 0
            if module.training and isinstance(module, kinds) and not drops_none:
                raise ValueError(
                    f"{type(module).__name__} in training mode has no derivative per example; "
                    f"call .eval() first"
                )


def second_order(p: Tensor, du: Tensor, epsilon: Tensor) -> Tensor:
    """1/2 du^T H du - epsilon.du with H = diag(p) - p p^T, over the last axis (eq. 11, Cor. 1).

    What a perturbation that moves logits by du = J delta and targets by epsilon adds to the
    cross-entropy in second order, without the Hessian of f; p (..., c) is the logits' softmax.

    >>> import torch
    >>> from mixup_repro.methods.losses import cross_entropy
    >>> from mixup_repro.methods.second_order import second_order
    >>> p, du, epsilon = torch.tensor([[0.5, 0.5], [0.1, -0.1], [0.02, -0.02]])
    >>> f"{second_order(p, du, epsilon):.6f}"  # 0.01 / 2 - 0.004
    '0.001000'
    >>> f"{cross_entropy(p + epsilon, du) - cross_entropy(p, 0 * du):.6f}"
    '0.000992'
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
