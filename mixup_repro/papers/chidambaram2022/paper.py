"""The record of the paper."""

from mixup_repro.papers.chidambaram2022 import lecture, lecture_assumptions
from mixup_repro.papers.chidambaram2022.errata import ERRATA
from mixup_repro.papers.chidambaram2022.theorems import THEOREMS
from mixup_repro.papers.chidambaram2022.unsaid import UNSAID
from mixup_repro.papers.items import Paper

PAPER = Paper(
    name="chidambaram2022",
    title="Chidambaram et al., Towards Understanding the Data Dependency of Mixup-style Training",
    theorems=THEOREMS,
    errata=ERRATA,
    misprints=(),
    pictures=lecture.PICTURES | lecture_assumptions.PICTURES,
    unsaid=UNSAID,
    untested=(),
)
