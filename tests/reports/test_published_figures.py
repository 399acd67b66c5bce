"""Published figures beside the user's: lookup, fits, differences with verdicts, effective robustness, the page."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

import bench
from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.data.label_spaces import imagenet
from bench.metrics.corruption import ALEXNET_ERROR, mean_corruption_error_values
from bench.records import Condition, Outcomes
from bench.references import find_published, published_fit, published_model, published_pairs
from bench.references.published import FITS, SOURCES
from bench.reports import write_report
from bench.reports.published_figures import tables
from bench.results import Store

LITE0 = "tf_efficientnet_lite0.in1k"
VALIDATION = np.array([f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 50_001)])
SETS = {"imagenet_v2": 10_000, "imagenet_a": 7_500, "imagenet_a_clean": 10_000}


@pytest.mark.parametrize(
    ("model", "size", "figures"),
    [
        (
            LITE0,
            224,
            {
                "clean_accuracy": 74.846,
                "imagenet_v2_accuracy": 62.650,
                "imagenet_a_accuracy": 3.053,
                "imagenet_r_accuracy": 36.033,
                "imagenet_sketch_accuracy": 24.392,
                "real_accuracy": 81.957,
            },
        ),
        ("tf_efficientnet_lite1.in1k", 240, {"clean_accuracy": 76.674}),
        ("tf_efficientnet_lite2.in1k", 260, {"clean_accuracy": 77.470}),
        (
            "resnet50.a1_in1k",
            224,
            {"clean_accuracy": 80.382, "imagenet_v2_accuracy": 68.470, "imagenet_a_accuracy": 9.973},
        ),
        ("resnet50.tv_in1k", 224, {"mean_corruption_error": 78.202}),
        ("imagenet/Linf/Salman2020Do_R18", 224, {"clean_accuracy": 52.92, "autoattack_linf_4/255": 25.32}),
        ("imagenet/corruptions/Standard_R50", 224, {"mean_corruption_error_3d": 73.16}),
    ],
)
def test_the_packaged_table_has_the_published_figures(model, size, figures):
    for figure, value in figures.items():
        found = find_published(model, figure, size)
        assert found.value == value
        assert found.source in SOURCES
    assert published_model(model)


def test_another_input_size_or_model_has_no_published_figure():
    assert find_published(LITE0, "clean_accuracy", 256) is None
    assert find_published("tf_efficientnet_lite9.in1k", "clean_accuracy", 224) is None
    assert not published_model("my_network")


@pytest.mark.parametrize(
    ("figure", "slope", "intercept", "r_squared"),
    [
        ("imagenet_v2_accuracy", 0.916, -0.486, 0.993),
        ("imagenet_sketch_accuracy", 1.373, -2.720, 0.847),
        ("imagenet_r_accuracy", 0.964, -2.935, 0.752),
        ("imagenet_a_accuracy", 2.189, -7.912, 0.914),
    ],
)
def test_the_fits_are_the_published_ones_to_three_places(figure, slope, intercept, r_squared):
    fit = published_fit(figure)
    assert (round(fit.slope, 3), round(fit.intercept, 3)) == (slope, intercept)
    assert fit.r_squared == pytest.approx(r_squared, abs=6e-4)
    pairs = published_pairs(figure)
    usable = (pairs.shifted > 0) & (pairs.clean < 1)
    reference = np.polyfit(logit(pairs.clean[usable]), logit(pairs.shifted[usable]), 1)
    assert [fit.slope, fit.intercept] == pytest.approx(reference)
    assert fit.n == usable.sum() >= 1555


@pytest.mark.shared_data
def test_the_table_is_made_of_the_sources_own_files(shared_data):
    from bench.references.published import _table
    from bench.references.renew import published_table

    pd.testing.assert_frame_equal(published_table(shared_data / "published"), _table(), check_categorical=False)


@pytest.mark.shared_data
def test_two_alexnets_make_two_mces_of_one_resnet(shared_data):
    table = pd.read_csv(shared_data / "published" / "testbed" / "robustness_top1s.csv").set_index("model")
    n = 50_000

    def errors(model):
        return {
            (name, level): np.arange(n) >= round(table.loc[model, f"imagenet-c.{name}.{level}_on-disk"] / 100 * n)
            for name in CORRUPTIONS
            for level in SEVERITIES
        }

    alexnet = errors("alexnet")
    own = {name: float(np.mean([alexnet[name, level].mean() for level in SEVERITIES])) for name in CORRUPTIONS}
    resnet = errors("resnet50")
    assert round(mean_corruption_error_values(resnet, own).mean(), 2) == 76.51
    assert round(mean_corruption_error_values(resnet, ALEXNET_ERROR).mean(), 2) == 78.20


@pytest.fixture
def write(tmp_path, make_spec, provenance):
    """A store with cells of lite0: benchmark -> share of its images that are right, on the first ``n`` images."""
    from dataclasses import replace

    store = Store(str(tmp_path / "store"))

    def add(classifier, shares, *, published=LITE0, ids=VALIDATION, n=None, **changes):
        for name, share in shares.items():
            size = n or SETS.get(name, len(ids))
            names = ids[:size] if name in ("clean", "imagenet_a_clean") else np.array([f"{i}.jpg" for i in range(size)])
            labels = np.arange(size) % 1000
            right = np.arange(size) < round(share * size)
            extra = {} if name == "clean" else {"top5": right}
            spec = make_spec(
                classifier=classifier,
                weights_digest=classifier.encode().hex()[:16],
                n_images=size,
                benchmark=name,
                dataset="imagenet" if name == "clean" else name,
                dataset_digest=f"of {name} {size}",
                condition=Condition(name),
                strength_unit="",
                auxiliary=name != "clean",
                **changes,
            )
            predictions = np.where(right, labels, (labels + 1) % 1000)
            outcomes = Outcomes(names, labels, predictions, np.full(size, 0.5, np.float32), extra)
            store.write_part(spec, outcomes, 0, replace(provenance, published=published))
        return store

    return add


def published_of(store, folder):
    write_report(store, folder)
    return pd.read_csv(folder / "published.csv").set_index(["label", "metric"])


def test_a_right_setup_agrees_and_a_broken_one_is_called_out(write, tmp_path):
    write("right", {"clean": 0.74846, "imagenet_v2": 0.6265, "imagenet_a": 0.03053, "imagenet_a_clean": 0.9})
    store = write("wrong_mean", {"clean": 0.7312, "imagenet_v2": 0.601})
    table = published_of(store, tmp_path / "report")
    right, wrong = table.loc["right"], table.loc["wrong_mean"]
    assert right.loc["clean_accuracy", "published"] == 74.846
    assert right.loc["clean_accuracy", "difference"] == pytest.approx(0, abs=1e-9)
    assert set(right.loc[["clean_accuracy", "imagenet_v2_accuracy", "imagenet_a_accuracy"], "verdict"]) == {"agrees"}
    assert right.loc["clean_accuracy", "note"] == "on the same images"
    assert wrong.loc["clean_accuracy", "verdict"] == "differs"
    assert wrong.loc["clean_accuracy", "difference"] == pytest.approx(73.12 - 74.846)
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    assert "wrong_mean: Clean accuracy 73.1 instead of 74.8; " in page
    assert "right: Clean" not in page
    assert "<h2>Beside published figures</h2>" in page
    assert "<h2>Difference from published figures</h2>" in page


def test_on_fewer_images_only_what_sampling_does_not_explain_is_called_out(write, tmp_path):
    write("lucky", {"clean": 0.77}, n=1000)
    write("shuffled", {"clean": 0.001}, n=1000)
    store = write("elsewhere", {"clean": 0.2}, n=1000, ids=np.array([f"{i}.png" for i in range(1000)]))
    table = published_of(store, tmp_path / "report")
    assert table.loc[("lucky", "clean_accuracy"), "verdict"] == "agrees"
    assert table.loc[("lucky", "clean_accuracy"), "note"] == "on 1,000 of 50,000 images"
    assert table.loc[("shuffled", "clean_accuracy"), "verdict"] == "differs"
    other = table.loc[("elsewhere", "clean_accuracy")]
    assert pd.isna(other["verdict"])
    assert other["note"] == "the images are not ImageNet's validation images by their names"


def test_figures_of_listed_images_are_compared_on_as_many_alone(write, tmp_path):
    model = "imagenet/Linf/Salman2020Do_R50"
    write("whole", {"clean": 0.6402}, published=model)
    store = write("listed", {"clean": 0.6402}, published=model, n=5000)
    table = published_of(store, tmp_path / "report")
    assert table.loc[("listed", "clean_accuracy"), "verdict"] == "agrees"
    assert pd.isna(table.loc[("whole", "clean_accuracy"), "verdict"])
    assert "published on 5,000 listed images, measured on 50,000" in table.loc[("whole", "clean_accuracy"), "note"]


def test_weights_without_published_figures_are_left_alone(write, tmp_path):
    store = write("mine", {"clean": 0.5}, published="")
    write_report(store, tmp_path / "report")
    assert not (tmp_path / "report" / "published.csv").exists()


def test_effective_robustness_is_the_distance_from_the_published_line(write, tmp_path):
    store = write("one", {"clean": 0.74846, "imagenet_v2": 0.65, "imagenet_a": 0.05, "imagenet_a_clean": 0.88})
    write_report(store, tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "published_effective_robustness.csv").set_index("metric")
    for metric, clean, shifted in (("imagenet_v2_accuracy", 0.74846, 0.65), ("imagenet_a_accuracy", 0.88, 0.05)):
        fit, row = published_fit(metric), table.loc[metric]
        expected = expit(fit.intercept + fit.slope * logit(clean))
        assert row["expected"] == pytest.approx(expected)
        assert row["effective_robustness"] == pytest.approx(shifted - expected)
        draws = np.random.default_rng(0)
        n, n_clean = (
            SETS[metric.removesuffix("_accuracy")],
            SETS.get(f"{FITS[metric].removesuffix('_accuracy')}", 50_000),
        )
        sampled = draws.binomial(n, shifted, 20_000) / n - fit.predict(draws.binomial(n_clean, clean, 20_000) / n_clean)
        low, high = np.quantile(sampled, [0.025, 0.975])
        assert row["effective_robustness_low"] == pytest.approx(low, abs=2e-4)
        assert row["effective_robustness_high"] == pytest.approx(high, abs=2e-4)
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    assert "<h2>Effective robustness: ImageNet-V2</h2>" in page
    assert "1,556 models as timm publishes them" in page


def test_without_the_clean_set_beside_it_it_says_what_to_run(write, tmp_path):
    store = write("one", {"clean": 0.74846, "imagenet_a": 0.05})
    write_report(store, tmp_path / "report")
    row = pd.read_csv(tmp_path / "report" / "published_effective_robustness.csv").set_index("metric")
    assert set(row.index) == {"imagenet_a_accuracy"}
    row = row.iloc[0]
    assert pd.isna(row["effective_robustness"])
    assert "the clean accuracy on the same classes was not run" in row["note"]


def test_a_comparison_has_them_too(write, tmp_path):
    write("one", {"clean": 0.74846})
    store = write("two", {"clean": 0.70})
    from bench.reports.choose import choose_entry
    from bench.reports.comparison_report import compare_rows

    report = compare_rows(choose_entry(store, "one"), [choose_entry(store, "two")], store)
    text = report.files()["compare.md"]
    assert "## Published figures of the same weights" in text
    assert "| two | Clean accuracy | 70.00 | 74.85 | -4.85 | differs | timm; on the same images |" in text
    assert set(report.published["verdict"]) == {"agrees", "differs"}


def test_real_accuracy_is_that_of_the_accepted_labels(write, tmp_path):
    from bench.benchmarks.real_labels import real_labels

    store = write("one", {"clean": 0.6})
    board = bench.open_results(store.root).leaderboard().iloc[0]
    labels = np.arange(50_000) % 1000
    predictions = np.where(np.arange(50_000) < 30_000, labels, (labels + 1) % 1000)
    accepted = real_labels()
    right = [int(predictions[i]) in accepted[i] for i in range(50_000) if accepted[i]]
    assert len(right) == 46_837
    assert board["real_accuracy"] == pytest.approx(np.mean(right))


def test_the_real_column_is_on_no_board_without_the_validation_images(write):
    store = write("one", {"clean": 0.6}, n=1000)
    assert "real_accuracy" not in bench.open_results(store.root).leaderboard()


@pytest.mark.shared_data
@pytest.mark.slow
def test_a_real_classifier_with_wrong_normalisation_or_shuffled_classes_is_called_out(
    shared_data, tmp_path, monkeypatch
):
    """The published figure is put at lite0's on these images, since they are not the validation set."""
    shuffled = np.random.default_rng(0).permutation(imagenet().class_names)
    (tmp_path / "shuffled.txt").write_text("\n".join(shuffled) + "\n")
    models = [
        bench.load("lite0", alias="right"),
        bench.load("lite0", alias="pixels to 255", mean=[0.0, 0.0, 0.0], std=[1 / 255] * 3),
        bench.load("lite0", alias="shuffled", label_space=str(tmp_path / "shuffled.txt")),
    ]
    settings = {"threads": 2, "workers": 0, "cache_dir": str(tmp_path / "crops"), "limit": 120}
    results = bench.evaluate(models, str(shared_data / "imagenet_samples"), "clean", **settings)
    entries = results._entries()
    figure = bench.references.PublishedFigure("timm", LITE0, 224, "clean_accuracy", 88.3, 50_000)
    monkeypatch.setattr(tables, "find_published", lambda *_: figure)
    monkeypatch.setattr(tables, "_is_validation_set", lambda _: True)
    table = tables.published_table(results._board(), entries).set_index("label")
    assert table["verdict"].to_dict() == {"right": "agrees", "pixels to 255": "differs", "shuffled": "differs"}
    assert table.loc["shuffled", "value"] < 2
