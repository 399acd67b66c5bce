"""``bench.evaluate`` from Python: figures against a plain loop, resuming, failures, and what is refused."""

import logging
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import bench
from bench.benchmarks import Benchmark, judge
from bench.errors import ConfigurationError
from bench.records import Condition


class Channels(nn.Module):
    """The logits are the channel means, with a shift: wrong for some images, and gradients are known."""

    def __init__(self, shift=0.0):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([shift, 0.0, 0.0]))
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return 20 * images.mean((2, 3)) + self.shift


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(3)
    pixels = torch.randint(0, 180, (24, 3, 32, 32), dtype=torch.uint8, generator=draw)
    labels = torch.arange(24) % 3
    pixels[torch.arange(24), labels] += 12
    return pixels, labels


SETTINGS = {"threads": 1, "batch_size": 7}


def test_the_figures_are_those_of_a_plain_loop(images, tmp_path):
    pixels, labels = images
    network = Channels(0.5)
    results = bench.evaluate(network, images, ["clean", "fgsm"], **SETTINGS)
    with torch.no_grad():
        expected = network(pixels.float() / 255).argmax(1)
    clean = results.outcomes("clean")
    assert clean["prediction"].tolist() == expected.tolist()
    assert clean["label"].tolist() == labels.tolist()
    board = results.leaderboard().iloc[0]
    assert board["clean_accuracy"] == pytest.approx((expected == labels).double().mean().item())
    assert (board["n_images"], board["crop"]) == (24, "32x32-exact-1-none")
    attacked = results.outcomes("fgsm")
    strongest = attacked[attacked["strength"] == attacked["strength"].max()]
    # one step against the true channel and towards the others moves every mean by epsilon, but for clipping at 0
    assert board["fgsm_robust_accuracy"] == np.mean(strongest["prediction"] == strongest["label"])


def test_a_torch_data_set_and_its_tensors_have_the_same_outcomes(images, tmp_path):
    items = TensorDataset(images[0].float() / 255, images[1])
    first = bench.evaluate(Channels(), images, "clean", **SETTINGS).outcomes("clean")
    second = bench.evaluate(Channels(), items, "clean", **SETTINGS).outcomes("clean")
    columns = ["prediction", "confidence", "label"]
    assert first[columns].equals(second[columns])


def test_what_is_stored_is_not_computed_again(images, tmp_path):
    network = Channels()
    store = str(tmp_path / "runs")
    first = bench.evaluate(network, images, ["clean", "fgsm"], store=store, **SETTINGS)
    calls = network.calls
    again = bench.evaluate(network, images, ["clean", "fgsm"], store=store, **SETTINGS)
    assert network.calls == calls + 1  # the pass that counts the logits
    assert again.leaderboard().equals(first.leaderboard())
    assert bench.open_results(store).leaderboard().equals(first.leaderboard())


