"""What `import mixup_repro` offers besides losses, against other libraries and brute force."""

from __future__ import annotations

import itertools
import re

import commands
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import job
from scipy.special import betainc
from sklearn.metrics import log_loss
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

import mixup_repro
from mixup_repro import api, networks
from mixup_repro.data import load
from mixup_repro.errors import InputError
from mixup_repro.evaluation import predictor
from mixup_repro.paths import CHECKOUT


def examples(n: int, c: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, 4, 5, generator=generator) + 0.5
    return x, torch.randint(c, (n,), generator=generator)


def network(c: int = 4) -> nn.Module:
    torch.manual_seed(1)
    hidden = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout())
    return nn.Sequential(hidden, nn.Flatten(), nn.Linear(36, c))


def test_importing_loads_no_torch_and_every_name_is_there():
    code = "import sys, mixup_repro; print('torch' in sys.modules, *dir(mixup_repro))"
    loaded, *names = commands.plain("-c", code).stdout.split()
    assert loaded == "False" and set(mixup_repro.__all__) < set(names)
    assert mixup_repro.__all__ == api.__all__ == sorted(mixup_repro.__all__)
    assert all(getattr(mixup_repro, name).__doc__ for name in mixup_repro.__all__)
    with pytest.raises(AttributeError, match="no attribute 'mixup'"):
        mixup_repro.mixup  # noqa: B018


