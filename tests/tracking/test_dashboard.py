"""The dashboard names every figure of the leaderboard and the keys that jobs send; a missing server is said."""

import json

import pytest
from hydra import compose, initialize_config_dir

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError, DataError
from bench.reports.columns import standard_columns
from bench.tasks import dashboard as task

pytest.importorskip("wandb_workspaces")
from bench.tracking.dashboard import dashboard


def configured(*overrides):
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="test"):
        return compose("config", overrides=["task=dashboard", *overrides])


def test_it_shows_every_figure_and_the_progress():
    view = dashboard("snowwolf", "team", task.figures_by_axis())._to_model().model_dump_json()
    for name in (
        *(column.name for column in standard_columns()),
        "images_per_second",
        "cells_left",
        "leaderboard_page",
    ):
        assert json.dumps(name) in view, name


def test_it_needs_an_entity():
    with pytest.raises(ConfigurationError, match=r"tracker\.entity"):
        task.check(configured())


def test_a_server_that_is_not_there_is_said_in_one_line(monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setattr("wandb_workspaces.workspaces.Workspace.save", refuse)
    with pytest.raises(DataError, match="did not take the dashboard: ConnectionError"):
        task.run(configured("tracker.entity=team"))


def refuse(_workspace):
    raise ConnectionError("no route")
