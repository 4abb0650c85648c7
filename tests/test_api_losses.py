"""The losses for a model of one's own, against PyTorch, timm, torchvision and the library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import smooth_network
from scipy import stats
from timm.data.mixup import Mixup
from timm.loss import SoftTargetCrossEntropy
from torch import nn
from torchvision.transforms import v2

import mixup_repro
from mixup_repro.api import losses
from mixup_repro.data.batches import Batch, Modification
from mixup_repro.errors import InputError
from mixup_repro.methods.approximate import approx_mixup
from mixup_repro.schema import MethodConfig

CLASSES = 5


class Recorder(nn.Module):
    """A small fixed network that keeps the inputs it was given."""

    def __init__(self, features: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(features, CLASSES, generator=generator))
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return x.flatten(1) @ self.weight.to(x.dtype)


def pictures(n: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(n)
    return torch.randn(n, 3, 6, 8, generator=generator), torch.arange(n) ** 2 % CLASSES


def draws(monkeypatch, partner, lam, centre=None) -> None:
    """Let the losses mix with these partners, lambdas and centres in place of drawn ones."""
    drawn = tuple(None if v is None else torch.as_tensor(v) for v in (partner, lam, centre))
    monkeypatch.setattr(losses, "_draws", lambda x, alpha, generator: drawn)


def test_mixup_is_facebooks_criterion_of_what_the_model_saw():
    """Example k is the k-th unit vector, so that a mixed input shows its lambda and its partner."""
    n = 64
    x, y, model = torch.eye(n), torch.arange(n) % CLASSES, Recorder(n)
    torch.manual_seed(3)
    loss = mixup_repro.mixup_loss(model, x, y, alpha=0.8)
    (seen,) = model.seen
    lam = seen.diagonal()
    partner = (seen - torch.diag(lam)).argmax(1)
    alone = lam == 1  # its own partner, or a lambda that is exactly 1
    partner[alone] = torch.arange(n)[alone]
    assert sorted(partner.tolist()) == list(range(n))
    torch.testing.assert_close(seen.sum(1), torch.ones(n))
    u = seen @ model.weight
    of = [F.cross_entropy(u, labels, reduction="none") for labels in (y, y[partner])]
    torch.testing.assert_close(loss, (lam * of[0] + (1 - lam) * of[1]).mean())


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_lambdas_are_beta_and_each_example_has_its_own(alpha):
    n, model = 2000, Recorder(1)
    x = torch.arange(n, dtype=torch.float64)[:, None]  # mixed with itself nowhere to speak of
    torch.manual_seed(0)
    partner, lam, centre = losses._draws(x, alpha, None)
    mixup_repro.mixup_loss(model, x, torch.arange(n) % CLASSES, alpha, torch.Generator())
    assert stats.kstest(lam.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert lam.dtype == torch.float64 and (partner != torch.arange(n)).float().mean() > 0.99
    assert stats.kstest(centre.flatten().numpy(), "uniform").pvalue > 0.01
    (seen,) = model.seen
    assert abs(float(seen.mean()) - float(x.mean())) < 30  # a permutation keeps it, up to lambda


def test_seeds_fix_the_draws_and_a_generator_leaves_the_global_one_alone():
    x, y = pictures()
    model = Recorder(3 * 6 * 8)

    def loss(**how) -> float:
        return mixup_repro.mixup_loss(model, x, y, **how).item()

    torch.manual_seed(1)
    first, second = loss(), loss()
    torch.manual_seed(1)
    own = [loss(generator=torch.Generator().manual_seed(7)) for _ in range(2)]
    assert (loss(), loss()) == (first, second) and first != second
    assert own[0] == own[1] != first


def test_mixup_equals_timm(monkeypatch):
    x, y = pictures()
    lam = np.random.default_rng(0).random(len(x)).astype(np.float32)
    theirs = Mixup(mixup_alpha=1.0, mode="elem", label_smoothing=0.0, num_classes=CLASSES)
    monkeypatch.setattr(theirs, "_params_per_elem", lambda n: (lam.copy(), np.zeros(n, bool)))
    their_x, their_y = theirs(x.clone(), y)
    draws(monkeypatch, torch.arange(len(x)).flip(0), lam)  # timm pairs by reversal
    model = Recorder(3 * 6 * 8)
    loss = mixup_repro.mixup_loss(model, x, y)
    torch.testing.assert_close(model.seen[0], their_x, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(loss, SoftTargetCrossEntropy()(model(their_x), their_y))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["MixUp", "CutMix"])
def test_mixup_and_cutmix_equal_torchvision(monkeypatch, kind, seed):
    x, y = pictures(7)
    theirs, params = getattr(v2, kind)(num_classes=CLASSES), []
    make = theirs.make_params
    monkeypatch.setattr(theirs, "make_params", lambda xs: params.append(make(xs)) or params[-1])
    torch.manual_seed(seed)
    their_x, their_y = theirs(x, y)
    torch.manual_seed(seed)
    drawn = float(theirs._dist.sample(()))  # CutMix's is adjusted afterwards
    at = [torch.randint(size, size=(1,)).item() for size in (8, 6)]  # and so its centre
    draws(
        monkeypatch,
        torch.arange(len(x)).roll(1),  # torchvision pairs neighbours
        torch.full((7,), drawn),
        torch.tensor([[(at[1] + 0.5) / 6, (at[0] + 0.5) / 8]] * 7),
    )
    model, name = Recorder(3 * 6 * 8), {"MixUp": "mixup_loss", "CutMix": "cutmix_loss"}[kind]
    loss = getattr(mixup_repro, name)(model, x, y)
    torch.testing.assert_close(model.seen[0], their_x, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(loss, F.cross_entropy(model(their_x), their_y))


def test_label_smoothing_equals_pytorch_and_takes_shares():
    x, y = pictures()
    model = Recorder(3 * 6 * 8)
    theirs = F.cross_entropy(model(x), y, label_smoothing=0.3)
    torch.testing.assert_close(mixup_repro.label_smoothing_loss(model, x, y, 0.3), theirs)
    soft = F.one_hot(y, CLASSES).float()
    torch.testing.assert_close(mixup_repro.label_smoothing_loss(model, x, soft, 0.3), theirs)


@pytest.mark.parametrize("of", ["mixup_loss", "cutmix_loss", "approx_mixup_loss"])
@pytest.mark.parametrize("labels", [torch.int32, torch.uint8, torch.float32, torch.bfloat16])
def test_labels_of_any_kind_give_the_same_loss(of, labels):
    x, y = pictures()
    other = y.to(labels) if not labels.is_floating_point else F.one_hot(y, CLASSES).to(labels)
    model, found = Recorder(3 * 6 * 8), []
    for target in (y, other):
        torch.manual_seed(0)
        found.append(getattr(mixup_repro, of)(model, x, target))
    assert torch.equal(*found)


@pytest.mark.parametrize("of", ["mixup", "cutmix", "label_smoothing", "approx_mixup"])
@pytest.mark.parametrize(
    "dtype, close", [(torch.float16, 0.02), (torch.bfloat16, 0.1), (torch.float64, 1e-5)]
)
def test_any_precision(of, dtype, close):
    x, y = pictures()
    loss, model = getattr(mixup_repro, f"{of}_loss"), nn.Sequential(nn.Flatten(), nn.Linear(144, 5))
    found = []
    for kind in (torch.float32, dtype):
        torch.manual_seed(0)
        found.append(loss(model.to(kind), x.to(kind), y))
    assert found[1].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    found[1].backward()
    assert all(p.grad.isfinite().all() and p.grad.dtype == dtype for p in model.parameters())
    assert found[1].item() == pytest.approx(found[0].item(), rel=close)


def test_mixing_in_half_precision_loses_no_more_than_its_last_rounding():
    """Inputs of one value stay that value, whatever lambda: rounding lambda first would not."""
    x, model = torch.full((64, 7), 1.7, dtype=torch.float16), Recorder(7)
    mixup_repro.mixup_loss(model, x, torch.arange(64) % CLASSES)
    assert torch.equal(model.seen[0], x)


def approximate(x, y, model, means=(None, None)) -> torch.Tensor:
    torch.manual_seed(5)
    return mixup_repro.approx_mixup_loss(model, x, y, 0.7, *means)


@pytest.mark.parametrize("given", [True, False])
def test_approximate_mixup_equals_the_librarys(given):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(9, 3, generator=generator, dtype=torch.float64), torch.arange(9) % 3
    one_hot = F.one_hot(y, 3).double()
    means = (torch.tensor([0.5, 1.0, -1.0]).double(), torch.tensor([0.2, 0.3, 0.5]).double())
    x_bar, y_bar = means if given else (x.mean(0), one_hot.mean(0))
    model = smooth_network(d=3, c=3)
    torch.manual_seed(5)
    partner, lam, _ = losses._draws(x, 0.7, None)
    moments = [torch.tensor([[mixup_repro.theta_bar(0.7)]]).double(), *torch.zeros(2, 1, 1)]
    batch = Batch(
        x[None],
        one_hot[None],
        x[partner][None],
        one_hot[partner][None],
        lam[None],
        modification=Modification(x_bar, y_bar, *moments),
    )
    theirs = approx_mixup(model, batch, MethodConfig("approx_mixup")).loss.mean()
    ours = approximate(x, y, model, means if given else (None, None))
    torch.testing.assert_close(ours, theirs)


def test_approximate_mixup_is_the_second_order_along_the_perturbation():
    """Of a linear model: l + 1/2 d2/dt2 of l(y~ + t eps, f(x~ + t delta)), by differences."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 3, generator=generator, dtype=torch.float64), torch.arange(40) % 4
    model, bar, one_hot = nn.Linear(3, 4).double(), mixup_repro.theta_bar(0.7), torch.eye(4)[y]
    one_hot = one_hot.double()
    torch.manual_seed(5)
    partner, lam, _ = losses._draws(x, 0.7, None)
    theta = torch.maximum(lam, 1 - lam)[:, None]
    ends = [theta * v + (1 - theta) * v[partner] for v in (x, one_hot)]
    starts = [bar * v + (1 - bar) * v.mean(0) for v in (x, one_hot)]

    def along(t: float) -> torch.Tensor:
        z, targets = (a + t * (b - a) for a, b in zip(starts, ends))
        return -(targets * model(z).log_softmax(-1)).sum(-1).mean()

    h = 1e-3
    curved = (along(h) - 2 * along(0) + along(-h)) / h**2
    torch.testing.assert_close(approximate(x, y, model), along(0) + curved / 2, atol=1e-7, rtol=0)


