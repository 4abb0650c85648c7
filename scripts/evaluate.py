"""Evaluate finished runs again, without training: rescaled predictions at any list of alphas.

    python scripts/evaluate.py -m experiment=carratino2020/fig4_digits 'evaluation.alphas=[0.5,16]'

Exit codes: 0 fine; 2 bad input.
"""

import sys

import hydra
from omegaconf import DictConfig

from mixup_repro.config import register
from mixup_repro.evaluation.finished import evaluate_job
from mixup_repro.progress import Progress
from mixup_repro.training.session import Session

register()
session = Session(Progress(), evaluate_job)


@hydra.main(version_base="1.3", config_path="../configs", config_name="config")
def main(cfg: DictConfig) -> None:
    session.add(cfg)


if __name__ == "__main__":
    main()
    sys.exit(session.close())
