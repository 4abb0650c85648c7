"""What the class token of a vision transformer looks at, on clean, mixed and cut pictures."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mixup_repro.errors import InputError
from mixup_repro.methods.losses import convex, cutmix_box
from mixup_repro.networks import Replicas, Single
from mixup_repro.probes.subject import Answers, Subject

EXAMPLES = 400


@torch.no_grad()
def attention(subject: Subject) -> Answers:
    """Mean over test pictures, heads and layers of the class token's attention to patches.

    entropy, entropy_last: the attention's entropy divided by log of the number of patches, over all
    layers and in the last one. foreign: the share of the attention that goes to the box of another
    picture, divided by the box's share of the area. foreign_gain: the same share of the attention,
    less what the same place gets in the whole picture.
    Settings: clean pictures; mixed, means of two pictures; cut, with a box as CutMix at alpha 1
    cuts it.
    """
    network = transformer(subject.network)
    raw, _ = subject.examples("test", EXAMPLES)
    x = subject.inputs(raw)
    n, (height, width) = x.shape[1], x.shape[-2:]
    partner = x[:, subject.drawn(lambda rng: rng.permutation(n))[0]]
    lam = subject.drawn(lambda rng: rng.random(n))
    centre = subject.drawn(lambda rng: rng.random((n, 2)))
    inside = cutmix_box(centre, lam, height, width)
    pictures = {
        "clean": x,
        "mixed": convex(x, partner, torch.full_like(lam, 0.5)),
        "cut": torch.where(inside.unsqueeze(2), partner, x),
    }
    maps = {
        setting: torch.cat([class_attention(network, part[0]) for (part,) in subject.chunks(seen)])
        for setting, seen in pictures.items()
    }
    found: Answers = {}
    for setting, weights in maps.items():
        entropies = entropy(weights).mean((0, 2))
        found[setting, "entropy"] = entropies.mean().unsqueeze(0)
        found[setting, "entropy_last"] = entropies[-1].unsqueeze(0)
    area = F.avg_pool2d(inside[0].to(x.dtype).unsqueeze(1), network.patch_embed.patch_size)
    share, before = (
        (maps[setting].mean((1, 2)) * area.flatten(1)).sum(1) for setting in ("cut", "clean")
    )
    cut, of_picture = area.sum((1, 2, 3)) > 0, area.mean((1, 2, 3))
    found["cut", "foreign"] = (share / of_picture)[cut].mean().unsqueeze(0)
    found["cut", "foreign_gain"] = (share - before)[cut].mean().unsqueeze(0)
    return found


def transformer(replicas: Replicas) -> Any:
    """The network of a stack of one, a vision transformer of timm with a class token.

    Raises:
        InputError: it is another one.
    """
    network = replicas.network if isinstance(replicas, Single) else None
    if getattr(network, "cls_token", None) is None or not hasattr(network, "blocks"):
        raise InputError(
            "needs the attention of a class token, as timm's vision transformers have; this "
            "network has no such layer"
        )
    return network


def class_attention(network: Any, x: Tensor) -> Tensor:
    """(b, layers, heads, patches) the class token's attention to patches of pictures x (b, ...).

    It sums to 1 over the patches: what goes to the token itself is left out.
    """
    layers: list[Any] = [block.attn for block in network.blocks]
    seen: list[Tensor] = []

    def look(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        seen.append(inputs[0][:, :, 0, network.num_prefix_tokens :])

    fused = [layer.fused_attn for layer in layers]
    hooks = [layer.attn_drop.register_forward_hook(look) for layer in layers]
    try:
        for layer in layers:
            layer.fused_attn = False  # a fused kernel keeps its weights to itself
        network(x)
    finally:
        for layer, hook, was in zip(layers, hooks, fused):
            layer.fused_attn = was
            hook.remove()
    weights = torch.stack(seen, 1)
    return weights / weights.sum(-1, keepdim=True)


def entropy(weights: Tensor) -> Tensor:
    """Entropy over the last axis, by that of equal weights: from 0 to 1."""
    return -torch.special.xlogy(weights, weights).sum(-1) / math.log(weights.shape[-1])