def test_approximate_mixup_refuses_batchnorm_in_our_words_and_takes_it_frozen():
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.0), nn.Linear(6, 3))
    x, y = torch.randn(8, 4), torch.arange(8) % 3
    with pytest.raises(InputError, match="BatchNorm1d in training mode has no derivative"):
        mixup_repro.approx_mixup_loss(model, x, y)
    model[1].eval()
    mixup_repro.approx_mixup_loss(model, x, y).backward()
    assert model[0].weight.grad.abs().sum() > 0 and model.training


def test_approximate_mixup_takes_attention():
    """Its forward mode, against the Jacobian by backward passes."""

    class Attends(nn.Module):
        def __init__(self, c: int = 3) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, c)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.first(x)
            return self.last(F.scaled_dot_product_attention(h, h, h).mean(1))

    torch.manual_seed(0)
    model, x, y = Attends().double(), torch.randn(6, 5, 4).double(), torch.arange(6) % 3
    found = approximate(x, y, model)
    torch.manual_seed(5)
    partner, lam, _ = losses._draws(x, 0.7, None)
    theta, bar = torch.maximum(lam, 1 - lam), mixup_repro.theta_bar(0.7)
    one_hot, terms = F.one_hot(y, 3).double(), []
    for i, j in enumerate(partner.tolist()):
        start, target = (bar * v[i] + (1 - bar) * v.mean(0) for v in (x, one_hot))
        delta, epsilon = (theta[i] * v[i] + (1 - theta[i]) * v[j] for v in (x, one_hot))
        jacobian = torch.autograd.functional.jacobian(lambda z: model(z[None])[0], start)
        du, p = torch.einsum("ktd,td->k", jacobian, delta - start), model(start[None])[0].softmax(0)
        hessian = torch.diag(p) - p[:, None] * p
        terms.append(-target @ p.log() + du @ hessian @ du / 2 - (epsilon - target) @ du)
    torch.testing.assert_close(found, torch.stack(terms).mean())