def test_the_lines_of_the_readme_run():
    (code,) = re.findall(r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    (x, y), model = examples(20), network()
    names = {"mixup_repro": mixup_repro, "model": model, "x": x, "y": y}
    names |= {"train_loader": [(x, y)], "test_loader": [(x, y)]}
    exec(code, names)
    names["loss"].backward()
    assert names["found"]["n_test"] == 20 and names["rescaled"].alpha == 1


def algorithm_1(f, x, x_bar, y_bar, alpha):
    """Algorithm 1 of Carratino et al., as printed."""
    theta = 1 - betainc(alpha + 1, alpha, 0.5)
    return y_bar * (1 - 1 / theta) + f(theta * x + (1 - theta) * x_bar) / theta


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_rescaled_is_algorithm_1_with_the_means_of_uneven_batches(alpha):
    (x, y), (test, _), model = examples(50), examples(9, seed=1), network()
    y[y == 3] = 2  # a class without training examples
    loader = DataLoader(TensorDataset(x, y), batch_size=16)
    ours = mixup_repro.Rescaled(model, alpha, loader)
    x_bar, y_bar = x.double().mean(0), np.bincount(y, minlength=4) / 50
    np.testing.assert_allclose(ours.x_bar, x_bar, atol=1e-6)
    np.testing.assert_allclose(ours.y_bar, y_bar, atol=1e-7)
    found = ours(test).detach()
    model.eval()
    theirs = algorithm_1(
        lambda z: model(z.float()).detach().double().numpy(), test, x_bar, y_bar, alpha
    )
    np.testing.assert_allclose(found, theirs, atol=1e-5)


def test_asking_changes_no_mode_and_no_statistics():
    (x, y), model = examples(40), network().train()
    model[0][1].eval()  # BatchNorm frozen, the rest in training
    before = {k: v.clone() for k, v in model.state_dict().items()}
    ours = mixup_repro.Rescaled(model, 1.0, [(x, y)])
    first = ours(x)
    mixup_repro.evaluate(model, [(x, y)], [1.0], train=[(x, y)])
    assert [m.training for m in model.modules()] == [True, True, True, False] + [True] * 4
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(first, ours(x))  # dropout is off
    assert torch.equal(first, ours.eval()(x))


def test_a_rescaled_model_is_saved_and_can_be_differentiated():
    (x, y), model = examples(20), network()
    ours = mixup_repro.Rescaled(model, 0.5, [(x, y)])
    again = mixup_repro.Rescaled(network(), 0.5, x_bar=x[0] * 0, y_bar=torch.ones(4) / 4)
    again.load_state_dict(ours.state_dict())
    assert torch.equal(again(x), ours(x))
    ours(x.requires_grad_()).sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "dtype, close", [(torch.float16, 0.02), (torch.bfloat16, 0.1), (torch.float64, 1e-5)]
)
def test_rescaled_in_any_precision(dtype, close):
    (x, y), model = examples(30), network()
    wanted = mixup_repro.Rescaled(model, 1.0, [(x, y)])(x)
    model.to(dtype)
    found = mixup_repro.Rescaled(model, 1.0, [(x.to(dtype), y)])(x.to(dtype))
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(found.float(), wanted, atol=close, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_scores_equal_torchmetrics_and_scikit_learn(dtype):
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(7, (500,), generator=generator)
    logits = (3 * torch.randn(500, 7, generator=generator) + 2 * F.one_hot(y, 7)).to(dtype)
    found, u = mixup_repro.scores(logits, y), logits.float()
    p = u.double().softmax(1)
    ece = MulticlassCalibrationError(7, n_bins=15, norm="l1")(u, y)
    brier = (p - F.one_hot(y, 7)).square().sum(1).mean()
    assert found["ece"] == pytest.approx(ece.item(), abs=2e-6)
    assert found["accuracy"] == pytest.approx(MulticlassAccuracy(7, average="micro")(u, y).item())
    assert found["cross_entropy"] == pytest.approx(log_loss(y, p), rel=1e-5)
    assert found["brier"] == pytest.approx(brier.item(), rel=1e-5)
    soft = mixup_repro.scores(logits, F.one_hot(y, 7).float())
    for name in ("accuracy", "cross_entropy", "ece", "brier", "n_test"):
        assert soft[name] == pytest.approx(found[name], rel=1e-6)


def test_evaluate_gives_the_numbers_that_the_project_gives():
    data = load(job("dataset=digits").dataset)
    own = networks.build(job("architecture=mlp").architecture, data.input_shape, 10, seeds=[0])
    (theirs,) = predictor.evaluate(own, data, [0.5, 8.0])

    class Users(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = own

        def forward(self, x):
            return self.network(x[None])[0]

    loaders = [
        DataLoader(TensorDataset(data.normalise(x), y), batch_size=100, shuffle=True)
        for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
    ]
    table = mixup_repro.evaluate(Users(), loaders[1], [0.5, 8.0], train=loaders[0])
    assert list(table.evaluation) == ["plain", "rescaled", "rescaled"]
    for ours, row in zip(table.to_dict("records"), theirs):
        for name in ("accuracy", "cross_entropy", "ece", "brier", "n_test"):
            assert ours[name] == pytest.approx(row[name], rel=1e-4, abs=1e-6), name
    plain = mixup_repro.evaluate(Users(), loaders[1])
    assert len(plain) == 1 and plain.eval_alpha.isna().all()


def test_a_temperature_scales_with_the_logits():
    (_, y), u = examples(300), torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    u = u + 2 * F.one_hot(y, 4)
    one, three = mixup_repro.temperature(u, y), mixup_repro.temperature(3 * u, y)
    assert three == pytest.approx(3 * one, rel=1e-4)
    t = torch.tensor(one, dtype=torch.float64, requires_grad=True)
    F.cross_entropy(u.double() / t, y).backward()  # flat there
    assert abs(t.grad.item()) < 1e-4


def test_a_reliability_diagram_shows_the_bins_and_leaves_the_callers_style(tmp_path):
    import matplotlib

    (_, y), before = examples(400), dict(matplotlib.rcParams)
    u = 2 * torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    rows = {"plain": mixup_repro.scores(u, y), "cooler": mixup_repro.scores(u / 3, y)}
    figure = mixup_repro.reliability_diagram(**rows)
    assert dict(matplotlib.rcParams) == before
    for axis, (name, row) in zip(figure.axes, rows.items()):
        assert axis.get_title(loc="left").startswith(f"{name}: ECE {row['ece']:.3f}")
        x, y = (line for line in axis.lines if line.get_marker() == "o").__next__().get_data()
        bins = {k: np.array(v, float) for k, v in row["bins"].items()}
        full = bins["count"] > 0
        np.testing.assert_allclose(x, bins["confidence"][full] / bins["count"][full])
        np.testing.assert_allclose(y, bins["correct"][full] / bins["count"][full])
    figure.savefig(tmp_path / "it.png")
    assert (tmp_path / "it.png").stat().st_size > 5000


def test_the_mixup_optimal_classifier_is_the_share_of_mixed_points_around():
    rng = np.random.default_rng(0)
    x, y, eps = rng.normal(size=(6, 2)), np.array([0, 1, 2, 0, 1, 2]), 0.3
    queries = x[:3] * 0.7
    found = mixup_repro.MixupOptimal(torch.tensor(x).view(6, 1, 2), y, 2.0, eps)(
        torch.tensor(queries).view(3, 1, 2)
    )
    s, t = rng.integers(6, size=(2, 2_000_000))
    lam = rng.beta(2, 2, len(s))[:, None]
    mixed = lam * x[s] + (1 - lam) * x[t]
    labels = lam * np.eye(3)[y[s]] + (1 - lam) * np.eye(3)[y[t]]
    for query, share in zip(queries, found):
        near = np.linalg.norm(mixed - query, axis=1) < eps
        np.testing.assert_allclose(share, labels[near].mean(0), atol=0.01)


def test_the_limit_is_a_points_own_class_and_nan_off_all_lines():
    h = mixup_repro.MixupOptimal(torch.eye(3), torch.tensor([0, 1, 2]), alpha=0.5)
    found = h(torch.tensor([[1.0, 0, 0], [0.2, 0.8, 0], [1, 1, 1]]))
    np.testing.assert_allclose(found[:2], [[1, 0, 0], [0.2, 0.8, 0]], atol=1e-6)
    assert found[2].isnan().all()


def test_collinearity_is_the_least_over_all_triples():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 3)), rng.integers(3, size=9)
    best = np.inf
    for k, (u, v) in itertools.product(range(9), itertools.combinations(range(9), 2)):
        if k not in (u, v) and (y[u] != y[k] or y[v] != y[k]):
            points = x[u] + np.linspace(0, 1, 20_001)[:, None] * (x[v] - x[u])
            best = min(best, np.linalg.norm(points - x[k], axis=1).min())
    found = mixup_repro.collinearity(TensorDataset(torch.tensor(x), torch.tensor(y)))
    assert found.distance == pytest.approx(best, abs=1e-4) and found.exact


