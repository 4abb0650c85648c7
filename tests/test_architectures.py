"""Networks: sizes, shapes, initialisation, and stacks that equal their members."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from helpers import job
from torch import nn

from mixup_repro import networks
from mixup_repro.errors import InputError
from mixup_repro.networks import build, normalises
from mixup_repro.networks.lenet import LeNet
from mixup_repro.plan import stream
from mixup_repro.schema import ArchitectureConfig

LINEAR = ArchitectureConfig(name="linear")
MLP = ArchitectureConfig(name="mlp", hidden=[5, 4])


def named(name: str) -> ArchitectureConfig:
    return ArchitectureConfig(name=name)


@pytest.mark.parametrize(
    "name, shape, classes, count",
    [
        ("lenet", (3, 32, 32), 10, 62_006),
        ("lenet", (1, 28, 28), 10, 44_426),
        ("resnet18", (3, 32, 32), 10, 11_173_962),
        ("resnet34", (3, 32, 32), 10, 21_282_122),
        ("resnet20", (3, 32, 32), 10, 269_722),  # those of akamaster/pytorch_resnet_cifar10
        ("resnet32", (3, 32, 32), 10, 464_154),
        ("resnet44", (3, 32, 32), 10, 658_586),
        ("resnet56", (3, 32, 32), 10, 853_018),
        ("linear", (1, 8, 8), 10, 650),
    ],
)
def test_parameter_counts_are_the_published_ones(name, shape, classes, count):
    network = build(named(name), shape, classes, [0])
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("name, blocks", [("resnet18", [2, 2, 2, 2]), ("resnet34", [3, 4, 6, 3])])
@pytest.mark.parametrize("width", [1, 16, None])
def test_the_width_of_a_resnet_is_that_of_its_first_stage(name, blocks, width):
    network = build(ArchitectureConfig(name=name, width=width), (3, 32, 32), 10, [0]).network
    w = width or 64
    widths = [w, 2 * w, 4 * w, 8 * w]
    last = [w, *widths[:3]]
    count = 27 * w + 2 * w  # each convolution has a BatchNorm with two numbers a channel
    for stage, (a, b, n) in enumerate(zip(last, widths, blocks)):
        count += 9 * a * b + 9 * b * b * (2 * n - 1) + 2 * b * 2 * n
        count += (a * b + 2 * b) if stage else 0  # the shortcut
    assert sum(p.numel() for p in network.parameters()) == count + 8 * w * 10 + 10


def test_the_imagenet_resnet_is_version_1_5():
    config = ArchitectureConfig(name="resnet50", library="timm")
    network = build(config, (3, 224, 224), 1000, [0]).network
    assert sum(p.numel() for p in network.parameters()) == 25_557_032
    halving = network.layer2[0]  # v1.5: the stride is in the 3 x 3, not in the first 1 x 1
    assert (halving.conv1.stride, halving.conv2.stride) == ((1, 1), (2, 2))


def test_a_network_that_timm_does_not_have_is_refused_with_others_named():
    config = ArchitectureConfig(name="resnet51x", library="timm")
    with pytest.raises(InputError, match=r"timm has no such network; it has resnet51q"):
        build(config, (3, 224, 224), 10, [0])
    with pytest.raises(InputError, match=r"architecture\.library=hub: timm"):
        build(ArchitectureConfig(name="resnet50", library="hub"), (3, 32, 32), 10, [0])


@torch.no_grad()
def test_a_network_in_bfloat16_gives_nearly_the_logits_of_float32():
    network = build(named("lenet"), (3, 32, 32), 10, [0]).eval()
    x = torch.randn(1, 20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    exact = network(x)
    network.autocast = torch.bfloat16
    rounded = network(x)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.01)


@pytest.mark.parametrize(
    "name, shape",
    [
        ("lenet", (1, 28, 28)),
        ("lenet", (3, 32, 32)),
        ("lenet", (3, 16, 20)),
        ("resnet18", (3, 8, 8)),
        ("resnet34", (1, 8, 8)),
        ("resnet20", (3, 9, 10)),
    ],
)
@torch.no_grad()
def test_output_shapes(name, shape):
    network = build(named(name), shape, 7, [0]).eval()
    logits = network(torch.zeros(1, 2, *shape))
    assert logits.shape == (1, 2, 7)
    assert logits.isfinite().all()


@torch.no_grad()
def test_resnet_halves_the_picture_three_times_and_never_in_the_stem():
    network = build(named("resnet18"), (3, 32, 32), 10, [0]).network.eval()
    sizes = []
    for module in (network.conv1, *network.blocks):
        module.register_forward_hook(lambda m, i, out: sizes.append(tuple(out.shape[1:])))
    network(torch.zeros(1, 3, 32, 32))
    assert sizes[0] == (64, 32, 32)
    stages = [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    assert sizes[1:] == [s for s in stages for _ in range(2)]


def published_forward(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Logits of He et al.'s CIFAR network in evaluation mode, from weights by published names."""

    def layer(x: torch.Tensor, block: str, k: int, stride: int = 1) -> torch.Tensor:
        x = F.conv2d(x, state[f"{block}conv{k}.weight"], stride=stride, padding=1)
        mean, var, weight, bias = (
            state[f"{block}bn{k}.{name}"].view(-1, 1, 1)
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    x = layer(x, "", 1).relu()
    for stage in (1, 2, 3):
        for block in range(sum(k.startswith(f"layer{stage}.") and "conv1" in k for k in state)):
            name, shrinks = f"layer{stage}.{block}.", stage > 1 and block == 0
            short = x
            if shrinks:
                short = x[:, :, ::2, ::2]
                zeros = torch.zeros_like(short[:, : short.shape[1] // 2])
                short = torch.cat([zeros, short, zeros], dim=1)
            x = layer(layer(x, name, 1, 1 + shrinks).relu(), name, 2)
            x = (x + short).relu()
    return x.mean((2, 3)) @ state["linear.weight"].T + state["linear.bias"]


def member(seed: int, widths: list[int]) -> nn.Sequential:
    """The network PyTorch itself makes for the seed of one member."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, "init").integers(2**62)))
        layers: list[nn.Module] = [nn.Flatten()]
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("config, widths", [(LINEAR, [12, 3]), (MLP, [12, 5, 4, 3])])
@torch.no_grad()
def test_a_stack_equals_each_members_own_network(config, widths):
    seeds = [3, 0, 8]
    stack = build(config, (1, 3, 4), 3, seeds)
    x = torch.randn(3, 6, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    logits = stack(x)
    for replica, seed in enumerate(seeds):
        torch.testing.assert_close(logits[replica], member(seed, widths)(x[replica]))


def test_gradients_of_a_stack_equal_each_members_own():
    seeds, x = [1, 2], torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(0))
    stack = build(MLP, (12,), 3, seeds)
    stack(x).square().sum().backward()
    for replica, seed in enumerate(seeds):
        alone = member(seed, [12, 5, 4, 3])
        alone(x[replica]).square().sum().backward()
        for ours, theirs in zip(stack.parameters(), alone.parameters()):
            torch.testing.assert_close(ours.grad[replica], theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [LINEAR, MLP])
def test_the_initialisation_of_a_seed_does_not_depend_on_its_company(config):
    together = build(config, (12,), 3, [5, 1, 7])
    for replica, seed in enumerate([5, 1, 7]):
        alone = build(config, (12,), 3, [seed]).replica_tensors(0)
        ours = together.replica_tensors(replica)
        assert ours.keys() == alone.keys()
        assert all(torch.equal(ours[name], alone[name]) for name in ours)


def test_seeds_initialise_differently():
    a, b = (build(named("lenet"), (1, 28, 28), 10, [seed]) for seed in (0, 1))
    assert not torch.equal(a.network.conv1.weight, b.network.conv1.weight)


@pytest.mark.parametrize("config", [MLP, named("lenet")])
def test_building_neither_reads_nor_disturbs_torchs_generator(config):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = build(config, (1, 28, 28), 10, [4]).replica_tensors(0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second = build(config, (1, 28, 28), 10, [4]).replica_tensors(0)
    assert all(torch.equal(first[name], second[name]) for name in first)


@torch.no_grad()
def test_lenet_equals_the_textbook_order_of_relu_and_pooling():
    network = LeNet((3, 32, 32), 10)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    textbook = nn.Sequential(
        network.conv1,
        nn.ReLU(),
        nn.MaxPool2d(2),
        network.conv2,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        network.fc1,
        nn.ReLU(),
        network.fc2,
        nn.ReLU(),
        network.fc3,
    )
    torch.testing.assert_close(network(x), textbook(x))


@torch.no_grad()
def test_a_single_network_is_unchanged_by_its_channels_last_layout():
    single = build(named("lenet"), (3, 32, 32), 10, [0])
    plain = LeNet((3, 32, 32), 10)
    plain.load_state_dict(single.replica_tensors(0))
    x = torch.randn(1, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(single(x)[0], plain(x[0]))


@torch.no_grad()
def test_a_basic_block_adds_its_shortcut_before_the_last_relu():
    block = build(named("resnet18"), (3, 8, 8), 10, [0]).network.blocks[2].eval()
    x = torch.randn(2, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    scale = 1 / (1 + 1e-5) ** 0.5  # fresh batch norm in evaluation mode
    inner = F.relu(F.conv2d(x, block.conv1.weight, stride=2, padding=1) * scale)
    inner = F.conv2d(inner, block.conv2.weight, padding=1) * scale
    short = F.conv2d(x, block.shortcut[0].weight, stride=2) * scale
    torch.testing.assert_close(block(x), F.relu(inner + short), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "config, shape, message",
    [
        (named("lenet"), (1, 8, 8), "at least 16 x 16"),
        (named("lenet"), (12,), "at least 16 x 16"),
        (named("resnet18"), (12,), "needs pictures"),
        (named("mlp"), (12,), "architecture.hidden"),
        (
            named("transformer"),
            (12,),
            "choose one of linear, mlp, random_features",
        ),
    ],
)
def test_networks_that_do_not_fit_are_refused_with_a_remedy(config, shape, message):
    with pytest.raises(InputError, match=message):
        build(config, shape, 10, [0])


@pytest.mark.parametrize(
    "config, batch, on_cpu, on_gpu",
    [
        (ArchitectureConfig("lenet"), 128, 1, networks.STACKED_LENETS),
        (ArchitectureConfig("mlp", hidden=[500]), 300, 27, 10**6),
        (ArchitectureConfig("random_features", features=1000, sigma=10.0), 50, 83, 10**6),
        (ArchitectureConfig("mlp", hidden=[100_000]), 1000, 1, 10**6),
        (ArchitectureConfig("resnet18"), 128, 1, 1),
        (ArchitectureConfig("resnet18", library="timm"), 128, 1, 1),
    ],
)
def test_a_cpus_stack_fits_its_cache_and_a_gpus_has_no_limit(config, batch, on_cpu, on_gpu):
    assert networks.stack_size(config, batch, torch.device("cpu")) == on_cpu
    assert networks.stack_size(config, batch, torch.device("cuda")) == on_gpu


def test_a_tiny_transformer_takes_its_options_from_the_config():
    network = build(job("architecture=tiny_vit").architecture, (1, 8, 8), 10, [0])
    inner = network.network
    assert (len(inner.blocks), inner.embed_dim, inner.patch_embed.num_patches) == (2, 32, 16)
    assert network(torch.zeros(1, 5, 1, 8, 8)).shape == (1, 5, 10)
    for words, named in [
        (["architecture=tiny_vit", "+architecture.options.heads=3"], "heads"),
        (["architecture=lenet", "architecture.options={depth: 2}"], "is for networks of timm"),
    ]:
        with pytest.raises(InputError, match=named):
            build(job(*words).architecture, (1, 32, 32), 10, [0])


def test_the_small_cnn_is_three_normalised_convolutions():
    network = build(job("architecture=small_cnn").architecture, (1, 8, 8), 10, [0])
    assert sum(p.numel() for p in network.parameters()) == (
        32 * 9 + 2 * 32 * 32 * 9 + 3 * 2 * 32 + 32 * 10 + 10
    )
    assert normalises(network)
    with pytest.raises(InputError, match="needs pictures"):
        build(job("architecture=small_cnn").architecture, (64,), 10, [0])
