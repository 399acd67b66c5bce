"""A sweep tracked by W&B whose server does not answer: it finishes with a warning, and all can be sent later."""

import json
import os
import struct
import subprocess
import sys

import pandas as pd
import pytest

from bench.conf_files import CONF

pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")
BLOCK, HEADER = 32768, 7
KEY = "0123456789" * 4


def records(path):
    """The records of an offline run, by the format of LevelDB's log that wandb writes: blocks of framed pieces."""
    data, position, piece = path.read_bytes(), HEADER, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        piece += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (1, 4):  # whole, or last
            yield pb.Record.FromString(piece)
            piece = b""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    place = tmp_path_factory.mktemp("tracked")
    job = ["model=lite0", "benchmark=fgsm", "benchmark.epsilons=[0,4/255]", "data.limit=4", "tracker=wandb"]
    places = [
        f"store={place}/store",
        f"reports={place}/reports",
        f"tracker.folder={place}",
        f"hydra.run.dir={place}/out",
    ]
    environment = {**os.environ, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": KEY, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(CONF.parent / "run.py"), *job, *places],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=CONF.parent,
    )
    assert done.returncode == 0, done.stderr
    runs = {}
    for path in place.glob("wandb/offline-run-*/*.wandb"):
        found = list(records(path))
        runs[next(record.run.job_type for record in found if record.WhichOneof("record_type") == "run")] = found
    return place, done.stdout + done.stderr, runs


def summary(found):
    updates = [update for record in found for update in record.summary.update]
    return {update.key: json.loads(update.value_json) for update in updates if update.key}


def test_it_finishes_with_a_warning(sweep):
    _, output, _ = sweep
    assert "tracker=wandb goes offline: http://127.0.0.1:9 does not answer" in output
    assert "wandb sync" in output


def test_the_report_run_holds_every_figure_of_the_leaderboard(sweep):
    place, _, runs = sweep
    board = pd.read_csv(place / "reports" / "default" / "leaderboard.csv")
    figures = board.select_dtypes("number").iloc[0].dropna()
    sent = summary(runs["report"])
    assert {f"lite0/{name}": value for name, value in figures.items()}.items() <= sent.items()
    assert "fgsm_robust_accuracy_low" in figures
    kinds = [record.WhichOneof("record_type") for record in runs["report"]]
    artifacts = {record.artifact.type for record in runs["report"] if record.WhichOneof("record_type") == "artifact"}
    assert "results" in artifacts
    assert kinds[-1] == "exit"


def test_the_job_run_holds_its_cells_and_its_row(sweep):
    _, _, runs = sweep
    names = {
        item.key or "/".join(item.nested_key)
        for record in runs["job"]
        if record.WhichOneof("record_type") == "history"
        for item in record.history.item
    }
    assert {"accuracy/fgsm/fgsm@0", "cells", "cells_left"} <= names
    assert "fgsm_robust_accuracy" in summary(runs["job"])


def test_both_runs_are_of_one_group(sweep):
    _, _, runs = sweep
    groups = {
        record.run.run_group for found in runs.values() for record in found if record.WhichOneof("record_type") == "run"
    }
    assert len(groups) == 1
    assert groups != {""}


def test_no_secret_is_written(sweep):
    place, output, _ = sweep
    assert KEY not in output
    for path in place.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
