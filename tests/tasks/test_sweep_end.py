"""The end of a sweep: what failed is told and makes the exit code, whatever becomes of the report."""

import json

import pytest
from omegaconf import OmegaConf

import bench.tasks.report
from bench.tasks.evaluate import SUMMARY
from bench.tasks.sweep_end import finish


@pytest.fixture
def swept(tmp_path):
    """A configuration whose store is not empty, and the folder of one job that failed in one cell."""
    (tmp_path / "store" / "cell").mkdir(parents=True)
    job = tmp_path / "0"
    job.mkdir()
    (job / SUMMARY).write_text(json.dumps({"classifier": "lite0", "failed": {"fgsm 0.01": "ValueError: no"}}))
    return OmegaConf.create({"store": str(tmp_path / "store")}), job


def test_failures_are_told_where_the_report_breaks(swept, monkeypatch, capsys):
    def broken(config):
        raise OSError("No space left on device")

    monkeypatch.setattr(bench.tasks.report, "run", broken)
    with pytest.raises(SystemExit) as left:
        finish(swept[0], [swept[1]])
    assert left.value.code == 1
    told = capsys.readouterr().err
    assert "lite0 fgsm 0.01: ValueError: no" in told
    assert "report: OSError: No space left on device" in told


@pytest.mark.parametrize("content", ["", '{"classifier": "li'])
def test_a_job_without_a_whole_summary_failed(swept, monkeypatch, capsys, content):
    (swept[1] / SUMMARY).write_text(content)
    monkeypatch.setattr(bench.tasks.report, "run", lambda config: None)
    with pytest.raises(SystemExit):
        finish(swept[0], [swept[1]])
    assert "job 0: ended without a summary" in capsys.readouterr().err
