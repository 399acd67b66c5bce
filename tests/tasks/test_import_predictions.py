"""``task=import_predictions``: someone else's predictions as a classifier, on the board and in slices."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import bench
from bench.data.groups import read_groups
from bench.data.label_spaces import CIFAR10, imagenet
from bench.data.predictions import read_predictions
from bench.errors import ConfigurationError, DataError
from bench.reports import write_report
from bench.reports.tables import DASH
from tests.tasks.sweeps import ENVIRONMENT, REPOSITORY

NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in (3, 1, 2)]


def run_main(folder, *overrides):
    """The command, started in a folder: its exit code."""
    command = [sys.executable, str(REPOSITORY / "run.py"), *overrides]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, check=False).returncode


@pytest.fixture
def write(tmp_path):
    def make(**columns):
        path = tmp_path / "someone.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        return path

    return make


def test_predictions_are_read_with_labels_from_any_published_file(write, tmp_path):
    path = write(file_name=NAMES, predicted_class=[5, 0, 7], predicted_probability=[0.5, 0.9, 0.1])
    wnids = imagenet().class_names
    (tmp_path / "synsets.txt").write_text("\n".join([wnids[0], wnids[6], wnids[5]]))
    found = read_predictions(path, str(tmp_path / "synsets.txt"), imagenet())
    assert found.image_ids.tolist() == sorted(NAMES)
    assert found.labels.tolist() == [0, 6, 5]
    assert found.predicted.tolist() == [0, 7, 5]
    assert found.probability.tolist() == pytest.approx([0.9, 0.1, 0.5])
    pd.DataFrame({"file_name": NAMES, "label": [5, 0, 6]}).to_csv(tmp_path / "labels.csv", index=False)
    again = read_predictions(path, str(tmp_path / "labels.csv"), imagenet())
    assert again.labels.tolist() == found.labels.tolist()
    assert (again.digest, again.images_digest) == (found.digest, found.images_digest)


def test_labels_may_be_beside_the_predictions_and_classes_have_names(write):
    path = write(image_id=["b", "a"], prediction=["cat", "dog"], label=["cat", "cat"])
    found = read_predictions(path, None, CIFAR10)
    assert (found.labels.tolist(), found.predicted.tolist()) == ([3, 3], [5, 3])
    assert np.isnan(found.probability).all()


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"file": NAMES, "predicted_class": [1, 2, 3]}, ConfigurationError, "needs a column of image names"),
        ({"file_name": NAMES, "top1": [1, 2, 3]}, ConfigurationError, "needs a column of predicted classes"),
        (
            {"file_name": NAMES, "prediction": [1, 2, 3]},
            ConfigurationError,
            r"no column of true classes .*data\.labels",
        ),
        ({"file_name": [*NAMES[:2], NAMES[0]], "prediction": [1, 2, 3], "label": 0}, DataError, "2 times"),
        ({"file_name": NAMES, "prediction": [1, 2, 1000], "label": 0}, DataError, "has the class '1000'"),
        ({"file_name": NAMES, "prediction": [1, 2, -1], "label": 0}, DataError, "has the class '-1'"),
    ],
)
def test_files_that_do_not_fit_are_refused(write, columns, error, message):
    with pytest.raises(error, match=message):
        read_predictions(write(**columns), None, imagenet())


def test_an_image_without_a_label_is_refused(write, tmp_path):
    path = write(file_name=NAMES, prediction=[1, 2, 3])
    pd.DataFrame({"file_name": NAMES[:2], "label": [5, 0]}).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(DataError, match=r"has no label of 'ILSVRC2012_val_00000002\.JPEG'"):
        read_predictions(path, str(tmp_path / "labels.csv"), imagenet())


def test_imported_predictions_are_a_row_whose_cost_is_not_known(write, tmp_path):
    path = write(file_name=NAMES, prediction=[1, 2, 3], label=[1, 2, 4])
    command = ["task=import_predictions", f"path={path}", f"store={tmp_path / 'runs'}", "classifier=theirs"]
    assert run_main(tmp_path, *command) == 0
    results = bench.open_results(str(tmp_path / "runs"))
    row = results.leaderboard().iloc[0]
    assert (row["classifier"], row["clean_accuracy"], row["n_images"]) == ("theirs", pytest.approx(2 / 3), 3)
    assert pd.isna(row["parameters"])
    assert pd.isna(row["gmacs"])
    write_report(results.store, tmp_path / "report", ["json", "latex"])
    assert f"| theirs | {DASH} | {DASH} | 3 |" in (tmp_path / "report" / "leaderboard.md").read_text()
    assert run_main(tmp_path, *command) == 0, "the same again changes nothing"
    assert len(results.store.cells()) == 1


@pytest.mark.shared_data
def test_imagenet_x_of_the_published_resnet_50(shared_data, tmp_path):
    """Idrissi et al. 2022: top-1, ReaL and the error ratios to four places, by the package's own annotations."""
    pytest.importorskip("imagenet_x")
    path = shared_data / "published" / "imagenet_x" / "ResNet50.csv"
    command = ["task=import_predictions", f"path={path}", "data.labels=imagenet_x", f"store={tmp_path / 'runs'}"]
    assert run_main(tmp_path, *command) == 0
    results = bench.open_results(str(tmp_path / "runs"))
    row = results.leaderboard().iloc[0]
    assert round(100 * row["clean_accuracy"], 3) == 76.130
    assert round(100 * row["real_accuracy"], 3) == 82.958
    table = results.slices("imagenet_x").set_index("factor")
    assert len(table) == 16
    assert len(read_groups("imagenet_x").image_ids) == 46_110
    expected = {
        "pose": 0.6947,
        "pattern": 0.7714,
        "background": 1.1417,
        "larger": 1.3159,
        "subcategory": 2.1055,
        "texture": 2.3939,
    }
    assert {factor: round(table.loc[factor, "error_ratio"], 4) for factor in expected} == expected
    assert run_main(tmp_path, "task=report", "data.groups=imagenet_x", f"store={tmp_path / 'runs'}", "name=x") == 0
    page = (tmp_path / "reports" / "x" / "leaderboard.html").read_text()
    assert "subcategory" in page
