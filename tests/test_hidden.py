"""Manifold Mixup, Gaussian noise, Cutout and dropout: what is random, and where it enters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import epoch_plan, job
from scipy import stats

from mixup_repro.data import load
from mixup_repro.data.batches import Batch
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.methods.losses import cutout, gaussian_noise, manifold_mixup, mixup
from mixup_repro.networks import Single, Vmapped, build
from mixup_repro.plan import PlanSpec
from mixup_repro.random_bits import GOLDEN, dropout, normal, splitmix64, uniform
from mixup_repro.schema import ArchitectureConfig, MethodConfig
from mixup_repro.training.loop import Stack
from mixup_repro.training.preconditions import check_job

KEYS = torch.from_numpy(np.random.default_rng(0).integers(2**62, size=(2, 50)))
MLP = ArchitectureConfig("mlp", hidden=[7, 6])
LENET = ArchitectureConfig("lenet")
RESNET = ArchitectureConfig("resnet20")


# --- Random numbers ---------------------------------------------------------------------------


def test_splitmix64_gives_its_published_numbers():
    state = torch.tensor(1234567)
    published = (6457827717110365317, 3203168211198807973, 9817491932198370423)
    for expected in published:
        state = state + GOLDEN
        assert splitmix64(state).item() % 2**64 == expected


def test_uniform_and_normal_numbers_follow_their_laws_and_do_not_repeat():
    u = uniform(KEYS, (40, 30)).double().numpy()
    assert u.shape == (2, 50, 40, 30) and u.min() > 0 and u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    e = normal(KEYS, (1200,)).double().numpy()
    assert stats.kstest(e.ravel(), "norm").pvalue > 1e-3
    pairs = np.corrcoef(e.reshape(100, -1))
    assert abs(pairs[~np.eye(100, dtype=bool)]).max() < 6 / np.sqrt(1200)
    assert abs(np.corrcoef(e[..., :-1].ravel(), e[..., 1:].ravel())[0, 1]) < 0.01
    assert not (uniform(KEYS, (40, 30), place=1).double().numpy() == u).mean() > 1e-4


def test_numbers_depend_on_the_key_alone():
    torch.testing.assert_close(uniform(KEYS, (9,))[1, 3:5], uniform(KEYS[1, 3:5], (9,)))


def test_dropout_keeps_the_mean_and_drops_its_share():
    x = torch.ones(2, 50, 4000)
    dropped = dropout(x, KEYS, 0.3, place=0)
    assert set(dropped.unique().tolist()) == {0.0, float(torch.tensor(1.0) / 0.7)}
    zeros = int((dropped == 0).sum())
    assert stats.binomtest(zeros, x.numel(), 0.3).pvalue > 1e-3


# --- Methods ----------------------------------------------------------------------------------


def batch(shape=(3, 6, 8), **more) -> Batch:
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(2, 50, *shape)).astype(np.float32))
    y = F.one_hot(torch.from_numpy(rng.integers(4, size=(2, 50))), 4).float()
    lam = torch.from_numpy(rng.random((2, 50)).astype(np.float32))
    box = torch.from_numpy(rng.random((2, 50, 2)).astype(np.float32))
    return Batch(x, y, x.flip(1), y.flip(1), lam, box, keys=KEYS, **more)


def test_gaussian_noise_has_the_asked_deviation_and_leaves_labels_alone():
    whole, seen = batch(), []
    outcome = gaussian_noise(
        lambda x: seen.append(x) or x.flatten(2)[..., :4], whole, MethodConfig("", sigma=0.3)
    )
    noise = ((seen[0] - whole.x) / 0.3).double().numpy().ravel()
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert torch.equal(outcome.targets, whole.y)


def test_cutout_is_the_authors_square():
    whole, seen = batch(), []
    cutout(lambda x: seen.append(x) or x.flatten(2)[..., :4], whole, MethodConfig("", side=4))
    for r in range(2):
        for k in range(50):
            y, x = int(whole.box[r, k, 0] * 6), int(whole.box[r, k, 1] * 8)
            expected = whole.x[r, k].clone()  # Cutout of github.com/uoguelph-mlrg/Cutout
            y1, y2 = np.clip(y - 4 // 2, 0, 6), np.clip(y + 4 // 2, 0, 6)
            x1, x2 = np.clip(x - 4 // 2, 0, 8), np.clip(x + 4 // 2, 0, 8)
            expected[:, y1:y2, x1:x2] = 0
            assert torch.equal(seen[0][r, k], expected)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_manifold_mixup_mixes_the_inputs_of_a_layer(layer):
    network, whole = build(MLP, (3, 6, 8), 4, [0, 1]), batch(layer=layer)
    outcome = manifold_mixup(network, whole, MethodConfig(""))
    for r in range(2):
        state = network.replica_tensors(r)
        layers = [(state[f"{k}.weight"], state[f"{k}.bias"]) for k in range(3)]

        def run(h, part, layers=layers):
            for k in part:
                h = h @ layers[k][0].T + layers[k][1]
                h = h.relu() if k < 2 else h
            return h

        own, partner = (run(x[r].flatten(1), range(layer)) for x in (whole.x, whole.x_partner))
        lam = whole.lam[r].unsqueeze(1)
        expected = run(lam * own + (1 - lam) * partner, range(layer, 3))
        torch.testing.assert_close(outcome.logits[r], expected)
    torch.testing.assert_close(outcome.targets, mixup(network, whole, MethodConfig("")).targets)


@pytest.mark.parametrize("config, stages", [(MLP, 3), (LENET, 5), (RESNET, 4)])
def test_a_network_is_its_stages_in_a_row(config, stages):
    network = build(config, (3, 32, 32), 4, [0]).eval()
    x = torch.randn(1, 3, 3, 32, 32)
    assert network.stages == stages
    whole = network(x)
    for cut in range(stages):
        torch.testing.assert_close(network(network(x, 0, cut), cut), whole)
    hidden = x
    for stage in range(stages):
        hidden = network(hidden, stage, stage + 1)
    torch.testing.assert_close(hidden, whole)


def test_the_layer_of_a_batch_is_one_of_those_asked_the_same_for_every_seed():
    spec = PlanSpec(n=640, batch_size=10, layers=(0, 2, 3))
    layer = epoch_plan(spec, 0, 3).layer
    np.testing.assert_array_equal(layer, epoch_plan(spec, 9, 3).layer)
    assert not np.array_equal(layer, epoch_plan(spec, 0, 4).layer)
    per_batch = layer.reshape(64, 10)
    assert (per_batch == per_batch[:, :1]).all()
    many = np.concatenate([epoch_plan(spec, 0, e).layer[::10] for e in range(40)])
    assert stats.chisquare(np.unique(many, return_counts=True)[1]).pvalue > 1e-3


# --- Dropout in networks ----------------------------------------------------------------------


def test_an_mlp_drops_hidden_units_in_training_only():
    config = ArchitectureConfig("mlp", hidden=[7, 6], dropout=0.5)
    network, plain = build(config, (4,), 3, [0, 1]), build(MLP, (4,), 3, [0, 1])
    x = torch.randn(2, 50, 4)
    assert torch.equal(network.eval()(x, keys=KEYS), plain(x))
    assert network.drops and not plain.drops
    for r in range(2):
        state = network.replica_tensors(r)
        h = x[r]
        for k in range(3):
            h = h @ state[f"{k}.weight"].T + state[f"{k}.bias"]
            if k < 2:
                kept = uniform(KEYS[r], (h.shape[1],), place=k) >= 0.5
                h = 2 * h.relu() * kept
        torch.testing.assert_close(network.train()(x, keys=KEYS)[r], h)


def test_stacked_lenets_drop_what_single_ones_do():
    config = ArchitectureConfig("lenet", dropout=0.4)
    x, keys = torch.randn(2, 5, 1, 28, 28), KEYS[:, :5]
    members = [build(config, (1, 28, 28), 10, [seed]).network for seed in (0, 1)]
    together = Vmapped(members).train()(x, keys=keys)
    for r, member in enumerate(members):
        alone = Single(member).train()(x[r : r + 1], keys=keys[r : r + 1])
        torch.testing.assert_close(together[r], alone[0])
        assert not torch.equal(alone, Single(member).eval()(x[r : r + 1], keys=keys[r : r + 1]))


WORDS = ("recipe.epochs=2", "recipe.batch_size=64", "hardware.device=cpu")


@pytest.mark.parametrize(
    "words",
    [
        ("method=manifold_mixup",),
        ("method=gaussian_noise",),
        ("method=cutout", "method.side=2"),
        ("method=erm", "architecture.dropout=0.5"),
        ("method=mixup", "method.alpha_end=0", "dataset.flipped=0.3"),
    ],
)
def test_a_replica_and_parts_of_a_batch_train_as_the_run_alone(words):
    runs = expand(job("dataset=digits", "seeds=2", *WORDS, *words))
    dataset = load(runs[0].config.dataset)

    def trained(runs, microbatch=None):
        stack = Stack.of(runs, dataset)
        stack.learner.config.recipe.microbatch = microbatch
        for epoch in range(2):  # six steps: later, roundings that passed a kink have grown
            for part in stack.batches(stack.plans.epoch(epoch), 64, first=0 if epoch else 10):
                stack.learner.step(part)
                if epoch:
                    break
        return [stack.learner.weights(r) for r in range(len(runs))]

    together = trained(runs)
    for run, weights in zip(runs, together):
        torch.testing.assert_close(weights, trained([run])[0])
    torch.testing.assert_close(together, trained(runs, microbatch=24))


@pytest.mark.parametrize(
    "words, named",
    [
        (("method=gaussian_noise", "method.sigma=0"), "sigma=0.0: must be > 0"),
        (("method=cutout", "method.side=3"), "side=3: must be even"),
        (("method=manifold_mixup", "method.layers=[]"), r"layers=\[\]: give distinct"),
        (("method=manifold_mixup", "method.layers=[1,1]"), "give distinct stages"),
        (("method=manifold_mixup", "method.layers=[0,3]"), "mlp has stages 0 to 2"),
        (("architecture.dropout=1",), "dropout=1.0: must lie in"),
        (("architecture=resnet20", "architecture.dropout=0.5"), "is for mlp, lenet"),
        (("method=approx_mixup", "architecture.dropout=0.5"), "needs a network without"),
        (("dataset=gaussians", "dataset.layout=arch", "method=cutout"), "is for pictures"),
    ],
)
def test_misuse_is_one_line(words, named):
    with pytest.raises(InputError, match=named):
        config = job(*words)
        data = load(config.dataset)
        network = build(config.architecture, data.input_shape, data.classes, [0])
        check_job(config, data, network, 1)
