"""Attacks against closed forms and foolbox; attention against queries times keys."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from helpers import job
from probing import subject
from scipy.stats import entropy
from torch import Tensor, nn

from mixup_repro.data import Dataset
from mixup_repro.errors import InputError
from mixup_repro.jobs import expand
from mixup_repro.networks import Single
from mixup_repro.probes import adversarial as adversarial_module
from mixup_repro.probes import attention as attention_module
from mixup_repro.probes.adversarial import margin, pgd
from mixup_repro.probes.subject import Subject

# adversarial


def pictures(s: Subject, n: int) -> tuple[Tensor, Tensor]:
    """Pixels (R, n, H, W, C) from 0 to 1, and classes."""
    raw, y = s.examples("test", n)
    return raw.double() / 16, y


def of_pixels(s: Subject):
    return lambda x: s.network(s.inputs(16 * x))


def test_an_attack_on_a_linear_model_reaches_the_corner_of_the_box():
    """Its margin grows fastest towards one corner of the box, cut at black and white."""
    s = subject("adversarial", "architecture=linear", "architecture.hidden=null", "method=erm")
    x, _ = pictures(s, 20)
    y = of_pixels(s)(x).topk(2).indices  # margins to the second class change sign at no step
    weights = s.network.stacks[0].detach().unflatten(-1, (8, 8, 1)) / s.dataset.std[0]
    for epsilon in (1e-4, 1e-3):
        found = pgd(of_pixels(s), margin, x, x, y[..., 0], epsilon)
        for r in range(2):
            up = weights[r, y[r, :, 1]] - weights[r, y[r, :, 0]]
            torch.testing.assert_close(found[r], (x[r] + epsilon * up.sign()).clamp(0, 1))


def test_a_sure_network_is_attacked_by_its_margin_and_not_by_its_loss():
    s = subject("adversarial", "architecture=linear", "architecture.hidden=null", "method=erm")
    with torch.no_grad():
        for parameter in s.network.parameters():
            parameter.mul_(1e4)
    x, _ = pictures(s, 50)
    y = of_pixels(s)(x).argmax(-1)
    held = {}
    for name, objective in (("loss", adversarial_module.cross_entropy), ("margin", margin)):
        held[name] = of_pixels(s)(pgd(of_pixels(s), objective, x, x, y, 0.1)).argmax(-1) == y
    assert held["loss"].double().mean() > held["margin"].double().mean() + 0.3


def test_attacks_stay_in_the_box_and_stronger_ones_leave_less():
    s = subject("adversarial", "method=erm", "architecture.hidden=[16]")
    x, y = pictures(s, 30)
    for start in adversarial_module.starts(s, x, 0.1):
        found = pgd(of_pixels(s), margin, start, x, y, 0.1)
        assert (found - x).abs().max() <= 0.1 + 1e-12
        assert found.min() >= 0 and found.max() <= 1
    found = adversarial_module.adversarial(s)
    for r in range(2):
        at = {setting: value[r].item() for (setting, _), value in found.items()}
        for epsilon in ("0.01", "0.03", "0.1"):
            for name in ("loss", "margin"):
                assert at[f"pgd worst {epsilon}"] <= at[f"pgd {name} {epsilon}"] <= at["clean"]
        assert at["pgd worst 0.1"] <= at["pgd worst 0.01"]


def test_attacks_equal_foolboxs(monkeypatch):
    foolbox = pytest.importorskip(
        "foolbox", reason="foolbox is an extra: pip install -e .[attacks]"
    )
    s = subject("adversarial", "method=erm", "architecture.hidden=[16]")
    x, _ = pictures(s, 60)
    y = of_pixels(s)(x).argmax(-1)
    own = {
        "FGSM": lambda eps: pgd(
            of_pixels(s), adversarial_module.cross_entropy, x, x, y, eps, steps=1, step=eps
        ),
        "PGD": lambda eps: pgd(of_pixels(s), adversarial_module.cross_entropy, x, x, y, eps),
    }
    theirs = {
        "FGSM": foolbox.attacks.LinfFastGradientAttack(random_start=False),
        "PGD": foolbox.attacks.LinfPGD(rel_stepsize=0.1, steps=20, random_start=False),
    }

    class One(nn.Module):
        def __init__(self, replica: int) -> None:
            super().__init__()
            self.replica = replica

        def forward(self, pixels: Tensor) -> Tensor:
            return of_pixels(s)(pixels.expand(2, *pixels.shape))[self.replica]

    for name, attack in theirs.items():
        for epsilon in (0.01, 0.1):
            ours = own[name](epsilon)
            for r in range(2):
                model = foolbox.PyTorchModel(One(r).eval(), bounds=(0, 1), device="cpu")
                _, moved, fooled = attack(model, x[r], y[r], epsilons=epsilon)
                torch.testing.assert_close(ours[r], moved, atol=1e-6, rtol=0)
                held = of_pixels(s)(ours).argmax(-1)[r] == y[r]
                assert held.tolist() == (~fooled).tolist() and fooled.sum() > 0


def test_an_attack_without_gradients_is_refused():
    x, y = torch.rand(1, 2, 4), torch.zeros(1, 2, dtype=torch.long)
    with pytest.raises(InputError, match="an attack needs gradients"):
        pgd(lambda z: z.detach(), margin, x, x, y, 0.1)


# attention


def tokens(seed: int = 0) -> Subject:
    """A tiny vision transformer of timm, on pictures of 16 x 16 in patches of 4 x 4."""
    torch.manual_seed(seed)
    size = dict(img_size=16, patch_size=4, embed_dim=8, depth=2, num_heads=2)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=3, in_chans=3, **size)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.6)
    pixels = torch.randint(256, (12, 16, 16, 3), dtype=torch.uint8)
    y = torch.arange(12) % 3
    data = Dataset("noise", pixels, y, pixels, y, classes=3)
    runs = expand(job("dataset=digits", "architecture=timm", "architecture.name=vit", "method=erm"))
    return Subject("attention", Single(network.double()).eval(), data, runs)


def by_hand(network: nn.Module, x: Tensor) -> list[Tensor]:
    """The class token's softmax over all tokens, (heads, tokens) a layer, for a picture x."""
    z = network.patch_embed(x[None])
    z = torch.cat([network.cls_token, z], 1) + network.pos_embed
    found = []
    for block in network.blocks:
        q, k, _ = block.attn.qkv(block.norm1(z))[0].reshape(17, 3, 2, 4).unbind(1)
        scores = torch.einsum("hd,nhd->hn", q[0], k) / 2
        found.append(scores.softmax(-1))
        z = block(z)
    return found


