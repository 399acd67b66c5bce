"""Weights & Biases: one run per job and one for the report, in one group per sweep."""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd
import requests
import wandb

from bench.tracking.tracker import Run

Mode = Literal["online", "offline"]
logger = logging.getLogger(__name__)
SECONDS_TO_ANSWER = 5.0
SECONDS_TO_UPLOAD = 60.0


class WeightsAndBiases:
    """Writes to the folder that ``wandb sync`` reads, and to the server while it answers.

    A server that does not answer within five seconds makes the run offline before it begins: wandb cannot go offline
    once an online start has failed (wandb issue 9865). At the end an upload is waited for at most a minute.

    Args:
        folder: for wandb's files.
        run: what is tracked.
        project: of W&B.
        entity: user or team; the account's own when left out.
        mode: ``online`` or ``offline``; the environment's ``WANDB_MODE``, else online, when left out.
    """

    def __init__(self, folder: Path, run: Run, *, project: str, entity: str | None, mode: Mode | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(
            console="off",  # the log is the store's, and may hold what a shell echoed
            disable_git=True,  # a remote may have a token in its URL
            x_disable_meta=True,  # the command line may have one in its arguments
            save_code=False,
            quiet=True,
            init_timeout=30,
            finish_timeout=SECONDS_TO_UPLOAD,
        )
        self._run = wandb.init(
            project=project,
            entity=entity,
            dir=str(folder),
            name=run.name,
            group=run.group,
            job_type=run.kind,
            config=dict(run.config),
            mode=usable_mode(mode, folder),
            reinit="create_new",
            settings=settings,
        )

    def log(self, figures: Mapping[str, float]) -> None:
        """A step of the run's history."""
        self._run.log(dict(figures))

    def summarise(self, figures: Mapping[str, float]) -> None:
        """Columns of the project's table of runs."""
        self._run.summary.update(dict(figures))

    def table(self, name: str, table: pd.DataFrame) -> None:
        """A table of W&B."""
        self._run.log({name: wandb.Table(dataframe=table.astype(object).where(table.notna(), None))})

    def picture(self, name: str, path: Path) -> None:
        """A picture of W&B."""
        self._run.log({name: wandb.Image(str(path))})

    def page(self, name: str, path: Path) -> None:
        """A page shown in a frame."""
        self._run.log({name: wandb.Html(path.read_text(), inject=False)})

    def artifact(self, name: str, folder: Path) -> None:
        """A versioned artifact of type ``results``; files that have not changed are not sent again."""
        artifact = wandb.Artifact(re.sub(r"[^\w.-]+", "-", name), type="results")
        artifact.add_dir(str(folder))
        self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        """Mark the run finished or failed, and send what is left."""
        self._run.finish(exit_code=int(failed))


def usable_mode(mode: Mode | None, folder: Path) -> Mode | None:
    """``mode``, or ``offline`` with a warning where the server or the account cannot be had."""
    if (mode or os.environ.get("WANDB_MODE", "online")) != "online":
        return mode
    why = _why_offline()
    if not why:
        return mode
    logger.warning("tracker=wandb goes offline: %s; send later: wandb sync %s/wandb/offline-*", why, folder)
    return "offline"


def _why_offline() -> str:
    url = wandb.setup().settings.base_url
    try:
        requests.get(url, timeout=SECONDS_TO_ANSWER)
    except requests.RequestException as error:
        return f"{url} does not answer ({type(error).__name__})"
    return "" if wandb.login(prompt=False) else "no API key (run wandb login once)"
