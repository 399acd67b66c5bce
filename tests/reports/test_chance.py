"""A clean accuracy that guessing reaches is a warning: on the page, and in the last line of the sweep."""

import json

import numpy as np
import pytest
from omegaconf import OmegaConf

import bench.tasks.report
from bench.cli.sweep_end import end
from bench.records import Outcomes
from bench.reports import write_report
from bench.reports.chance import chance_warning
from bench.results import Store


@pytest.mark.parametrize(
    ("right", "n", "n_classes", "warned"),
    [
        (1, 42, 1000, True),  # the 2.4 % of wrongly numbered wnids
        (37, 42, 1000, False),
        (0, 5, 1000, True),
        (12, 100, 10, True),
        (20, 100, 10, False),
        (50, 100, 2, True),
        (1, 100, 2, True),  # the labels of two classes swapped
        (1, 1, 10, True),  # one image says nothing: an interval from 2.5 %
        (2, 2, 10, False),
    ],
)
def test_it_warns_unless_the_interval_is_above_chance(make_spec, right, n, n_classes, warned):
    warning = chance_warning(np.arange(n) < right, make_spec(n_images=n, n_classes=n_classes))
    assert bool(warning) == warned
    if warned:
        assert f"({right} of {n} images)" in warning
        assert f"guessing among {n_classes:,} classes" in warning


@pytest.fixture
def store(tmp_path, make_spec, provenance):
    """Of 42 images, ``wrong labels`` has one right and ``fine`` 37."""
    made = Store(str(tmp_path / "store"))
    ids, labels = np.array([f"image_{i}" for i in range(42)]), np.zeros(42, dtype=np.int64)
    for classifier, right in (("wrong labels", 1), ("fine", 37)):
        spec = make_spec(classifier=classifier, n_images=42)
        prediction = (np.arange(42) >= right).astype(np.int64)
        made.write_part(spec, Outcomes(ids, labels, prediction, np.full(42, 0.5, np.float32)), 0, provenance)
    return made


def test_the_page_warns_and_marks_the_figure(store, tmp_path):
    write_report(store, tmp_path / "report")
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    warning = "clean accuracy 2.4% on toy (1 of 42 images) may be guessing among 1,000 classes (0.1%)"
    assert f'<p class="notice">wrong labels: {warning}' in page
    assert f'<abbr class="flag" title="{warning}' in page, "a mark on the figure itself"
    assert "(37 of 42 images)" not in page


@pytest.mark.parametrize("error", ["", "OSError: No space left on device"])
def test_the_last_line_of_the_sweep_warns(tmp_path, monkeypatch, capsys, make_spec, make_outcomes, provenance, error):
    Store(str(tmp_path / "store")).write_part(make_spec(), make_outcomes(0, 10), 0, provenance)
    monkeypatch.setattr(bench.tasks.report, "run", lambda config: None)
    summary = {"classifier": "lite0", "n_cells": 1, "n_missing": 0, "failed": {}, "tracker": "", "error": error}
    (tmp_path / "summary.json").write_text(json.dumps([{**summary, "warnings": ["clean accuracy 2.4% ..."]}]))
    hydra = {"runtime": {"cwd": str(tmp_path)}, "run": {"dir": "."}, "overrides": {"task": []}}
    config = OmegaConf.create(
        {"store": str(tmp_path / "store"), "reports": str(tmp_path), "name": "default", "hydra": hydra, "max_images": 0}
    )
    if error:
        with pytest.raises(SystemExit):
            end(config, several=False)
    else:
        end(config, several=False)
    *_, last = lines = capsys.readouterr().err.strip().splitlines()
    assert "snowwolf: warning: lite0: clean accuracy 2.4% ..." in lines
    assert last.startswith("snowwolf: missing: " if error else "snowwolf: warning: ")
