"""How sharp the minima are, by several losses, and how noisy gradients are there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from scipy import stats

from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import NoValues, paired


def curvature(setting: str, name: str, words: str, title: str) -> Quantity:
    """A curvature that the probe `sharpness` measures, in words."""
    return Quantity(words, probed("sharpness", setting, name), -1, title)


CLEAN = curvature("train", "top", "eigenvalue, clean loss", "Top eigenvalue: clean loss")
OWN = curvature("own", "top", "eigenvalue, own loss", "Top eigenvalue: own loss")
MIXED = curvature("mixed 1", "top", "eigenvalue, Mixup's loss", "Top eigenvalue: Mixup's loss")
RELATIVE = curvature(
    "train", "top_relative", "eigenvalue by relative changes, clean loss", "Relative: clean loss"
)
RELATIVE_OWN = curvature(
    "own", "top_relative", "eigenvalue by relative changes, own loss", "Relative: own loss"
)
RISE = curvature("train", "rise", "rise under noise, clean loss", "Rise under noise: clean loss")
RISE_OWN = curvature("own", "rise", "rise under noise, own loss", "Rise under noise: own loss")


def noise(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """Variance of one example's gradient, by the loss that ERM or Mixup trains on, by seed."""
    return data.probed("gradient_noise", _own(method), "variance", method, alpha)


def signal(data: ItemData, method: str, alpha: float | None) -> pd.Series:
    """Squared mean gradient over that variance, by seed."""
    mean = data.probed("gradient_noise", _own(method), "squared_mean", method, alpha)
    return (mean / noise(data, method, alpha)).dropna()


def _own(method: str) -> str:
    """Which loss of the probe `gradient_noise` a method trains on; others' is not measured."""
    if method not in ("erm", "mixup"):
        raise NoValues(f"no gradient noise of {method}'s own loss")
    return "mixed" if method == "mixup" else "clean"


VARIANCE = Quantity(
    "variance of one example's gradient, own loss", noise, -1, "Gradient's variance: own loss"
)
SIGNAL = Quantity(
    "squared mean gradient over its variance, own loss", signal, 1, "Signal over noise: own loss"
)


def flatter(data: ItemData) -> Iterator[Finding]:
    """The Hessian's largest eigenvalue is smaller than ERM's, for each of several losses."""
    detail = (RELATIVE, RELATIVE_OWN, RISE, RISE_OWN)
    yield from bank.versus_erm(data, (CLEAN, OWN), bank.BOTH, detail, "as printed: ")
    yield from bank.versus_erm(data, (MIXED,), bank.BOTH, says="as it holds: ")


def at_same_weights(data: ItemData) -> Iterator[Finding]:
    """The gradient's noise at each method's last weights, less ERM's; then both losses at ERM's."""
    yield from bank.versus_erm(data, (VARIANCE, SIGNAL))
    pair = (data.probed("gradient_noise", s, "variance", "erm") for s in ("mixed", "clean"))
    yield signed("variance at ERM's weights, Mixup's loss (alpha 1) - clean", paired(*pair), -1)


def escapes(data: ItemData) -> Iterator[Finding]:
    """The noisier a network's own gradient, the flatter its minimum.

    Spearman's correlation over ERM and the alphas of Mixup, by seed.
    """
    pairs = [("erm", None), *(("mixup", a) for a in bank.alphas(data, "mixup"))]
    noises = bank.by_seed(data, VARIANCE, pairs)
    for quantity in (CLEAN, OWN):
        tops = bank.by_seed(data, quantity, pairs)
        of_seeds = [stats.spearmanr(noises[seed], tops[seed]).statistic for seed in noises]
        yield signed(f"rank correlation of noise with {quantity.name}", of_seeds, -1)


CLAIMS = (
    Claim(
        "flat_minima",
        "B15, C56, C65",
        "Mixup and CutMix find flatter minima.",
        flatter,
    ),
    Claim("grad_escape", "B15, C65", "The gradient's noise leads to flat minima.", escapes),
    Claim(
        "grad_variance_network",
        "B26, our question",
        "For trained networks, too, the gradient is less noisy under Mixup.",
        at_same_weights,
        ours=True,
    ),
)
SHOWN = (CLEAN, OWN, MIXED, VARIANCE)
ON = bank.on_digits(
    "landscape",
    "probe=[sharpness,gradient_noise]",
    "Eigenvalues are the largest of the Hessian of a mean loss at the last weights. A network "
    "that is sure of its training examples has a flat clean loss for that reason alone, so "
    "other losses stand beside it: each method's own, and Mixup's at alpha 1 for all.",
)
ITEM = Item(
    title="Sharpness of minima, and noise of gradients",
    paper=(
        "Mixup's gradient is noisy, which keeps training out of sharp minima (B15); Mixup and "
        "CutMix find flatter ones (C56, C65). Of a linear model Mixup's gradient is less noisy "
        "(B26), which is a theorem here; networks are asked too."
    ),
    on=(ON,),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Sharpness of minima, and noise of gradients"),
    table=partial(
        bank.table,
        quantities=(CLEAN, OWN, MIXED, RELATIVE, RELATIVE_OWN, RISE, RISE_OWN, VARIANCE, SIGNAL),
    ),
)
