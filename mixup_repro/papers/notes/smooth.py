"""How smooth the loss is on the line from initial to last weights: how gradients change."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.shared import ItemData
from mixup_repro.stats import paired


def change(setting: str, metric: str, words: str, title: str) -> Quantity:
    """What the probe `smoothness` measures of a loss, in words."""
    return Quantity(words, probed("smoothness", setting, metric), -1, title)


OWN = change("own", "change", "gradient's change by distance, own loss", "By distance: own loss")
RELATIVE = change("own", "relative", "gradient's relative change, own loss", "Relative: own loss")
CLEAN = change(
    "train", "change", "gradient's change by distance, clean loss", "By distance: clean loss"
)
MIXED = change(
    "mixed 1", "change", "gradient's change by distance, Mixup's loss", "By distance: Mixup's loss"
)


def smoother(data: ItemData) -> Iterator[Finding]:
    """Each method's own loss on its own line, less ERM's; on ERM's line, Mixup's less the clean."""
    yield from bank.versus_erm(data, (OWN, RELATIVE), bank.BOTH, detail=(CLEAN, MIXED))
    for metric, what in (("change", "change by distance"), ("relative", "relative change")):
        pair = (data.probed("smoothness", s, metric, "erm") for s in ("mixed 1", "train"))
        part = f"gradient's {what} on ERM's way, Mixup's loss (alpha 1) - clean"
        yield signed(part, paired(*pair), -1)


CLAIMS = (
    Claim(
        "landscape_smooth",
        "B26, C66",
        "Mixup's loss landscape is smoother, and so is CutMix's.",
        smoother,
    ),
)
SHOWN = (OWN, RELATIVE, CLEAN, MIXED)
ON = bank.on_digits(
    "smooth",
    "probe=smoothness",
    "At eleven places of the straight line from initial to last weights a gradient is compared "
    "with that a step along itself away: by the step's length, at most over 0.5 to 4 learning "
    "rates, and relative to itself at one learning rate. The losses are each method's own, and for "
    "all the clean one and Mixup's at alpha 1.",
)
ITEM = Item(
    title="Smoothness of the landscape",
    paper=(
        "Mixup smooths the loss landscape, so that the optimiser takes more confident steps (B26); "
        "Mixup and CutMix increase the gradient's smoothness (C66)."
    ),
    on=(ON,),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="How gradients change along a step"),
    table=partial(bank.table, quantities=SHOWN),
)