def test_another_name_is_no_reason_to_compute_again(images, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    network = Channels()
    store = str(tmp_path / "runs")
    first, second = (bench.make_classifier(network, name=name, input_size=32) for name in ("first", "second"))
    bench.evaluate(first, images, ["clean", "fgsm"], store=store, **SETTINGS)
    calls = network.calls
    results = bench.evaluate(second, images, ["clean", "fgsm"], store=store, **SETTINGS)
    assert network.calls == calls
    assert "second: results copied from first, which has the same weights" in caplog.text
    board = bench.open_results(store).leaderboard().set_index("classifier")
    assert sorted(board.index) == ["first", "second"]
    assert board.loc["second", "clean_accuracy"] == board.loc["first", "clean_accuracy"]
    assert set(results.outcomes("fgsm")["classifier"]) == {"first", "second"}


def test_several_networks_with_names_stand_on_one_leaderboard(images):
    models = [bench.make_classifier(Channels(shift), name=f"shift {shift}", input_size=32) for shift in (0.0, 3.0)]
    results = bench.evaluate(models, images, {"plain": "clean"}, **SETTINGS)
    assert set(results.leaderboard()["classifier"]) == {"shift 0.0", "shift 3.0"}
    comparison = results.compare("shift 0.0", "shift 3.0")
    row = comparison.differences.set_index("metric").loc["clean_accuracy"]
    assert row["difference"] == pytest.approx(row["candidate_value"] - row["baseline_value"])
    assert row["difference"] < 0


def test_a_benchmark_may_be_an_object_with_parameters_of_its_own(images):
    attack = bench.benchmark("pgd", epsilons=["2/255"], options={"steps": 2})
    results = bench.evaluate(Channels(), images, [attack], **SETTINGS)
    assert set(results.outcomes("pgd_linf")["strength"]) == {2 / 255}


def test_corruptions_of_published_size_are_shown_as_given_and_others_natively(images, caplog):
    fog = bench.benchmark("corruption", corruptions=["contrast"], severities=[3])
    results = bench.evaluate(Channels(), images, fog, **SETTINGS)
    assert results.leaderboard().iloc[0]["corruption_protocol"] == "published"
    shown = torch.nn.functional.pad(images[0], (0, 8, 0, 8))
    with caplog.at_level(logging.INFO):
        named = bench.evaluate(Channels(), (shown, images[1]), ["clean", "corruption"], limit=3, **SETTINGS)
    assert "protocol=native, as images of 40 x 40 pixels have no other" in caplog.text
    assert named.leaderboard().iloc[0]["corruption_protocol"] == "native"


class Broken(Channels):
    def forward(self, images):
        logits = super().forward(images)
        return logits * torch.nan if self.calls > 4 else logits


def test_a_failure_raises_at_the_end_and_loses_nothing(images):
    with pytest.raises(bench.IncompleteError, match=r"cells of Broken .*NaN or infinite logits") as caught:
        bench.evaluate(Broken(), images, ["clean", "fgsm"], threads=1, batch_size=8)
    results = caught.value.results
    assert len(results.outcomes("clean")) == 24
    missing = results.missing()
    assert set(missing["benchmark"]) == {"fgsm"}
    assert missing["error"].str.contains("infinite logits").any()


def test_guessing_is_a_warning(images, caplog):
    class Guess(Channels):
        def forward(self, images):
            return super().forward(images).roll(1, 1)

    bench.evaluate(Guess(), images, "clean", **SETTINGS)
    assert "may be guessing among 3 classes" in caplog.text


@pytest.mark.parametrize(
    ("benchmarks", "settings", "words"),
    [
        (None, {}, 'give benchmarks, such as .*or suite="quickstart"'),
        (["clean"], {"suite": "quickstart"}, "and not both"),
        ([], {}, "no benchmark was given"),
        (["claen"], {}, "did you mean 'clean'"),
        (["clean", "clean"], {}, "a benchmark is listed twice"),
        ([3], {}, "a name or an object of bench.benchmarks, not 3"),
        (["cue_conflict"], {}, "the published map to the 16 categories is of imagenet"),
        (["clean"], {"defense": "jpg"}, "unknown defense 'jpg'.*jpeg"),
        (["clean"], {"seed": -1}, "seed=-1"),
        (["clean"], {"device": "tpu9"}, "runtime.device=tpu9"),
        (["clean"], {"limit": 25}, "limit=25 is more than the 24"),
    ],
)
def test_mistakes_are_refused_before_any_work(images, benchmarks, settings, words):
    network = Channels()
    with pytest.raises(ConfigurationError, match=words):
        bench.evaluate(network, images, benchmarks, **settings)
    assert network.calls <= 1


def test_two_networks_of_one_name_are_refused(images):
    with pytest.raises(ConfigurationError, match="two classifiers are called 'Channels'"):
        bench.evaluate([Channels(), Channels(1.0)], images, "clean")
    with pytest.raises(ConfigurationError, match="not a int"):
        bench.evaluate(5, images, "clean")


def test_samples_by_name_and_a_model_by_name():
    results = bench.evaluate("lite0", "samples", ["clean"], limit=6, threads=1)
    outcomes = results.outcomes("clean", classifier="lite0")
    assert len(outcomes) == 6
    assert results.leaderboard().iloc[0]["dataset"] == "samples"


def test_a_defense_stands_in_front(images):
    results = bench.evaluate(Channels(), images, "clean", defense="bit_depth", **SETTINGS)
    assert results.leaderboard().iloc[0]["defense"].startswith("bit_depth")


def test_a_benchmark_that_no_report_knows_is_refused(images):
    @dataclass(frozen=True, kw_only=True)
    class Inverted(Benchmark):
        name, version, strength_unit = "inverted", "1", ""

        def conditions(self):
            return (Condition("inverted"),)

        def run(self, classifier, batch, condition, *, seed):
            return judge(classifier(1 - batch.pixels()), batch)

    with pytest.raises(ConfigurationError, match="Inverted is not registered"):
        bench.evaluate(Channels(), images, Inverted())


def test_conditions_of_the_store_are_the_benchmarks(images):
    results = bench.evaluate(Channels(), images, "clean", **SETTINGS)
    assert {cell.spec.condition for cell in results.store.cells()} == {Condition("clean")}
