"""Train the runs of a job that are not finished yet.

    python scripts/train.py dataset=digits architecture=mlp method=mixup method.alpha=1 seeds=10
    python scripts/train.py -m method.alpha=0.1,0.5,1
    python scripts/train.py -m experiment=carratino2020/fig4_digits
    torchrun --standalone --nproc-per-node=8 scripts/train.py method.alpha=1   (one run on 8 GPUs)
    python scripts/train.py -m hardware=node experiment=carratino2020/fig4_cifar10
    python scripts/train.py -m experiment=carratino2020/fig4_cifar10 retry=failed

Exit codes: 0 all runs finished; 1 a run failed or was cut short; 2 bad input; 75 stopped by a
signal (SIGTERM, SIGUSR1, SIGUSR2): checkpoints are written, and the same command goes on.
"""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from mixup_repro.distributed import process_group
from mixup_repro.jobs import register
from mixup_repro.launch.session import Session, run_job
from mixup_repro.training.progress import Progress

register()
session = Session(Progress(), run_job)


@hydra.main(version_base="1.3", config_path="../configs", config_name="config")
def main(cfg: DictConfig) -> None:
    session.add(cfg)
    hydra_config = HydraConfig.get()
    one_of_many = hydra_config.mode == RunMode.RUN and hydra_config.runtime.choices["experiment"]
    if one_of_many and not session.bad_input:
        session.progress.say("note: this was one job of the experiment; -m runs all of them")


if __name__ == "__main__":
    with process_group():
        main()
    sys.exit(session.close())