X, Y = torch.zeros(8, 3), torch.arange(8) % 5
BAD = [
    (X.tolist(), Y, "x is a list"),
    (X[0], Y, r"x has shape \(3,\): must be \(b"),
    (X[:0], Y[:0], r"x has shape \(0, 3\): there are no examples"),
    (X.int(), Y, "x has dtype torch.int32: must be floats"),
    (X, Y.tolist(), "y is a list"),
    (X, Y[:7], r"y has shape \(7,\) where x has shape \(8, 3\): must be classes \(8,\)"),
    (X, Y[:, None], r"y has shape \(8, 1\) and dtype torch.int64: shares must be floats"),
    (X, Y.float(), r"y has shape \(8,\) and dtype torch.float32: classes must be integers"),
    (X, Y > 2, r"dtype torch.bool: classes must be integers"),
    (X, Y - 1, "y has class -1"),
    (X, Y + 2, r"y has class 6, and logits \(8, 5\) know 0 to 4"),
    (X, torch.full((8, 5), 0.3), "y has rows that are no shares"),
    (X, torch.full((8, 4), 0.25), r"y has shape \(8, 4\) but the logits \(8, 5\)"),
]


@pytest.mark.parametrize("of", ["mixup", "label_smoothing", "approx_mixup"])
@pytest.mark.parametrize("x, y, message", BAD)
def test_bad_examples_are_one_sentence(of, x, y, message):
    with pytest.raises(InputError, match=message) as caught:
        getattr(mixup_repro, f"{of}_loss")(nn.Linear(3, 5), x, y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("of", ["mixup", "label_smoothing", "approx_mixup"])
@pytest.mark.parametrize(
    "model, message",
    [
        (nn.Sequential(nn.Linear(3, 5), nn.Softmax(-1)), "are probabilities: give the logits"),
        (nn.Linear(3, 1), r"has shape \(8, 1\): must have a logit for each class"),
        (lambda x: x.sum(), r"has shape \(\): must be logits \(8, c\)"),
        (lambda x: torch.ones(4, 5), r"has shape \(4, 5\): must be logits \(8, c\)"),
        (lambda x: (x, x), "is a tuple: must be a tensor of logits"),
        (lambda x: {"logits": x}, "is a dict: must be a tensor of logits"),
        (lambda x: x.long().repeat(1, 2), "has dtype torch.int64: logits must be floats"),
    ],
)
def test_bad_models_are_one_sentence(of, model, message):
    with pytest.raises(InputError, match="the model's output .*" + message):
        getattr(mixup_repro, f"{of}_loss")(model, X, Y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_probabilities_of_any_precision_are_seen_and_logits_are_not_taken_for_them(dtype):
    logits = torch.randn(8, 1000, generator=torch.Generator().manual_seed(0)).to(dtype)
    with pytest.raises(InputError, match="probabilities"):
        mixup_repro.label_smoothing_loss(lambda x: logits.softmax(-1), X, Y)
    for fine in (logits, logits.log_softmax(-1), torch.zeros_like(logits), logits.abs()):
        assert mixup_repro.label_smoothing_loss(lambda x, u=fine: u, X, Y).isfinite()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: mixup_repro.mixup_loss(m, X, Y, alpha=0), "alpha=0: must be a number > 0"),
        (lambda m: mixup_repro.mixup_loss(m, X, Y, alpha="a"), "alpha='a': must be a number"),
        (
            lambda m: mixup_repro.mixup_loss(m, X, Y, float("nan")),
            "alpha=nan: must be a number > 0",
        ),
        (lambda m: mixup_repro.cutmix_loss(m, X, Y), r"x has shape \(8, 3\): must be pictures"),
        (lambda m: mixup_repro.label_smoothing_loss(m, X, Y, 1), "epsilon=1: must be a number bet"),
        (lambda m: mixup_repro.approx_mixup_loss(m, X, Y, x_bar=X[0]), "give both, or neither"),
        (
            lambda m: mixup_repro.approx_mixup_loss(m, X, Y, 1, X, torch.ones(5) / 5),
            r"x_bar has shape \(8, 3\): must be \(3,\)",
        ),
        (
            lambda m: mixup_repro.approx_mixup_loss(m, X, Y, 1, X[0], torch.ones(4) / 4),
            r"y_bar has shape \(4,\): must be \(5,\)",
        ),
        (
            lambda m: mixup_repro.approx_mixup_loss(m, X, Y, 1, X[0].tolist(), [0.5]),
            "x_bar is a list: must be a tensor",
        ),
    ],
)
def test_bad_settings_are_one_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call(nn.Linear(3, 5))
