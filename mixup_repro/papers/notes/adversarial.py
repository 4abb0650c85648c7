"""Networks under attack, and whether their Jacobian or curvature predicts how they fare."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scipy import stats

from mixup_repro.papers import style
from mixup_repro.papers.claims import NOT_RUN, Claim, Finding, over_alphas, signed
from mixup_repro.papers.items import Item
from mixup_repro.papers.notes import bank
from mixup_repro.papers.notes.bank import Quantity, probed
from mixup_repro.papers.notes.linearity import INSIDE_LOGITS
from mixup_repro.papers.shared import ItemData
from mixup_repro.papers.smallest import SMALLEST
from mixup_repro.stats import paired

EPSILONS = (0.01, 0.03, 0.1)  # of the range of a pixel


def attacked(setting: str, words: str) -> Quantity:
    """Accuracy (the probe `adversarial`) under an attack, in words."""
    title, least = f"Accuracy, {words} (%)", SMALLEST["accuracy"]
    return Quantity(
        f"accuracy, {words}", probed("adversarial", setting, "accuracy"), 1, title, 100, least
    )


JACOBIAN = Quantity(
    "Jacobian of logits", probed("jacobian", "test", "logits"), -1, "Jacobian of logits"
)
LOG_JACOBIAN = Quantity(
    "Jacobian of log-probabilities",
    probed("jacobian", "test", "log_probabilities"),
    -1,
    "Jacobian of log-probabilities",
)
CLEAN = attacked("clean", "no attack")
FGSM = tuple(attacked(f"fgsm margin {e:g}", f"FGSM at {e:g}") for e in EPSILONS)
BY_LOSS = tuple(attacked(f"fgsm loss {e:g}", f"FGSM by loss at {e:g}") for e in EPSILONS)
PGD = tuple(attacked(f"pgd worst {e:g}", f"PGD at {e:g}") for e in EPSILONS)
NOISE = attacked("noise 0.1", "random signs at 0.1")


def found(data: ItemData) -> Iterator[Finding]:
    """An attack of many steps lowers the accuracy of networks of either method."""
    for method in bank.BOTH:
        part = f"{style.METHODS[method]}: {PGD[-1].name}, less {CLEAN.name}"
        if not bank.alphas(data, method):
            yield Finding(part, None, "", NOT_RUN)
            continue
        table = {
            alpha: paired(*(q.values(data, method, alpha) for q in (PGD[-1], CLEAN)))
            for alpha in bank.alphas(data, method)
        }
        yield from over_alphas(part, table, -1, SMALLEST["accuracy"])


def foretells(data: ItemData) -> Iterator[Finding]:
    """The networks of a seed with less Jacobian or curvature are right more often when attacked.

    Spearman's correlation by seed: over all methods and alphas, and over ERM and Mixup's alphas
    alone. Curvature is the deviation from straight lines that the probe `segments` measures.
    """
    own = [pair for pair in data.methods() if pair[0] in ("erm", "mixup")]
    for says, pairs in (("as printed", data.methods()), ("as it holds, ERM and Mixup alone", own)):
        right = bank.by_seed(data, PGD[-1], pairs)
        for quantity in (JACOBIAN, LOG_JACOBIAN, INSIDE_LOGITS):
            other = bank.by_seed(data, quantity, pairs)
            of_seeds = [stats.spearmanr(other[seed], right[seed]).statistic for seed in right]
            yield signed(f"{says}: rank correlation with {quantity.name}", of_seeds, -1)


CLAIMS = (
    Claim(
        "jacobian_norm",
        "A13, Table 1",
        "Mixup lowers the Jacobian by the inputs.",
        partial(bank.versus_erm, quantities=(JACOBIAN, LOG_JACOBIAN)),
    ),
    Claim(
        "adv_fgsm",
        "B36",
        "Mixup is more robust to one-step attacks.",
        partial(bank.versus_erm, quantities=FGSM, detail=BY_LOSS),
    ),
    Claim(
        "adv_pgd",
        "B36",
        "Mixup is more robust to attacks of many steps.",
        partial(bank.versus_erm, quantities=PGD),
    ),
    Claim("no_guarantee", "C82", "Neither method guarantees adversarial robustness.", found),
    Claim(
        "adv_mechanism",
        "A15",
        "Attacks exploit curvature: they succeed less often where it is less.",
        foretells,
        on=("adversarial_digits",),
    ),
)
SHOWN = (JACOBIAN, LOG_JACOBIAN, PGD[0], FGSM[-1], PGD[-1])
ATTACKS = (
    "Attacks stay within a box of half side 0.01, 0.03 or 0.1 of a pixel's range around 300 test "
    "pictures, and climb the margin of logits, whose gradient does not vanish where a network "
    "is sure; PGD takes 20 steps from three starts, by margin and by loss, and a picture "
    "counts where none succeeds."
)
ON = (
    bank.on_digits("adversarial", "probe=[adversarial,jacobian,segments]", ATTACKS),
    bank.on_cifar10("adversarial", "probe=[adversarial,jacobian]", ATTACKS),
)
ITEM = Item(
    title="Networks under attack",
    paper=(
        "Mixup penalises large input gradients and curvature (A13), which attacks exploit (A15): "
        "so it lowers the adversarial risk (B36). Neither Mixup nor CutMix guarantees robustness "
        "(C82)."
    ),
    on=ON,
    claims=CLAIMS,
    draw=partial(bank.draw, quantities=SHOWN, title="Networks under attack"),
    table=partial(bank.table, quantities=(JACOBIAN, LOG_JACOBIAN, CLEAN, NOISE, *FGSM, *PGD)),
)
