"""What the class token of a vision transformer attends to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mixup_repro.papers.claims import Claim, Finding, signed
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.notes.calibration import ACCURACY
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.sources import Runs


def spread(setting: str, words: str) -> Quantity:
    """Entropy of the attention to patches (the probe `attention`), over that of equal shares."""
    return Quantity(
        f"attention's entropy, {words}",
        probed("attention", setting, "entropy"),
        1,
        f"Entropy, {words}",
    )


CLEAN, MIXED, CUT = (
    spread("clean", "clean"),
    spread("mixed", "mixed by halves"),
    spread("cut", "cut"),
)
FOREIGN = Quantity(
    "foreign patch: share of the attention over that of the area",
    probed("attention", "cut", "foreign"),
    1,
    "Foreign patch: over its area",
)
GAIN = Quantity(
    "foreign patch: share of the attention, less that of the place uncut",
    probed("attention", "cut", "foreign_gain"),
    1,
    "Foreign patch: less the place's (%)",
    100,
)


def drawn_to(data: ItemData) -> Iterator[Finding]:
    """Networks trained with CutMix attend more to the patch than its area or its place explains."""
    for alpha in bank.alphas(data, "cutmix"):
        over = FOREIGN.values(data, "cutmix", alpha) - 1
        yield signed(f"CutMix: {FOREIGN.name}, less 1", over, 1, alpha=alpha)
        yield signed(f"CutMix: {GAIN.name}", GAIN.values(data, "cutmix", alpha), 1, alpha=alpha)
    yield from bank.versus_erm(data, (FOREIGN, GAIN), ("cutmix",))


CLAIMS = (
    Claim(
        "vit_spread",
        "B34",
        "Mixup spreads the class token's attention over patches.",
        partial(bank.versus_erm, quantities=(CLEAN, MIXED), detail=(CUT,)),
    ),
    Claim("vit_foreign", "B34", "CutMix draws the class token's attention to the patch.", drawn_to),
)
SHOWN = (CLEAN, MIXED, FOREIGN, GAIN, ACCURACY)
ITEM = Item(
    title="A vision transformer's attention",
    paper=(
        "Mixup makes every patch a blend, so the class token's attention spreads evenly over all "
        "patches; CutMix makes it focus sharply on the foreign patch (B34)."
    ),
    on=(
        bank.setting(
            "attention_digits",
            Runs("notes/attention_digits", ask="probe=attention"),
            stands_in="a tiny transformer on digits",
            here=(
                "timm's transformer with two blocks of width 32 "
                "and 16 patches of 2 x 2 pixels, on scikit-learn's digits. Mean over 400 test "
                "pictures, heads and blocks; clean, mixed with another by halves, or cut as "
                "CutMix cuts at alpha 1."
            ),
        ),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="The class token's attention to patches"),
    table=partial(bank.table, quantities=(CLEAN, MIXED, CUT, FOREIGN, GAIN, ACCURACY)),
)
