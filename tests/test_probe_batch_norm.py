"""What BatchNorm saw: against convolutions by hand, and mixed batches one by one."""

from __future__ import annotations

from copy import deepcopy
from itertools import product

import numpy as np
import pytest
import torch
from helpers import job
from probing import digits, subject
from test_carratino_items import item as made_up
from torch import Tensor, nn

from mixup_repro import networks
from mixup_repro.data.batches import Batch
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.methods.losses import mixup
from mixup_repro.papers.notes import batch_norm as item
from mixup_repro.probes.batch_norm import batch_norm, check_layers, layers, shares
from mixup_repro.probes.subject import Subject
from mixup_repro.schema import MethodConfig


def small_cnn() -> Subject:
    """Three convolutions in float64 on digits, whose BatchNorm keeps means 0 and variances 1."""
    runs = expand(job("dataset=digits", "architecture=small_cnn", "method=erm", "seeds=1"))
    data = digits()
    network = networks.build(runs[0].config.architecture, data.input_shape, data.classes, [0])
    return Subject("batch_norm", network.double().eval(), data, runs)


def clean_values(s: Subject) -> Tensor:
    """(n, C, H, W) what the first layer of BatchNorm is given of all training examples."""
    x = s.inputs(s.dataset.x_train)
    return s.network.network.convolutions[0](x)


def test_variances_are_those_of_clean_examples_by_hand():
    s = small_cnn()
    found = batch_norm(s)  # fewer training digits than it takes at most: all of them
    seen = clean_values(s).detach().numpy()
    of_channels = [np.var(seen[:, c], ddof=1) for c in range(seen.shape[1])]
    assert found["layer 1", "ratio"].item() == pytest.approx(np.mean(1 / np.array(of_channels)))
    share = [
        np.mean([np.var(seen[:, c, h, w]) for h, w in product(range(8), range(8))])
        / np.var(seen[:, c])
        for c in range(seen.shape[1])
    ]
    assert found["layer 1", "within"].item() == pytest.approx(np.mean(share))
    means = [seen[:, c].mean((-2, -1)).var() / np.var(seen[:, c]) for c in range(seen.shape[1])]
    assert found["layer 1", "means"].item() == pytest.approx(np.mean(means))
    assert {setting for setting, _ in found} == {"layer 1", "layer 2", "layer 3", "kept", "clean"}


def test_clean_statistics_are_used_and_the_run_keeps_its_own():
    s = small_cnn()
    before = deepcopy(s.network.state_dict())
    found = batch_norm(s)
    torch.testing.assert_close(s.network.state_dict(), before)
    network = s.network.network
    for layer in layers(s.network):  # one pass over all clean examples, as training would see them
        layer.momentum = 1.0
    network.train()(s.inputs(s.dataset.x_train))
    right = network.eval()(s.inputs(s.dataset.x_test)).argmax(-1) == s.dataset.y_test
    assert found["clean", "accuracy"].item() == pytest.approx(right.double().mean().item())
    assert found["kept", "accuracy"].item() != found["clean", "accuracy"].item()


@pytest.mark.parametrize("alpha", [0.2, 8.0])
def test_of_mixed_batches_the_variance_of_a_channel_has_its_closed_form(alpha, monkeypatch):
    """40,000 batches of three of six pictures, mixed; what they lose is a third for alpha 8."""
    rng = np.random.default_rng(0)
    n, draws = 3, 40_000
    monkeypatch.setattr(item, "BATCH", n)
    x = torch.from_numpy(2 * rng.normal(size=(6, 1, 2, 2)) + rng.normal(size=(1, 1, 2, 2)))
    drawn = torch.from_numpy(rng.integers(6, size=(draws, n)))  # of so many that none repeats
    order = torch.from_numpy(rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1))
    lam = torch.from_numpy(rng.beta(alpha, alpha, (draws, n)))
    none = torch.zeros(draws, n, 1).double()
    batch = Batch(x[drawn], none, x[drawn.gather(1, order)], none, lam)
    mixed = mixup(lambda z: z.flatten(2), batch, MethodConfig("mixup")).logits
    found = mixed.flatten(1).var(1, unbiased=False).mean() / x.var(unbiased=False)
    within, means = shares(x)
    rows = [
        {"run_id": "m", "method": "mixup", "alpha": alpha, "seed": 0, "probe": "batch_norm"}
        | {"setting": "layer 1", "metric": name, "value": value.item()}
        for name, value in (("within", within), ("means", means))
    ]
    theory = item.expected(made_up("batch_norm", probes=rows), alpha)[0]
    assert found.item() == pytest.approx(theory, abs=4e-3)


def test_a_network_without_batch_norm_is_refused():
    with pytest.raises(InputError, match="needs BatchNorm of pictures, and this network has none"):
        check_layers(subject("batch_norm", "method=erm").network)


def test_batch_norm_that_keeps_no_statistics_is_refused():
    layer = nn.BatchNorm2d(2, track_running_stats=False)
    with pytest.raises(InputError, match="keeps its statistics"):
        check_layers(networks.Single(layer))
