"""AlexNet's errors normalise ImageNet's classes at 224 pixels; elsewhere the mean stands under its own name."""

import numpy as np
import pandas as pd
import pytest

from bench.benchmarks.corruption_errors import alexnet_applies, check_alexnet_applies
from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.errors import DataError
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.reports.entries import read_entries
from bench.reports.measured import measured
from bench.results import Store

N = 10
PUBLISHED = {"source": "batched", "definition": "imagenet_c", "protocol": "published", "encode": "jpeg85"}
NATIVE = {**PUBLISHED, "protocol": "native", "encode": "none"}
CIFAR = {**PUBLISHED, "definition": "cifar10_c", "encode": "none"}
LITE2 = "260x260-center-0.875-bicubic"
CIFAR_SPACE = {"label_space": "cifar10", "n_classes": 10}


@pytest.fixture
def fill(tmp_path, make_spec, provenance):
    """Clean images, 9 of 10 right, and corrupted ones, of which half are right."""

    def write(conditions, parameters, classifier="one", **changes):
        store = Store(str(tmp_path / "store"))
        ids, labels = np.array([f"image_{i}" for i in range(N)]), np.zeros(N, dtype=np.int64)
        cells = [("clean", Condition("clean"), {}, 9)]
        cells += [("corruption", condition, parameters, 5) for condition in conditions]
        for benchmark, condition, held, right in cells:
            spec = make_spec(
                classifier=classifier, benchmark=benchmark, condition=condition, parameters=held, n_images=N, **changes
            )
            prediction = (np.arange(N) >= right).astype(np.int64)
            store.write_part(spec, Outcomes(ids, labels, prediction, np.full(N, 0.5, np.float32)), 0, provenance)
        return store

    return write


@pytest.mark.parametrize(
    ("parameters", "changes", "reason"),
    [
        (PUBLISHED, {}, ""),
        (PUBLISHED, {"crop": LITE2}, ""),
        (NATIVE, {}, ""),
        (NATIVE, {"crop": LITE2}, "corrupted at 260x260 pixels"),
        (CIFAR, CIFAR_SPACE, "among 10 classes of cifar10"),
        (PUBLISHED, CIFAR_SPACE, "among 10 classes of cifar10"),
        (CIFAR, {"crop": "32x32-center-1-bicubic"}, "corrupted as those of CIFAR-10-C"),
        (PUBLISHED, {"label_space": "5 classes", "n_classes": 5}, "among 5 classes:"),
        (PUBLISHED, {"label_space": "imagenet_r", "n_classes": 200}, "among 200 classes of imagenet_r"),
        (PUBLISHED, {"label_space": "birds", "n_classes": 1000}, "among 1,000 classes of birds"),
    ],
)
def test_where_alexnets_errors_apply(fill, parameters, changes, reason):
    (entry,) = read_entries(fill([Condition("fog", 1.0)], parameters, **changes))
    spec = measured(entry, "corruption").spec
    assert alexnet_applies(spec) == (not reason)
    if reason:
        with pytest.raises(DataError, match=reason):
            check_alexnet_applies(spec)


def test_elsewhere_the_report_has_the_unnormalised_mean_and_says_why(fill, tmp_path):
    conditions = [Condition(name, float(level)) for name in CORRUPTIONS for level in SEVERITIES]
    fill(conditions, CIFAR, "small", crop="32x32-center-1-bicubic", dataset="cifar10", **CIFAR_SPACE)
    store = fill(conditions, PUBLISHED, "large")
    write_report(store, tmp_path / "report")
    board = pd.read_csv(tmp_path / "report" / "leaderboard.csv").set_index("classifier")
    for name in ("mean_corruption_error", "relative_mean_corruption_error"):
        assert np.isnan(board.loc["small", name])
        assert board.loc["large", name] > 0
    assert board["mean_corruption_accuracy"].to_dict() == pytest.approx({"small": 0.5, "large": 0.5})
    assert (
        "mCE: AlexNet's errors normalise ImageNet-C only, and these decisions are among 10" in board["notes"]["small"]
    )
    corruptions = pd.read_csv(tmp_path / "report" / "corruptions.csv").set_index("classifier")
    assert corruptions.loc["small", "corruption_error"].isna().all()
    assert corruptions.loc["large", "corruption_error"].notna().all()
    assert (corruptions["mean_accuracy"] == 0.5).all()
    families = pd.read_csv(tmp_path / "report" / "families.csv").set_index("classifier")
    assert families.loc["small", "mean_corruption_error"].isna().all()
    assert (families["mean_corruption_accuracy"] == 0.5).all()
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    for title in ("Clean accuracy against mCE", "Clean accuracy against mean corruption accuracy", "Corruption error"):
        assert f"<h2>{title}</h2>" in page
    assert "<h2>Accuracy by corruption</h2>" in page


def test_one_classifier_decides_among_all_classes_and_among_some_in_rows_of_their_own(fill):
    fill([], PUBLISHED)
    store = fill([], PUBLISHED, label_space="imagenet_r", n_classes=200)
    assert {entry.label for entry in read_entries(store)} == {"one · imagenet", "one · imagenet_r"}
