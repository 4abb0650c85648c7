"""Train the runs of a job that are not finished yet.

    mixup-repro train dataset=digits architecture=mlp method=mixup method.alpha=1 seeds=10
    mixup-repro train -m method.alpha=0.1,0.5,1
    mixup-repro train -m experiment=carratino2020/fig4_digits
    torchrun --standalone --nproc-per-node=8 -m mixup_repro.cli train method.alpha=1
    mixup-repro train -m hardware=node experiment=carratino2020/fig4_cifar10
    mixup-repro train -m experiment=carratino2020/fig4_cifar10 retry=failed

Exit codes: 0 all runs finished; 1 a run failed or was cut short; 2 bad input; 75 stopped by a
signal (SIGTERM, SIGUSR1, SIGUSR2): checkpoints are written, and the same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from mixup_repro.cli.sweep import sweep
from mixup_repro.launch.session import run_job


def main(words: Sequence[str]) -> int:
    return sweep("train", words, run_job, __doc__)
