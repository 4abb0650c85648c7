"""The record of the paper."""

from mixup_repro.papers.carratino2020.errata import ERRATA, MISPRINTS
from mixup_repro.papers.carratino2020.lecture import PICTURES
from mixup_repro.papers.carratino2020.theorems import THEOREMS
from mixup_repro.papers.carratino2020.unsaid import UNSAID
from mixup_repro.papers.items import Paper

PAPER = Paper(
    name="carratino2020",
    title="Carratino et al., On Mixup Regularization",
    theorems=THEOREMS,
    errata=ERRATA,
    misprints=MISPRINTS,
    pictures=PICTURES,
    unsaid=UNSAID,
    untested=(
        (
            "table1",
            "Which regularisers act on calibration, Jacobian, label noise, input normalisation.",
            "Table 1",
        ),
    ),
)
