"""Trackers: what they write, what they hide, and that none can fail a sweep."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ConfigurationError
from bench.tracking import Run, Tracker, TrackerConfig, check_tracker, open_tracker, redact, redact_override
from bench.tracking.jsonl import run_file

RUN = Run("lite0", "nightly", "job", {"seed": 0})


def lines(folder):
    return [json.loads(line) for line in run_file(folder, RUN).read_text().splitlines()]


def test_json_lines_hold_every_event_in_order(tmp_path):
    with open_tracker(TrackerConfig(name="jsonl", folder=str(tmp_path)), RUN) as tracker:
        tracker.log({"accuracy": 0.5})
        tracker.summarise({"mean_corruption_error": float("nan")})
        tracker.table("leaderboard", pd.DataFrame({"label": ["a"], "clean_accuracy": [0.9]}))
    events = lines(tmp_path)
    assert [event["event"] for event in events] == ["start", "log", "summary", "table", "end"]
    assert (events[0]["name"], events[0]["group"], events[0]["config"]) == ("lite0", "nightly", {"seed": 0})
    assert events[1]["figures"] == {"accuracy": 0.5}
    assert events[2]["figures"] == {"mean_corruption_error": None}
    assert events[3]["rows"] == [{"label": "a", "clean_accuracy": 0.9}]
    assert events[4]["failed"] is False


def test_a_run_that_raises_ends_as_failed(tmp_path):
    with pytest.raises(ZeroDivisionError), open_tracker(TrackerConfig(name="jsonl", folder=str(tmp_path)), RUN):
        _ = 1 / 0
    assert lines(tmp_path)[-1]["failed"] is True


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name, group):
    folder = tmp_path_factory.getbasetemp()
    path = run_file(folder, Run(name, group, "job", {}))
    assert path.parent.parent == folder
    assert path.resolve().is_relative_to(folder.resolve())


def test_names_alike_in_letters_get_files_of_their_own(tmp_path):
    assert run_file(tmp_path, Run("a/b", "g", "job", {})) != run_file(tmp_path, Run("a b", "g", "job", {}))


class Broken:
    """A backend whose server has gone."""

    calls = 0

    def log(self, figures):
        del figures
        self.calls += 1
        raise ConnectionError("gone")

    def close(self, *, failed):
        raise AssertionError("a backend that broke is not asked again")


def test_the_first_failure_is_a_warning_and_the_last_call(caplog):
    broken = Broken()
    with Tracker(broken, "broken") as tracker:
        tracker.log({"accuracy": 1.0})
        tracker.log({"accuracy": 1.0})
        assert not tracker.active
    assert broken.calls == 1
    assert tracker.lost == "tracker=broken stopped: ConnectionError: gone"
    assert "tracker=broken stopped: ConnectionError: gone; the sweep goes on" in caplog.text


def test_a_tracker_that_does_not_open_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with open_tracker(TrackerConfig(name="jsonl", folder=str(tmp_path / "file")), RUN) as tracker:
        assert not tracker.active
    assert "tracker=jsonl is not used" in caplog.text
    assert tracker.lost.startswith("tracker=jsonl is not used: ")


def test_secrets_and_the_users_of_urls_are_hidden():
    config = {
        "store": "s3://me:pass@bucket/runs",
        "options": {"api_key": "abc", "Token": "x", "list": ["https://u@host/"]},
        "password": None,
        "seed": 3,
    }
    assert redact(config) == {
        "store": "s3://***@bucket/runs",
        "options": {"api_key": "***", "Token": "***", "list": ["https://***@host/"]},
        "password": None,
        "seed": 3,
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (TrackerConfig(name="wandbb"), "did you mean 'wandb'"),
        (TrackerConfig(name="wandb", mode="on"), "tracker.mode is 'online' or 'offline'"),
    ],
)
def test_mistakes_are_refused(config, message):
    with pytest.raises(ConfigurationError, match=message):
        check_tracker(config)


@pytest.mark.parametrize(
    ("override", "shown"),
    [
        ("model.name=resnet50", "model.name=resnet50"),
        ("tracker.api_key=abc", "tracker.api_key=***"),
        ("store=s3://me:pass@bucket/runs", "store=s3://***@bucket/runs"),
    ],
)
def test_the_command_that_results_keep_has_no_secret(override, shown):
    assert redact_override(override) == shown