U, Y = torch.zeros(8, 4), torch.arange(8) % 4
MODEL, IMAGES = nn.Sequential(nn.Flatten(), nn.Linear(60, 4)), examples(8)[0]
TRAIN = [(IMAGES, Y)]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.scores(U.softmax(1), Y), "logits has rows that sum to 1, so these are prob"),
        (lambda m: m.scores(U[0], Y), r"logits has shape \(4,\): must be logits \(4, c\)"),
        (lambda m: m.scores(U[:0], Y[:0]), r"logits has shape \(0, 4\): there are no examples"),
        (lambda m: m.scores(U.tolist(), Y), "logits is a list: must be a tensor"),
        (lambda m: m.scores(U * float("nan"), Y), "logits has NaN"),
        (lambda m: m.scores(U, Y[:7]), r"y has shape \(7,\) where logits has shape \(8, 4\)"),
        (lambda m: m.scores(U, Y + 1), r"y has class 4, and logits \(8, 4\) know 0 to 3"),
        (lambda m: m.temperature(U, U.softmax(1)), r"y has shape \(8, 4\): a temperature is fitt"),
        (lambda m: m.reliability_diagram(), "nothing to draw"),
        (lambda m: m.reliability_diagram(a=U), "a is a Tensor: must be what scores"),
        (lambda m: m.Rescaled(lambda x: x, 1.0, TRAIN), "model is a function: must be an nn.Mod"),
        (lambda m: m.Rescaled(MODEL, 0, TRAIN), "alpha=0: must be a number > 0"),
        (lambda m: m.Rescaled(MODEL, 1.0), "give the training set's batches, or both"),
        (lambda m: m.Rescaled(MODEL, 1.0, x_bar=U), "give the training set's batches, or both"),
        (lambda m: m.Rescaled(MODEL, 1.0, []), "train has no batches"),
        (lambda m: m.Rescaled(MODEL, 1.0, [IMAGES]), "train: its batches must be pairs .* Tensor"),
        (lambda m: m.Rescaled(MODEL, 1.0, [{"x": 1}]), "must be pairs .* a dict of 1"),
        (lambda m: m.Rescaled(MODEL, 1.0, [(IMAGES.int(), Y)]), "x of train has dtype torch.int3"),
        (lambda m: m.Rescaled(MODEL, 1.0, TRAIN)(IMAGES[0]), r"x has shape \(3, 4, 5\) and dtype"),
        (
            lambda m: m.Rescaled(MODEL, 1.0, x_bar=IMAGES[0], y_bar=U[0, :3])(IMAGES),
            r"y_bar has shape \(3,\) but the logits \(8, 4\)",
        ),
        (
            lambda m: m.Rescaled(nn.Sequential(MODEL, nn.Softmax(1)), 1.0, TRAIN),
            "probabilities",
        ),
        (lambda m: m.evaluate(MODEL, TRAIN, [1.0]), "train is None: rescaling needs"),
        (lambda m: m.evaluate(MODEL, TRAIN, 1.0, TRAIN), "alphas=1.0: must be a list of numbers"),
        (lambda m: m.evaluate(MODEL, TRAIN, [0], TRAIN), "alphas=0: must be a number > 0"),
        (lambda m: m.evaluate(MODEL, []), "loader has no batches"),
        (lambda m: m.MixupOptimal(U[0], Y), r"x has shape \(4,\): must be \(n, ...\)"),
        (lambda m: m.MixupOptimal(U, Y[:5]), r"y has shape \(5,\) and dtype int64 where x"),
        (lambda m: m.MixupOptimal(torch.eye(4), Y[:4], 0), "alpha=0: must be a number"),
        (lambda m: m.MixupOptimal(torch.eye(4), Y[:4])(U[:, :3]), r"x has shape \(8, 3\): must"),
        (lambda m: m.MixupOptimal(torch.rand(2000, 100), Y.repeat(250)), "too many for all pairs"),
        (lambda m: m.collinearity([]), "dataset is empty"),
        (lambda m: m.collinearity([1, 2]), "its items must be pairs"),
        (lambda m: m.collinearity([(U, 0), (U[0], 1)]), r"points of shapes \(8, 4\) and \(4,\)"),
        (lambda m: m.collinearity([("a", 0), ("b", 1)]), "a point of dataset has dtype <U1"),
    ],
)
def test_bad_arguments_are_one_sentence(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call(mixup_repro)
    assert "\n" not in str(caught.value)