def test_attention_equals_queries_times_keys():
    s = tokens()
    network = s.network.network
    x = s.inputs(s.dataset.x_test)
    before = [b.attn.fused_attn for b in network.blocks]
    with torch.no_grad():
        maps = attention_module.class_attention(network, x)
        for i in range(12):
            for layer, weights in enumerate(by_hand(network, x[i])):
                expected = weights[:, 1:] / weights[:, 1:].sum(-1, keepdim=True)
                torch.testing.assert_close(maps[i, layer], expected)
    assert [b.attn.fused_attn for b in network.blocks] == before
    assert not any(b.attn.attn_drop._forward_hooks for b in network.blocks)
    found = attention_module.attention(s)
    clean = np.mean([[entropy(w.numpy()) for w in layer] for layer in maps[:, -1]]) / np.log(16)
    assert found["clean", "entropy_last"].item() == pytest.approx(clean)


def test_attention_that_sees_nothing_is_spread_evenly():
    s = tokens()
    with torch.no_grad():
        for block in s.network.network.blocks:
            block.attn.qkv.weight.zero_()
            block.attn.qkv.bias.zero_()
    found = attention_module.attention(s)
    for setting in ("clean", "mixed", "cut"):
        assert found[setting, "entropy"].item() == pytest.approx(1)
    assert found["cut", "foreign"].item() == pytest.approx(1)
    assert found["cut", "foreign_gain"].item() == pytest.approx(0, abs=1e-12)


def test_attention_of_a_network_without_a_class_token_is_refused():
    with pytest.raises(InputError, match="this network has no such layer"):
        attention_module.transformer(subject("attention", "method=erm").network)
