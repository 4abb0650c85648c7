"""Pictures that lack a block or have noise, and how many pixels a network looks at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mixup_repro.papers.claims import Claim, Finding, changes
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.papers.sources import Runs


def lacking(setting: str, words: str) -> Quantity:
    """Accuracy (the probe `occlusion`) on altered pictures, in words."""
    title, least = f"Accuracy, {words} (%)", SMALLEST["accuracy"]
    return Quantity(
        f"accuracy, {words}", probed("occlusion", setting, "accuracy"), 1, title, 100, least
    )


HIDDEN = tuple(lacking(f"random {share:g}", f"block of {share:g}") for share in (0.25, 0.5))
CENTRE = lacking("centre 0.5", "middle hidden")
NOISE = tuple(lacking(f"noise {sd:g}", f"noise of {sd:g}") for sd in (0.1, 0.3))
CONCENTRATION = Quantity(
    "gradient's share in a tenth of the pixels",
    probed("jacobian", "test", "concentration"),
    -1,
    "Gradient in a tenth of pixels (%)",
    100,
)


def mixup_too(data: ItemData) -> Iterator[Finding]:
    """Mixup's accuracy on pictures of which a part is hidden, less ERM's."""
    for quantity in (*HIDDEN, CENTRE):
        for alpha in bank.alphas(data, "mixup"):
            difference = bank.change(data, quantity, "mixup", alpha)
            yield changes(f"{quantity.name}, Mixup - ERM", difference, alpha)


OF_DIGITS = ("cutmix_digits",)  # other runs have no CutMix
CLAIMS = (
    Claim(
        "occlusion",
        "C80",
        "CutMix is robust to occlusion.",
        partial(
            bank.versus_erm, quantities=(*HIDDEN, CENTRE), methods=("cutmix",), detail=NOISE[:1]
        ),
        on=OF_DIGITS,
    ),
    Claim(
        "occlusion_mixup",
        "C80, our question",
        "Mixup does not change the accuracy on pictures of which a part is hidden.",
        mixup_too,
        ours=True,
    ),
    Claim(
        "cutmix_distributed",
        "C54, C81, C94",
        "CutMix relies on distributed features.",
        partial(bank.versus_erm, quantities=(CONCENTRATION,), methods=("cutmix",)),
        on=OF_DIGITS,
    ),
    Claim(
        "noise_inputs",
        "C101",
        "Mixup and CutMix are less vulnerable to noise.",
        partial(bank.versus_erm, quantities=NOISE, methods=bank.BOTH),
    ),
)
ASK = "probe=[occlusion,jacobian]"
ALTERED = (
    "A block of the mean colour hides a quarter or half of each side of a test picture, anywhere "
    "or in the middle; Gaussian noise has a standard deviation of 0.1 or 0.3 of a pixel's range. "
    "The gradient is the loss's."
)
SHOWN = (*HIDDEN, CENTRE, NOISE[1], CONCENTRATION)
ITEM = Item(
    title="Pictures that lack something",
    paper=(
        "CutMix makes a network use features all over a picture (C54, C81, C94), so that it still "
        "knows pictures of which a part is hidden (C80); both methods make it less vulnerable to "
        "noise (C101)."
    ),
    on=(
        bank.setting(
            "cutmix_digits",
            Runs("notes/cutmix_digits", ask=ASK),
            stands_in="an MLP on digits",
            here=f"{bank.RUNS} {ALTERED}",
        ),
        bank.on_cifar10("cutmix", ASK, ALTERED),
    ),
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Test pictures that lack something"),
    table=partial(bank.table, quantities=(*HIDDEN, CENTRE, *NOISE, CONCENTRATION)),
)
