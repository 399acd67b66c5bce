"""A task is one short module with one yaml file."""

import importlib

import pytest

from bench.conf_files import CONF, choices

FOLDER = CONF.parent / "bench" / "tasks"
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
MOST_LINES = 79


def test_every_module_has_a_yaml_and_every_yaml_a_module():
    assert sorted(choices("task")) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_a_task_can_be_run(name):
    assert callable(importlib.import_module(f"bench.tasks.{name}").run)


@pytest.mark.parametrize("name", MODULES)
def test_a_task_is_short(name):
    assert len((FOLDER / f"{name}.py").read_text().splitlines()) <= MOST_LINES
