"""Any network of timm, from scratch, such as the ImageNet ResNet-50 (v1.5: stride in the 3 x 3)."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from torch import nn

from mixup_repro.errors import InputError


def timm_network(
    name: str, options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int
) -> nn.Module:
    """timm's network of this name, untrained.

    options: more arguments of the network, such as img_size, patch_size, embed_dim, depth and
        num_heads of a transformer.

    Raises:
        InputError: timm has no network of this name, or it takes no such inputs or options.
    """
    import timm  # half a second, which other networks need not pay

    if name not in timm.list_models():
        near = get_close_matches(name, timm.list_models(), cutoff=0)
        raise InputError(
            f"architecture.name={name}: timm has no such network; it has {', '.join(near)}"
        )
    if len(input_shape) != 3:
        raise InputError(f"architecture={name} needs pictures, not inputs of shape {input_shape}")
    try:
        return timm.create_model(name, num_classes=classes, in_chans=input_shape[0], **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise InputError(
            f"architecture.options={dict(options)}: {name} refuses ({error})"
        ) from error
