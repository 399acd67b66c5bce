"""Results by group of images, from stored outcomes alone: tables against pandas, matching of names, ImageNet-X."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bench
from bench.data.groups import groups_of, read_groups
from bench.errors import ConfigurationError, DataError
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.results import Store

N = 60


@pytest.fixture
def store(tmp_path, make_spec, provenance):
    """Two classifiers on clean images and under fog; right where a seeded draw says so."""
    store = Store(str(tmp_path / "store"))
    draw = np.random.default_rng(5)
    names = np.array([f"n{i % 4}/img_{i:03d}.JPEG" for i in range(N)])
    labels = np.arange(N) % 4
    for classifier in ("one", "two"):
        for benchmark, condition, share in (
            ("clean", Condition("clean"), 0.8),
            ("corruption", Condition("fog", 3.0), 0.5),
        ):
            predictions = np.where(draw.random(N) < share, labels, (labels + 1 + (draw.random(N) < 0.3)) % 4)
            spec = make_spec(
                classifier=classifier,
                weights_digest=classifier.encode().hex(),
                n_images=N,
                benchmark=benchmark,
                condition=condition,
                parameters={"protocol": "published"} if benchmark == "corruption" else {},
            )
            store.write_part(spec, Outcomes(names, labels, predictions, np.full(N, 0.5, np.float32)), 0, provenance)
    return store


@pytest.fixture
def groups_file(tmp_path):
    frame = pd.DataFrame(
        {
            "file_name": [f"img_{i:03d}.JPEG" for i in range(N - 10)],
            "light": ["day" if i % 3 else "night" for i in range(N - 10)],
            "blurred": [i % 5 == 0 for i in range(N - 10)],
        }
    )
    frame.loc[3, "light"] = None
    frame.to_csv(tmp_path / "groups.csv", index=False)
    return str(tmp_path / "groups.csv")


def test_each_slice_is_what_pandas_counts(store, groups_file):
    results = bench.open_results(store.root)
    table = results.slices(groups_file)
    groups = pd.read_csv(groups_file).set_index("file_name")
    assert len(table) == 2 * 2 * 3
    for row in table.to_dict("records"):
        rows = results.outcomes(row["benchmark"], classifier=row["classifier"])
        rows = rows.assign(name=rows["image_id"].str.split("/").str[1]).set_index("name")
        listed = rows.loc[groups.index, "correct"]
        inside = groups[row["factor"]] if row["group"] == "yes" else groups[row["factor"]] == row["group"]
        assert row["n_images"] == inside.sum()
        assert row["accuracy"] == pytest.approx(listed[inside].mean())
        assert row["overall"] == pytest.approx(listed.mean())
        assert row["gap"] == pytest.approx(listed[inside].mean() - listed.mean())
        assert row["error_ratio"] == pytest.approx((1 - listed[inside].mean()) / (1 - listed.mean()))
    light = table[table["factor"] == "light"]
    for _, rows in light.groupby(["label", "benchmark"]):
        assert rows[rows["worst"]]["accuracy"].tolist() == [rows["accuracy"].min()]


def test_a_table_in_memory_serves_as_well_as_a_file(store, groups_file):
    results = bench.open_results(store.root)
    frame = pd.read_csv(groups_file).set_index("file_name")
    pd.testing.assert_frame_equal(results.slices(frame), results.slices(groups_file))


def test_the_report_has_slices_classes_and_growing_confusions(store, groups_file, tmp_path):
    write_report(store, tmp_path / "report", groups=read_groups(groups_file))
    results = bench.open_results(store.root)
    clean, fog = results.outcomes("clean"), results.outcomes("corruption")
    classes = pd.read_csv(tmp_path / "report" / "classes.csv")
    for (label, number), rows in clean.groupby(["classifier", "label"]):
        own = classes[(classes["label"] == label) & (classes["class"] == number)].iloc[0]
        assert (own["n_images"], own["accuracy"]) == (len(rows), pytest.approx(rows["correct"].mean()))
        wrong = rows[~rows["correct"]]["prediction"].value_counts()
        assert own["taken_for_count"] == (wrong.max() if len(wrong) else 0)
    confusions = pd.read_csv(tmp_path / "report" / "confusions.csv")
    assert set(confusions["condition"]) == {"fog"}
    for row in confusions.to_dict("records"):
        counts = [
            int(
                (
                    (rows["classifier"] == row["label"])
                    & (rows["label"] == row["class"])
                    & (rows["prediction"] == row["taken_for"])
                ).sum()
            )
            for rows in (fog, clean)
        ]
        assert (row["count"], row["clean_count"], row["growth"]) == (*counts, counts[0] - counts[1])
        assert row["growth"] > 0
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    for title in ("Error ratio by group", "Worst groups", "Hardest classes"):
        assert f"<h2>{title}</h2>" in page


def test_a_report_without_groups_has_no_slices(store, tmp_path):
    write_report(store, tmp_path / "report")
    assert not (tmp_path / "report" / "slices.csv").exists()


def test_groups_that_list_no_stored_image_are_refused(store):
    frame = pd.DataFrame({"light": ["day"]}, index=["another.jpg"])
    with pytest.raises(DataError, match=r"lists none of the images in the store, such as n0/img_000\.JPEG"):
        bench.open_results(store.root).slices(frame)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"light": ["day"]}, "needs a column of image names"),
        ({"image_id": ["a.jpg"]}, "has no column of groups"),
    ],
)
def test_a_file_without_names_or_groups_is_refused(tmp_path, rows, message):
    pd.DataFrame(rows).to_csv(tmp_path / "groups.csv", index=False)
    with pytest.raises(ConfigurationError, match=message):
        read_groups(str(tmp_path / "groups.csv"))


def test_an_image_listed_twice_is_refused(tmp_path):
    pd.DataFrame({"image_id": ["a.jpg", "a.jpg"], "light": ["day", "day"]}).to_parquet(tmp_path / "groups.parquet")
    with pytest.raises(DataError, match=r"lists 'a\.jpg' 2 times"):
        read_groups(str(tmp_path / "groups.parquet"))


def test_a_measurement_is_no_group():
    frame = pd.DataFrame({"brightness": np.linspace(0, 1, 2000)})
    with pytest.raises(ConfigurationError, match="the column 'brightness' has 2000 values, which are no groups"):
        groups_of("mine", [str(i) for i in range(2000)], frame)


def test_names_match_by_their_ends_and_never_two_images(tmp_path):
    groups = groups_of("mine", ["n1/a.jpg", "n2/a.jpg", "b"], pd.DataFrame({"kind": ["x", "y", "x"]}))
    positions, rows = groups.rows_of(["val/n2/a.png", "other/b.jpg", "c.jpg"])
    assert (positions.tolist(), rows.tolist()) == ([0, 1], [1, 2])
    with pytest.raises(DataError, match=r"lists 'a\.jpg' 2 times"):
        groups.rows_of(["a.jpg"])
    with pytest.raises(DataError, match="is the name of several images"):
        groups.rows_of(["x/b.jpg", "y/b.jpg"])


def test_a_missing_file_names_the_nearest(groups_file):
    with pytest.raises(
        ConfigurationError, match=r"no file of groups at data\.groups=.*grops\.csv; did you mean 'groups"
    ):
        read_groups(groups_file.replace("groups.csv", "grops.csv"))


def test_stores_on_other_images_are_sliced_apart(store, groups_file, make_spec, provenance):
    names = np.array([f"img_{i:03d}.JPEG" for i in range(20)])
    labels = np.zeros(20, dtype=np.int64)
    spec = replace(make_spec(classifier="three", n_images=20), dataset="other", dataset_digest="beef")
    store.write_part(spec, Outcomes(names, labels, labels, np.ones(20, np.float32)), 0, provenance)
    table = bench.open_results(store.root).slices(groups_file)
    other = table[table["dataset"] == "other"]
    assert set(other["accuracy"]) == {1.0}
    assert other["error_ratio"].isna().all(), "nothing is wrong, so that no ratio of errors is known"
