"""Evaluate finished runs again, without training, as `evaluation` asks.

    python scripts/evaluate.py -m experiment=carratino2020/fig4_digits 'evaluation.alphas=[0.5,16]'
    python scripts/evaluate.py dataset=digits method.alpha=1 evaluation.temperature=true

Exit codes: 0 fine; 2 bad input.
"""

import sys
from functools import partial

import hydra
from omegaconf import DictConfig

from mixup_repro.distributed import process_group
from mixup_repro.jobs import register
from mixup_repro.launch.session import Session, run_job
from mixup_repro.training.progress import Progress

register()
session = Session(Progress(), partial(run_job, train=False))


@hydra.main(version_base="1.3", config_path="../configs", config_name="config")
def main(cfg: DictConfig) -> None:
    session.add(cfg)


if __name__ == "__main__":
    with process_group():
        main()
    sys.exit(session.close())
