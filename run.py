"""Snowwolf's one entry point: ``python run.py [-m] key=value ...``; without arguments, the quickstart sweep."""

import sys

import hydra
from omegaconf import DictConfig

from bench.tasks.cli import CONF, main, run_task

QUICKSTART = ["--multirun", "model=lite0,lite1,lite2", "suite=quickstart", "data=samples"]


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> None:
    """One job, or a task that needs none."""
    run_task(config)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.argv += QUICKSTART
    sys.exit(main(job))
