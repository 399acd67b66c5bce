"""The end of a sweep: what is missing makes the exit code and the last line, whatever becomes of the report."""

import json

import numpy as np
import pytest
from omegaconf import OmegaConf

import bench.tasks.report
from bench.cli.sweep_end import SweepEnd, end
from bench.errors import ConfigurationError
from bench.records import Outcomes
from bench.results import Store
from bench.tasks.support.job_summary import summary_file

WHOLE = {"classifier": "lite0", "n_cells": 45, "n_missing": 0, "failed": {}, "error": "", "tracker": "", "warnings": []}


@pytest.fixture
def swept(tmp_path, monkeypatch, make_spec, provenance):
    """The config of a sweep over ``jobs``, whose summaries are ``summaries``; the store has one cell of 10 images."""
    names, labels = np.array([f"image_{i}" for i in range(10)]), np.arange(10)
    outcomes = Outcomes(names, labels, np.where(labels < 7, labels, labels + 1), np.full(10, 0.5, np.float32), {})
    Store(str(tmp_path / "store")).write_part(make_spec(classifier="lite0"), outcomes, 0, provenance)
    monkeypatch.setattr(bench.tasks.report, "run", lambda config: None)

    def make(*summaries, jobs="model=lite0"):
        hydra = {"runtime": {"cwd": str(tmp_path)}, "sweep": {"dir": "out"}, "overrides": {"task": [jobs]}}
        places = {
            "store": str(tmp_path / "store"),
            "reports": str(tmp_path / "reports"),
            "name": "default",
            "max_images": 0,
        }
        config = OmegaConf.create({"task": "evaluate", **places, "hydra": hydra})
        (tmp_path / "out" / "summaries").mkdir(parents=True)
        for job, summary in enumerate(summaries):
            summary_file(config.hydra, job).write_text(json.dumps([WHOLE | summary]))
        return config

    return make


def last_line(config, capsys):
    with pytest.raises(SystemExit) as left:
        end(config, several=True)
    assert left.value.code == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_it_counts_what_is_missing(swept, capsys):
    config = swept({"n_missing": 8, "failed": {"fgsm 0.01": "ValueError: no"}, "error": "cannot write"})
    assert last_line(config, capsys).startswith("snowwolf: missing: 8 of 45 cells of lite0 (cannot write). All else")


def test_every_reason_has_a_line(swept, capsys):
    with pytest.raises(SystemExit):
        end(
            swept({"n_missing": 2, "failed": {"fgsm 0.01": "ValueError: no", "pgd 1": "ValueError: nor"}}), several=True
        )
    assert capsys.readouterr().err.splitlines()[:2] == [
        "  2 of 45 cells of lite0: fgsm 0.01: ValueError: no",
        "  2 of 45 cells of lite0: pgd 1: ValueError: nor",
    ]


def test_a_job_that_failed_after_its_last_cell_failed(swept, capsys):
    assert "missing: the end of lite0's job (OSError: gone)" in last_line(swept({"error": "OSError: gone"}), capsys)


def test_a_suite_of_nothing_is_a_failure(swept, capsys):
    assert "missing: every cell of lite0 (the suite has none)" in last_line(swept({"n_cells": 0}), capsys)


def test_a_job_of_which_nothing_is_heard_failed(swept, capsys):
    """However many folders there are, and whatever they are called: the command line says how many jobs there were."""
    assert "missing: job 1 (it ended without a summary" in last_line(swept({}, jobs="model=lite0,lite1"), capsys)


def test_hydra_gets_no_exception_that_it_would_make_a_warning_of(capsys):
    """A full disk, a store that is gone, a mistake in the code: the callback ends in an exit code all the same."""
    with pytest.raises(SystemExit) as left:
        SweepEnd().on_multirun_end(OmegaConf.create({"task": "evaluate"}))
    assert left.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("snowwolf: missing: the end of the sweep (")


def test_where_nothing_is_missing_the_leaderboard_is_all_that_is_printed(swept, capsys, tmp_path):
    end(swept({}), several=True)
    printed = capsys.readouterr()
    assert printed.err == ""
    page = tmp_path / "reports" / "default" / "leaderboard.html"
    assert printed.out.splitlines() == [
        "Classifier  Images  Clean accuracy",
        "lite0       10      70.0 [34.8, 93.3]",  # the exact interval of 7 of 10 (Clopper and Pearson 1934)
        f"page: {page}",
    ]


def test_without_its_images_page_a_sweep_is_whole_and_a_broken_one_is_missing(swept, capsys, monkeypatch):
    def fail(error):
        def run(config):
            raise error

        return run

    config = swept({})
    config.max_images = 3
    monkeypatch.setattr("bench.tasks.images.run", fail(ConfigurationError("data.root is needed here")))
    end(config, several=True)  # a sweep over data.root: nothing is missing
    assert "page:" in capsys.readouterr().out
    monkeypatch.setattr("bench.tasks.images.run", fail(OSError("No space left on device")))
    assert "the images page (OSError: No space left on device)" in last_line(config, capsys)
