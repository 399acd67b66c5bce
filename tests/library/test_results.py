"""Results as tables: counted by hand from the outcomes they rest on."""

import pytest
import torch

import bench
from bench.errors import ConfigurationError, DataError
from bench.library.results import Results
from bench.results import Store


@pytest.fixture(scope="module")
def results():
    draw = torch.Generator().manual_seed(3)
    pixels = torch.randint(0, 200, (20, 3, 32, 32), dtype=torch.uint8, generator=draw)
    labels = torch.arange(20) % 3
    pixels[torch.arange(20), labels] += 4

    class Channels(torch.nn.Module):
        def forward(self, images):
            return 20 * images.mean((2, 3))

    classifier = bench.make_classifier(Channels(), name="<b>means</b>", input_size=32)
    return bench.evaluate(classifier, (pixels, labels), ["clean", "fgsm"], threads=1, name="made")


def test_scores_are_shares_of_the_outcomes(results):
    scores = results.scores()
    assert list(scores.columns) == [
        *("classifier", "dataset", "protocol", "benchmark", "condition", "strength", "metric", "value", "low", "high"),
        "n",
    ]
    by_condition = scores[scores["metric"] == "accuracy"]
    assert len(by_condition) == 1 + 5
    for row in by_condition.itertuples():
        outcomes = results.outcomes(row.benchmark)
        chosen = outcomes[(outcomes["condition"] == row.condition) & (outcomes["strength"] == row.strength)]
        assert row.value == pytest.approx((chosen["label"] == chosen["prediction"]).mean())
        assert row.low <= row.value <= row.high
        assert row.n == len(chosen) == 20
    figures = scores[scores["condition"] == ""].set_index("metric")
    board = results.leaderboard().iloc[0]
    for metric in ("clean_accuracy", "fgsm_robust_accuracy"):
        assert figures.loc[metric, "value"] == board[metric]
        assert figures.loc[metric, "low"] == board[f"{metric}_low"]


def test_outcomes_have_one_row_for_each_image_and_condition(results):
    outcomes = results.outcomes("fgsm", classifier="<b>means</b>")
    assert len(outcomes) == 5 * 20
    assert not outcomes.duplicated(["condition", "strength", "image_id"]).any()
    assert {"distance", "success"} <= set(outcomes.columns)


def test_a_report_is_written(results, tmp_path):
    page = results.report(tmp_path / "mine", exports=["json"])
    assert page.name == "leaderboard.html"
    assert (tmp_path / "mine" / "leaderboard.json").exists()
    assert "<b>means</b>" not in page.read_text()


def test_a_notebook_shows_figures_with_intervals_and_escapes_names(results):
    shown = results._repr_html_()
    assert "&lt;b&gt;means&lt;/b&gt;" in shown
    assert "<b>means" not in shown
    assert "Clean accuracy" in shown
    assert "mCE" not in shown  # not run
    assert repr(results).endswith("6 cells of <b>means</b>)")


def test_nothing_is_missing_here(results):
    assert results.missing().empty


def test_names_that_are_not_there_are_answered_with_the_nearest(results, tmp_path):
    with pytest.raises(ConfigurationError, match=r"no outcomes of 'fgms'.*did you mean 'fgsm'"):
        results.outcomes("fgms")
    with pytest.raises(ConfigurationError, match="classifier 'means'"):
        results.outcomes("fgsm", classifier="means")
    with pytest.raises(ConfigurationError, match="at least one candidate"):
        results.compare("<b>means</b>")
    with pytest.raises(DataError, match=r"is empty: bench\.evaluate"):
        bench.open_results(str(tmp_path / "nothing"))


def test_scores_on_images_that_a_benchmark_brings_name_those_images(tmp_path, make_spec, make_outcomes, provenance):
    store = Store(str(tmp_path))
    own = {"dataset": "sketches", "dataset_digest": "1234", "n_images": 4, "auxiliary": True}
    for spec in (make_spec(), make_spec(entry="drawn", **own)):
        store.write_part(spec, make_outcomes(0, spec.n_images), 0, provenance)
    scores = Results(store).scores()
    accuracies = scores[scores["metric"] == "accuracy"].set_index("benchmark")
    assert accuracies["dataset"].to_dict() == {"clean": "toy", "drawn": "sketches"}
    assert accuracies["n"].to_dict() == {"clean": 10, "drawn": 4}
