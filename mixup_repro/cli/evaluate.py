"""Evaluate finished runs again, without training, as `evaluation`, `benchmark` and `probe` ask.

    mixup-repro evaluate -m experiment=carratino2020/fig4_digits 'evaluation.alphas=[0.5,16]'
    mixup-repro evaluate dataset=digits method.alpha=1 evaluation.temperature=true
    mixup-repro evaluate -m experiment=carratino2020/fig4_digits probe=jacobian

Exit codes: 0 fine; 1 a run could not be evaluated; 2 bad input; 75 stopped by a signal, and the
same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mixup_repro.cli.sweep import sweep
from mixup_repro.launch.session import run_job


def main(words: Sequence[str]) -> int:
    return sweep("evaluate", words, partial(run_job, train=False), __doc__)
